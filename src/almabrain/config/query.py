"""What a user may say about the observations that a campaign starts from."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from almabrain.config.base import Strict
from almabrain.config.plan import PlanSettings

Range = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]
FrequencyRange = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
BandNumber = Annotated[int, Field(ge=1, le=10)]


class QuerySettings(Strict):
    """Where archive rows come from and which of them are taken."""

    source: Literal["snapshot", "tap", "file", "plan"] = Field(
        "snapshot",
        description="Where the rows come from: the snapshot that ships with almabrain (offline), "
        "the ALMA archive's TAP service, a file of one's own, or a plan of observations never made.",
    )
    file: str | None = Field(
        None,
        description="Path of an ECSV, VOTable (.vot, .xml) or CSV file with the archive's column names, or an "
        "observations.ecsv of another run, which is taken as it is; for source file only.",
    )
    plan: PlanSettings | None = Field(
        None, description="Observations without archive rows; for source plan only."
    )
    service: str = Field(
        "eso", description="TAP service: eso, nrao, naoj or the URL of any other; for source tap only."
    )
    timeout_s: float = Field(
        60.0, gt=0, description="Seconds to wait for one answer of the TAP service (it is asked 3 times)."
    )
    max_rows: int = Field(2000, ge=1, description="Most rows that the TAP service is asked for.")
    skip_unusable: bool = Field(
        False,
        description="Leave out rows with unknown pads, missing values or unreadable windows "
        "instead of stopping at the first.",
    )
    bands: list[BandNumber] = Field([], description="ALMA receiver bands to take; empty for all.")
    arrays: list[Literal["12m", "7m"]] = Field(
        ["12m", "7m"],
        min_length=1,
        description="Arrays to take, by dish size: 12m, 7m; one of both sizes needs both.",
    )
    mixed_arrays: Literal["larger", "together"] = Field(
        "larger",
        description="A row with dishes of both sizes: larger keeps the size of most of them, together keeps "
        "all, correlated with each other.",
    )
    combine: bool = Field(
        False,
        description="Join rows of the same target, band and windows (over 90 % alike) into one simulation of "
        "several executions, where the source does not number its simulations.",
    )
    targets: list[str] = Field(
        [], description="Target names to take, upper or lower case alike; empty for all."
    )
    frequency_ghz: FrequencyRange | None = Field(
        None, description="Lowest and highest frequency, GHz; a row with a window that overlaps is taken."
    )
    resolution_arcsec: Range | None = Field(
        None, description="Lowest and highest angular resolution, arcsec."
    )
    integration_s: Range | None = Field(None, description="Shortest and longest time on source, s.")
    categories: list[str] = Field(
        [], description="Scientific categories to take, where the source has them; empty for all."
    )
    keyword: str | None = Field(
        None, description="Text that the science keywords must contain, where the source has them."
    )

    @model_validator(mode="after")
    def _consistent(self) -> "QuerySettings":
        if self.source == "file" and not self.file:
            raise ValueError("source is 'file', but the key 'file' is missing; give the file's path")
        if self.source != "file" and self.file:
            raise ValueError(
                f"the key 'file' is given, but source is '{self.source}'; set source: file or remove it"
            )
        if self.source == "plan" and not self.plan:
            raise ValueError("source is 'plan', but the section 'plan' is missing; write it")
        if self.source != "plan" and self.plan:
            raise ValueError(
                f"the section 'plan' is given, but source is '{self.source}'; set source: plan or remove it"
            )
        for key in ("frequency_ghz", "resolution_arcsec", "integration_s"):
            limits = getattr(self, key)
            if limits and limits[0] >= limits[1]:
                raise ValueError(f"the range '{key}' is {list(limits)}; give the smaller number first")
        return self
