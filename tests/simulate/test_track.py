"""Where the antennas stand and when they look."""

import logging

import numpy as np
import pytest

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.simulate.track import antennas, track

from .conftest import DEC_DEG, RA_DEG, make_row


def make_track(ra_deg=RA_DEG, dec_deg=DEC_DEG, **changes):
    row = make_row(**changes)
    return track(row, antennas(row["antenna_arrays"], "test"), ra_deg, dec_deg, SimulateSettings())


def test_antennas_are_those_of_the_row():
    array = antennas("A001:DV07 A007:DA45", "test")
    assert array.name == ["DV07", "DA45"] and array.pad == ["A001", "A007"] and array.diameter_m == 12
    # On the Earth's surface at Chajnantor, 5 km up.
    assert np.linalg.norm(array.itrf_m, axis=1) == pytest.approx([6379.8e3] * 2, abs=3e3)
    assert 1 < np.linalg.norm(array.itrf_m[0] - array.itrf_m[1]) < 1e3


def test_seven_metre_array():
    assert antennas("J501:CM01 J502:CM02", "test").diameter_m == 7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no two antennas"),
        ("A001:DV07", "names no two antennas"),
        ("A001 A002", "names no two antennas"),
        ("A001:DV07 J501:CM01", "mixes dishes of 7 and 12 m"),
        ("A001:DV07 Q999:DV08", "'Q999'"),
    ],
)
def test_arrays_that_make_no_observation(text, sentence):
    with pytest.raises(UserError, match=sentence):
        antennas(text, "test")


def test_integrations_fill_the_time_on_source():
    path = make_track(t_exptime=100.0)
    assert path.integration_s == pytest.approx(100 / 3)
    start = 58849.31 * 86400
    np.testing.assert_allclose(path.time_mjd_s - start, [100 / 6, 50, 500 / 6], atol=1e-5)
    assert path.uvw_m.shape == (3 * 45, 3)
    assert make_track(t_exptime=5.0).time_mjd_s.size == 1


def test_rows_are_the_pairs_at_each_time():
    path = make_track(t_exptime=60.0)
    assert list(zip(path.antenna1, path.antenna2, strict=True))[:2] == [(0, 1), (0, 2)]
    first, again = path.uvw_m[0], path.uvw_m[45]
    assert np.linalg.norm(first) == pytest.approx(np.linalg.norm(again))
    # 30 s turn a baseline by up to 15" a second.
    assert 0 < np.linalg.norm(first - again) < 30 * 7.3e-5 * np.linalg.norm(first)


def test_source_below_the_horizon_is_moved_to_transit(caplog):
    with caplog.at_level(logging.INFO):
        path = make_track(t_min=58849.31 + 0.5)
    assert "transit" in caplog.text
    assert abs(path.time_mjd_s.mean() / 86400 - 58849.81) <= 0.5
    # Middle of the track at the top: its ends are equally high.
    assert path.elevation_rad[0] == pytest.approx(path.elevation_rad[-1], abs=1e-4)
    assert np.degrees(path.elevation_rad.max()) == pytest.approx(78.0, abs=0.3)


def test_source_that_never_rises():
    with pytest.raises(
        UserError, match=r"declination 75.00 deg never rises above -7\.\d deg.*leave the row out"
    ):
        make_track(dec_deg=75.0)


def test_source_that_sets_too_soon():
    with pytest.raises(UserError, match="does not stay above"):
        make_track(t_exptime=12 * 3600.0)


def test_no_time_on_source():
    with pytest.raises(UserError, match="t_exptime is 0.0 s"):
        make_track(t_exptime=0.0)
