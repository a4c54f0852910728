"""Baselines seen from the source: uvw coordinates from antennas fixed to the turning Earth."""

import numpy as np

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
    source, north, south = np.moveaxis(_apparent(time_mjd_s, ra, dec, site_m), 1, 0)
    east = np.cross(north - south, source)
    east /= np.linalg.norm(east, axis=-1, keepdims=True)
    return np.stack([east, np.cross(source, east), source], axis=1)


def elevation_rad(time_mjd_s: np.ndarray, ra_deg: float, dec_deg: float, site_m: np.ndarray) -> np.ndarray:
    """Elevation (time,) of an ICRS position above the ellipsoid's horizon at `site_m`; no refraction."""
    from astropy.coordinates import EarthLocation

    place = EarthLocation.from_geocentric(*site_m, unit="m").geodetic
    longitude, latitude = place.lon.rad, place.lat.rad
    up = [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    return np.arcsin(_apparent(time_mjd_s, [ra_deg], [dec_deg], site_m)[:, 0] @ up)


def _apparent(time_mjd_s, ra_deg, dec_deg, site_m) -> np.ndarray:
    """Apparent directions in ITRF axes as seen at the site, (time, direction, 3)."""
    from astropy import units
    from astropy.coordinates import ITRS, EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    # Without the network the table within the package serves; UT1 beyond it is off by < 1 s.
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        time = Time(np.asarray(time_mjd_s)[:, None] / 86400, format="mjd", scale="utc")
        frame = ITRS(obstime=time, location=EarthLocation.from_geocentric(*site_m, unit="m"))
        sky = SkyCoord(np.asarray(ra_deg)[None, :] * units.deg, np.asarray(dec_deg)[None, :] * units.deg)
        seen = sky.transform_to(frame).represent_as("unitspherical").to_cartesian()
    return np.moveaxis(seen.xyz.value, 0, -1)


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
