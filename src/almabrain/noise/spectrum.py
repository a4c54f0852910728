"""Autocorrelation under a mask, the power spectrum it belongs to, and averages of both over rings."""

import numpy as np
from scipy import fft

# Lags with less overlap than this carry noise only (share of the pixel pairs at lag zero).
MIN_OVERLAP = 0.08
# Length of the Gaussian taper of the ACF, as a share of the image's side. Shorter smooths the spectrum
# too much, longer lets the image's edges leak into it; see docs/noise.md.
TAPER = 0.18


def masked_acf(field: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Autocorrelation of `field` (n_y, n_x) where `weight` > 0, on the grid (2 n_y, 2 n_x), FFT order.

    Correlation of the weighted field over that of the weights: every lag is averaged over the pairs that
    are there, so the mask leaves no bias. Zero where the overlap is below `MIN_OVERLAP`. Not normalised:
    the value at lag zero is the weighted variance.
    """
    size = [2 * n for n in field.shape]
    pairs = fft.irfft2(np.abs(fft.rfft2(weight, size)) ** 2, size)
    product = fft.irfft2(np.abs(fft.rfft2(np.where(weight > 0, field, 0.0) * weight, size)) ** 2, size)
    enough = pairs > MIN_OVERLAP * pairs[0, 0]
    return np.where(enough, product / np.where(enough, pairs, 1.0), 0.0)


def edge_taper(shape: tuple[int, int], share: float = 0.1) -> np.ndarray:
    """Weights (n_y, n_x) that fall to zero over the outer `share` of either side (cosine)."""
    sides = []
    for n in shape:
        distance = (np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5) / max(share * n, 1.0)
        sides.append(np.sin(0.5 * np.pi * np.minimum(distance, 1.0)) ** 2)
    return np.outer(*sides)


def spectrum_from_acf(acf: np.ndarray) -> np.ndarray:
    """The power spectrum (FFT order, mean 1) whose ACF is nearest to `acf` (1 at lag zero).

    An estimated ACF has negative power here and there; clipping it would leave a floor of white noise, so
    the spectrum is projected onto the simplex {P >= 0, mean P = 1}.
    """
    return project_simplex(fft.fft2(acf).real)


def project_simplex(power: np.ndarray) -> np.ndarray:
    """The nearest array (least squares) that is nowhere negative and has mean 1: max(P - t, 0).

    Duchi et al. 2008, ICML, figure 1.
    """
    ordered = np.sort(power, axis=None)[::-1]
    excess = (np.cumsum(ordered) - power.size) / np.arange(1, power.size + 1)
    threshold = excess[np.nonzero(ordered > excess)[0][-1]]
    return np.maximum(power - threshold, 0.0)


def taper_acf(acf: np.ndarray, length_px: float) -> np.ndarray:
    """ACF (FFT order) times exp(-lag^2 / (2 length_px^2)): smooths the spectrum."""
    lag_y, lag_x = (fft.fftfreq(n, 1 / n) for n in acf.shape)
    return acf * np.exp(-(lag_y[:, None] ** 2 + lag_x**2) / (2 * length_px**2))


def radial_mean(array: np.ndarray, edges_px: np.ndarray) -> np.ndarray:
    """Mean of `array` (FFT order, distances in pixels of its own grid) in rings between `edges_px`."""
    y, x = (fft.fftfreq(n, 1 / n) for n in array.shape)
    return ring_mean(array, np.hypot(y[:, None], x), edges_px)


def ring_mean(array: np.ndarray, radius: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Mean of `array` where `radius` (same shape) lies between consecutive `edges`; NaN where empty."""
    ring = np.digitize(radius.ravel(), edges) - 1
    inside = (ring >= 0) & (ring < len(edges) - 1)
    count = np.bincount(ring[inside], minlength=len(edges) - 1)
    total = np.bincount(ring[inside], array.ravel()[inside], minlength=len(edges) - 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def independent_pixels(acf: np.ndarray, n_pixels: float) -> float:
    """Number of independent values among `n_pixels`: N C(0)^2 / sum of C^2 over all lags."""
    return float(n_pixels * acf[0, 0] ** 2 / np.sum(acf**2))
