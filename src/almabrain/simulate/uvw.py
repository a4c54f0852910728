"""Baselines seen from the source: uvw coordinates from antennas fixed to the turning Earth."""

import numpy as np

from almabrain.instrument import earth

_STEP_RAD = 1e-4  # to tell which way is north; wide enough to keep ten digits


def earth_fixed_basis(
    time_mjd_s: np.ndarray, ra_deg: float, dec_deg: float, site_m: np.ndarray
) -> np.ndarray:
    """Unit vectors of u (east), v (north) and w (source) in ITRF axes, (time, 3 vectors, 3).

    `time_mjd_s` (time,) UTC in MJD seconds, ICRS phase centre, `site_m` (3,) the array's place in ITRF.
    The w vector points at the apparent source: precession, nutation, polar motion, the Earth's rotation
    and aberration are astropy's (IERS; Urban & Seidelmann 2013, ch. 7). v points along ICRS north as
    it appears there, so images lie on the ICRS grid. The three are orthonormal, as in the UVW column of
    ALMA's Measurement Sets: aberration's stretch of the field, up to 1e-4, is left out there and here.
    casacore, which wrote those columns, turns the pole with the stars and the daily aberration to the zenith:
    that is 2e-6 to 5e-6 of a baseline from the Earth, and from this (tests/judges/casacore_earth.py).
    """
    from almabrain.data.coordinates import radec_from_lm

    ra, dec = radec_from_lm(np.zeros(3), np.array([0, 1, -1]) * _STEP_RAD, ra_deg, dec_deg)
    source, north, south = np.moveaxis(earth.apparent(time_mjd_s, ra, dec, site_m), 1, 0)
    east = np.cross(north - south, source)
    east /= np.linalg.norm(east, axis=-1, keepdims=True)
    return np.stack([east, np.cross(source, east), source], axis=1)


def baselines(n_antennas: int) -> tuple[np.ndarray, np.ndarray]:
    """Antenna numbers (first < second) of every pair, without the antennas' own products."""
    return np.triu_indices(n_antennas, k=1)


def uvw_m(basis: np.ndarray, itrf_m: np.ndarray, antenna1: np.ndarray, antenna2: np.ndarray) -> np.ndarray:
    """uvw (time, baseline, 3) in metres: the position of the first antenna minus that of the second.

    That is what ALMA's Measurement Sets hold, and what makes V = Σ S exp(+2πi(ul + vm + w(n−1))) the
    correlation of the first antenna's voltage with the second's conjugate: the antenna nearer to the
    source hears a wave earlier.
    """
    station = np.einsum("tka,na->tnk", basis, itrf_m)
    return station[:, antenna1] - station[:, antenna2]
