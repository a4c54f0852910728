"""What a user may say of a run as a whole: its name and place, the campaign, one's own observations."""

import os
import re
from typing import Annotated, Literal

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
    """Data of one's own: calibrated visibilities, or a FITS image or cube (catalogue only)."""

    path: str | Annotated[list[str], Field(min_length=1)] = Field(
        description="Path of a Measurement Set (a folder), uvfits or npz file, or a list of them that show one sky; or "
        "of a FITS image. $VARIABLES are replaced.",
    )
    total_power: str | None = Field(
        None,
        min_length=1,
        description="Path of a FITS image by single dishes (Jy/beam) that is imaged together with the visibilities.",
    )
    credit: str = Field("", description="Acknowledgement that the report shows beside the data.")

    @field_validator("path", "total_power")
    @classmethod
    def _expand(cls, value: str | list[str] | None) -> str | list[str] | None:
        if value is None:
            return None
        return [_expanded(item) for item in value] if isinstance(value, list) else _expanded(value)

    @property
    def paths(self) -> list[str]:
        """All data sets, one or more."""
        return [self.path] if isinstance(self.path, str) else self.path


def _expanded(path: str) -> str:
    expanded = os.path.expanduser(os.path.expandvars(path))
    if not expanded:
        raise ValueError("the path is empty; give that of a Measurement Set or of a file")
    if "$" in expanded:
        unset = re.search(r"\$\{?(\w*)", expanded).group(1)
        raise ValueError(f"path '{path}' needs the environment variable '{unset}', which is not set; set it")
    return expanded
