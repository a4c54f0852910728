"""What a user may say about the noise."""

from typing import Literal

from pydantic import Field, field_validator

from almabrain.config.base import Strict


class NoiseSettings(Strict):
    """How the noise of the dirty cubes is made."""

    mode: Literal["theoretical", "empirical", "mixed"] = Field(
        "empirical",
        description="theoretical: radiometer noise of the visibilities; empirical: a field drawn from the "
        "reference image, added to the noiseless dirty cube; mixed: both, by their shares of the variance.",
    )
    reference: str = Field(
        "pisco_band6",
        min_length=1,
        description="Where the texture of the noise comes from: the name of a table in resources/noise, or "
        "the path of a FITS image (residual or nearly empty, not corrected for the primary beam).",
    )
    plane: int = Field(
        0, ge=0, description="Plane of the reference where it is a cube; the first one counts as 0."
    )
    reference_beam: tuple[float, float, float] | None = Field(
        None,
        description="Beam of the reference where its header has none: major and minor FWHM [arcsec] and "
        "position angle [deg]; null takes the header's, or else the core of the noise autocorrelation.",
    )
    mask_sources: bool = Field(
        True, description="Find the sources in the reference and leave them out of the measurement."
    )
    rms: Literal["predicted", "reference"] = Field(
        "predicted",
        description="predicted: the drawn noise has the radiometer rms of each channel, so that only its "
        "texture is the reference's; reference: it has the rms measured on the reference [Jy/beam].",
    )
    empirical_fraction: float = Field(
        0.5, ge=0, le=1, description="Share of the variance that is empirical in mode mixed, 0 to 1."
    )

    @field_validator("reference_beam")
    @classmethod
    def _a_real_beam(cls, beam: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
        if beam and not beam[0] >= beam[1] > 0:
            raise ValueError(
                f"the beam is {list(beam)}, but it must be [major, minor, position angle] "
                "with major >= minor > 0"
            )
        return beam
