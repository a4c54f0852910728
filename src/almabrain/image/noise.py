"""How large the noise really is, against what the weights claim."""

import numpy as np
import xarray as xr

from almabrain.console.errors import UserError
from almabrain.data.statistics import robust_rms
from almabrain.image.copies import SAME_TIME_S
from almabrain.image.noise_model import group_of
from almabrain.image.npz import UNKNOWN_ANTENNA

_LONGEST_GAP = 3.0  # in median intervals: differences across longer gaps see the source move
_FEWEST = 50


def noise_factor(window: xr.Dataset) -> float:
    """σ seen / σ claimed of one window, from differences of neighbouring times of each baseline.

    Differences d = (V_i − V_j)/√(1/w_i + 1/w_j) of real and imaginary parts have unit variance where the
    weights are right; their median absolute deviation is blind to the tails that real data have. The
    source cancels as long as it changes little between two samples. Several samples of one time (merged sidebands) are
    averaged first: they tell no noise where they are correlated, nor where they saw different frequencies. NaN with
    fewer than 50 differences.
    """
    if not window.sizes["row"]:
        return float("nan")
    means = _one_a_time(window)
    time, weight, visibility = (means[name].values for name in ("time_mjd_s", "weight", "visibility"))
    gap = np.diff(time)
    same = (np.diff(means.antenna1.values) == 0) & (np.diff(means.antenna2.values) == 0)
    if not same.any():
        return float("nan")
    same &= gap <= _LONGEST_GAP * np.median(gap[same])
    pairs = np.flatnonzero(same)
    good = (weight[pairs] > 0) & (weight[pairs + 1] > 0)
    if np.count_nonzero(good) < _FEWEST:
        return float("nan")
    with np.errstate(divide="ignore"):
        scale = np.sqrt(1 / weight[pairs] + 1 / weight[pairs + 1])[good]
    difference = (visibility[pairs + 1] - visibility[pairs])[good] / scale
    parts = np.concatenate([difference.real, difference.imag])
    return float(robust_rms(parts))


def _one_a_time(window: xr.Dataset) -> xr.Dataset:
    """The window with the weighted mean of each baseline's samples of one time, baseline by baseline, by time."""
    window = window.isel(row=np.lexsort((window.time_mjd_s, window.antenna2, window.antenna1)))
    apart = [np.diff(window[name].values) != 0 for name in ("antenna1", "antenna2")]
    new = apart[0] | apart[1] | (np.diff(window.time_mjd_s.values) > SAME_TIME_S)
    first = np.concatenate([[0], np.flatnonzero(new) + 1])
    if len(first) == window.sizes["row"]:
        return window
    weight = np.add.reduceat(window.weight.values, first)
    total = np.add.reduceat(window.weight.values * window.visibility.values, first)
    means = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    dims = window.weight.dims
    return window.isel(row=first).assign(weight=(dims, weight), visibility=(dims, means))


def rescaled(windows: dict[str, xr.Dataset], factors: dict[str, float]) -> dict[str, xr.Dataset]:
    """The windows with σ multiplied by each window's factor."""
    return {
        name: window.assign(weight=window.weight / factors[name] ** 2) for name, window in windows.items()
    }


def first_factors(windows: dict[str, xr.Dataset]) -> dict[str, float] | None:
    """Where learning the noise begins: the measured factors of an observation; None for a simulation.

    Windows of one noise group start at its median; one whose noise could not be measured at that of the others.
    """
    if all(window.attrs.get("simulated") for window in windows.values()):
        return None
    measured = {name: float(window.attrs["noise_factor"]) for name, window in windows.items()}
    known = [value for value in measured.values() if np.isfinite(value) and value > 0]
    typical = float(np.median(known)) if known else 1.0
    by_group: dict[str, list[float]] = {}
    for name, value in measured.items():
        if np.isfinite(value) and value > 0:
            by_group.setdefault(group_of(name, windows[name]), []).append(value)
    return {
        name: float(np.median(by_group.get(group_of(name, window), typical)))
        for name, window in windows.items()
    }


def as_measured(
    windows: dict[str, xr.Dataset], reweight: str
) -> tuple[dict[str, xr.Dataset], dict[str, float] | None]:
    """The windows with the noise that was measured, and its factors; as they are where `reweight` is "never".

    Raises UserError where it is "antennas", and nobody knows them.
    """
    if reweight == "antennas":
        nobody = [name for name, window in windows.items() if (window.antenna1 == UNKNOWN_ANTENNA).all()]
        if len(nobody) == len(windows):
            source = windows[nobody[0]].attrs["source"]
            raise UserError(
                f"key 'reweight' is 'antennas', but {source} does not say antennas; set it to auto"
            )
    factors = None if reweight == "never" else first_factors(windows)
    return (rescaled(windows, factors) if factors else windows), factors
