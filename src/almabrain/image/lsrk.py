"""Channels of several times and fields on one grid in the kinematic local standard of rest (LSRK)."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_KM_S

# The Sun moves at 20 km/s towards 18h, +30 deg (B1900), as radio astronomy defines it; here in the ICRS.
SUN_KM_S = 20.0
APEX_DEG = (270.959542, 30.004667)
_STRETCH_S = 600.0  # the Earth's rotation changes 0.02 km/s in that time at most
_ON_CHANNEL = 1e-3
_SAME_WIDTH = 0.01


def factor(frame: str, time_mjd_s: np.ndarray, ra_deg: float, dec_deg: float, site_m) -> np.ndarray:
    """Frequency in the LSRK over that in `frame` (TOPO, GEO, BARY, LSRK), (time,), of light from a direction.

    The Earth's motion is astropy's (Wright & Eastman 2014, PASP 126, 838). Raises UserError for other frames,
    and for TOPO without a place.
    """
    from astropy import units
    from astropy.coordinates import EarthLocation, SkyCoord, get_body_barycentric_posvel
    from astropy.time import Time
    from astropy.utils import iers

    time_mjd_s = np.asarray(time_mjd_s, float)
    if frame == "LSRK":
        return np.ones(time_mjd_s.shape)
    if frame not in ("TOPO", "GEO", "BARY"):
        raise UserError(
            f"key 'frame' is LSRK, but the channels are given in the frame {frame}; known are TOPO, GEO, BARY, LSRK"
        )
    place = SkyCoord(ra_deg, dec_deg, unit="deg")
    apex = SkyCoord(*APEX_DEG, unit="deg")
    beta = SUN_KM_S / SPEED_OF_LIGHT_KM_S
    sun = (1 + beta * np.cos(place.separation(apex).rad)) / np.sqrt(1 - beta**2)
    if frame == "BARY":
        return np.full(time_mjd_s.shape, 1 / sun)
    if frame == "TOPO" and site_m is None:
        raise UserError(
            "key 'frame' is LSRK, but the data do not say where on Earth the antennas stood; fill in the antennas' "
            "positions or leave the frame native"
        )
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        time = Time(time_mjd_s / 86400, format="mjd", scale="utc")
        if frame == "TOPO":
            location = EarthLocation.from_geocentric(*site_m, unit="m")
            earth = place.radial_velocity_correction("barycentric", obstime=time, location=location)
        else:
            earth = get_body_barycentric_posvel("earth", time)[1].dot(place.cartesian)
    return 1 / (1 + earth.to_value(units.km / units.s) / SPEED_OF_LIGHT_KM_S) / sun


def regrid(windows: Mapping[str, xr.Dataset]) -> list[dict[str, xr.Dataset]]:
    """The windows on LSRK channels, in groups that share one grid.

    A group is made of windows with channels of one width that overlap by more than half: the pointings of a
    spectral window, its executions (ALMA tunes each anew, as a window of its own), the 12 m and the 7 m array. Their
    grid goes on where the first's ends. A sample is interpolated between its two channels, in stretches of ten
    minutes, and lost where either has no weight. Its weight says the variance of one native channel: the mean of
    two has less, by the attribute `channel_variance` on average, but is correlated with its neighbours, so that
    sums over channels (continuum, lines) keep their true errors. The variable `number` counts the channels of the
    grid. Attributes ra_deg, dec_deg, frame and site_m (or none) are read.
    """
    groups: list[dict[str, tuple[xr.Dataset, np.ndarray, np.ndarray]]] = []
    for name, window in windows.items():
        stretches, of_row = np.unique(np.floor(window.time_mjd_s.values / _STRETCH_S), return_inverse=True)
        at = [window.attrs[key] for key in ("ra_deg", "dec_deg")]
        factors = factor(
            window.attrs["frame"], (stretches + 0.5) * _STRETCH_S, *at, window.attrs.get("site_m")
        )
        timed = window, factors, of_row.ravel()
        for group in groups:
            if _shares_grid(next(iter(group.values())), timed):
                group[name] = timed
                break
        else:
            groups.append({name: timed})
    return [_on_one_grid(group) for group in groups]


def _span(window: xr.Dataset, factors: np.ndarray) -> tuple[float, float]:
    frequency = window.frequency_hz.values
    return float(frequency[0] * factors.min()), float(frequency[-1] * factors.max())


def _shares_grid(one, other) -> bool:
    (low1, high1), (low2, high2) = _span(*one[:2]), _span(*other[:2])
    width1, width2 = (float(np.median(item[0].channel_width_hz.values)) for item in (one, other))
    if one[0].sizes["channel"] == 1 or other[0].sizes["channel"] == 1:
        return np.array_equal(one[0].frequency_hz.values, other[0].frequency_hz.values)
    overlap = min(high1, high2) - max(low1, low2)
    return abs(width1 / width2 - 1) < _SAME_WIDTH and overlap > 0.5 * min(high1 - low1, high2 - low2)


def _on_one_grid(group: Mapping) -> dict[str, xr.Dataset]:
    every = np.concatenate([factors for _, factors, _ in group.values()])
    grid = next(iter(group.values()))[0].frequency_hz.values * (every.min() + every.max()) / 2
    if len(grid) > 1:
        low, high = (limit(ends) for limit, ends in zip(
            (min, max), zip(*(_span(window, factors) for window, factors, _ in group.values()))
        ))  # fmt: skip
        first, last = grid[1] - grid[0], grid[-1] - grid[-2]
        before = grid[0] - first * np.arange(max(0, int(np.ceil((grid[0] - low) / first))), 0, -1)
        after = grid[-1] + last * np.arange(1, 1 + max(0, int(np.ceil((high - grid[-1]) / last))))
        grid = np.concatenate([before, grid, after])
    moved = {name: _interpolated(*timed, grid) for name, timed in group.items()}
    covered = np.any([(window.weight.values > 0).any(axis=0) for window in moved.values()], axis=0)
    return {name: window.isel(channel=covered) for name, window in moved.items()}


def _interpolated(
    window: xr.Dataset, factors: np.ndarray, of_row: np.ndarray, grid: np.ndarray
) -> xr.Dataset:
    native = window.frequency_hz.values
    shape = len(of_row), len(grid)
    visibility, weight = np.zeros(shape, complex), np.zeros(shape)
    variance = np.ones(len(factors))
    if len(native) == 1:  # one channel only moves as a whole
        visibility, weight = window.visibility.values, window.weight.values
    for number, here in enumerate(factors if len(native) > 1 else []):
        rows = np.flatnonzero(of_row == number)
        wanted, step = grid / here, np.diff(native)
        place = np.interp(wanted, native, np.arange(len(native)))
        inside = (wanted > native[0] - _ON_CHANNEL * step[0]) & (wanted < native[-1] + _ON_CHANNEL * step[-1])
        share = place % 1
        place = np.where(share > 1 - _ON_CHANNEL, np.ceil(place), np.floor(place)).astype(int)
        share = np.where((share < _ON_CHANNEL) | (share > 1 - _ON_CHANNEL), 0.0, share)
        after = np.minimum(place + 1, len(native) - 1)
        own, value = window.weight.values[rows], window.visibility.values[rows]
        with np.errstate(divide="ignore"):
            both = 1 / ((1 - share) / own[:, place] + np.where(share > 0, share / own[:, after], 0.0))
        used = inside & (both > 0)
        weight[rows] = np.where(used, both, 0.0)
        visibility[rows] = np.where(used, (1 - share) * value[:, place] + share * value[:, after], 0.0)
        variance[number] = ((1 - share) ** 2 + share**2)[inside].mean()
    width = float(np.median(window.channel_width_hz.values)) * grid.mean() / native.mean()
    shares = np.bincount(of_row, minlength=len(factors)) / len(of_row)
    return window.drop_dims("channel").assign(
        visibility=(("row", "channel"), visibility), weight=(("row", "channel"), weight),
        frequency_hz=("channel", grid), channel_width_hz=("channel", np.full(len(grid), width)),
        number=("channel", np.arange(len(grid))),
    ).assign_attrs(window.attrs, frame="LSRK", channel_variance=float(shares @ variance))  # fmt: skip
