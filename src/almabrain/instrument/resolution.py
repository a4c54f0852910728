"""The angular resolution that the antennas' places give, before any image is made."""

import numpy as np

from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.instrument import site

# ALMA Technical Handbook, chapter on imaging: resolution of a robust 0.5 image in units of wavelength / L80.
RESOLUTION_FACTOR = 0.574
PERCENTILE = 80


def projected_baselines_m(itrf_m, ra_deg: float, dec_deg: float, time_mjd_s) -> np.ndarray:
    """Lengths of all baselines as the source sees them, metres, shape (baseline, time).

    `itrf_m` (antenna, 3); UTC times as MJD seconds (time,). Precession is left out: good to 0.7 %.
    """
    hour_angle = site.local_sidereal_time_rad(time_mjd_s) - site.LONGITUDE_RAD - np.deg2rad(ra_deg)
    dec = np.deg2rad(dec_deg)
    towards = np.stack(
        [np.cos(dec) * np.cos(hour_angle), -np.cos(dec) * np.sin(hour_angle), np.sin(dec) + 0 * hour_angle]
    )
    first, second = np.triu_indices(len(itrf_m), 1)
    baselines = itrf_m[first] - itrf_m[second]
    along = baselines @ towards
    return np.sqrt(np.maximum((baselines**2).sum(axis=1)[:, None] - along**2, 0))


def resolution_arcsec(itrf_m, ra_deg: float, dec_deg: float, time_mjd_s, frequency_hz: float) -> float:
    """Angular resolution, arcsec: 0.574 wavelengths per L80, the 80th percentile of projected baselines.

    Source: ALMA Technical Handbook, chapter on imaging; the archive's angular resolutions follow it.
    """
    lengths = projected_baselines_m(itrf_m, ra_deg, dec_deg, np.atleast_1d(time_mjd_s))
    l80 = np.percentile(lengths, PERCENTILE)
    return float(np.rad2deg(RESOLUTION_FACTOR * SPEED_OF_LIGHT_M_S / frequency_hz / l80) * 3600)
