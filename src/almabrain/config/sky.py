"""What a user may say about the skies that a campaign observes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from almabrain.config.base import Strict

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=10000)]


class SkySettings(Strict):
    """What stands in the field: sources, how bright, how large, with which spectra."""

    model: Literal["points", "gaussians", "mixed", "diffuse", "empty"] = Field(
        "mixed",
        description="Sky model: points, gaussians, mixed (both), diffuse (one field of pixels) or empty.",
    )
    empty_fraction: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Probability (0-1) that a simulation has an empty sky whatever the model.",
    )
    channels: int = Field(
        4, ge=1, le=4096, description="Number of channels to which every spectral window is averaged."
    )
    sources: tuple[Count, Count] = Field((1, 4), description="Fewest and most sources in a field.")
    snr: tuple[Positive, Positive] | None = Field(
        None,
        description="Lowest and highest peak signal-to-noise ratio behind the primary beam, in the noise "
        "predicted for all windows together; 10 to 100 where flux_jy is not given.",
    )
    flux_jy: tuple[Positive, Positive] | None = Field(
        None, description="Lowest and highest continuum flux density, Jy, in place of snr."
    )
    size_beams: tuple[Positive, Positive] = Field(
        (0.5, 3.0), description="Smallest and largest FWHM of Gaussians along the major axis, in beams."
    )
    separation_beams: float = Field(
        2.0,
        ge=0,
        description="Least distance between two sources, in beams, where the field has room for it.",
    )
    max_offset_beams: float = Field(
        25.0, gt=0, description="Largest distance of a source from the phase centre, in beams."
    )
    min_primary_beam: float = Field(
        0.3, gt=0, lt=1, description="Least primary beam response (0-1) at a source's position."
    )
    spectral_index: tuple[float, float] = Field(
        (-1.0, 3.5), description="Lowest and highest spectral index a of the continuum, S ~ frequency^a."
    )
    line: str = Field(
        "automatic",
        description="Spectral line of the brightest source: automatic (any that falls into a window), none, "
        "or a name from resources/lines.ecsv such as CO(3-2).",
    )
    line_to_continuum: tuple[Positive, Positive] = Field(
        (2.0, 8.0), description="Lowest and highest ratio of the line's peak to the continuum flux density."
    )
    line_width_kms: tuple[Positive, Positive] = Field(
        (100.0, 500.0), description="Narrowest and broadest FWHM of the line, km/s (radio velocity)."
    )
    redshift: tuple[NotNegative, NotNegative] = Field(
        (0.0, 7.0), description="Lowest and highest barycentric redshift of the source with the line."
    )

    @model_validator(mode="after")
    def _consistent(self) -> "SkySettings":
        if self.snr and self.flux_jy:
            raise ValueError("both 'snr' and 'flux_jy' are given, which contradict each other; remove one")
        for key in RANGES:
            limits = getattr(self, key)
            if limits and limits[0] > limits[1]:
                raise ValueError(f"the range '{key}' is {list(limits)}; give the smaller number first")
        return self


RANGES = ("sources snr flux_jy size_beams spectral_index line_to_continuum line_width_kms redshift").split()
