"""Which data see the sky alike: those of one pointing and one kind of baseline; and through which beam.

All of a data set's images share one tangent plane, that of the grid's centre. A window's uvw and visibilities are
about its own phase centre, and are turned to the grid's here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import lm_from_radec, radec_from_lm, sphere_axes
from almabrain.data.interpolation import chebyshev, lagrange
from almabrain.response import primary_beam

_SAME_POINTING_DEG, _SAME_CENTRE_DEG = 1e-3 / 3600, 1e-7 / 3600  # a beam is blind to that, and a fringe
# Fractional bandwidths above which a primary beam takes one more node: so that it is good to 1e-6 everywhere.
_WIDER = (1e-6, 1e-3, 0.01, 0.04, 0.1, 0.15, 0.25)


@dataclass(frozen=True, eq=False)
class Group:
    """Data with one primary beam: where it points, of which two dishes, mean frequency, and Σ w.

    `pointing_lm` are direction cosines about the grid's centre; `frequencies_hz` has every window's channels.
    """

    pointing_lm: tuple[float, float]
    dishes_m: tuple[float, float]
    frequency_hz: float
    weight: float
    frequencies_hz: dict[str, np.ndarray]

    @property
    def power(self) -> primary_beam.Power:
        """The primary beam, of direction cosines about the grid's centre."""
        return primary_beam.baseline(*self.dishes_m, self.pointing_lm)

    @property
    def one_channel(self) -> bool:
        """True where all is of one frequency."""
        return len(np.unique(np.concatenate([*self.frequencies_hz.values()]))) == 1

    def nodes(self, count: int | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Frequencies (node,) to know the beam at, and by window what each counts in a channel (node, channel).

        One node is the mean frequency; None takes so many that the beam is good to 1e-6.
        """
        every = np.unique(np.concatenate([*self.frequencies_hz.values()]))
        low, high = every[[0, -1]]
        if count is None:
            count = 1 + sum((high - low) / self.frequency_hz > limit for limit in _WIDER)
        count = min(count, len(every))
        if count == 1:
            shares = {name: np.ones((1, len(own))) for name, own in self.frequencies_hz.items()}
            return np.array([self.frequency_hz]), shares
        middle, half, at = (high + low) / 2, (high - low) / 2, chebyshev(count)
        return middle + half * at, {
            name: lagrange(at, (own - middle) / half).T for name, own in self.frequencies_hz.items()
        }


def dishes_m(window: xr.Dataset) -> tuple[float, float]:
    """Diameters of the two dishes of a window's baselines, the smaller first."""
    first, second = window.attrs["dishes_m"]
    return tuple(sorted((float(first), float(second))))


def place(window: xr.Dataset) -> tuple[float, float]:
    """Right ascension and declination [deg] of a window's phase centre and pointing."""
    return float(window.attrs["ra_deg"]), float(window.attrs["dec_deg"])


def centre(windows: Mapping[str, xr.Dataset]) -> tuple[float, float]:
    """The middle of all pointings, RA and Dec [deg]; of one pointing that itself."""
    places = [place(window) for window in windows.values()]
    if _apart_deg(places) < _SAME_POINTING_DEG:
        return places[0]
    l, m = np.transpose([lm_from_radec(*aim, *places[0]) for aim in places])
    ra, dec = radec_from_lm((l.max() + l.min()) / 2, (m.max() + m.min()) / 2, *places[0])
    return float(ra), float(dec)


def one_pointing(views: list[Group]) -> bool:
    """True where all groups point at one place."""
    aims = np.array([view.pointing_lm for view in views])
    return bool(np.degrees(np.ptp(aims, axis=0).max()) < 2 * _SAME_POINTING_DEG)


def _apart_deg(places) -> float:
    """The largest distance from the first place."""
    l, m = np.transpose([lm_from_radec(*aim, *places[0]) for aim in places])
    return float(np.degrees(np.hypot(l, m).max()))


def split(windows: Mapping[str, xr.Dataset], ra_deg: float, dec_deg: float) -> list[Group]:
    """The groups of data, their pointings about a grid's centre; receiver bands are groups of their own."""
    alike: list[tuple[tuple, tuple, list[str]]] = []
    for name, window in windows.items():
        own = place(window), dishes_m(window)
        for aim, dishes, names in alike:
            if dishes == own[1] and _apart_deg([aim, own[0]]) < _SAME_POINTING_DEG:
                names.append(name)
                break
        else:
            alike.append((*own, [name]))
    groups = []
    for aim, dishes, names in alike:
        l, m = lm_from_radec(*aim, ra_deg, dec_deg)
        for band in _bands(windows, names):
            frequencies = {name: windows[name].frequency_hz.values for name in band}
            every = np.concatenate([*frequencies.values()])
            weight = np.concatenate([windows[name].weight.values.sum(0) for name in band])
            mean = np.average(every, weights=weight) if weight.any() else every.mean()
            groups.append(Group((float(l), float(m)), dishes, float(mean), float(weight.sum()), frequencies))
    return groups


def _bands(windows: Mapping[str, xr.Dataset], names: list[str]) -> list[list[str]]:
    """Names of windows that are not too far apart in frequency for one beam that changes smoothly."""
    bands: list[list[str]] = []
    for name in sorted(names, key=lambda one: windows[one].frequency_hz.values.min()):
        if bands:
            lowest = windows[bands[-1][0]].frequency_hz.values.min()
            if windows[name].frequency_hz.values.max() < (1 + _WIDER[-1]) * lowest:
                bands[-1].append(name)
                continue
        bands.append([name])
    return bands


def uvw_about(window: xr.Dataset, ra_deg: float, dec_deg: float) -> np.ndarray:
    """A window's uvw (row, 3) about another centre."""
    rotation = _rotation(window, ra_deg, dec_deg)
    return window.uvw_m.values if rotation is None else window.uvw_m.values @ rotation.T


def turn_to(window: xr.Dataset, ra_deg: float, dec_deg: float) -> np.ndarray | float:
    """What a window's visibilities (row, channel) are to be multiplied by to be about another centre."""
    rotation = _rotation(window, ra_deg, dec_deg)
    if rotation is None:
        return 1.0
    path_m = window.uvw_m.values @ (np.array([0.0, 0.0, 1.0]) - rotation[2])
    wavenumber = window.frequency_hz.values / SPEED_OF_LIGHT_M_S
    return np.exp(2j * np.pi * np.multiply.outer(path_m, wavenumber))


def _rotation(window, ra_deg, dec_deg) -> np.ndarray | None:
    """From axes (east, north, outward) at the window's place to those at another; None where they are the same."""
    if _apart_deg([place(window), (ra_deg, dec_deg)]) < _SAME_CENTRE_DEG:
        return None
    own, new = (sphere_axes(*np.radians(aim)) for aim in (place(window), (ra_deg, dec_deg)))
    return new @ own.T
