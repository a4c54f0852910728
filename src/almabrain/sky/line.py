"""Spectral lines: which one falls where, and its light in every channel."""

import logging
from dataclasses import dataclass
from functools import cache

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError, nearest
from almabrain.data import resources
from almabrain.data.line import mean_flux_density
from almabrain.data.tables import read_table
from almabrain.sky.field import Field, Window
from almabrain.sky.source import Source, log_uniform

log = logging.getLogger(__name__)

# A line's centre keeps this share of a window's width from either edge.
EDGE_SHARE = 0.2
# A channel is free of the line where it holds less than this share of the strongest channel's line light.
FREE_BELOW = 1e-3
# Area of a Gaussian of unit peak and unit FWHM.
GAUSSIAN_AREA = np.sqrt(np.pi / (4 * np.log(2)))


@dataclass(frozen=True)
class Line:
    """A Gaussian line: observed centre, Hz; integrated flux, Jy km/s; FWHM, km/s in radio velocity."""

    name: str
    frequency_hz: float
    flux_jy_kms: float
    width_kms: float
    redshift: float

    def flux_density(self, window: Window) -> np.ndarray:
        """Mean flux density, Jy, in every channel of the window."""
        return mean_flux_density(
            window.frequency_hz,
            window.channel_width_hz,
            self.frequency_hz,
            self.flux_jy_kms,
            self.width_kms,
        )


@cache
def rest_frequencies_hz() -> dict[str, float]:
    """Rest frequencies by line name. Source: resources/lines.ecsv (CDMS)."""
    table = read_table(resources.path("lines.ecsv"))
    return {str(row["line"]): float(row["rest_frequency"]) * 1e9 for row in table}


def choose(field: Field, source: Source, settings: SkySettings, rng: np.random.Generator) -> Line | None:
    """A line of `source` at a redshift that puts it into a window; None where the settings allow none.

    UserError for a name that the line table does not hold.
    """
    rest = rest_frequencies_hz()
    if settings.line == "none":
        return None
    if settings.line != "automatic":
        if settings.line not in rest:
            raise UserError(
                f"sky.line is '{settings.line}'{nearest(settings.line, rest)}; "
                f"allowed: automatic, none, {', '.join(rest)}"
            )
        rest = {settings.line: rest[settings.line]}
    possible = [
        (name, limits)
        for name, frequency in rest.items()
        for window in field.windows
        if (limits := _redshifts(frequency, window, settings.redshift))
    ]
    if not possible:
        log.info("no line: none falls into a window at redshifts %g to %g", *settings.redshift)
        return None
    name, limits = possible[int(rng.integers(len(possible)))]
    redshift = float(rng.uniform(*limits))
    observed = rest[name] / (1 + redshift)
    width = log_uniform(rng, settings.line_width_kms)
    continuum = source.flux_jy * (observed / field.reference_frequency_hz) ** source.spectral_index
    peak = log_uniform(rng, settings.line_to_continuum) * continuum
    line = Line(name, observed, float(peak * width * GAUSSIAN_AREA), width, redshift)
    if not any(free.any() for free in free_channels(line, field.windows)):
        log.info("no line: %s would leave no channel to measure the continuum in", name)
        return None
    return line


def free_channels(line: Line | None, windows: tuple[Window, ...]) -> list[np.ndarray]:
    """For every window a mask (channel,) of the channels without line emission."""
    if line is None:
        return [np.ones(window.frequency_hz.size, bool) for window in windows]
    light = [line.flux_density(window) for window in windows]
    threshold = FREE_BELOW * max(values.max() for values in light)
    return [values < threshold for values in light]


def _redshifts(rest_hz: float, window: Window, allowed: tuple[float, float]) -> tuple[float, float] | None:
    """Redshifts that put a line into a window, off its edges, among those allowed; None without any."""
    half = window.bandwidth_hz / 2
    centre = window.frequency_hz.mean()
    inner = half * (1 - 2 * EDGE_SHARE)
    low = max(rest_hz / (centre + inner) - 1, allowed[0])
    high = min(rest_hz / (centre - inner) - 1, allowed[1])
    return (low, high) if low <= high else None
