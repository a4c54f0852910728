"""Finding the sources of a reference image, to keep them out of its noise."""

import numpy as np
from scipy import ndimage

from almabrain.data.constants import FWHM_PER_SIGMA
from almabrain.data.statistics import robust_rms
from almabrain.response.beam import Beam

SMOOTHING_BEAMS = (0.0, 1.0, 2.5)


def mesh_rms(image: np.ndarray, cell_px: int) -> np.ndarray:
    """Local rms (n_y, n_x) from the MAD in squares of `cell_px`, median-filtered and interpolated.

    A MAD, since a source within a square must not raise the rms that it is judged by.
    """
    blocks = [max(n // cell_px, 1) for n in image.shape]
    rows = [np.array_split(row, blocks[1], axis=1) for row in np.array_split(image, blocks[0], axis=0)]
    everywhere = float(robust_rms(image))
    mesh = np.array([[_block_sigma(block, everywhere) for block in row] for row in rows])
    mesh = ndimage.median_filter(mesh, size=3, mode="nearest")
    y, x = ((np.arange(n) + 0.5) * b / n - 0.5 for n, b in zip(image.shape, blocks, strict=True))
    return ndimage.map_coordinates(mesh, np.meshgrid(y, x, indexing="ij"), order=1, mode="nearest")


def _block_sigma(block: np.ndarray, fallback: float) -> float:
    if np.isfinite(block).mean() < 0.25:
        return fallback
    sigma = float(robust_rms(block))
    return sigma if sigma > 0 else fallback


def source_mask(image: np.ndarray, beam: Beam, cell_arcsec: float) -> np.ndarray:
    """True (n_y, n_x) where `image` (NaN where blank) shows emission, grown to its faint outskirts.

    Detected at three smoothings (0, 1 and 2.5 beams) above max(sqrt(2 ln N_beam) + 0.5, 1.05 times the most
    negative S/N): noise is as deep as it is high, so what the negative side reaches is no source.
    """
    major_px, minor_px = beam.major_arcsec / cell_arcsec, beam.minor_arcsec / cell_arcsec
    valid = np.isfinite(image)
    mask = np.zeros(image.shape, bool)
    for beams in SMOOTHING_BEAMS:
        smooth = _smooth(image, valid, beams * np.sqrt(major_px * minor_px) / FWHM_PER_SIGMA)
        area_px = 1.133 * major_px * minor_px * (1 + beams**2)
        cell_px = max(32, int(8 * np.sqrt(area_px)))
        snr = np.where(valid, smooth / mesh_rms(smooth, cell_px), 0.0)
        expected = np.sqrt(2 * np.log(max(valid.sum() / area_px, 2.0))) + 0.5
        threshold = max(expected, -1.05 * snr.min())
        mask |= _grown(snr, threshold, np.sqrt(1 + beams**2) * major_px)
    return mask


def _smooth(image: np.ndarray, valid: np.ndarray, sigma_px: float) -> np.ndarray:
    filled = np.where(valid, image, 0.0)
    if sigma_px > 0:
        norm = ndimage.gaussian_filter(valid.astype(float), sigma_px)
        filled = ndimage.gaussian_filter(filled, sigma_px) / np.maximum(norm, 1e-3)
    return np.where(valid, filled - np.median(filled[valid]), np.nan)


def _grown(snr: np.ndarray, threshold: float, fwhm_px: float) -> np.ndarray:
    """Islands that reach `threshold`, followed down and out to where a beam's wing is below 0.3 sigma."""
    islands, n_islands = ndimage.label(snr > max(2.5, threshold / 2))
    if n_islands == 0:
        return np.zeros(snr.shape, bool)
    numbers = np.arange(1, n_islands + 1)
    peak = ndimage.maximum(snr, islands, numbers)
    found = numbers[peak > threshold]
    mask = np.isin(islands, found)
    if not mask.any():
        return mask
    mask = ndimage.distance_transform_edt(~mask) <= 0.75 * fwhm_px
    y, x = np.indices(snr.shape)
    for number in found:
        at_y, at_x = ndimage.maximum_position(snr, islands, number)
        radius = 0.5 * fwhm_px * np.sqrt(np.log2(peak[number - 1] / 0.3))
        mask |= (y - at_y) ** 2 + (x - at_x) ** 2 <= radius**2
    return mask
