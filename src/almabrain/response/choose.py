"""Cell and image size that suit a set of baselines."""

import numpy as np

from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S

PIXELS_PER_FRINGE = 5.0


def longest_baseline_wavelengths(uvw_m: np.ndarray, frequency_hz: np.ndarray) -> float:
    """Longest projected baseline √(u² + v²) in wavelengths at the highest frequency."""
    longest_m = np.hypot(uvw_m[:, 0], uvw_m[:, 1]).max()
    return float(longest_m * np.max(frequency_hz) / SPEED_OF_LIGHT_M_S)


def coarsest_cell_arcsec(uvw_m: np.ndarray, frequency_hz: np.ndarray) -> float:
    """The cell of Nyquist's theorem, 1/(2 u_max): a coarser image loses the longest baselines."""
    return 1 / (2 * longest_baseline_wavelengths(uvw_m, frequency_hz) * ARCSEC)


def cell_arcsec(uvw_m: np.ndarray, frequency_hz: np.ndarray) -> float:
    """A cell of a fifth of the finest fringe spacing, 1/(5 u_max): five or more pixels per beam.

    Rounded down to two significant digits, so that runs of one configuration share a cell.
    """
    finest = 1 / (PIXELS_PER_FRINGE * longest_baseline_wavelengths(uvw_m, frequency_hz) * ARCSEC)
    digits = 10.0 ** (np.floor(np.log10(finest)) - 1)
    return float(np.floor(finest / digits) * digits)


def image_size(field_arcsec: float, cell_arcsec: float) -> int:
    """The smallest even number of pixels, at least 32 and kind to the FFT, that covers a field."""
    from scipy.fft import next_fast_len

    half = max(16, int(np.ceil(field_arcsec / cell_arcsec / 2)))
    return 2 * next_fast_len(half)
