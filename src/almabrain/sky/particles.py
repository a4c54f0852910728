"""Gas in motion on pixels: bits of light with a place and a velocity each, and the line they make together."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

# A Gaussian has 1e-9 of its light beyond this many standard deviations.
_REACH = 6.0
# Steps of the profile whose width is measured: in a dispersion, and over the whole velocity range.
_STEPS_PER_DISPERSION, _STEPS_OF_RANGE = 10, 2000


@dataclass(frozen=True)
class Particles:
    """Bits of light in order of velocity: `pixel` (bit,) counts y * side + x; `light` (bit,) sums to 1.

    `spread_kms` (bit,) is the standard deviation of the velocities that a bit stands for.
    """

    side: int
    pixel: np.ndarray
    velocity_kms: np.ndarray
    light: np.ndarray
    spread_kms: np.ndarray

    @property
    def pixels(self) -> np.ndarray:
        """All light (y, x), whatever its velocity."""
        return self._image(self.pixel, self.light)

    def extent_kms(self, dispersion_kms: float) -> tuple[float, float, float]:
        """Lowest and highest velocity that all light lies between, and the least standard deviation of a bit's."""
        sigma = np.hypot(dispersion_kms, self.spread_kms)
        reach = _REACH * sigma.max()
        low, high = self.velocity_kms[[0, -1]]
        return float(low - reach), float(high + reach), float(sigma.min())

    def line_pixels(self, edges_kms: np.ndarray, dispersion_kms: float) -> np.ndarray:
        """Share of the light (channel, y, x; float32) between velocity edges (channel + 1,) in km/s, rising.

        Every bit's light is a Gaussian in velocity, integrated exactly over each channel.
        """
        edges = np.asarray(edges_kms, float)
        sigma = np.hypot(dispersion_kms, self.spread_kms)
        reach = _REACH * sigma.max()
        made = np.empty((edges.size - 1, self.side, self.side), np.float32)
        below = np.zeros((self.side, self.side))  # light of the bits that lie below an edge altogether
        counted, last = 0, None
        for index, edge in enumerate(edges):
            whole = np.searchsorted(self.velocity_kms, edge - reach)
            part = np.searchsorted(self.velocity_kms, edge + reach)
            new, cut = slice(counted, whole), slice(whole, part)
            below += self._image(self.pixel[new], self.light[new])
            share = ndtr((edge - self.velocity_kms[cut]) / sigma[cut])
            now = below + self._image(self.pixel[cut], self.light[cut] * share)
            if index:
                made[index - 1] = now - last
            counted, last = whole, now
        return made

    def _image(self, pixel, light) -> np.ndarray:
        return np.bincount(pixel, light, self.side**2).reshape(self.side, self.side)


def particles(side: int, pixel, velocity_kms, light, spread_kms) -> Particles:
    """Bits of light in any order, with any total."""
    order = np.argsort(velocity_kms)
    return Particles(side, pixel[order], velocity_kms[order], light[order] / light.sum(), spread_kms[order])


def cloud_in_cell(x, y, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat pixel (4, point) and share (4, point) of points between pixel centres x, y (from 0).

    A point's light goes to the four pixels around it by bilinear weights, so that its centroid is kept
    (Hockney & Eastwood 1988, section 5-2). What falls outside the square has share 0.
    """
    west, south = np.floor(x).astype(int), np.floor(y).astype(int)
    pixel, share = np.empty((4, x.size), int), np.empty((4, x.size))
    for corner, (right, up) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        column, row = west + right, south + up
        inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
        pixel[corner] = np.where(inside, row * side + column, 0)
        weight = np.abs(1 - right - (x - west)) * np.abs(1 - up - (y - south))
        share[corner] = np.where(inside, weight, 0.0)
    return pixel, share


def full_width_kms(edges_kms, light, dispersion_kms: float) -> float:
    """FWHM of a line: light (bin,) between velocity edges (bin + 1,), spread evenly in each bin, blurred.

    Between the outermost points at half of the peak, as the width W50 of a double-horned profile is measured.
    """
    low, high = edges_kms[0] - _REACH * dispersion_kms, edges_kms[-1] + _REACH * dispersion_kms
    step = min(dispersion_kms / _STEPS_PER_DISPERSION, (high - low) / _STEPS_OF_RANGE)
    grid = np.arange(low, high + step, step)
    below = np.interp(grid, edges_kms, np.append(0.0, np.cumsum(light)))
    profile = gaussian_filter1d(np.diff(below), dispersion_kms / step, truncate=_REACH, mode="constant")
    half = profile.max() / 2
    above = np.flatnonzero(profile >= half)
    first, last = above[0], above[-1]
    rise = (half - profile[first - 1]) / (profile[first] - profile[first - 1])
    fall = (profile[last] - half) / (profile[last] - profile[last + 1])
    return float((last + fall - (first - 1 + rise)) * step)
