"""The primary beam as a picture: how much of the sky each direction lets through."""

import numpy as np

from almabrain.instrument import primary_beam
from almabrain.response.beam import ARCSEC_RAD


def image(n_pix: int, cell_arcsec: float, frequency_hz: float, diameter_m: float) -> np.ndarray:
    """Power pattern (y, x) of a dish at the pixels of an image, 1 at the phase centre N//2.

    Pixels are direction cosines (SIN projection), so the offset from the axis is arcsin √(l² + m²).
    """
    offset = (np.arange(n_pix) - n_pix // 2) * cell_arcsec * ARCSEC_RAD
    radius = np.hypot(offset[:, None], offset[None, :])
    # Pixels off the celestial sphere see nothing that matters: hold them at the horizon.
    return primary_beam.power(np.arcsin(np.minimum(radius, 1.0)), frequency_hz, diameter_m)
