"""The array's place on Earth, and how high a source stands above it."""

import numpy as np

# Centre of the 12 m array, WGS84; the origin of the pad table (see resources/pads.ecsv).
LONGITUDE_RAD = np.deg2rad(-67.754748)
LATITUDE_RAD = np.deg2rad(-23.029211)
HEIGHT_M = 5074.855
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
