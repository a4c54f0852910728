"""What a user may say about observations that no archive row describes."""

import datetime
import re
from itertools import combinations, pairwise
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from almabrain.config.base import Strict

Hour = Annotated[float, Field(ge=-12, le=12)]
Frequency = Annotated[float, Field(gt=0)]


class TargetSettings(Strict):
    """Where the telescope looks."""

    name: str = Field(min_length=1, description="Name of the target.")
    ra_deg: float = Field(ge=0, lt=360, description="Right ascension, deg (ICRS).")
    dec_deg: float = Field(ge=-90, le=90, description="Declination, deg (ICRS).")


class ExecutionSettings(Strict):
    """One stretch of observing, with one array."""

    configuration: str | None = Field(
        None,
        description="Named configuration, such as alma.cycle9.3 or aca.cycle9; alma.cycle9.1+aca.cycle9 "
        "correlates the dishes of both.",
    )
    antennas: str | None = Field(
        None, description="Antennas as 'PAD:ANTENNA PAD:ANTENNA ...' in place of a configuration."
    )
    start: str | None = Field(None, description="Begin, UTC, such as 2023-05-01T03:00:00.")
    date: str | None = Field(
        None,
        description="UTC day of the transit, such as 2023-05-01; goes with hour_angle_h, not with start.",
    )
    hour_angle_h: tuple[Hour, Hour] | None = Field(
        None, description="First and last hour angle, h; -1, 1 is an hour before to an hour after transit."
    )
    exptime_s: float | None = Field(
        None,
        gt=0,
        description="Time on source, s; with hour_angle_h the whole range, or so long about its middle.",
    )
    pwv_mm: float = Field(1.0, gt=0, le=30, description="Precipitable water vapour, mm.")

    @field_validator("start", "date", mode="before")
    @classmethod
    def _time(cls, value, info):
        if value is None:
            return None
        # YAML reads an unquoted day or time as such.
        text = value.isoformat() if isinstance(value, datetime.date) else str(value).strip()
        kind = datetime.datetime if info.field_name == "start" else datetime.date
        try:
            made = kind.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no UTC {EXAMPLE[info.field_name]}") from None
        if info.field_name == "start" and made.tzinfo:
            made = made.astimezone(datetime.UTC).replace(tzinfo=None)
        return made.isoformat()

    @model_validator(mode="after")
    def _consistent(self) -> "ExecutionSettings":
        if bool(self.configuration) == bool(self.antennas):
            raise ValueError("give either 'configuration' or 'antennas'")
        if bool(self.start) == bool(self.date):
            raise ValueError("give either 'start', or 'date' with 'hour_angle_h'")
        if bool(self.date) != bool(self.hour_angle_h):
            raise ValueError("'hour_angle_h' goes with 'date'; give both or neither")
        if self.start and not self.exptime_s:
            raise ValueError("'exptime_s' is missing: the time on source, s, from 'start' on")
        if self.hour_angle_h and self.hour_angle_h[0] >= self.hour_angle_h[1]:
            raise ValueError(
                f"the range 'hour_angle_h' is {list(self.hour_angle_h)}; give the smaller number first"
            )
        return self

    @property
    def dish_sizes(self) -> set[str]:
        """Sizes of the dishes, 12m and 7m, as the names of configuration or antennas tell."""
        named = self.configuration or self.antennas
        return {
            size
            for size, mark in (("7m", r"\baca\.|:CM"), ("12m", r"\balma\.|:D|:PM"))
            if re.search(mark, named)
        }


EXAMPLE = {
    "start": "time; write it like 2023-05-01T03:00:00",
    "date": "day; write it like 2023-05-01",
}


class MosaicSettings(Strict):
    """Several pointings, joined in one image: listed, or filling a rectangle."""

    offsets_arcsec: list[tuple[float, float]] = Field(
        [], description="Pointings as [east, north] of the target, arcsec."
    )
    width_arcsec: float | None = Field(
        None, gt=0, description="Extent from east to west of a rectangle to fill, arcsec."
    )
    height_arcsec: float | None = Field(
        None, gt=0, description="Extent from south to north of that rectangle, arcsec."
    )
    spacing: float = Field(
        0.511,
        gt=0,
        le=1,
        description="Distance of neighbours in the hexagonal pattern, in half-power widths of the primary "
        "beam; 0.511 is Nyquist's (lambda / sqrt(3) D).",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "MosaicSettings":
        sides = [side for side in (self.width_arcsec, self.height_arcsec) if side]
        if len(sides) == 1:
            raise ValueError("give both 'width_arcsec' and 'height_arcsec'")
        if bool(sides) == bool(self.offsets_arcsec):
            raise ValueError("give either 'offsets_arcsec', or 'width_arcsec' and 'height_arcsec'")
        return self


class PlanSettings(Strict):
    """Observations that never were: each target is one simulation, observed by every execution."""

    targets: list[TargetSettings] = Field(
        min_length=1, description="Targets, each with name, ra_deg and dec_deg."
    )
    executions: list[ExecutionSettings] = Field(
        min_length=1, description="Executions of every target, with one configuration each."
    )
    windows_ghz: list[tuple[Frequency, Frequency]] = Field(
        [], description="Spectral windows as [lowest, highest] frequency, GHz."
    )
    band: Annotated[int, Field(ge=3, le=10)] | None = Field(
        None, description="Receiver band, 3 to 10, in place of windows_ghz: its usual continuum windows."
    )
    channel_width_mhz: float = Field(
        31.25,
        gt=0,
        description="Width of the correlator's channels, MHz, as frequency_support states it; the simulated ones are "
        "windows cut into sky.channels.",
    )
    mosaic: MosaicSettings | None = Field(None, description="Pointings of a mosaic; null for a single field.")

    @model_validator(mode="after")
    def _consistent(self) -> "PlanSettings":
        if bool(self.windows_ghz) == bool(self.band):
            raise ValueError("give either 'windows_ghz' or 'band'")
        for low, high in self.windows_ghz:
            if low >= high:
                raise ValueError(
                    f"the window {[low, high]} of 'windows_ghz' is empty; give the smaller number first"
                )
            if (high - low) * 1e3 < self.channel_width_mhz:
                raise ValueError(
                    f"the window {[low, high]} of 'windows_ghz' is narrower than a channel of 'channel_width_mhz' = "
                    f"{self.channel_width_mhz:g}; widen it or narrow the channels"
                )
        ordered = sorted(self.windows_ghz)
        for below, above in pairwise(ordered):
            if above[0] < below[1]:
                raise ValueError(
                    f"the windows {list(below)} and {list(above)} of 'windows_ghz' overlap; move one or join them"
                )
        if any(first == second for first, second in combinations(self.executions, 2)):
            raise ValueError("two of the 'executions' are the same; remove one")
        names = [target.name.lower() for target in self.targets]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"two targets have the name '{twice}'; rename one")
        return self
