"""The table of spectral lines: rest frequencies, and how bright each is beside the infrared luminosity."""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from almabrain.config.sky import LineSettings
from almabrain.console.errors import UserError, nearest
from almabrain.data import resources
from almabrain.data.tables import read_table


@dataclass(frozen=True)
class Transition:
    """A row of resources/lines.ecsv; log_ratio is log10(L_line / L_IR), None where nobody knows it."""

    name: str
    rest_frequency_hz: float
    log_ratio: float | None
    scatter_dex: float

    @property
    def species(self) -> str:
        """What the line is of: CO of CO(3-2), [CI] of [CI](1-0), Halpha of H30alpha."""
        return re.sub(r"\(.*\)|(?<=\])\d+|(?<=^H)\d+(?=alpha$)", "", self.name)


@cache
def transitions() -> dict[str, Transition]:
    """The line table by name: resources/lines.ecsv, where every row names its sources."""
    known = {}
    for row in read_table(resources.path("lines.ecsv")):
        ratio, scatter = (
            None if np.ma.is_masked(row[key]) else float(row[key]) for key in ("log_ratio", "scatter")
        )
        name = str(row["line"])
        known[name] = Transition(name, float(row["rest_frequency"]) * 1e9, ratio, scatter or 0.0)
    return known


def check_names(settings: LineSettings) -> None:
    """UserError for a name in sky.lines.names that the line table does not hold."""
    known = transitions()
    for name in settings.names if isinstance(settings.names, list) else ():
        if name not in known:
            # [CII] means [CII]158 rather than [ClII]14, and CO(3-1) CO(3-2) rather than CO(13-12).
            longer = [one for one in known if one.startswith(name)]
            as_long = [one for one in known if len(one) == len(name)]
            alike = nearest(name, longer) or nearest(name, as_long) or nearest(name, known)
            raise UserError(
                f"sky.lines.names holds '{name}'{alike}; allowed: automatic, none, or a list of names of the "
                f"{len(known)} lines in resources/lines.ecsv, such as [CO(3-2), HCN(4-3)]"
            )


def check_ratios(settings: LineSettings) -> None:
    """UserError for a name in sky.lines.names whose luminosity nobody knows: of use before L_IR gives the flux."""
    check_names(settings)
    for item in allowed_lines(settings):
        if item.log_ratio is None:
            raise UserError(
                f"sky.lines.names holds '{item.name}', whose ratio to the infrared luminosity is unknown; give "
                "another line, or sky.flux_jy or sky.snr with sky.lines.to_continuum in place of "
                "sky.luminosity_lsun"
            )


def allowed_lines(settings: LineSettings) -> list[Transition]:
    """Lines that may be drawn; automatically only those whose strength is known."""
    if settings.names == "none":
        return []
    if settings.names == "automatic":
        return [item for item in transitions().values() if item.log_ratio is not None]
    return [transitions()[name] for name in dict.fromkeys(settings.names)]
