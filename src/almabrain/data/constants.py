"""Constants of nature and of notation, each in one place."""

import numpy as np

SPEED_OF_LIGHT_M_S = 299_792_458.0  # as the metre is defined
SPEED_OF_LIGHT_KM_S = SPEED_OF_LIGHT_M_S / 1e3
JANSKY = 1e-26  # W m^-2 Hz^-1
T_CMB_K = 2.7255  # Fixsen 2009, ApJ 707, 916
ARCSEC = np.pi / 648_000  # radians
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))  # of a Gaussian
