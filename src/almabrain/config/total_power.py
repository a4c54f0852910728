"""What a user may say about the single dishes that observe the same sky."""

from pydantic import Field

from almabrain.config.base import Strict


class TotalPowerSettings(Strict):
    """On-the-fly maps by 12 m dishes."""

    antennas: int = Field(3, ge=1, le=10, description="Number of 12 m dishes that map the field.")
    time_s: float = Field(
        3600.0, gt=0, description="Time [s] that every dish spends on the map, off positions not counted."
    )
