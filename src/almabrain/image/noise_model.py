"""The noise as residuals show it: what the claimed σ² of a datum has to be multiplied by.

ln of that is a sum: the level of its noise group, a smooth function of the baseline's length (calibration errors are
larger on short baselines of bright sources), and, if asked for, a term of each of its two antennas. The noise is
Student-t. The level has a wide prior about what was measured, the function is a Gaussian process in ln length, antennas
are normal about zero. How much function and antennas vary is learned by the restricted likelihood (REML; Patterson &
Thompson 1971, Biometrika 58, 545), so that without evidence they are 1.
"""

from dataclasses import dataclass, field, fields
from itertools import product

import numpy as np
import xarray as xr
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from almabrain.data.constants import SPEED_OF_LIGHT_M_S

# 1/ν of Student's t with ν degrees of freedom, from the heaviest tails of calibrated visibilities to Gaussian noise.
TAILS = tuple(np.linspace(0.4, 0.0, 17).tolist())
_TAIL_SCALE = 0.1  # of the exponential prior of 1/ν: a few data show no tails
_LEVEL_STD, _FARTHEST = 1.0, 20.0  # of the prior of a group's ln σ²; how far from it one begins
# Standard deviations of ln σ² from one length, or antenna, to another, and lengths of correlation in ln length.
_STDS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_CORRELATIONS = (0.2, 0.4, 0.8, 1.6, 3.2)
_SPREAD_SCALE = 0.15  # of the exponential prior of such a standard deviation: a few data show neither
_SPACING, _WIDEST = 0.1, 1e-4  # of knots in ln length; the shortest baseline told apart, over the longest
_ENOUGH = 1_000_000  # data that fix everything
_ENOUGH_TAILS = 50_000
_ROUNDS, _STEPS, _LARGEST_STEP, _SETTLED = 4, 40, 1.0, 1e-4


@dataclass(frozen=True)
class Curve:
    """Noise over claimed against the baseline's length [kλ], and its relative standard error, all (knot,)."""

    klambda: np.ndarray
    factor: np.ndarray
    error: np.ndarray

    def at(self, klambda: np.ndarray) -> np.ndarray:
        """The factor at some baseline lengths [kλ]."""
        return np.exp(
            np.interp(np.log(np.maximum(klambda, 1e-300)), np.log(self.klambda), np.log(self.factor))
        )


@dataclass(frozen=True)
class Learned:
    """The noise that was learned: σ over the claimed one is the product of all factors; errors are relative.

    `windows` have the weights that follow (see `learn`). `factors` and `errors` are by window; `baseline` is 1 in the
    mean of ln over the data, as are `antennas`, (factor, error) by number, where every antenna counts on all of its
    baselines; {} unless asked for.
    """

    windows: dict[str, xr.Dataset]
    factors: dict[str, float]
    errors: dict[str, float]
    baseline: Curve
    antennas: dict[int, tuple[float, float]] = field(default_factory=dict)


def learn(
    windows: dict[str, xr.Dataset],
    residual: dict[str, np.ndarray],
    measured: dict[str, float],
    antennas: bool = False,
) -> Learned:
    """The noise of claimed `windows` from their `residual` (row, channel), about the factors `measured` before.

    Windows of one noise group (the pointings of a mosaic) share level and tails. Tails get little weight:
    u = (ν+2)/(ν+|r|²/σ²) for a complex number (Lange et al. 1989, JASA 84, 881), with each group's most probable ν. The
    weights say by how much a fit scatters, see `_calibration`, so that Σ w|r|² is the number of data times the
    attribute `expected_chi2`; the attribute `tail` is 1/ν.
    """
    data = _Data.of(windows, residual)
    names, own = np.unique([group_of(name, window) for name, window in windows.items()], return_inverse=True)
    logs = np.log([measured[name] ** 2 for name in windows])
    level = np.bincount(own, logs, len(names)) / np.bincount(own)
    group, some = own[data.window], data.some()
    design = _Design.of(some, own[some.window], len(names), antennas)
    variance, covariance, tail = _fit(design, own[some.window], some.squared, level)
    ratio = np.exp(design.at(data, group, variance))
    calibrations = [
        _calibration(*((part / ratio)[group == index] for part in (data.claimed, data.squared)), tail[index])
        for index in range(len(names))
    ]
    weighted = {}
    for number, (name, window) in enumerate(windows.items()):
        rows, index = data.window == number, own[number]
        share = _share((data.squared / ratio)[rows], tail[index])
        new = np.zeros(window.weight.shape)
        new[window.weight.values > 0] = calibrations[index] * share * (data.claimed / ratio)[rows]
        weighted[name] = window.assign(weight=(window.weight.dims, new))
        weighted[name].attrs |= {"expected_chi2": calibrations[index], "tail": float(tail[index])}
    factor, error = np.exp(variance / 2), np.sqrt(np.maximum(np.diag(covariance), 0)) / 2
    # Where ν is learned too, the Fisher information of ln σ² in a complex number is not ν/(ν+4) but ν/(2ν+4).
    error[: len(names)] *= np.where(tail > 0, np.sqrt(2 * (1 + 2 * tail) / (1 + 4 * tail)), 1)
    knots, ends = design.knot_columns, design.antenna_columns
    found = zip(design.antennas.tolist(), zip(factor[ends].tolist(), error[ends].tolist()), strict=True)
    return Learned(
        weighted,
        dict(zip(windows, factor[own].tolist(), strict=True)),
        dict(zip(windows, error[own].tolist(), strict=True)),
        Curve(np.exp(design.knots) / 1e3, factor[knots], error[knots]),
        dict(found),
    )


def group_of(name: str, window: xr.Dataset) -> str:
    """The noise group of a window: those of one group have weights that are wrong by one factor."""
    return window.attrs.get("noise_group", name)


@dataclass(frozen=True)
class _Data:
    """All data with weight, one after another: ln of the baseline's length [λ], |r|² in claimed σ², ..."""

    window: np.ndarray  # its number
    claimed: np.ndarray  # weight
    squared: np.ndarray
    length: np.ndarray
    ends: np.ndarray  # (2, datum), antennas

    @classmethod
    def of(cls, windows: dict[str, xr.Dataset], residual: dict[str, np.ndarray]) -> "_Data":
        """Those of claimed windows, with their residuals (row, channel)."""
        parts = []
        for number, (name, window) in enumerate(windows.items()):
            weight = window.weight.values
            used = weight > 0
            metres = np.hypot(*window.uvw_m.values[:, :2].T)
            length = np.multiply.outer(metres, window.frequency_hz.values / SPEED_OF_LIGHT_M_S)
            ends = (
                np.broadcast_to(window[end].values[:, None], used.shape) for end in ("antenna1", "antenna2")
            )
            claimed, squared = weight[used], np.abs(residual[name][used]) ** 2
            number_of = np.full(len(claimed), number, np.int32)
            parts.append([number_of, claimed, claimed * squared, length[used], *(end[used] for end in ends)])
        window, claimed, squared, length, first, second = map(np.concatenate, zip(*parts, strict=True))
        length = np.log(np.maximum(length, _WIDEST * max(length.max(initial=0), 1e-300)))
        return cls(window, claimed, squared, length, np.stack([first, second]).astype(np.int32))

    def some(self) -> "_Data":
        """A random choice of them where there are more than enough."""
        number = len(self.window)
        if number <= _ENOUGH:
            return self
        chosen = np.sort(np.random.default_rng(0).choice(number, _ENOUGH, replace=False))
        return _Data(*(getattr(self, each.name)[..., chosen] for each in fields(self)))


@dataclass(frozen=True)
class _Design:
    """What every unknown counts in a datum's ln σ²: levels of groups, the curve at knots, antennas."""

    matrix: csr_matrix  # (datum, unknown)
    groups: int
    knots: np.ndarray  # ln of baseline length [λ]
    antennas: np.ndarray  # numbers
    shares: np.ndarray  # (unknown,) mean of each unknown's column
    roots: dict[float, np.ndarray]  # of the curve's covariance, by its correlation

    @classmethod
    def of(cls, data: _Data, group: np.ndarray, groups: int, antennas: bool) -> "_Design":
        """That of data whose noise `group` (datum,) is one of so many `groups`."""
        number = len(group)
        low, high = (data.length.min(), data.length.max()) if number else (0.0, 0.0)
        knots = np.linspace(low, high, 1 + int(np.ceil((high - low) / _SPACING)))
        place = (data.length - low) / max(high - low, 1e-300) * (len(knots) - 1)
        below = np.minimum(place.astype(int), max(len(knots) - 2, 0))
        above = np.minimum(below + 1, len(knots) - 1)
        columns = [group, groups + below, groups + above]
        values = [np.ones(number), 1 - (place - below), place - below]
        known = np.unique(data.ends[data.ends >= 0]) if antennas else np.zeros(0, int)
        if len(known):
            for end in data.ends:
                at, is_known = _places(known, end)
                columns.append(groups + len(knots) + at)
                values.append(is_known.astype(float))
        size = groups + len(knots) + len(known)
        rows = np.tile(np.arange(number), len(columns))
        matrix = csr_matrix((np.concatenate(values), (rows, np.concatenate(columns))), (number, size))
        shares = np.asarray(matrix.sum(0)).ravel() / max(number, 1)
        roots = {correlation: _matern(knots, correlation) for correlation in _CORRELATIONS}
        return cls(matrix, groups, knots, known, shares, roots)

    @property
    def knot_columns(self) -> slice:
        """Where the curve's knots stand among the unknowns."""
        return slice(self.groups, self.groups + len(self.knots))

    @property
    def antenna_columns(self) -> slice:
        """Where the antennas stand among the unknowns."""
        return slice(self.groups + len(self.knots), self.groups + len(self.knots) + len(self.antennas))

    def at(self, data: _Data, group: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        """ln σ² over the claimed of any data (datum,), from all unknowns."""
        total = unknown[group] + np.interp(data.length, self.knots, unknown[self.knot_columns])
        if len(self.antennas):
            for end in data.ends:
                at, is_known = _places(self.antennas, end)
                total += np.where(is_known, unknown[self.antenna_columns][at], 0.0)
        return total

    def root(self, curve_std: float, correlation: float, antenna_std: float) -> np.ndarray:
        """A root A of the prior covariance A Aᵀ (unknown, unknown): curve and antennas are 0 in the data's mean."""
        made = np.diag(np.full(len(self.shares), _LEVEL_STD))
        for columns, root in (
            (self.knot_columns, curve_std * self.roots[correlation]),
            (self.antenna_columns, antenna_std * np.eye(len(self.antennas))),
        ):
            share = self.shares[columns] / max(self.shares[columns].sum(), 1e-300)
            made[columns, columns] = root - share @ root
        return made


def _places(known: np.ndarray, antenna: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where antennas (datum,) stand among the sorted `known`, and whether they do."""
    at = np.minimum(np.searchsorted(known, antenna), len(known) - 1)
    return at, known[at] == antenna


def _matern(knots: np.ndarray, correlation: float) -> np.ndarray:
    """A root of the Matérn covariance of order 3/2 between knots."""
    apart = np.sqrt(3) * np.abs(np.subtract.outer(knots, knots)) / correlation
    values, vectors = np.linalg.eigh((1 + apart) * np.exp(-apart))
    return vectors * np.sqrt(np.maximum(values, 0))


def _fit(
    design: _Design, group: np.ndarray, squared: np.ndarray, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The unknowns' most probable values, their covariance, and each group's 1/ν; by Fisher's scoring.

    `group` and `squared` are of the design's data, `level` (group,) the middle of its prior.
    """
    matrix = design.matrix
    prior = np.concatenate([level, np.zeros(matrix.shape[1] - len(level))])
    now, spread = prior.copy(), (0.2, 0.8, 0.2 * bool(len(design.antennas)))
    for index in range(len(level)):  # a level as far off as any: near it from the start
        if (own := squared[group == index]).size:
            seen = np.log(max(np.median(own) / (2 * np.log(2)), 1e-300))
            now[index] = np.clip(seen, level[index] - _FARTHEST, level[index] + _FARTHEST)
    for _ in range(_ROUNDS):
        scaled = squared * np.exp(-(matrix @ now))
        tail = np.array([_tail(scaled[group == index]) for index in range(len(level))])
        each = 1 / (1 + 4 * tail)  # Fisher information of ln σ² in one complex number
        information = (matrix.T @ matrix.multiply(each[group][:, None])).toarray()
        root = design.root(*spread)
        for _ in range(_STEPS):
            scaled = squared * np.exp(-(matrix @ now))
            score = matrix.T @ (_share(scaled, tail[group]) * scaled / 2 - 1)
            pull = information @ (now - prior) + score
            step = prior + _posterior(root, information, pull)[0] - now
            now = now + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
            if np.abs(step).max(initial=0) < _SETTLED:
                break
        before, spread = spread, _most_likely(design, information, pull, spread)
        if spread == before:
            break
    precision = root.T @ information @ root + np.eye(len(root))
    return now, root @ np.linalg.inv(precision) @ root.T, tail


def _posterior(root: np.ndarray, information: np.ndarray, pull: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean of the unknowns and ln evidence, to second order."""
    precision, _ = cho_factor(root.T @ information @ root + np.eye(len(root)))
    excitation = cho_solve((precision, False), root.T @ pull)
    evidence = (root.T @ pull) @ excitation / 2 - np.log(np.diag(precision)).sum()
    return root @ excitation, float(evidence)


def _most_likely(design: _Design, information: np.ndarray, pull: np.ndarray, spread: tuple) -> tuple:
    """The spread of curve and antennas, and the curve's correlation, that are most probable."""

    def probability(curve_std: float, correlation: float, antenna_std: float) -> float:
        """Its logarithm, up to a constant."""
        _, evidence = _posterior(design.root(curve_std, correlation, antenna_std), information, pull)
        return evidence - (curve_std + antenna_std) / _SPREAD_SCALE

    pairs = [(0.0, spread[1]), *product(_STDS[1:], _CORRELATIONS)]
    curve = max(pairs, key=lambda pair: probability(*pair, spread[2]))
    if not len(design.antennas):
        return *curve, 0.0
    return *curve, max(_STDS, key=lambda std: probability(*curve, std))


def _share(squared: np.ndarray, tail: np.ndarray | float) -> np.ndarray:
    """The weight of complex residuals, of |r|²/σ², under a Student-t noise against Gaussian noise of that σ."""
    return (1 + 2 * tail) / (1 + tail * squared)


def _tail(squared: np.ndarray) -> float:
    """The most probable 1/ν of complex residuals, of |r|²/σ² with σ known up to one factor."""
    if not squared.size:
        return 0.0
    squared = squared[:: 1 + len(squared) // _ENOUGH_TAILS]
    probability = []
    for tail in TAILS:
        factor = 1.0
        for _ in range(20):
            factor = max((_share(squared / factor, tail) * squared).mean() / 2, 1e-300)
        scaled = squared / factor
        energy = (0.5 / tail + 1) * np.log1p(tail * scaled) if tail else scaled / 2
        probability.append(-len(squared) * (np.log(factor) + energy.mean()) - tail / _TAIL_SCALE)
    return TAILS[int(np.argmax(probability))]


def _calibration(precision: np.ndarray, squared: np.ndarray, tail: float) -> float:
    """What turns the weights of a Student-t fit into the inverse variance of its result.

    Such weights find the place of the best fit, but 1/Σw is not its variance: that is B/A², with A the mean
    slope and B the mean square of the score (the sandwich of Huber 1967). For true t noise Σw is too large by
    (ν+4)/(ν+2); the sandwich holds for other noise too. `precision` 1/σ², `squared` |r|²/σ².
    """
    if not squared.any():
        return 1.0
    share = _share(squared, tail)
    slope = (precision * share**2).sum() / (1 + 2 * tail)
    score = (precision * share**2 * squared).sum() / 2
    return float(slope**2 / max(score * (precision * share).sum(), 1e-300))
