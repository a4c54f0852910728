"""The light of a Gaussian spectral line in channels of finite width."""

import numpy as np
from scipy.special import erf

SPEED_OF_LIGHT_KM_S = 299_792.458


def mean_flux_density(
    frequency_hz: np.ndarray,
    channel_width_hz: np.ndarray,
    line_hz: float,
    flux_jy_kms: float,
    width_kms: float,
) -> np.ndarray:
    """Mean flux density [Jy] in every channel of a line at `line_hz`: its profile integrated over the channel.

    `width_kms` is the FWHM in radio velocity, `flux_jy_kms` the integral. So a channel wider than the line
    dilutes it, and the sum over channels keeps the flux. Zero for a line without frequency or width.
    """
    if not (line_hz > 0 and width_kms > 0):
        return np.zeros(np.shape(frequency_hz))
    hz_per_kms = line_hz / SPEED_OF_LIGHT_KM_S
    sigma_hz = width_kms * hz_per_kms / np.sqrt(8 * np.log(2))
    width_hz = np.abs(channel_width_hz)
    upper, lower = (
        (frequency_hz + side * width_hz / 2 - line_hz) / (np.sqrt(2) * sigma_hz) for side in (1, -1)
    )
    return flux_jy_kms * hz_per_kms * (erf(upper) - erf(lower)) / 2 / width_hz
