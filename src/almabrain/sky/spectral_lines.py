"""Spectral lines of a source: which fall where, how strong they are, and their light in every channel."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from almabrain.config.sky import LineSettings
from almabrain.console.errors import UserError
from almabrain.data.line import SPEED_OF_LIGHT_KM_S, mean_flux_density, peak_density, peak_flux_density
from almabrain.sky.field import Window
from almabrain.sky.line_table import Transition, allowed_lines, check_names, check_ratios
from almabrain.sky.luminosity import line_flux_jy_kms
from almabrain.sky.place import log_uniform

log = logging.getLogger(__name__)

# Where it can be had, a line's centre keeps this share of a window's width from either edge.
EDGE_SHARE = 0.2
# How much of the continuum a line in absorption takes away at its deepest.
ABSORBED = (0.1, 0.9)
# Lines of one species scatter about their ratios together, but for this: excitation differs among galaxies.
EXCITATION_DEX = 0.1


class Form(NamedTuple):
    """How the lines of one source are spread over velocity: their FWHM, km/s, and shares of their flux per km/s."""

    width_kms: float
    peak_per_kms: float  # of the whole source, where it is highest
    densest_per_kms: float  # of the light of any pixel, where that is highest: what absorption is limited by


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


def check_in_windows(
    settings: LineSettings, redshifts: tuple[float, float], windows: Sequence[Window], simulation: str = ""
) -> None:
    """UserError where none of the lines in sky.lines.names falls into a window at any redshift allowed.

    Lines chosen automatically are never at fault.
    """
    check_names(settings)
    spans, allowed = _spans(windows), allowed_lines(settings)
    if not isinstance(settings.names, list) or not allowed or _placements(allowed, spans, redshifts):
        return
    name, redshift = _nearest_placement(allowed, spans, redshifts)
    covered = ", ".join(f"{low / 1e9:.3f}-{high / 1e9:.3f} GHz" for low, high in spans)
    if redshift is None:
        where = "at rest already they lie below the windows: change sky.lines.names or the windows"
    else:
        where = f"{name} falls in at a redshift of {redshift:.4f}: change sky.redshift or sky.lines.names"
    raise UserError(
        f"sky.lines.names is [{', '.join(settings.names)}] and sky.redshift {list(redshifts)}, which puts every "
        f"line outside the windows{f' of {simulation}' if simulation else ''} ({covered}); {where}"
    )


def draw_redshift(
    windows: Sequence[Window],
    redshifts: tuple[float, float],
    settings: LineSettings,
    rng: np.random.Generator,
) -> float:
    """A redshift within `redshifts` at which an allowed line falls into a window, off its edges if it can.

    Lines and windows have equal chances, so that redshifts are spread as the windows want them and not as
    galaxies are. Any redshift allowed where no line falls in. UserError as of check_in_windows.
    """
    check_in_windows(settings, redshifts, windows)
    spans, allowed = _spans(windows), allowed_lines(settings)
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
    form: Form | None = None,
) -> list[Line]:
    """The lines of a source at `redshift` that fall into the windows, the strongest first.

    `continuum_jy` gives the source's flux density, Jy, at an observed frequency, Hz. With the infrared
    luminosity `luminosity_lsun` (L_IR, 8-1000 um) lines have their ratios to it; else the strongest has
    its peak from settings.to_continuum, and the others their ratios to it. All share one width, as they
    come from one gas, or the `form` of a picture with velocities of its own. In absorption a line takes at
    most its depth from the continuum of any pixel. At most settings.number lines; those that an edge of a
    window cuts come after the others. UserError: see check_names, and check_ratios with a luminosity.
    """
    check_names(settings) if luminosity_lsun is None else check_ratios(settings)
    form = form or draw_form(settings, rng)
    found = _in_windows(redshift, windows, form.width_kms, settings)[: settings.number]
    if not found:
        return []
    if luminosity_lsun is None and settings.to_continuum is None:
        raise ValueError("lines without to_continuum need the source's luminosity")
    fluxes = (
        _fluxes_by_continuum(found, redshift, form, continuum_jy, settings, rng)
        if luminosity_lsun is None
        else _fluxes_by_luminosity(found, redshift, luminosity_lsun, settings, rng)
    )
    lines = []
    for item, (flux, luminosity) in zip(found, fluxes, strict=True):
        observed = item.rest_frequency_hz / (1 + redshift)
        if rng.random() < settings.absorption:
            depth = log_uniform(rng, ABSORBED) * continuum_jy(observed)
            flux, luminosity = -depth / form.densest_per_kms, None
        lines.append(
            Line(
                item.name,
                item.rest_frequency_hz,
                observed,
                float(flux),
                form.width_kms,
                settings.profile,
                redshift,
                luminosity,
            )
        )
    return lines


def draw_form(settings: LineSettings, rng: np.random.Generator) -> Form:
    """The profile of the settings with a width drawn from them, alike in all pixels."""
    width = log_uniform(rng, settings.width_kms)
    return Form(width, *[peak_density(settings.profile) / width] * 2)


def _spans(windows: Sequence[Window]) -> list[tuple[float, float]]:
    """Lowest and highest frequency, Hz, of every window."""
    return [tuple(window.edges_hz[[0, -1]].tolist()) for window in windows]


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
    for item in allowed_lines(settings):
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
    for item, deviation in zip(found, _deviations(found, settings, rng)):
        luminosity = luminosity_lsun * 10 ** (item.log_ratio + deviation)
        observed = item.rest_frequency_hz / (1 + redshift)
        yield line_flux_jy_kms(luminosity, redshift, observed), float(luminosity)


def _fluxes_by_continuum(found, redshift: float, form: Form, continuum_jy, settings, rng):
    """Fluxes, Jy km/s: of the strongest by its peak over the continuum, of others by their ratios to it.

    A line without a known ratio has its own peak over the continuum.
    """

    def by_peak(item: Transition) -> float:
        peak = log_uniform(rng, settings.to_continuum) * continuum_jy(item.rest_frequency_hz / (1 + redshift))
        return float(peak / form.peak_per_kms)

    strongest = max(found, key=_strength)
    reference = by_peak(strongest)
    deviations = _deviations(found, settings, rng)
    own = deviations[found.index(strongest)]
    for item, deviation in zip(found, deviations):
        if item is strongest:
            flux = reference
        elif item.log_ratio is None:
            flux = by_peak(item)
        else:
            # A line's luminosity goes as its integrated flux times its frequency.
            ratio = item.log_ratio - strongest.log_ratio + deviation - own
            flux = reference * 10**ratio * strongest.rest_frequency_hz / item.rest_frequency_hz
        yield flux, None


def _deviations(found: Sequence[Transition], settings, rng: np.random.Generator) -> list[float]:
    """How far the lines of one source lie off their ratios, dex: each by its scatter, a species as one."""
    if not settings.scatter:
        return [0.0] * len(found)
    species: dict[str, float] = {}
    made = []
    for item in found:
        if item.species not in species:
            species[item.species] = rng.standard_normal()
        shared = np.sqrt(max(item.scatter_dex**2 - EXCITATION_DEX**2, 0.0))
        own = min(EXCITATION_DEX, item.scatter_dex) * rng.standard_normal()
        made.append(float(shared * species[item.species] + own))
    return made
