"""What a network is shown of a plane: its signal-to-noise map, and that map as the matched filter sees it."""

import numpy as np
from scipy.signal import fftconvolve

from almabrain.networks.normalise import to_noise_units
from almabrain.networks.shapes import gaussian

CHANNELS = 2


def matched_filter(plane: np.ndarray, beam_covariance: np.ndarray) -> np.ndarray:
    """Cross-correlation of `plane` (y, x) with the beam, in units of the result's own noise.

    `beam_covariance` (2, 2) in pixels. The best linear detector of a beam-shaped source in white noise.
    """
    reach = int(np.ceil(4 * np.sqrt(np.linalg.eigvalsh(beam_covariance)[1])))
    reach = min(reach, (min(plane.shape) - 1) // 2)
    steps = np.arange(-reach, reach + 1)
    kernel = gaussian(steps[None, :], steps[:, None], 0, 0, beam_covariance)
    return to_noise_units(fftconvolve(np.nan_to_num(plane), kernel, mode="same"))


def network_input(plane: np.ndarray, beam_covariance: np.ndarray) -> np.ndarray:
    """The maps (2, y, x; float32) a network takes for a plane (y, x) in any flux unit.

    The matched-filtered map tells the network the beam, which it could not know from pixels alone.
    """
    return np.stack([to_noise_units(plane), matched_filter(plane, beam_covariance)])
