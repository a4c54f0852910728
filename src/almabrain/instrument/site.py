"""The array's place on Earth, and how high a source stands above it."""

import numpy as np

# Centre of the 12 m array, WGS84; the origin of the pad table (see resources/pads.ecsv).
LONGITUDE_RAD = np.deg2rad(-67.754748)
LATITUDE_RAD = np.deg2rad(-23.029211)
HEIGHT_M = 5074.855
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


def elevation_rad(ra_deg, dec_deg, time_mjd_s):
    """Elevation, radians, of J2000 positions at UTC times given as MJD seconds; precession is left out.

    Without precession and refraction it is good to 0.4 deg, enough for air mass.
    """
    dec = np.deg2rad(dec_deg)
    hour_angle = local_sidereal_time_rad(time_mjd_s) - np.deg2rad(ra_deg)
    sine = np.sin(LATITUDE_RAD) * np.sin(dec) + np.cos(LATITUDE_RAD) * np.cos(dec) * np.cos(hour_angle)
    return np.arcsin(np.clip(sine, -1, 1))


def highest_elevation_rad(dec_deg: float) -> float:
    """Elevation, radians, at which a source of this declination crosses the meridian."""
    return float(np.pi / 2 - abs(np.deg2rad(dec_deg) - LATITUDE_RAD))


def hour_angle_rad(ra_deg: float, dec_deg: float, time_mjd_s: float) -> float:
    """Hour angle, radians in (-pi, pi], of an ICRS position at a UTC time given as MJD seconds.

    With precession (astropy), without nutation and aberration: good to 40 arcsec, 3 s of time.
    """
    from astropy import units as u
    from astropy.coordinates import FK5, SkyCoord
    from astropy.time import Time

    of_date = FK5(equinox=Time(time_mjd_s / 86400, format="mjd", scale="tt"))
    right_ascension = SkyCoord(ra_deg * u.deg, dec_deg * u.deg).transform_to(of_date).ra.rad
    angle = local_sidereal_time_rad(time_mjd_s) - right_ascension
    return float(np.pi - np.mod(np.pi - angle, 2 * np.pi))


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
