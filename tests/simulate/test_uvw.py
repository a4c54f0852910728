"""uvw against the textbook's hour-angle formula and against a real Measurement Set."""

import numpy as np
import pytest

from almabrain.instrument.earth import elevation_rad
from almabrain.simulate.uvw import baselines, earth_fixed_basis, uvw_m

SITE_M = np.array([2225061.0, -5440057.0, -2481681.0])
STATIONS_M = SITE_M + np.array([[0.0, 0.0, 0.0], [420.0, 180.0, 60.0], [-900.0, 300.0, 1500.0]])
START_S = 58849.3 * 86400


def test_baselines_are_every_pair_once():
    first, second = baselines(4)
    assert list(zip(first, second, strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_textbook_formula():
    from astropy import units
    from astropy.coordinates import EarthLocation, HADec, SkyCoord
    from astropy.time import Time

    times = START_S + np.arange(0, 4 * 3600, 1200.0)
    place = EarthLocation.from_geocentric(*SITE_M, unit="m")
    frame = HADec(obstime=Time(times / 86400, format="mjd", scale="utc"), location=place)
    seen = SkyCoord(150 * units.deg, -35 * units.deg).transform_to(frame)
    # Thompson, Moran & Swenson (2017) eq. 4.1, with axes turned from the local to Greenwich's meridian.
    hour, dec = seen.ha.rad - place.lon.rad, seen.dec.rad
    difference = STATIONS_M[0] - STATIONS_M[2]
    w = np.stack([np.cos(dec) * np.cos(hour), -np.cos(dec) * np.sin(hour), np.sin(dec)], -1) @ difference
    u = np.stack([np.sin(hour), np.cos(hour), 0 * hour], -1) @ difference
    got = uvw_m(earth_fixed_basis(times, 150, -35, SITE_M), STATIONS_M, *baselines(3))[:, 1]
    length = np.linalg.norm(difference)
    # Polar motion, below 1e-6, is in ours alone; north of date is up to 0.2 deg from ICRS north.
    np.testing.assert_allclose(got[:, 2], w, atol=3e-6 * length)
    np.testing.assert_allclose(got[:, 0], u, atol=4e-3 * length)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), length, rtol=1e-12)


def test_basis_is_right_handed_and_orthonormal():
    basis = earth_fixed_basis(START_S + np.array([0.0, 5000.0]), 20, 12, SITE_M)
    for vectors in basis:
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(basis), 1)


def test_the_earth_turns_once_a_sidereal_day():
    basis = earth_fixed_basis(START_S + np.array([0.0, 3600.0, 86164.0905]), 150, -35, SITE_M)
    cosine = basis[0, 2] @ basis[1, 2]
    hour = np.radians(15.041067)
    expected = np.sin(np.radians(35)) ** 2 + np.cos(np.radians(35)) ** 2 * np.cos(hour)
    assert cosine == pytest.approx(expected, abs=1e-3)
    np.testing.assert_allclose(basis[2], basis[0], atol=1e-4)


def test_elevation_at_transit():
    times = START_S + np.arange(0, 86400, 60.0)
    highest = np.degrees(elevation_rad(times, 150, -35, SITE_M).max())
    # 0.15 deg for twenty years of precession.
    assert highest == pytest.approx(90 - abs(-35 + 23.03), abs=0.15)


@pytest.mark.real_data
def test_uvw_of_a_real_measurement_set(real_data):
    from casacore import tables

    path = real_data / "visibilities" / "antennae_north_mosaic.ms"
    with tables.table(str(path), ack=False) as main:
        stored = main.getcol("UVW")
        first, second = main.getcol("ANTENNA1"), main.getcol("ANTENNA2")
        time, field = main.getcol("TIME"), main.getcol("FIELD_ID")
    with tables.table(f"{path}::ANTENNA", ack=False) as table:
        itrf = table.getcol("POSITION")
    with tables.table(f"{path}::FIELD", ack=False) as table:
        centre = np.degrees(table.getcol("PHASE_DIR")[:, 0])
    longest = np.linalg.norm(stored, axis=1).max()
    for number in np.unique(field)[:3]:
        rows = field == number
        times, index = np.unique(time[rows], return_inverse=True)
        station = np.einsum("tka,na->tnk", earth_fixed_basis(times, *centre[number], itrf.mean(0)), itrf)
        ours = station[index, first[rows]] - station[index, second[rows]]
        # 2e-6 to 4e-6 are casacore's, which wrote the column: tests/judges/test_uvw_casa.py undoes them.
        assert np.abs(ours - stored[rows]).max() < 5e-6 * longest
