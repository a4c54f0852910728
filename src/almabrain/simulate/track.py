"""Where the antennas stood and when they looked: one execution's track across the sky."""

import logging
from dataclasses import dataclass

import numpy as np

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.instrument import pads
from almabrain.simulate.uvw import baselines, earth_fixed_basis, elevation_rad, uvw_m

_SCAN_S = 120.0  # grid of the search for transit
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Antennas:
    """The antennas of one execution, all of one kind of dish."""

    name: list[str]
    pad: list[str]
    itrf_m: np.ndarray  # (antenna, 3)
    diameter_m: float


@dataclass(frozen=True)
class Track:
    """Integrations of one execution: middle times, elevation, and uvw for every pair of antennas."""

    time_mjd_s: np.ndarray  # (time,) UTC
    integration_s: float
    elevation_rad: np.ndarray  # (time,)
    antenna1: np.ndarray  # (baseline,)
    antenna2: np.ndarray
    uvw_m: np.ndarray  # (time * baseline, 3), time slowest


def antennas(text: str, observation: str) -> Antennas:
    """The antennas that a row's `antenna_arrays` lists as `PAD:NAME PAD:NAME ...`.

    Raises UserError, naming the observation, for fewer than two of them or for dishes of two sizes.
    """
    pairs = [item.partition(":") for item in str(text).replace("--", "").split()]
    if len(pairs) < 2 or not all(name for _, _, name in pairs):
        raise UserError(
            f"observation '{observation}': antenna_arrays is '{str(text)[:40]}', which names no two "
            "antennas; give 'PAD:ANTENNA PAD:ANTENNA ...' or leave the row out"
        )
    names, stations = [name for _, _, name in pairs], [pad for pad, _, _ in pairs]
    diameters = sorted({pads.dish_diameter_m(name) for name in names})
    if len(diameters) > 1:
        raise UserError(
            f"observation '{observation}': antenna_arrays mixes dishes of {diameters[0]:g} and "
            f"{diameters[1]:g} m; give the antennas of one array"
        )
    return Antennas(names, stations, pads.itrf(stations), diameters[0])


def track(row, array: Antennas, ra_deg: float, dec_deg: float, settings: SimulateSettings) -> Track:
    """The track of one execution from its start `t_min` [MJD UTC] for `t_exptime` [s] on source.

    Time is taken to run without calibrator breaks. Where the source is not above the elevation limit all
    the while (archive dates may be rough), the track is centred on transit nearest to `t_min` instead.
    Raises UserError where the source never stays up that long.
    """
    observation, exposure_s = str(row["observation"]), float(row["t_exptime"])
    if not exposure_s > 0:
        raise UserError(f"observation '{observation}': t_exptime is {exposure_s} s; give a time above 0")
    count = max(1, round(exposure_s / settings.integration_s))
    offsets = (np.arange(count) + 0.5) * exposure_s / count
    site = array.itrf_m.mean(axis=0)
    limit = np.radians(settings.elevation_limit_deg)
    times = float(row["t_min"]) * 86400 + offsets
    elevation = elevation_rad(times, ra_deg, dec_deg, site)
    if elevation.min() < limit:
        times = _transit(times.mean(), ra_deg, dec_deg, site) + offsets - exposure_s / 2
        elevation = elevation_rad(times, ra_deg, dec_deg, site)
        if elevation.min() < limit:
            raise UserError(_never_up(observation, dec_deg, exposure_s, elevation.max(), settings))
        _LOG.info(
            "%s: below %g deg at its archive date; observed about transit instead, from MJD %.5f",
            observation,
            settings.elevation_limit_deg,
            (times[0] - offsets[0]) / 86400,
        )
    antenna1, antenna2 = baselines(len(array.name))
    basis = earth_fixed_basis(times, ra_deg, dec_deg, site)
    uvw = uvw_m(basis, array.itrf_m, antenna1, antenna2).reshape(-1, 3)
    return Track(times, exposure_s / count, elevation, antenna1, antenna2, uvw)


def _transit(near_mjd_s, ra_deg, dec_deg, site) -> float:
    """Time of the highest elevation within half a day of `near_mjd_s`."""
    times = near_mjd_s + np.arange(-43200, 43200, _SCAN_S)
    height = elevation_rad(times, ra_deg, dec_deg, site)
    best = int(np.clip(height.argmax(), 1, len(times) - 2))
    # The top of the parabola through the highest sample and its neighbours.
    left, middle, right = height[best - 1 : best + 2]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return float(times[best] + np.clip(shift, -1, 1) * _SCAN_S)


def _never_up(observation, dec_deg, exposure_s, highest_rad, settings) -> str:
    limit = settings.elevation_limit_deg
    if highest_rad < np.radians(limit):
        return (
            f"observation '{observation}': its source at declination {dec_deg:.2f} deg never rises above "
            f"{np.degrees(highest_rad):.1f} deg at ALMA, below simulate.elevation_limit_deg = {limit:g}; "
            "leave the row out or lower the limit"
        )
    return (
        f"observation '{observation}': its source at declination {dec_deg:.2f} deg does not stay above "
        f"simulate.elevation_limit_deg = {limit:g} for t_exptime = {exposure_s:g} s; leave the row out or "
        "lower the limit"
    )
