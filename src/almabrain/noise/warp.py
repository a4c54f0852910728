"""A monotone map from Gaussian pixels to the reference's, and what it does to a correlation."""

import dataclasses
import functools

import numpy as np
from numpy.polynomial import hermite_e
from scipy.interpolate import PchipInterpolator
from scipy.special import gammaln, ndtr

# Hermite series of a smooth map with straight tails: beyond order 25 nothing above 1e-4 is left.
ORDER = 25
QUADRATURE = 200


@dataclasses.dataclass(frozen=True)
class Warp:
    """Monotone map g through (`score`, `value`); cubic between the nodes, straight beyond them.

    Scores are quantiles of the unit normal distribution, values those of the pixels. g is shifted and
    scaled so that g(y) has mean 0 and variance 1 for y ~ N(0, 1). One node or none is the identity.
    """

    score: np.ndarray
    value: np.ndarray

    @classmethod
    def identity(cls) -> "Warp":
        """The warp of Gaussian noise."""
        return cls(np.empty(0), np.empty(0))

    @property
    def is_identity(self) -> bool:
        """True where the marginal is Gaussian."""
        return len(self.score) < 2

    def __call__(self, field: np.ndarray) -> np.ndarray:
        """Map Gaussian pixels of unit variance to the reference's distribution, mean 0, variance 1."""
        if self.is_identity:
            return field
        mean, scale = self._moments
        return (self._raw(field) - mean) / scale

    def correlation(self, gaussian: np.ndarray) -> np.ndarray:
        """Correlation of g(y1), g(y2) where y1, y2 are correlated by `gaussian`.

        Sum over k of c_k^2 k! r^k with the Hermite coefficients c_k of g (Mehler's formula).
        """
        return np.polynomial.polynomial.polyval(gaussian, self._mehler)

    def predistort(self, wanted: np.ndarray) -> np.ndarray:
        """The Gaussian correlation that becomes `wanted` once g is applied: `correlation` inverted.

        g is monotone, so the correlation grows with the Gaussian one (Price 1958) and has an inverse; a
        value below what g can reach at r = -1 is set to -1.
        """
        if self.is_identity:
            return wanted
        gaussian = np.linspace(-1, 1, 4001)
        return np.interp(wanted, np.maximum.accumulate(self.correlation(gaussian)), gaussian)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative distribution of the warped pixels."""
        if self.is_identity:
            return ndtr(value)
        score = np.linspace(-8, 8, 20001)
        return np.interp(value, self(score), ndtr(score))

    def _raw(self, field: np.ndarray) -> np.ndarray:
        low, high = self.score[0], self.score[-1]
        inside = self._pchip(np.clip(field, low, high))
        slope_low, slope_high = self._end_slopes
        return inside + slope_low * np.minimum(field - low, 0) + slope_high * np.maximum(field - high, 0)

    @functools.cached_property
    def _pchip(self) -> PchipInterpolator:
        return PchipInterpolator(self.score, self.value)

    @functools.cached_property
    def _end_slopes(self) -> tuple[float, float]:
        # Chords over the last quarter of a sigma: a spline's own end slope hangs on a single node.
        tail = 0.25
        low, high = self.score[0], self.score[-1]
        first = (self._pchip(low + tail) - self._pchip(low)) / tail
        last = (self._pchip(high) - self._pchip(high - tail)) / tail
        return float(first), float(last)

    @functools.cached_property
    def _moments(self) -> tuple[float, float]:
        node, weight = _normal_quadrature()
        raw = self._raw(node)
        mean = weight @ raw
        return float(mean), float(np.sqrt(weight @ (raw - mean) ** 2))

    @functools.cached_property
    def _mehler(self) -> np.ndarray:
        if self.is_identity:
            return np.array([0.0, 1.0])
        node, weight = _normal_quadrature()
        basis = hermite_e.hermevander(node, ORDER)
        log_factorial = gammaln(np.arange(ORDER + 1) + 1)
        power = ((weight * self(node)) @ basis) ** 2 / np.exp(log_factorial)
        power[0] = 0.0
        return power / power.sum()


@functools.cache
def _normal_quadrature() -> tuple[np.ndarray, np.ndarray]:
    node, weight = hermite_e.hermegauss(QUADRATURE)
    return node, weight / weight.sum()


def fit_warp(pixels: np.ndarray, independent: float) -> Warp:
    """The warp of a sample of pixels (1-D, any order, at least two), from its quantiles.

    `independent`: number of independent values among the pixels (N_eff); it says how far into the tails
    the quantiles are known (about two independent values beyond the last node).
    """
    from scipy.special import ndtri

    reach = float(np.clip(-ndtri(min(2 / max(independent, 1.0), 0.2)), 1.0, 4.0))
    score = np.linspace(-reach, reach, 2 * int(np.ceil(reach / 0.125)) + 1)
    value = np.quantile(pixels, ndtr(score))
    distinct = np.concatenate([[True], np.diff(value) > 1e-9 * np.ptp(value)])
    return Warp(score[distinct], value[distinct])
