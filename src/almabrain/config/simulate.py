"""What a user may say about the simulated observations."""

from typing import Literal

from pydantic import Field, field_validator

from almabrain.config.base import Strict
from almabrain.config.corruptions import CorruptionSettings


class TotalPowerSettings(Strict):
    """On-the-fly maps by 12 m dishes."""

    antennas: int = Field(3, ge=1, le=10, description="Number of 12 m dishes that map the field.")
    time_s: float = Field(
        3600.0, gt=0, description="Time [s] that every dish spends on the map, off positions not counted."
    )


class SimulateSettings(Strict):
    """How a sky model is observed and imaged."""

    integration_s: float = Field(
        30.24,
        gt=0,
        le=600,
        description="Length of one integration [s]; the time on source is cut into equal parts near this.",
    )
    scan_s: float = Field(
        420.0, gt=0, description="Time on source [s] between two visits to the phase calibrator."
    )
    gap_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="Length of such a visit [s], with the way there and back; 0 for none.",
    )
    elevation_limit_deg: float = Field(
        15.0,
        ge=3,
        lt=90,
        description="Lowest elevation [deg] of an observation; a track below it moves to transit that day.",
    )
    n_pix: int | Literal["auto"] = Field(
        "auto",
        description="Pixels along a side of the images (even, 32 to 8192), the same for all windows of a "
        "simulation; auto covers the primary beam down to a fifth (with total_power all that single dishes see) "
        "in 128 to 1024 pixels, and every source and pointing.",
    )
    cell_arcsec: float | Literal["auto"] = Field(
        "auto",
        description="Width of a pixel [arcsec]; auto takes a fifth of the finest fringe spacing, or up to "
        "twice as much where the sources would not fit into n_pix (1024 where that is auto) otherwise.",
    )
    weighting: Literal["natural", "briggs"] = Field(
        "natural", description="Weighting of the visibilities in the dirty images: natural or briggs."
    )
    robust: float = Field(
        0.5, ge=-2, le=2, description="Briggs' robustness, -2 (near uniform) to 2 (near natural)."
    )
    visibilities: bool = Field(
        True,
        description="Keep the visibilities beside the images; imaging and the export ms need them.",
    )

    corruptions: CorruptionSettings = Field(
        CorruptionSettings(), description="What goes wrong on the way from the sky to the visibilities."
    )
    total_power: TotalPowerSettings | None = Field(
        None, description="Maps of the same sky by single dishes beside the interferometer's; null for none."
    )

    @field_validator("n_pix")
    @classmethod
    def _even(cls, value):
        if value != "auto" and (value % 2 or not 32 <= value <= 8192):
            raise ValueError(f"{value} is no image size; allowed: auto, or an even number from 32 to 8192")
        return value

    @field_validator("cell_arcsec")
    @classmethod
    def _positive(cls, value):
        if value != "auto" and not value > 0:
            raise ValueError(f"{value} is no pixel width; allowed: auto, or a number of arcsec above 0")
        return value
