"""The Earth's orientation as casacore computes it for baselines, rebuilt from SOFA's routines (erfa).

Three steps of casacore 3.8 and CASA 6.7 are not the Earth's, and `casacore_basis` can do each either way:

- `polar_motion`: casacore turns by the pole's offset *before* the turn by sidereal time (MeasMath, applied with
  the local sidereal time in one Euler rotation), so its pole circles once a day in axes fixed to the Earth.
  The pole's coordinates belong to the Earth (IERS Conventions 2010, eq. 5.1: W stands outermost).
- `diurnal`: the site's motion carries sources to the *east* by 0.3" cos(latitude); casacore shifts them to the
  *zenith* (MeasMath::applyTOPOtoHADEC builds the velocity from local sidereal time and latitude).
- time: the simulator (NewMSSimulator) labels the times of its TIME column UT1 when it computes uvw, though
  the Measurement Set says UTC. Hand over times less UT1 - UTC to undo that.
"""

import erfa
import numpy as np
from astropy import units
from astropy.time import Time
from astropy.utils import iers
from scipy.spatial.transform import Rotation

# CASA's place of ALMA: longitude, latitude [rad] and height [m] above WGS84.
_SITE = (-1.1825465955049892, -0.4018251640113072, 5056.8)
_LIGHT_M_S = 299_792_458.0
_SIDEREAL_DAY_S = 86164.0905


def ut1_less_utc_s(utc_s: np.ndarray) -> np.ndarray:
    """UT1 - UTC [s] at UTC times (MJD s), from the IERS."""
    with iers.conf.set_temp("auto_download", False):
        return Time(utc_s / 86400, format="mjd", scale="utc").delta_ut1_utc


def casacore_basis(utc_s, ra_deg: float, dec_deg: float, *, polar_motion: str, diurnal: str) -> np.ndarray:
    """Unit vectors of u, v, w in ITRF axes (time, 3, 3), of a J2000 direction; slips as the module says.

    `polar_motion` is "earth" or "casacore", `diurnal` is "east" or "zenith".
    """
    ra, dec = np.radians([ra_deg, dec_deg])
    source = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0.0])
    axes = np.stack([east, np.cross(source, east), source], axis=1)
    with iers.conf.set_temp("auto_download", False):
        moments = [Time(moment / 86400, format="mjd", scale="utc") for moment in utc_s]
        return np.array([(_turn(moment, source, polar_motion, diurnal) @ axes).T for moment in moments])


def _turn(moment: Time, source, polar_motion, diurnal) -> np.ndarray:
    tdb, tt, ut1 = moment.tdb, moment.tt, moment.ut1
    _, earth = erfa.epv00(tdb.jd1, tdb.jd2)
    velocity = earth["v"] * erfa.DAU / erfa.DAYSEC / _LIGHT_M_S
    seen = erfa.ab(source, velocity, 1.0, np.sqrt(1 - velocity @ velocity))
    date = erfa.nutm80(tt.jd1, tt.jd2) @ erfa.pmat76(tt.jd1, tt.jd2)
    sidereal = erfa.gst94(ut1.jd1, ut1.jd2)
    apparent = date @ seen
    moved = apparent + _site_velocity(sidereal, diurnal)
    spin = Rotation.from_rotvec([0, 0, -sidereal]).as_matrix()
    x, y = iers.earth_orientation_table.get().pm_xy(moment)
    pole = erfa.pom00(x.to_value(units.rad), y.to_value(units.rad), 0.0)
    to_earth = pole @ spin if polar_motion == "earth" else spin @ pole
    return to_earth @ _least_turn(apparent, moved) @ date @ _least_turn(source, seen)


def _site_velocity(sidereal: float, diurnal: str) -> np.ndarray:
    """In units of c, in axes of date; or as casacore takes it, of the equator's size and to the zenith."""
    place = erfa.gd2gc(1, *_SITE)
    latitude = np.arctan2(place[2], np.hypot(place[0], place[1]))
    equator = 2 * np.pi * np.linalg.norm(place) / _SIDEREAL_DAY_S / _LIGHT_M_S
    local = sidereal + _SITE[0]
    if diurnal == "east":
        return equator * np.cos(latitude) * np.array([-np.sin(local), np.cos(local), 0.0])
    return equator * np.array([
        np.cos(local) * np.cos(latitude), np.sin(local) * np.cos(latitude), np.sin(latitude)
    ])  # fmt: skip


def _least_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The rotation matrix along the great circle from one direction to another."""
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis)
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, start @ end)).as_matrix()
