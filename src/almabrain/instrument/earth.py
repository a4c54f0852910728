"""Sources as they stand in the sky of a place, with all that astropy knows of the Earth's ways.

`instrument.site` is good to an arcmin, and quick enough for one row of a table after the other.
"""

import numpy as np

from almabrain.data.coordinates import sphere_axes


def elevation_rad(time_mjd_s: np.ndarray, ra_deg: float, dec_deg: float, site_m: np.ndarray) -> np.ndarray:
    """Elevation (time,) of an ICRS position above the ellipsoid's horizon at `site_m`; no refraction."""
    from astropy.coordinates import EarthLocation

    place = EarthLocation.from_geocentric(*site_m, unit="m").geodetic
    up = sphere_axes(place.lon.rad, place.lat.rad)[2]
    return np.arcsin(apparent(time_mjd_s, [ra_deg], [dec_deg], site_m)[:, 0] @ up)


def apparent(time_mjd_s: np.ndarray, ra_deg, dec_deg, site_m: np.ndarray) -> np.ndarray:
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
