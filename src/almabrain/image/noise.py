"""How large the noise really is, against what the weights claim."""

import numpy as np
import xarray as xr

from almabrain.data.statistics import robust_rms

_LONGEST_GAP = 3.0  # in median intervals: differences across longer gaps see the source move
_SAME_TIME_S = 0.1  # uvfits rounds times to milliseconds; no integration is as short
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
    new = apart[0] | apart[1] | (np.diff(window.time_mjd_s.values) > _SAME_TIME_S)
    first = np.concatenate([[0], np.flatnonzero(new) + 1])
    if len(first) == window.sizes["row"]:
        return window
    weight = np.add.reduceat(window.weight.values, first)
    total = np.add.reduceat(window.weight.values * window.visibility.values, first)
    means = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    dims = window.weight.dims
    return window.isel(row=first).assign(weight=(dims, weight), visibility=(dims, means))


BASELINE_BINS = 8
# 1/ν of Student's t with ν degrees of freedom, from the heaviest tails of calibrated visibilities to Gaussian noise.
TAILS = (1 / 2.5, 1 / 3, 1 / 4, 1 / 5, 1 / 7, 1 / 10, 1 / 15, 1 / 30, 0.0)
_ENOUGH = 50_000  # data that fix the tails


def rescaled(windows: dict[str, xr.Dataset], factors: dict[str, float]) -> dict[str, xr.Dataset]:
    """The windows with σ multiplied by each window's factor."""
    return {
        name: window.assign(weight=window.weight / factors[name] ** 2) for name, window in windows.items()
    }


def student_t(
    windows: dict[str, xr.Dataset], residual: dict[str, np.ndarray], factors: dict[str, float]
) -> tuple[dict[str, xr.Dataset], dict[str, float], np.ndarray]:
    """The windows with the weights of a Student-t noise, each window's factor, and each baseline bin's.

    `residual` (row, channel) of the claimed `windows`. σ is the claimed one times the factor of the window's noise
    group (the pointings of a mosaic share one) times that of one of eight bins of baseline length (calibration errors
    are larger on short baselines of bright sources). Tails get little weight: u = (ν+2)/(ν+|r|²/σ²) for a complex
    number, and every factor is iterated to the most likely one, σ² = ⟨u|r|²⟩/2 (Lange et al. 1989, JASA 84, 881); ν
    is each group's most likely of nine. The weights say by how much a fit scatters, see `_calibration`, so that Σ w|r|²
    is the number of data times the attribute `expected_chi2`; the attribute `tail` is 1/ν.
    """
    used = {name: window.weight.values > 0 for name, window in windows.items()}
    groups, own_group = np.unique(
        [_group(name, window) for name, window in windows.items()], return_inverse=True
    )
    group = np.concatenate(
        [np.full(np.count_nonzero(part), index) for part, index in zip(used.values(), own_group, strict=True)]
    )
    length = np.concatenate([_baseline(window)[used[name]] for name, window in windows.items()])
    claimed = np.concatenate([window.weight.values[used[name]] for name, window in windows.items()])
    squared = claimed * np.concatenate([np.abs(residual[name][used[name]]) ** 2 for name in windows])
    edges = np.quantile(length, np.linspace(0, 1, BASELINE_BINS + 1)[1:-1])
    bins = np.searchsorted(edges, length, side="right")
    count = len(groups)
    scale = _mean(np.array([factors[name] ** 2 for name in windows]), own_group, count)
    shape = np.ones(BASELINE_BINS)
    for step in range(60):
        scaled = squared / (scale[group] * shape[bins])
        if step % 20 == 0:
            tail = np.array([_tail(scaled[group == index]) for index in range(count)])
        share = _share(scaled, tail[group])
        scale = _mean(share * squared / shape[bins], group, count) / 2
        shape = _mean(share * squared / scale[group], bins, BASELINE_BINS) / 2
        shape /= np.exp(np.log(shape).mean())
    variance = scale[group] * shape[bins]
    calibrations = [
        _calibration((claimed / variance)[group == index], (squared / variance)[group == index], tail[index])
        for index in range(count)
    ]
    weighted, ends = {}, np.cumsum([0, *(np.count_nonzero(part) for part in used.values())])
    for number, (name, window) in enumerate(windows.items()):
        own, index = slice(ends[number], ends[number + 1]), own_group[number]
        precision, scaled = (claimed / variance)[own], (squared / variance)[own]
        calibration = calibrations[index]
        new = np.zeros(window.weight.shape)
        new[used[name]] = calibration * _share(scaled, tail[index]) * precision
        weighted[name] = window.assign(weight=(window.weight.dims, new))
        weighted[name].attrs |= {"expected_chi2": calibration, "tail": float(tail[index])}
    learned = dict(zip(windows, np.sqrt(scale[own_group]).tolist(), strict=True))
    return weighted, learned, np.sqrt(shape)


def _group(name: str, window: xr.Dataset) -> str:
    return window.attrs.get("noise_group", name)


def _share(squared: np.ndarray, tail: np.ndarray | float) -> np.ndarray:
    """The weight of complex residuals, of |r|²/σ², under a Student-t noise against Gaussian noise of that σ."""
    return (1 + 2 * tail) / (1 + tail * squared)


def _tail(squared: np.ndarray) -> float:
    """The most likely 1/ν of complex residuals, of |r|²/σ² with σ known up to one factor."""
    squared = squared[:: 1 + len(squared) // _ENOUGH]
    likelihood = []
    for tail in TAILS:
        factor = 1.0
        for _ in range(20):
            factor = max((_share(squared / factor, tail) * squared).mean() / 2, 1e-300)
        scaled = squared / factor
        energy = (0.5 / tail + 1) * np.log1p(tail * scaled) if tail else scaled / 2
        likelihood.append(-np.log(factor) - energy.mean())
    return TAILS[int(np.argmax(likelihood))]


def _calibration(precision: np.ndarray, squared: np.ndarray, tail: float) -> float:
    """What turns the weights of a Student-t fit into the inverse variance of its result.

    Such weights find the place of the best fit, but 1/Σw is not its variance: that is B/A², with A the mean
    slope and B the mean square of the score (the sandwich of Huber 1967). For true t noise Σw is too large by
    (ν+4)/(ν+2); the sandwich holds for other noise too. `precision` 1/σ², `squared` |r|²/σ².
    """
    share = _share(squared, tail)
    slope = (precision * share**2).sum() / (1 + 2 * tail)
    score = (precision * share**2 * squared).sum() / 2
    return float(slope**2 / max(score * (precision * share).sum(), 1e-300))


def _baseline(window: xr.Dataset) -> np.ndarray:
    """Baseline lengths (row, channel) in units proportional to wavelengths."""
    return np.multiply.outer(np.hypot(*window.uvw_m.values[:, :2].T), window.frequency_hz.values)


def _mean(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    count = np.bincount(group, minlength=groups)
    return np.maximum(np.bincount(group, values, groups) / np.maximum(count, 1), 1e-300)


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
            by_group.setdefault(_group(name, windows[name]), []).append(value)
    return {
        name: float(np.median(by_group.get(_group(name, window), typical)))
        for name, window in windows.items()
    }


def as_measured(
    windows: dict[str, xr.Dataset], reweight: str
) -> tuple[dict[str, xr.Dataset], dict[str, float] | None]:
    """The windows with the noise that was measured, and its factors; as they are where `reweight` is "never"."""
    factors = first_factors(windows) if reweight == "auto" else None
    return (rescaled(windows, factors) if factors else windows), factors
