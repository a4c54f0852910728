import numpy as np
import pytest

from almabrain.instrument import pads, site


def test_hour_angle_is_astropys(place):
    """Against astropy's HADec, which has nutation, aberration and UT1 too: 17, 20 and 15 arcsec at most."""
    from astropy import units as u
    from astropy.coordinates import HADec, SkyCoord
    from astropy.time import Time

    for mjd in (56789.123, 59000.5, 60123.987):
        time = Time(mjd, format="mjd", scale="utc")
        seen = SkyCoord(150 * u.deg, -30 * u.deg).transform_to(HADec(obstime=time, location=place))
        ours = site.hour_angle_rad(150.0, -30.0, mjd * 86400)
        difference = np.rad2deg(np.mod(ours - seen.ha.rad + np.pi, 2 * np.pi) - np.pi) * 3600
        assert abs(difference) < 45


@pytest.mark.parametrize("hour", [-5.0, 0.0, 4.5])
@pytest.mark.parametrize("ra", [0.0, 123.4, 359.9])
def test_time_of_an_hour_angle_is_found(ra, hour):
    time = site.time_of_hour_angle_mjd_s(ra, -30.0, hour * np.pi / 12, 60100)
    assert site.hour_angle_rad(ra, -30.0, time) == pytest.approx(hour * np.pi / 12, abs=1e-7)
    transit = site.time_of_hour_angle_mjd_s(ra, -30.0, 0.0, 60100) / 86400
    assert 60100 <= transit < 60101
    assert (time / 86400 - transit) * 24 == pytest.approx(hour * 0.99727, abs=1e-3)


def test_a_source_is_highest_at_its_transit():
    for dec in (-70.0, -23.0, 30.0):
        time = site.time_of_hour_angle_mjd_s(80.0, dec, 0.0, 60100)
        around = site.elevation_rad(80.0, dec, time + np.array([-3600, 0, 3600]))
        assert np.argmax(around) == 1
        assert np.rad2deg(around[1]) == pytest.approx(np.rad2deg(site.highest_elevation_rad(dec)), abs=0.1)


def test_ground_is_what_the_pad_table_was_made_of(place):
    """East and north of antennas by astropy's geodesy: their longitudes and latitudes about the mean."""
    from astropy.coordinates import EarthLocation

    itrf = pads.itrf(["A001", "A015", "A058", "A075"])
    where = EarthLocation.from_geocentric(*itrf.T, unit="m")
    # Radii of curvature of WGS84 along the parallel and along the meridian, at the array's height.
    a, e2, h = 6378137.0, 6.69438e-3, place.height.to_value("m")
    bent = 1 - e2 * np.sin(site.LATITUDE_RAD) ** 2
    east = (a / np.sqrt(bent) + h) * np.cos(site.LATITUDE_RAD) * where.lon.rad
    north = (a * (1 - e2) / bent**1.5 + h) * where.lat.rad
    expected = np.stack([east - east.mean(), north - north.mean()], axis=1)
    np.testing.assert_allclose(site.ground_m(itrf), expected, atol=0.1)


def test_elevation_at_the_middle_of_a_row():
    row = {"s_ra": 20.0, "s_dec": -40.0, "t_min": 59000.25, "t_exptime": 3600.0}
    expected = site.elevation_rad(20.0, -40.0, 59000.25 * 86400 + 1800)
    assert site.middle_elevation_rad(row) == expected != site.elevation_rad(20.0, -40.0, 59000.25 * 86400)


def test_years_to_come_give_no_warning(recwarn):
    site.hour_angle_rad(10.0, -20.0, 70000 * 86400.0)
    assert not recwarn.list
