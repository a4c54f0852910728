"""What a user may say about each sky model; the section bears the model's name."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from almabrain.config.base import Strict

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Few = Annotated[int, Field(ge=0, le=20)]
Some = Annotated[int, Field(ge=0, le=1000)]
Share = Annotated[float, Field(ge=0, le=1)]
Inclination = Annotated[float, Field(ge=0, le=85)]
Rotating = Annotated[float, Field(ge=5, le=85)]


class DiscSettings(Strict):
    """A dust disc, flat and inclined, with rings and the gaps between them."""

    radius_beams: tuple[Positive, Positive] = Field(
        (4.0, 12.0), description="Smallest and largest outer radius, in beams."
    )
    gaps: tuple[Few, Few] = Field((0, 3), description="Fewest and most gaps cut into the disc.")
    gap_depth: tuple[Share, Share] = Field(
        (0.5, 1.0), description="Shallowest and deepest gap: the share of light that is missing (0-1)."
    )
    inclination_deg: tuple[Inclination, Inclination] = Field(
        (0.0, 70.0), description="Least and greatest inclination, deg; 0 is face-on."
    )


class DiffuseSettings(Strict):
    """A log-normal random field with a power-law spectrum, as of dust."""

    slope: float = Field(
        -3.0, ge=-6, le=0, description="Slope of the logarithm's power spectrum, P(k) ~ k^slope."
    )
    log_scatter: float = Field(
        1.0, gt=0, le=3, description="Standard deviation of the natural logarithm of the brightness."
    )
    correlation_beams: float | None = Field(
        None, gt=0, description="Scale above which the spectrum is flat, in beams; null for none."
    )


class CloudSettings(Strict):
    """A molecular cloud: power-law spectrum of brightness itself, with random phases."""

    slope: float = Field(
        -2.8, ge=-5, le=0, description="Slope of the brightness's power spectrum, P(k) ~ k^slope."
    )
    radius_beams: tuple[Positive, Positive] = Field(
        (4.0, 12.0), description="Smallest and largest radius of the cloud, in beams."
    )


class GalaxySettings(Strict):
    """A galaxy made by rule: bulge, exponential disc, spiral arms and clumps."""

    radius_beams: tuple[Positive, Positive] = Field(
        (1.0, 3.0), description="Smallest and largest scale length of the disc, in beams."
    )
    bulge_share: tuple[Share, Share] = Field(
        (0.05, 0.4), description="Least and greatest share of the bulge."
    )
    arms: tuple[Few, Few] = Field((2, 4), description="Fewest and most spiral arms; 0 for none.")
    clumps: tuple[Some, Some] = Field((0, 20), description="Fewest and most clumps of star formation.")
    inclination_deg: tuple[Inclination, Inclination] = Field(
        (0.0, 75.0), description="Least and greatest inclination, deg; 0 is face-on."
    )


class PicturesSettings(Strict):
    """Pictures from a folder, one drawn for each simulation."""

    folder: str | None = Field(
        None, description="Folder of FITS, PNG or JPEG pictures (Galaxy Zoo, Hubble Top 100, or any)."
    )
    size_beams: tuple[Positive, Positive] = Field(
        (8.0, 24.0),
        description="Smallest and largest diameter, in beams, of the circle that is seen of a picture (its "
        "shorter side).",
    )
    background_percentile: float = Field(
        5.0,
        ge=0,
        lt=100,
        description="Percentile of a picture's brightness that counts as dark sky; about 99 where it is noise.",
    )


class TngSettings(Strict):
    """Gas of an IllustrisTNG subhalo, from a cutout file of the public release."""

    folder: str | None = Field(
        None,
        description="Folder of gas cutouts (HDF5) of IllustrisTNG, one drawn for each simulation; the galaxy is as "
        "large as at sky.redshift where this is one value, else as at its snapshot's.",
    )
    snapshot_redshift: float | None = Field(
        None, ge=0, description="Redshift of the snapshot; null to read it from the file's header."
    )
    hubble: float = Field(0.6774, gt=0, description="The simulation's h, where the file's header lacks it.")
    tracer: Literal["neutral_hydrogen", "molecular", "mass"] = Field(
        "neutral_hydrogen", description="What shines in proportion: neutral or molecular gas, or all gas."
    )
    inclination_deg: tuple[Annotated[float, Field(ge=0, le=90)], Annotated[float, Field(ge=0, le=90)]] = (
        Field(
            (0.0, 90.0),
            description="Least and greatest tilt of the galaxy's spin from the line of sight, deg.",
        )
    )


class RotatingDiscSettings(Strict):
    """A gas disc whose line light follows its rotation curve."""

    radius_beams: tuple[Positive, Positive] = Field(
        (1.0, 4.0),
        description="Smallest and largest scale length of the gas, in beams; the disc ends at six of them.",
    )
    inclination_deg: tuple[Rotating, Rotating] = Field(
        (20.0, 80.0),
        description="Least and greatest inclination, deg, 5 to 85: a face-on disc shows no rotation.",
    )
    turnover: float = Field(
        0.3, gt=0, description="Radius where the rotation curve bends over, in scale lengths."
    )
    dispersion_kms: float = Field(
        10.0,
        gt=0,
        description="Velocity dispersion of the gas, km/s; made less where it would fill more than half of the "
        "line's width, and more where less than a two-hundredth.",
    )


class ClusterSettings(Strict):
    """The thermal Sunyaev-Zel'dovich decrement of a galaxy cluster."""

    profile: Literal["beta", "gnfw"] = Field(
        "gnfw", description="Pressure profile: beta model, or generalised NFW (Arnaud et al. 2010)."
    )
    compton_y: tuple[Positive, Positive] = Field(
        (3e-5, 3e-4), description="Lowest and highest central Compton parameter y."
    )
    core_beams: tuple[Positive, Positive] = Field(
        (1.0, 4.0), description="Smallest and largest core radius (beta) or r500 / 10 (gnfw), in beams."
    )
    beta: float = Field(0.86, gt=0.34, le=2, description="Exponent of the beta model.")
    electron_temperature_kev: float = Field(
        0.0, ge=0, le=25, description="Electron temperature of the relativistic correction, keV; 0 for none."
    )


class FitsModelSettings(Strict):
    """A model image or cube of one's own, with its WCS and units."""

    path: str | None = Field(
        None, description="Path of a FITS image or cube in Jy/pixel, Jy/beam, K or Jy/sr."
    )
    recentre: bool = Field(
        True, description="Move the model's centre to the phase centre; false keeps its own coordinates."
    )
    peak_jy_pixel: float | None = Field(
        None, gt=0, description="Scale the file's brightest pixel to this, Jy/pixel; null keeps it."
    )
    shift_frequency: bool = Field(
        True,
        description="Move the middle of a cube's frequencies to that of the first window, by a factor: its "
        "velocities stay, and its flux densities.",
    )

    @field_validator("path")
    @classmethod
    def _kind(cls, value):
        if value is not None and not value.lower().endswith((".fits", ".fits.gz", ".fit")):
            raise ValueError(f"{value} is no FITS file by its name; give one that ends in .fits")
        return value
