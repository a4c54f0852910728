"""What the shortest baseline hides: the largest recoverable scale, and the flux beyond it."""

import numpy as np
from scipy.ndimage import grey_opening

from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.image.grid import Windows


def largest_recoverable_scale_arcsec(windows: Windows) -> float:
    """The scale above which an interferometer loses structure: 0.6 λ / shortest baseline [arcsec].

    ALMA Technical Handbook, "maximum recoverable scale"; flagged visibilities do not count.
    """
    shortest = np.inf
    for window in windows.values():
        used = window.weight.values > 0
        length = np.hypot(window.uvw_m.values[:, 0], window.uvw_m.values[:, 1])[:, None]
        wavelengths = length * window.frequency_hz.values / SPEED_OF_LIGHT_M_S
        if used.any():
            shortest = min(shortest, float(wavelengths[used].min()))
    return 0.6 / shortest / ARCSEC


def wide_part(image: np.ndarray, cell_arcsec: float, scale_arcsec: float) -> np.ndarray:
    """The part of an image (y, x) that is wider than `scale_arcsec`, in the image's unit; never negative.

    A morphological opening by a square of that side (Serra 1982): what a compact source or a ring rests on
    stays, the source itself goes.
    """
    side = max(round(scale_arcsec / cell_arcsec), 1)
    # Band-limited points ring below zero, which is no emission.
    positive = np.maximum(image, 0.0)
    return np.minimum(grey_opening(positive, size=(side, side), mode="constant", cval=0.0), positive)
