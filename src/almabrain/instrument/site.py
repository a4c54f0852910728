"""The array's place on Earth, and how high a source stands above it."""

import numpy as np

from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import sphere_axes

# Centre of the 12 m array, WGS84; the origin of the pad table (see resources/pads.ecsv).
LONGITUDE_RAD = np.deg2rad(-67.754748)
LATITUDE_RAD = np.deg2rad(-23.029211)
# One turn in a sidereal day of 86164.0905 s.
EARTH_ROTATION_RAD_S = 7.292115e-5
# Antennas see no lower than 3 deg, but the archive keeps nearly nothing below this.
LOWEST_ELEVATION_RAD = np.deg2rad(15.0)


def local_sidereal_time_rad(time_mjd_s):
    """Local mean sidereal time, radians in [0, 2 pi), at UTC times given as MJD seconds.

    UT1 is taken to be UTC (below 0.9 s). Source: Meeus, Astronomical Algorithms (1998), eq. 12.4.
    """
    days = np.asarray(time_mjd_s, float) / 86400 - 51544.5
    return np.mod(np.deg2rad(280.46061837 + 360.98564736629 * days) + LONGITUDE_RAD, 2 * np.pi)


def hour_angle_rad(ra_deg, dec_deg, time_mjd_s):
    """Hour angle, radians in (-pi, pi], of ICRS positions at UTC times given as MJD seconds; they broadcast.

    With precession, without nutation, aberration and UT1: good to 40 arcsec, 3 s of time.
    """
    right_ascension, _ = _of_date_rad(ra_deg, dec_deg, time_mjd_s)
    return np.pi - np.mod(np.pi - local_sidereal_time_rad(time_mjd_s) + right_ascension, 2 * np.pi)


def elevation_rad(ra_deg, dec_deg, time_mjd_s):
    """Elevation, radians, of ICRS positions at UTC times given as MJD seconds; they broadcast.

    As good as `hour_angle_rad`; refraction is left out.
    """
    right_ascension, dec = _of_date_rad(ra_deg, dec_deg, time_mjd_s)
    hour_angle = local_sidereal_time_rad(time_mjd_s) - right_ascension
    sine = np.sin(LATITUDE_RAD) * np.sin(dec) + np.cos(LATITUDE_RAD) * np.cos(dec) * np.cos(hour_angle)
    return np.arcsin(np.clip(sine, -1, 1))


def middle_elevation_rad(row) -> float:
    """Elevation, radians, of a target at the middle of its execution, a row of observations.ecsv (or mapping)."""
    middle_s = float(row["t_min"]) * 86400 + float(row["t_exptime"]) / 2
    return float(elevation_rad(row["s_ra"], row["s_dec"], middle_s))


def ground_m(itrf_m: np.ndarray) -> np.ndarray:
    """East and north [m] of ITRF positions (antenna, 3) about their mean, on the site's horizon: (antenna, 2)."""
    itrf_m = np.asarray(itrf_m, float)
    return (itrf_m - itrf_m.mean(axis=0)) @ sphere_axes(LONGITUDE_RAD, LATITUDE_RAD)[:2].T


def highest_elevation_rad(dec_deg: float) -> float:
    """Elevation, radians, at which a source of this declination crosses the meridian."""
    return float(np.pi / 2 - abs(np.deg2rad(dec_deg) - LATITUDE_RAD))


def time_of_hour_angle_mjd_s(
    ra_deg: float, dec_deg: float, hour_angle_rad_wanted: float, day_mjd: int
) -> float:
    """UTC, MJD seconds, of an hour angle in the passage whose transit is the first of a UTC day (MJD)."""
    transit = day_mjd * 86400.0
    transit += np.mod(-hour_angle_rad(ra_deg, dec_deg, transit), 2 * np.pi) / EARTH_ROTATION_RAD_S
    time = transit + hour_angle_rad_wanted / EARTH_ROTATION_RAD_S
    # The apparent place moves little in a day: one correction leaves far less than a second.
    error = np.mod(hour_angle_rad(ra_deg, dec_deg, time) - hour_angle_rad_wanted + np.pi, 2 * np.pi) - np.pi
    return float(time - error / EARTH_ROTATION_RAD_S)


def _of_date_rad(ra_deg, dec_deg, time_mjd_s):
    """Right ascension and declination, radians, on the mean equator and equinox of a time.

    Precession of Lieske et al. (1977, A&A 58, 1), as in Meeus, Astronomical Algorithms (1998), eq. 21.3 and 21.4.
    """
    t = (np.asarray(time_mjd_s, float) / 86400 - 51544.5) / 36525
    zeta = ARCSEC * (2306.2181 * t + 0.30188 * t**2 + 0.017998 * t**3)
    z = ARCSEC * (2306.2181 * t + 1.09468 * t**2 + 0.018203 * t**3)
    theta = ARCSEC * (2004.3109 * t - 0.42665 * t**2 - 0.041833 * t**3)
    ra, dec = np.deg2rad(ra_deg) + zeta, np.deg2rad(dec_deg)
    a = np.cos(dec) * np.sin(ra)
    b = np.cos(theta) * np.cos(dec) * np.cos(ra) - np.sin(theta) * np.sin(dec)
    c = np.sin(theta) * np.cos(dec) * np.cos(ra) + np.cos(theta) * np.sin(dec)
    return np.arctan2(a, b) + z, np.arctan2(c, np.hypot(a, b))
