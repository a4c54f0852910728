"""What a user may say of a run as a whole: its name and place, the campaign, one's own observations."""

import os
import re
from typing import Literal

from pydantic import Field, field_validator

from almabrain.config.base import Strict
from almabrain.config.image import VisibilitySettings


class CampaignSettings(Strict):
    """Simulated observations with known truth."""

    simulations: int = Field(4, ge=1, le=1_000_000, description="Number of simulations to make.")
    shard: int = Field(
        2, ge=1, le=10_000, description="Simulations made by one job; about 50 in a large campaign."
    )
    export: list[Literal["ms", "fits", "npz", "h5", "png"]] = Field(
        ["png"],
        description="Formats in which every simulation is also written: ms, fits, npz, h5, and png, a preview.",
    )
    image: bool = Field(True, description="Image every simulation (Bayesian and CLEAN) and judge the images.")


class Observation(VisibilitySettings):
    """Data of one's own: a calibrated Measurement Set, or a FITS image or cube (catalogue only)."""

    path: str = Field(
        min_length=1,
        description="Path of the Measurement Set (a folder) or of the FITS file; $VARIABLES are replaced.",
    )
    credit: str = Field("", description="Acknowledgement that the report shows beside the data.")

    @field_validator("path")
    @classmethod
    def _expand(cls, value: str) -> str:
        expanded = os.path.expanduser(os.path.expandvars(value))
        if "$" in expanded:
            unset = re.search(r"\$\{?(\w*)", expanded).group(1)
            raise ValueError(
                f"path '{value}' needs the environment variable '{unset}', which is not set; set it"
            )
        return expanded
