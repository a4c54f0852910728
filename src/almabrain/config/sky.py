"""What a user may say about the skies that a campaign observes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from almabrain.config.base import Strict
from almabrain.config.sky_models import (
    CloudSettings,
    ClusterSettings,
    DiffuseSettings,
    DiscSettings,
    FitsModelSettings,
    GalaxySettings,
    NotNegative,
    PicturesSettings,
    Positive,
    RotatingDiscSettings,
    TngSettings,
)

Count = Annotated[int, Field(ge=1, le=10000)]
NoOrMore = Annotated[int, Field(ge=0, le=10000)]
Width = Annotated[float, Field(ge=20, le=2000)]
# Below this Hubble's law says nothing about the distance: galaxies' own motions are as fast.
LEAST_REDSHIFT = 1e-4
# A model that needs something of the user's, and where that stands.
NEEDS = {"pictures": "folder", "tng": "folder", "fits": "path"}


class LineSettings(Strict):
    """Spectral lines of a source: which, how strong, how broad."""

    names: list[str] | Literal["automatic", "none"] = Field(
        "automatic",
        description="automatic (whatever falls into the windows), none, or names from resources/lines.ecsv "
        "such as [CO(3-2), HCN(4-3)].",
    )
    number: int | None = Field(
        1, ge=1, description="Most lines of a source, the strongest first; null for all that fall in."
    )
    width_kms: tuple[Width, Width] = Field(
        (100.0, 500.0), description="Narrowest and broadest FWHM, km/s (radio velocity), 20 to 2000."
    )
    profile: Literal["gaussian", "double_horn", "wings"] = Field(
        "gaussian", description="Profile: gaussian, double_horn (a rotating disc) or wings (an outflow)."
    )
    to_continuum: tuple[Positive, Positive] | None = Field(
        (2.0, 8.0),
        description="Lowest and highest ratio of the strongest line's peak to the continuum, where the "
        "brightness is not given by luminosity; null to follow the luminosity ratios there too.",
    )
    scatter: bool = Field(
        True, description="Scatter line luminosities about their ratios to L_IR as galaxies do."
    )
    absorption: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Probability (0-1) that a line is seen in absorption, of 10 to 90 % of the continuum.",
    )


class SedSettings(Strict):
    """The continuum of a source whose infrared luminosity is given."""

    preset: Literal["star_forming", "agn"] = Field(
        "star_forming", description="Kind of galaxy: star_forming or agn."
    )
    table: str | None = Field(
        None,
        description="Path of a table (ECSV or CSV) of one's own with columns wavelength (rest, um) and "
        "luminosity (L_nu, any unit), scaled to L_IR; in place of the preset.",
    )


class SerendipitousSettings(Strict):
    """Sources that happen to stand in the field of the target."""

    number: tuple[NoOrMore, NoOrMore] = Field((0, 0), description="Fewest and most of them.")
    counts: bool = Field(
        False,
        description="Draw number and fluxes from published counts at 1.2 mm instead (Fujimoto et al. 2016), and "
        "redshifts about 2.2 whatever the windows and sky.redshift.",
    )
    counts_flux_jy: tuple[Positive, Positive] = Field(
        (1e-4, 1e-2), description="Faintest and brightest flux density at 1.2 mm drawn from the counts, Jy."
    )
    brightness: tuple[Positive, Positive] = Field(
        (0.1, 1.0),
        description="Lowest and highest ratio of their flux or luminosity to the target's; where the target "
        "is a picture, to its peak in a beam.",
    )
    extended_fraction: float = Field(
        0.5, ge=0, le=1, description="Share of them that are Gaussians rather than points."
    )
    min_primary_beam: float = Field(
        0.1, gt=0, lt=1, description="Least primary beam response (0-1) at their positions."
    )


class SkySettings(Strict):
    """What stands in the field: sources, how bright, how large, with which spectra."""

    model: Literal[
        "points",
        "gaussians",
        "mixed",
        "disc",
        "diffuse",
        "cloud",
        "galaxy",
        "pictures",
        "tng",
        "rotating_disc",
        "cluster",
        "fits",
        "empty",
    ] = Field("mixed", description="Sky model of the target; each has a section of its name or is plain.")
    empty_fraction: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Probability (0-1) that a simulation has an empty sky whatever the model.",
    )
    channels: int = Field(
        4,
        ge=1,
        le=4096,
        description="Equal channels that every window is cut into, whatever the correlator's.",
    )
    sources: tuple[Count, Count] = Field(
        (1, 4), description="Fewest and most sources of points, gaussians and mixed."
    )
    size_beams: tuple[Positive, Positive] = Field(
        (0.5, 3.0), description="Smallest and largest FWHM of Gaussians along the major axis, in beams."
    )
    separation_beams: float = Field(
        2.0, ge=0, description="Least distance between two sources, in beams, where there is room for it."
    )
    max_offset_beams: float = Field(
        25.0, gt=0, description="Largest distance of a source from the phase centre, in beams."
    )
    min_primary_beam: float = Field(
        0.3, gt=0, lt=1, description="Least primary beam response (0-1) at a source's position."
    )
    snr: tuple[Positive, Positive] | None = Field(
        None,
        description="Lowest and highest peak signal-to-noise ratio behind the primary beam, in the noise "
        "predicted for all windows together; 10 to 100 where no brightness is given.",
    )
    flux_jy: tuple[Positive, Positive] | None = Field(
        None, description="Lowest and highest continuum flux density, Jy, in place of snr."
    )
    luminosity_lsun: tuple[Positive, Positive] | None = Field(
        None,
        description="Lowest and highest infrared luminosity L_IR (8-1000 um), solar; then the section sed "
        "and the redshift give the continuum, and the line table the lines.",
    )
    spectral_index: tuple[float, float] = Field(
        (-1.0, 3.5),
        description="Lowest and highest spectral index a of the continuum, S ~ frequency^a, where the "
        "brightness is not given by luminosity.",
    )
    redshift: tuple[NotNegative, NotNegative] = Field(
        (0.0, 7.0),
        description="Lowest and highest barycentric redshift; where lines are automatic or named, one at which a "
        "line falls into a window.",
    )
    lines: LineSettings = Field(LineSettings(), description="Spectral lines.")
    sed: SedSettings = Field(SedSettings(), description="Continuum from the infrared luminosity.")
    serendipitous: SerendipitousSettings = Field(
        SerendipitousSettings(), description="Sources beside the target."
    )
    disc: DiscSettings = Field(DiscSettings(), description="Of the model disc.")
    diffuse: DiffuseSettings = Field(DiffuseSettings(), description="Of the model diffuse.")
    cloud: CloudSettings = Field(CloudSettings(), description="Of the model cloud.")
    galaxy: GalaxySettings = Field(GalaxySettings(), description="Of the model galaxy.")
    pictures: PicturesSettings = Field(PicturesSettings(), description="Of the model pictures.")
    tng: TngSettings = Field(TngSettings(), description="Of the model tng.")
    rotating_disc: RotatingDiscSettings = Field(
        RotatingDiscSettings(), description="Of the model rotating_disc."
    )
    cluster: ClusterSettings = Field(ClusterSettings(), description="Of the model cluster.")
    fits: FitsModelSettings = Field(FitsModelSettings(), description="Of the model fits.")

    @property
    def files(self) -> dict[str, str]:
        """Paths of the user's own data that are read, by their keys."""
        named = {"sed.table": self.sed.table}
        if need := NEEDS.get(self.model):
            named[f"{self.model}.{need}"] = getattr(getattr(self, self.model), need)
        return {key: path for key, path in named.items() if path}

    @model_validator(mode="after")
    def _consistent(self) -> "SkySettings":
        given = [key for key in BRIGHTNESS if getattr(self, key)]
        if len(given) > 1:
            raise ValueError(
                f"'{given[0]}' and '{given[1]}' are both given, which contradict each other; remove one"
            )
        if self.redshift[0] < LEAST_REDSHIFT and (self.luminosity_lsun or self.lines.to_continuum is None):
            cause = "'luminosity_lsun' is given" if self.luminosity_lsun else "'lines.to_continuum' is null"
            raise ValueError(
                f"{cause}, which needs distances, but 'redshift' is {list(self.redshift)}; give a range from "
                f"{LEAST_REDSHIFT:g} up, such as [0.5, 6]"
            )
        need = NEEDS.get(self.model)
        if need and not getattr(getattr(self, self.model), need):
            raise ValueError(f"model is '{self.model}', which needs the key '{self.model}.{need}'; give it")
        for name, section in [("", self), *((name, getattr(self, name)) for name in type(self).model_fields)]:
            _check_ranges(name, section)
        return self


BRIGHTNESS = ("snr", "flux_jy", "luminosity_lsun")


def _check_ranges(name: str, section) -> None:
    """ValueError for a pair of limits whose larger number comes first."""
    for key in type(section).model_fields if isinstance(section, Strict) else ():
        limits = getattr(section, key)
        if isinstance(limits, tuple) and len(limits) == 2 and limits[0] > limits[1]:
            path = f"{name}.{key}" if name else key
            raise ValueError(f"the range '{path}' is {list(limits)}; give the smaller number first")
