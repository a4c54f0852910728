"""Spectral windows as the ALMA archive writes them.

`[85.41..85.87GHz,294.68kHz,5mJy/beam@10km/s,387.2uJy/beam@native, XX YY] U [...]`
"""

import math
import re
from typing import NamedTuple

from almabrain.console.errors import UserError

_WINDOW = re.compile(
    r"\[\s*(?P<low>[\d.]+)\.\.(?P<high>[\d.]+)\s*GHz\s*,\s*(?P<width>[\d.]+)\s*(?P<width_unit>[kM]?Hz)\s*,"
    r"(?:\s*(?P<line>[\d.]+)\s*(?P<line_unit>[num]?Jy)/beam@10km/s\s*,"
    r"\s*(?P<native>[\d.]+)\s*(?P<native_unit>[num]?Jy)/beam@native\s*,)?\s*(?P<polarisations>[A-Z ]+?)\s*\]"
)
_SCALE = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "Jy": 1.0, "mJy": 1e-3, "uJy": 1e-6, "nJy": 1e-9}


class Window(NamedTuple):
    """One spectral window; the archive's sensitivities (10 km/s, whole window; Jy/beam) may be NaN."""

    low_hz: float
    high_hz: float
    channel_width_hz: float
    sensitivity_10kms_jy: float
    sensitivity_native_jy: float
    polarisations: tuple[str, ...]

    @property
    def centre_hz(self) -> float:
        """Centre frequency, Hz."""
        return (self.low_hz + self.high_hz) / 2

    @property
    def bandwidth_hz(self) -> float:
        """Width of the window, Hz."""
        return self.high_hz - self.low_hz


def parts(text: str) -> list[str]:
    """The text of every window of a `frequency_support` string."""
    return re.split(r"\s+U\s+", str(text).strip())


def parse(text: str) -> list[Window]:
    """The windows of a `frequency_support` string, in their order; UserError for one that cannot be read."""
    windows = []
    for part in parts(text):
        found = _WINDOW.fullmatch(part)
        if not found or not float(found["low"]) < float(found["high"]):
            raise UserError(
                f"frequency_support has the window '{part[:80]}'; it must read like "
                "'[85.41..85.87GHz,294.68kHz,5mJy/beam@10km/s,387.2uJy/beam@native, XX YY]'"
            )
        windows.append(
            Window(
                float(found["low"]) * 1e9,
                float(found["high"]) * 1e9,
                float(found["width"]) * _SCALE[found["width_unit"]],
                _flux_density(found, "line"),
                _flux_density(found, "native"),
                tuple(found["polarisations"].split()),
            )
        )
    return windows


def overlap_hz(one: Window, other: Window) -> float:
    """Width, Hz, of what two windows share."""
    return max(0.0, min(one.high_hz, other.high_hz) - max(one.low_hz, other.low_hz))


def text(spans_hz: list[tuple[float, float]], channel_width_hz: float) -> str:
    """The `frequency_support` of windows (low, high) in two polarisations, of unknown sensitivity."""
    width = f"{channel_width_hz / 1e3:.9g}kHz"
    return " U ".join(f"[{low / 1e9:.9g}..{high / 1e9:.9g}GHz,{width}, XX YY]" for low, high in spans_hz)


def with_edges(part: str, low_hz: float, high_hz: float) -> str:
    """The text of one window with other edges; the rest, sensitivities too, as the archive has it."""
    edges = f"[{low_hz / 1e9:.9g}..{high_hz / 1e9:.9g}GHz"
    return re.sub(r"\[\s*[\d.]+\.\.[\d.]+\s*GHz", edges, part, count=1)


def _flux_density(found: re.Match, name: str) -> float:
    # Early rows of the archive give no sensitivities.
    return float(found[name]) * _SCALE[found[f"{name}_unit"]] if found[name] else math.nan
