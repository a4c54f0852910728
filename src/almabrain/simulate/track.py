"""Where the antennas stood and when they looked: one execution's track across the sky."""

import logging
from dataclasses import dataclass

import numpy as np

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.instrument import pads
from almabrain.instrument.earth import elevation_rad
from almabrain.simulate.uvw import baselines, earth_fixed_basis, uvw_m

_SEARCH_S = 120.0  # grid of the search for transit
_SHORTEST_DWELL_S = 1.0  # on one pointing of a mosaic: about the correlator's shortest integration
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Antennas:
    """The antennas of one execution."""

    name: list[str]
    pad: list[str]
    itrf_m: np.ndarray  # (antenna, 3)
    diameter_m: np.ndarray  # (antenna,)


@dataclass(frozen=True)
class Track:
    """Integrations of one execution, and uvw about the target for every pair of antennas."""

    time_mjd_s: np.ndarray  # (time,) UTC, middles
    integration_s: float
    elevation_rad: np.ndarray  # (time,)
    scan: np.ndarray  # (time,), from 1
    pointing: np.ndarray  # (time,)
    antenna1: np.ndarray  # (baseline,)
    antenna2: np.ndarray
    uvw_m: np.ndarray  # (time, baseline, 3)
    shadowed: (
        np.ndarray
    )  # (time, baseline): one of its two dishes stands in the shadow of a third or the other


def antennas(row) -> Antennas:
    """The antennas that a row's `antenna_arrays` lists as `PAD:NAME PAD:NAME ...`.

    Raises UserError, naming the observation, for fewer than two of them, or for dishes of two sizes where
    the row's `array` is not 12m+7m.
    """
    text, observation = str(row["antenna_arrays"]), row["observation"]
    pairs = [item.partition(":") for item in text.split()]
    if len(pairs) < 2 or not all(name for _, _, name in pairs):
        raise UserError(
            f"observation '{observation}': antenna_arrays is '{text[:40]}', which names no two "
            "antennas; give 'PAD:ANTENNA PAD:ANTENNA ...' or leave the row out"
        )
    names, stations = [name for _, _, name in pairs], [pad for pad, _, _ in pairs]
    diameters = np.array([pads.dish_diameter_m(name) for name in names])
    if len(set(diameters)) > 1 and row["array"] != "12m+7m":
        raise UserError(
            f"observation '{observation}': antenna_arrays mixes dishes of {diameters.min():g} and "
            f"{diameters.max():g} m, but its array is '{row['array']}'; give the antennas of one array, or "
            "12m+7m as the array"
        )
    return Antennas(names, stations, pads.itrf(stations), diameters)


def track(
    row, array: Antennas, ra_deg: float, dec_deg: float, n_pointings: int, settings: SimulateSettings
) -> Track:
    """The track of one execution from its start `t_min` [MJD UTC] with `t_exptime` [s] on source.

    Scans of `settings.scan_s` have breaks of `settings.gap_s` between them, for calibrators. A mosaic goes
    round its pointings, one integration each, as often as brings every integration to `settings.integration_s`
    or below: all pointings get the same time. Where the source is not above the elevation limit all the
    while (archive dates may be rough), the track is centred on transit nearest to `t_min` instead, unless its
    `schedule` is `fixed`. Raises UserError where the source does not stay up that long, or too little time
    falls to each pointing.
    """
    observation, exposure_s = str(row["observation"]), float(row["t_exptime"])
    if not exposure_s > 0:
        raise UserError(f"observation '{observation}': t_exptime is {exposure_s} s; give a time above 0")
    count = _count(observation, exposure_s, n_pointings, settings.integration_s)
    integration_s, order = exposure_s / count, np.arange(count)
    scan = order // max(1, round(settings.scan_s / integration_s))
    offsets = (order + 0.5) * integration_s + scan * settings.gap_s
    site = array.itrf_m.mean(axis=0)
    times, elevation = _visible(row, offsets, ra_deg, dec_deg, site, settings)
    antenna1, antenna2 = baselines(len(array.name))
    basis = earth_fixed_basis(times, ra_deg, dec_deg, site)
    uvw = uvw_m(basis, array.itrf_m, antenna1, antenna2)
    shadowed = _shadowed(uvw, antenna1, antenna2, array.diameter_m)
    pointing = order % n_pointings
    return Track(times, integration_s, elevation, scan + 1, pointing, antenna1, antenna2, uvw, shadowed)


def _count(observation: str, exposure_s: float, n_pointings: int, integration_s: float) -> int:
    """Number of integrations: about `integration_s` long, and no longer where pointings take turns."""
    if n_pointings == 1:
        return max(1, round(exposure_s / integration_s))
    if exposure_s / n_pointings < _SHORTEST_DWELL_S:
        raise UserError(
            f"observation '{observation}': its mosaic of {n_pointings} pointings leaves "
            f"{exposure_s / n_pointings:.2g} s of t_exptime = {exposure_s:g} s for each; give at least "
            f"{_SHORTEST_DWELL_S:g} s, or fewer pointings"
        )
    return n_pointings * int(np.ceil(exposure_s / (n_pointings * integration_s) - 1e-9))


def _visible(row, offsets, ra_deg, dec_deg, site, settings) -> tuple[np.ndarray, np.ndarray]:
    """Times and elevations of an execution whose integrations lie `offsets` [s] after its start."""
    limit = np.radians(settings.elevation_limit_deg)
    times = float(row["t_min"]) * 86400 + offsets
    elevation = elevation_rad(times, ra_deg, dec_deg, site)
    if elevation.min() < limit:
        if str(row["schedule"]) == "fixed":
            raise UserError(
                f"observation '{row['observation']}': with its breaks its source comes down to "
                f"{np.degrees(elevation.min()):.1f} deg, below simulate.elevation_limit_deg = "
                f"{settings.elevation_limit_deg:g}; observe nearer to transit, for a shorter time, or lower the "
                "limit or simulate.gap_s"
            )
        middle = (offsets[0] + offsets[-1]) / 2
        times = _transit(times.mean(), ra_deg, dec_deg, site) + offsets - middle
        elevation = elevation_rad(times, ra_deg, dec_deg, site)
        if elevation.min() < limit:
            raise UserError(_never_up(row, dec_deg, offsets[-1] + offsets[0], elevation.max(), settings))
        _LOG.info(
            "%s: below %g deg at its archive date; observed about transit instead, from MJD %.5f",
            row["observation"],
            settings.elevation_limit_deg,
            (times[0] - offsets[0]) / 86400,
        )
    return times, elevation


def _shadowed(uvw, antenna1, antenna2, diameter_m) -> np.ndarray:
    """Whether a baseline (time, baseline) has a dish in it with another before it, as seen from the source.

    A dish is shadowed where another is nearer to the source and its projected distance is below the mean
    of the two diameters, so that their outlines overlap (the rule of CASA's flagdata). w is the first
    antenna's lead towards the source over the second's.
    """
    near = np.hypot(uvw[..., 0], uvw[..., 1]) < (diameter_m[antenna1] + diameter_m[antenna2]) / 2
    dish = np.zeros((len(uvw), len(diameter_m)), bool)
    for behind, pairs in ((antenna2, near & (uvw[..., 2] > 0)), (antenna1, near & (uvw[..., 2] < 0))):
        time, baseline = np.nonzero(pairs)
        dish[time, behind[baseline]] = True
    return dish[:, antenna1] | dish[:, antenna2]


def _transit(near_mjd_s, ra_deg, dec_deg, site) -> float:
    """Time of the highest elevation within half a day of `near_mjd_s`."""
    times = near_mjd_s + np.arange(-43200, 43200, _SEARCH_S)
    height = elevation_rad(times, ra_deg, dec_deg, site)
    best = int(np.clip(height.argmax(), 1, len(times) - 2))
    # The top of the parabola through the highest sample and its neighbours.
    left, middle, right = height[best - 1 : best + 2]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return float(times[best] + np.clip(shift, -1, 1) * _SEARCH_S)


def _never_up(row, dec_deg, duration_s, highest_rad, settings) -> str:
    observation, limit = row["observation"], settings.elevation_limit_deg
    if highest_rad < np.radians(limit):
        return (
            f"observation '{observation}': its source at declination {dec_deg:.2f} deg never rises above "
            f"{np.degrees(highest_rad):.1f} deg at ALMA, below simulate.elevation_limit_deg = {limit:g}; "
            "leave the row out or lower the limit"
        )
    return (
        f"observation '{observation}': its source at declination {dec_deg:.2f} deg does not stay above "
        f"simulate.elevation_limit_deg = {limit:g} for the {duration_s:.0f} s that t_exptime = "
        f"{float(row['t_exptime']):g} s takes with breaks; leave the row out or lower the limit"
    )
