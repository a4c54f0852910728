"""Spectral lines of a source: which fall where, how strong they are, and their light in every channel."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from almabrain.config.sky import LineSettings
from almabrain.console.errors import UserError, nearest
from almabrain.data import resources
from almabrain.data.line import SPEED_OF_LIGHT_KM_S, mean_flux_density, peak_density, peak_flux_density
from almabrain.data.tables import read_table
from almabrain.sky.field import Window
from almabrain.sky.luminosity import line_flux_jy_kms

log = logging.getLogger(__name__)

# Where it can be had, a line's centre keeps this share of a window's width from either edge.
EDGE_SHARE = 0.2
# A channel is free of lines where it holds less than this share of the strongest channel's line light.
FREE_BELOW = 1e-3
# How much of the continuum a line in absorption takes away at its deepest.
ABSORBED = (0.1, 0.9)


@dataclass(frozen=True)
class Transition:
    """A row of resources/lines.ecsv; log_ratio is log10(L_line / L_IR), None where nobody knows it."""

    name: str
    rest_frequency_hz: float
    log_ratio: float | None
    scatter_dex: float


@dataclass(frozen=True)
class Line:
    """A line of one source: rest and observed frequency, Hz; integrated flux, Jy km/s, negative in absorption;
    FWHM, km/s in radio velocity about its observed frequency; luminosity in solar units, None where unknown."""

    name: str
    rest_frequency_hz: float
    frequency_hz: float
    flux_jy_kms: float
    width_kms: float
    profile: str
    redshift: float
    luminosity_lsun: float | None = None

    @property
    def peak_jy(self) -> float:
        """Flux density, Jy, where the profile is highest (lowest in absorption), undiluted by channels."""
        return peak_flux_density(self.flux_jy_kms, self.width_kms, self.profile)

    def flux_density(self, window: Window) -> np.ndarray:
        """Mean flux density, Jy, in every channel of the window."""
        return mean_flux_density(
            window.frequency_hz,
            window.channel_width_hz,
            self.frequency_hz,
            self.flux_jy_kms,
            self.width_kms,
            self.profile,
        )


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
    for item in _allowed(settings):
        if item.log_ratio is None:
            raise UserError(
                f"sky.lines.names holds '{item.name}', whose ratio to the infrared luminosity is unknown; give "
                "another line, or sky.flux_jy or sky.snr with sky.lines.to_continuum in place of "
                "sky.luminosity_lsun"
            )


def check_in_windows(
    settings: LineSettings, redshifts: tuple[float, float], windows: Sequence[Window], simulation: str = ""
) -> None:
    """UserError where none of the lines in sky.lines.names falls into a window at any redshift allowed.

    Lines chosen automatically are never at fault.
    """
    check_names(settings)
    spans, allowed = _spans(windows), _allowed(settings)
    if not isinstance(settings.names, list) or not allowed or _placements(allowed, spans, redshifts):
        return
    name, redshift = _nearest_placement(allowed, spans, redshifts)
    covered = ", ".join(f"{low / 1e9:.3f}-{high / 1e9:.3f} GHz" for low, high in spans)
    where = f"at a redshift of {redshift:.4f}" if redshift is not None else "at no redshift"
    raise UserError(
        f"sky.lines.names is [{', '.join(settings.names)}] and sky.redshift {list(redshifts)}, which puts every "
        f"line outside the windows{f' of {simulation}' if simulation else ''} ({covered}); {name} falls in "
        f"{where}: change sky.redshift or sky.lines.names"
    )


def draw_redshift(
    windows: Sequence[Window],
    redshifts: tuple[float, float],
    settings: LineSettings,
    rng: np.random.Generator,
) -> float:
    """A redshift within `redshifts` at which an allowed line falls into a window, off its edges if it can.

    Lines and windows have equal chances. Any redshift allowed where no line falls in. UserError as of
    check_in_windows.
    """
    check_in_windows(settings, redshifts, windows)
    spans, allowed = _spans(windows), _allowed(settings)
    placements = _placements(allowed, spans, redshifts, EDGE_SHARE) or _placements(allowed, spans, redshifts)
    if placements:
        return float(rng.uniform(*placements[int(rng.integers(len(placements)))][1]))
    if settings.names != "none":
        log.info("no line: none falls into a window at redshifts %g to %g", *redshifts)
    return float(rng.uniform(*redshifts))


def draw_lines(
    redshift: float,
    windows: Sequence[Window],
    continuum_jy: Callable[[float], float],
    settings: LineSettings,
    rng: np.random.Generator,
    luminosity_lsun: float | None = None,
) -> list[Line]:
    """The lines of a source at `redshift` that fall into the windows, the strongest first.

    `continuum_jy` gives the source's flux density, Jy, at an observed frequency, Hz. With the infrared
    luminosity `luminosity_lsun` (L_IR, 8-1000 um) lines have their ratios to it; else the strongest has
    its peak from settings.to_continuum, and the others their ratios to it. All share one width, as they
    come from one gas. At most settings.number lines; those that an edge of a window cuts come after the
    others. UserError: see check_names, and check_ratios with a luminosity.
    """
    check_names(settings) if luminosity_lsun is None else check_ratios(settings)
    width = _log_uniform(rng, settings.width_kms)
    found = _in_windows(redshift, windows, width, settings)[: settings.number]
    if not found:
        return []
    if luminosity_lsun is None and settings.to_continuum is None:
        raise ValueError("lines without to_continuum need the source's luminosity")
    fluxes = (
        _fluxes_by_continuum(found, redshift, width, continuum_jy, settings, rng)
        if luminosity_lsun is None
        else _fluxes_by_luminosity(found, redshift, luminosity_lsun, settings, rng)
    )
    lines = []
    for item, (flux, luminosity) in zip(found, fluxes, strict=True):
        observed = item.rest_frequency_hz / (1 + redshift)
        if rng.random() < settings.absorption:
            depth = _log_uniform(rng, ABSORBED) * continuum_jy(observed)
            flux, luminosity = -depth * width / peak_density(settings.profile), None
        lines.append(
            Line(
                item.name,
                item.rest_frequency_hz,
                observed,
                float(flux),
                width,
                settings.profile,
                redshift,
                luminosity,
            )
        )
    return lines


def _allowed(settings: LineSettings) -> list[Transition]:
    """Lines that may be drawn; automatically only those whose strength is known."""
    if settings.names == "none":
        return []
    if settings.names == "automatic":
        return [item for item in transitions().values() if item.log_ratio is not None]
    return [transitions()[name] for name in dict.fromkeys(settings.names)]


def _spans(windows: Sequence[Window]) -> list[tuple[float, float]]:
    """Lowest and highest frequency, Hz, of every window."""
    halves = [np.abs(window.channel_width_hz) / 2 for window in windows]
    return [
        (float((window.frequency_hz - half).min()), float((window.frequency_hz + half).max()))
        for window, half in zip(windows, halves)
    ]


def _placements(
    allowed, spans, redshifts, edge_share: float = 0.0
) -> list[tuple[Transition, tuple[float, float]]]:
    """Every line with the redshifts, among those allowed, that put it into a window off its edges."""
    found = []
    for item in allowed:
        for low_hz, high_hz in spans:
            edge = edge_share * (high_hz - low_hz)
            low = max(item.rest_frequency_hz / (high_hz - edge) - 1, redshifts[0])
            high = min(item.rest_frequency_hz / (low_hz + edge) - 1, redshifts[1])
            if low <= high:
                found.append((item, (low, high)))
    return found


def _nearest_placement(allowed, spans, redshifts) -> tuple[str, float | None]:
    """The line and the redshift nearest to those allowed that would put it into the middle of a window."""
    possible = [(item.name, item.rest_frequency_hz / np.mean(span) - 1) for item in allowed for span in spans]
    distant = [(max(redshifts[0] - z, z - redshifts[1]), name, z) for name, z in possible if z >= 0]
    if not distant:
        return allowed[0].name, None
    _, name, redshift = min(distant)
    return name, float(redshift)


def _in_windows(redshift: float, windows, width_kms: float, settings: LineSettings) -> list[Transition]:
    """Lines with light in a window: first those well inside, then those that an edge cuts; strongest first."""
    found, spans = [], _spans(windows)
    for item in _allowed(settings):
        observed = item.rest_frequency_hz / (1 + redshift)
        half_width = observed * width_kms / 2 / SPEED_OF_LIGHT_KM_S
        # Rounding may put a line a hair beyond its limit.
        inside = any(
            abs(observed - (low + high) / 2) <= (0.5 - EDGE_SHARE + 1e-6) * (high - low)
            for low, high in spans
        )
        if inside or any(low - half_width < observed < high + half_width for low, high in spans):
            found.append((not inside, -_strength(item), item.rest_frequency_hz, item))
    return [item for *_, item in sorted(found, key=lambda entry: entry[:3])]


def _strength(item: Transition) -> float:
    return -np.inf if item.log_ratio is None else item.log_ratio


def _fluxes_by_luminosity(found, redshift: float, luminosity_lsun: float, settings, rng):
    """Flux, Jy km/s, and luminosity, solar, of every line, with its ratio to L_IR and that ratio's scatter."""
    for item in found:
        luminosity = luminosity_lsun * 10 ** (item.log_ratio + _scatter(item, settings, rng))
        observed = item.rest_frequency_hz / (1 + redshift)
        yield line_flux_jy_kms(luminosity, redshift, observed), float(luminosity)


def _fluxes_by_continuum(found, redshift: float, width_kms: float, continuum_jy, settings, rng):
    """Fluxes, Jy km/s: of the strongest by its peak over the continuum, of others by their ratios to it.

    A line without a known ratio has its own peak over the continuum.
    """

    def by_peak(item: Transition) -> float:
        peak = _log_uniform(rng, settings.to_continuum) * continuum_jy(
            item.rest_frequency_hz / (1 + redshift)
        )
        return float(peak * width_kms / peak_density(settings.profile))

    strongest = max(found, key=_strength)
    reference = by_peak(strongest)
    for item in found:
        if item is strongest:
            flux = reference
        elif item.log_ratio is None:
            flux = by_peak(item)
        else:
            # A line's luminosity goes as its integrated flux times its frequency.
            ratio = item.log_ratio - strongest.log_ratio + _scatter(item, settings, rng)
            flux = reference * 10**ratio * strongest.rest_frequency_hz / item.rest_frequency_hz
        yield flux, None


def _scatter(item: Transition, settings: LineSettings, rng: np.random.Generator) -> float:
    return item.scatter_dex * rng.standard_normal() if settings.scatter else 0.0


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """A number even in its logarithm between two positive limits."""
    return float(np.exp(rng.uniform(*np.log(limits))))
