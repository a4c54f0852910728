"""Elliptical Gaussians on the pixel grid: sources as the beam shows them, and the blobs a network learns."""

import numpy as np

from almabrain.data.constants import FWHM_PER_SIGMA

EDGE_STEEPNESS = 4
BLOB_REACH_SIGMA = 2.5  # a footprint is below 1e-4 from here on


def pixel_covariance(major_arcsec, minor_arcsec, pa_deg, cell_arcsec) -> np.ndarray:
    """Covariance (..., 2, 2) in pixels, axes (x, y), of Gaussians given by FWHM and position angle.

    The position angle runs from north (+y) through east (-x), hence the sign of the mixed term.
    """
    major, minor, pa = np.broadcast_arrays(major_arcsec, minor_arcsec, np.radians(pa_deg))
    a, b = (np.square(axis / cell_arcsec / FWHM_PER_SIGMA) for axis in (major, minor))
    sin, cos = np.sin(pa), np.cos(pa)
    xx, yy, xy = a * sin**2 + b * cos**2, a * cos**2 + b * sin**2, (b - a) * sin * cos
    return np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)


def axes_from_covariance(covariance: np.ndarray, cell_arcsec: float) -> tuple[float, float, float]:
    """FWHM axes [arcsec] and position angle [deg, -90 to 90) of one pixel covariance (2, 2)."""
    variance, axes = np.linalg.eigh(covariance)
    minor, major = FWHM_PER_SIGMA * cell_arcsec * np.sqrt(np.clip(variance, 0, None))
    pa = np.degrees(np.arctan2(-axes[0, 1], axes[1, 1]))
    return float(major), float(minor), float((pa + 90) % 180 - 90)


def gaussian(x: np.ndarray, y: np.ndarray, x0: float, y0: float, covariance: np.ndarray) -> np.ndarray:
    """A Gaussian of peak 1 at pixel (x0, y0), evaluated at pixels `x`, `y` (broadcast together)."""
    (a, b), (_, c) = np.linalg.inv(covariance)
    dx, dy = x - x0, y - y0
    return np.exp(-0.5 * (a * dx**2 + 2 * b * dx * dy + c * dy**2))


def blobs(shape: tuple[int, int], x0, y0, covariances) -> np.ndarray:
    """The target (y, x) a blobs finder learns: 1 within the half-maximum contour of any source, 0 far away.

    The contour is that of the beam-convolved source, however bright it is: the target says where emission
    is, never how much. Outside, twice the Gaussian, so that the edge is soft over about a pixel or two.
    """
    target = np.zeros(shape, np.float32)
    for x_source, y_source, covariance in zip(x0, y0, covariances, strict=True):
        reach_x, reach_y = BLOB_REACH_SIGMA * np.sqrt(np.diag(covariance))
        columns = slice(max(int(x_source - reach_x), 0), max(int(x_source + reach_x) + 2, 0))
        rows = slice(max(int(y_source - reach_y), 0), max(int(y_source + reach_y) + 2, 0))
        box = target[rows, columns]
        y, x = np.ogrid[rows.start : rows.start + box.shape[0], columns.start : columns.start + box.shape[1]]
        footprint = (2 * gaussian(x, y, x_source, y_source, covariance)) ** EDGE_STEEPNESS
        np.maximum(box, np.minimum(footprint, 1), out=box, casting="same_kind")
    return target
