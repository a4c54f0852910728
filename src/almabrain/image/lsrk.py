"""Channels of several times and fields on one grid in the kinematic local standard of rest (LSRK)."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_KM_S

# The Sun moves at 20 km/s towards 18h, +30 deg (B1900), as radio astronomy defines it; here in the ICRS.
SUN_KM_S = 20.0
APEX_DEG = (270.959542, 30.004667)
_STRETCH_S = 600.0  # the Earth's rotation changes 0.02 km/s in that time at most
_ON_CHANNEL = 1e-3


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


def regrid(windows: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Windows of one spectral window of one data set, on one grid of LSRK channels.

    The grid is the native one moved by the mean shift; a sample is interpolated between its two channels, in
    stretches of ten minutes, and lost where either has no weight. Its weight says the variance of one native
    channel: the mean of two has less, by the attribute `channel_variance` on average, but is correlated with
    its neighbours, so that sums over channels (continuum, lines) keep their true errors. Attributes ra_deg,
    dec_deg, frame and site_m (or none) are read.
    """
    stretches = [np.floor(window.time_mjd_s.values / _STRETCH_S).astype(int) for window in windows]
    factors = []
    for window, stretch in zip(windows, stretches):
        middles = (np.unique(stretch) + 0.5) * _STRETCH_S
        at = {key: window.attrs[key] for key in ("frame", "ra_deg", "dec_deg")}
        factors.append(factor(at["frame"], middles, at["ra_deg"], at["dec_deg"], window.attrs.get("site_m")))
    every = np.concatenate(factors)
    mean = (every.min() + every.max()) / 2
    moved = [
        _interpolated(window, np.unique(stretch, return_inverse=True)[1].ravel(), own, mean)
        for window, stretch, own in zip(windows, stretches, factors)
    ]
    covered = np.any([(window.weight.values > 0).any(axis=0) for window in moved], axis=0)
    return [window.isel(channel=covered) for window in moved]


def _interpolated(window: xr.Dataset, of_row: np.ndarray, factors: np.ndarray, mean: float) -> xr.Dataset:
    native = window.frequency_hz.values
    visibility, weight = window.visibility.values.copy(), window.weight.values.copy()
    variance = np.ones(len(factors))
    for number, here in enumerate(factors):
        if len(native) == 1:
            break  # one channel only moves as a whole
        rows = of_row == number
        wanted = native * mean / here
        place = np.interp(wanted, native, np.arange(len(native)))
        step = np.diff(native)
        inside = (wanted > native[0] - _ON_CHANNEL * step[0]) & (wanted < native[-1] + _ON_CHANNEL * step[-1])
        share = place % 1
        place = np.where(share > 1 - _ON_CHANNEL, np.ceil(place), np.floor(place)).astype(int)
        share = np.where((share < _ON_CHANNEL) | (share > 1 - _ON_CHANNEL), 0.0, share)
        after = np.minimum(place + 1, len(native) - 1)
        first, second = window.weight.values[rows][:, place], window.weight.values[rows][:, after]
        with np.errstate(divide="ignore", invalid="ignore"):
            both = 1 / ((1 - share) / first + np.where(share > 0, share / second, 0.0))
        value = window.visibility.values[rows]
        used = inside & (both > 0)
        weight[rows] = np.where(used, both, 0.0)
        visibility[rows] = np.where(used, (1 - share) * value[:, place] + share * value[:, after], 0.0)
        variance[number] = ((1 - share) ** 2 + share**2)[inside].mean() if inside.any() else 1.0
    dims = ("row", "channel")
    made = window.assign(
        visibility=(dims, visibility), weight=(dims, weight), frequency_hz=("channel", native * mean),
        channel_width_hz=("channel", window.channel_width_hz.values * mean),
    )  # fmt: skip
    share = np.bincount(of_row, minlength=len(factors)) / len(of_row)
    return made.assign_attrs(frame="LSRK", channel_variance=float(share @ variance))
