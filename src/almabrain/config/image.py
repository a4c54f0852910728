"""What a user may say about making visibilities ready, Bayesian imaging and CLEAN."""

import re
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from almabrain.config.base import Name, Strict


class VisibilitySettings(Strict):
    """Which visibilities of a data set or simulation are imaged, and what is done to them before."""

    fields: list[str | int] = Field(
        [],
        description="Fields to image, by name or number; several make a mosaic. Empty for all, if they hang together.",
    )
    spectral_windows: list[int] = Field(
        [], description="Numbers of the spectral windows to image; empty for all of them."
    )
    data_column: Literal["auto", "DATA", "CORRECTED_DATA"] = Field(
        "auto",
        description="Column of a Measurement Set; auto takes CORRECTED_DATA where it exists, else DATA.",
    )
    channels: str | dict[int, str] = Field(
        "auto",
        description="Channels to image: all; line_free, found in the visibilities; ranges such as 5~20;30~60 or "
        "230.1~230.4GHz; or one of these for each spectral window. auto: all of an observation, of a simulation those "
        "that truly have no line.",
    )
    frame: Literal["native", "LSRK"] = Field(
        "native",
        description="Frame of the channels: native leaves them, LSRK moves those of all times and fields to one grid.",
    )
    average_channels: int = Field(
        1, ge=1, description="Number of neighbouring channels averaged into one; 1 averages none."
    )
    average_time_s: float = Field(
        0.0, ge=0, description="Time over which each baseline is averaged, in seconds; 0 averages nothing."
    )
    dish_diameter_m: float | None = Field(
        None,
        gt=0,
        description="Diameter of the dishes, where the data do not say it, in metres.",
    )
    ra_deg: float | None = Field(
        None,
        ge=0,
        lt=360,
        description="Right ascension (ICRS) of the phase centre of an npz file, in degrees.",
    )
    dec_deg: float | None = Field(
        None, ge=-90, le=90, description="Declination (ICRS) of the phase centre of an npz file, in degrees."
    )
    frequency_ghz: float | None = Field(
        None, gt=0, description="Frequency of the visibilities of an npz file, in GHz."
    )
    total_power_rms_jy_beam: float | None = Field(
        None,
        gt=0,
        description="Noise of the total power map in Jy/beam; null measures it along the map's edge.",
    )

    @field_validator("channels")
    @classmethod
    def _channels(cls, value: str | dict[int, str]) -> str | dict[int, str]:
        number = r"\s*\d+(\.\d*)?\s*"
        ranges = re.compile(rf"({number}(~{number})?(GHz)?\s*(;|$))+")
        for text in value.values() if isinstance(value, dict) else [value]:
            if text not in ("auto", "all", "line_free") and not ranges.fullmatch(text):
                raise ValueError(
                    f"is '{text}', but must be auto, all, line_free or ranges such as '5~20;30~60' or "
                    "'230.1~230.4GHz'"
                )
        return value


class CleanSettings(Strict):
    """The CLEAN image made beside the Bayesian one from the same data, weights, cell and size."""

    engine: Literal["radler", "wsclean", "casa"] = Field(
        "radler",
        description="Program that cleans: radler with our gridder, WSClean, or CASA's tclean (the one for mosaics).",
    )
    algorithm: Literal["multiscale", "hogbom"] = Field(
        "multiscale", description="Multiscale CLEAN, or Högbom's with points only."
    )
    mode: Literal["mfs", "cube"] = Field(
        "mfs", description="One image of all channels (mfs), or one for each channel (cube)."
    )
    scales: list[float] | None = Field(
        None,
        min_length=1,
        description="Widths (FWHM) of the multiscale components in beams, 0 for points; null takes 0, 2, 4 and 6 as "
        "far as the data measure them.",
    )
    robust: float = Field(
        0.5,
        ge=-2,
        le=2,
        description="Briggs' robust parameter of the CLEAN image, from -2 (uniform) to 2 (natural).",
    )
    iterations: int = Field(20000, ge=0, description="Largest number of CLEAN components (minor iterations).")
    gain: float = Field(0.1, gt=0, le=1, description="Part of the peak that a minor iteration removes.")
    negative: bool = Field(
        False,
        description="Whether components may be negative, as absorption and decrements need; CASA's always may.",
    )
    mask_sigma: float = Field(
        4.0,
        gt=0,
        description="Depth of the first, free CLEAN, in sigmas of the noise; what it found is the mask.",
    )
    threshold_sigma: float = Field(
        1.0, gt=0, description="Depth of the second CLEAN within that mask, in sigmas of the weights' noise."
    )

    @field_validator("scales")
    @classmethod
    def _not_negative(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and min(value) < 0:
            raise ValueError(f"is {value}, but no component is narrower than a point, which is 0")
        return value


class SelfCalibration(Strict):
    """Gains of the antennas that are learned together with the image; docs/self-calibration.md says when."""

    solve: Literal["nothing", "phases", "phases and amplitudes"] = Field(
        "nothing", description="Gains of the antennas that are learned together with the image."
    )
    interval_s: float | None = Field(
        None,
        gt=0,
        description="Time [s] of one solution; null takes each integration, or longer where an execution has "
        "more than 200.",
    )
    phase_rms_deg: float | None = Field(
        None,
        gt=0,
        le=180,
        description="Rms of the phases' prior [deg]; null learns it, and applies nothing where the data do not ask "
        "for it.",
    )
    correlation_s: float | None = Field(
        None, gt=0, description="Correlation time [s] of the gains' prior; null learns it."
    )


class Prior(Strict):
    """What is believed of the diffuse sky before the data, by RESOLVE's names; docs/bayesian-imaging.md says more."""

    offset: float | None = Field(
        None,
        ge=-60,
        le=20,
        description="Offset of the log brightness, ln of Jy/arcsec2; null is a hundredth of the noise in a natural "
        "beam.",
    )
    zero_mode: float | None = Field(
        None, gt=0, le=10, description="Standard deviation of the field's mean log brightness; null is 1."
    )
    fluctuations: tuple[float, float] | None = Field(
        None,
        description="Mean and standard deviation of the log brightness's own standard deviation about its mean; null "
        "is 3.1 and 1.",
    )
    slope: tuple[float, float] | None = Field(
        None,
        description="Mean and standard deviation of the slope of the power spectrum above k0; null is -5.4 and 1.8.",
    )
    k0: tuple[float, float] | None = Field(
        None,
        description="Mean and standard deviation of the wavenumber, in cycles per field, where the spectrum turns "
        "down; null is 3.4 and 3.3.",
    )
    flexibility: float = Field(
        0.0,
        ge=0,
        le=10,
        description="How much the slope of the power spectrum may change over a factor e in wavenumber; 0 keeps to "
        "the law.",
    )
    asperity: float = Field(
        0.0, ge=0, le=10, description="How rough these deviations are; read where flexibility is above 0."
    )

    @field_validator("asperity")
    @classmethod
    def _read(cls, value: float, info: ValidationInfo) -> float:
        if value > 0 and not info.data.get("flexibility", 1.0):
            raise ValueError(f"is {value:g}, but nothing deviates where flexibility is 0; give that too")
        return value

    @field_validator("fluctuations", "slope", "k0")
    @classmethod
    def _possible(cls, value: tuple[float, float] | None, info: ValidationInfo) -> tuple[float, float] | None:
        if value is None:
            return value
        mean, std = value
        if not std > 0:
            raise ValueError(
                f"is [{mean:g}, {std:g}], but its second number, a standard deviation, must be above 0"
            )
        if info.field_name == "slope":
            if not mean < -2:
                raise ValueError(
                    f"is [{mean:g}, {std:g}], but its mean must be below -2, or most power lies in single pixels"
                )
        elif not mean > 0:
            raise ValueError(f"is [{mean:g}, {std:g}], but its mean must be above 0")
        return value


class Spectral(Strict):
    """What the Bayesian image knows of frequency; docs/bayesian-imaging.md says how to read it."""

    mode: Literal["continuum", "cube", "index"] = Field(
        "continuum",
        description="One image of all data (continuum), one for each channel (cube), or an image with a map of its "
        "spectral index (index, of a positive field).",
    )
    correlation_channels: float | None = Field(
        None,
        gt=0,
        description="Channels over which those of a cube are alike a priori; null takes it from the data.",
    )
    rest_frequency_ghz: float | None = Field(
        None,
        gt=0,
        description="Rest frequency of a cube's line, in GHz, for its velocities; null counts them from the middle "
        "channel.",
    )
    bands: int = Field(
        4,
        ge=2,
        le=16,
        description="Number of bands from which spectral indices are found; more where more gaps part the data.",
    )
    index_mean: float = Field(2.0, description="Mean of the spectral index a priori.")
    index_std: float = Field(1.5, gt=0, description="Standard deviation of the spectral index a priori.")


class Recipe(Strict):
    """A named set of imaging settings."""

    cell_arcsec: float | None = Field(
        None, gt=0, description="Pixel size in arcsec; null chooses it from the longest baseline."
    )
    n_pix: int | None = Field(
        None,
        ge=64,
        le=2048,
        description="Pixels along a side, even; null covers the primary beam or the simulated field.",
    )
    field: Literal["positive", "negative", "signed"] = Field(
        "positive",
        description="Sign of the diffuse sky: positive; negative for decrements and absorption (points stay positive); "
        "signed where both occur.",
    )
    prior: Prior = Field(Prior(), description="Prior of the diffuse sky; what is null is set from the data.")
    samples: int = Field(40, ge=8, le=256, description="Number of posterior samples that are kept.")
    reweight: Literal["auto", "antennas", "never"] = Field(
        "auto",
        description="Whether weights of observations are corrected by the noise seen in the data, by window and "
        "baseline length (auto), by antenna too (antennas), or kept (never).",
    )
    max_iterations: int = Field(
        60,
        ge=1,
        le=400,
        description="Largest number of rounds (two trajectories of every chain) before giving up.",
    )
    regions: str | None = Field(
        None, description="Region file of DS9 or CASA (CRTF): fluxes in these regions are told, with errors."
    )
    radii_arcsec: list[Annotated[float, Field(gt=0)]] = Field(
        [], description="Radii in arcsec of circles about the image's centre, in which fluxes are told too."
    )
    flux_scale_error: float = Field(
        0.0, ge=0, lt=1, description="Relative error of the flux scale, added to the errors of these fluxes."
    )
    clean: CleanSettings = Field(CleanSettings(), description="Settings of the CLEAN image.")
    self_calibration: SelfCalibration = Field(
        SelfCalibration(), description="Calibration of the antennas' gains by the image itself."
    )
    spectral: Spectral = Field(Spectral(), description="Channels of the Bayesian image.")

    @model_validator(mode="after")
    def _positive_index(self):
        if self.spectral.mode == "index" and self.field != "positive":
            raise ValueError(
                f"field is {self.field}, but a sky with spectral indices is positive; set field to positive, or "
                "spectral.mode to cube or continuum"
            )
        return self

    @field_validator("n_pix")
    @classmethod
    def _even(cls, value: int | None) -> int | None:
        if value is not None and value % 2:
            raise ValueError(f"is {value}, but must be even")
        return value


class ImageSettings(Strict):
    """Stage image: recipes by name; every data set is imaged with each."""

    recipes: dict[Name, Recipe] = Field(
        {"default": Recipe()}, min_length=1, description="Imaging recipes by name; each makes its own images."
    )
