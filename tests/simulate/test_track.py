"""Where the antennas stand and when they look."""

import logging

import numpy as np
import pytest

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.simulate.track import _shadowed, antennas, track

from .conftest import DEC_DEG, RA_DEG, make_row


def make_track(ra_deg=RA_DEG, dec_deg=DEC_DEG, n_pointings=1, settings=None, **changes):
    row = make_row(**changes)
    return track(row, antennas(row), ra_deg, dec_deg, n_pointings, SimulateSettings(**settings or {}))


def test_antennas_are_those_of_the_row():
    array = antennas(make_row(antenna_arrays="A001:DV07 A007:DA45"))
    assert array.name == ["DV07", "DA45"] and array.pad == ["A001", "A007"]
    assert array.diameter_m.tolist() == [12, 12]
    # On the Earth's surface at Chajnantor, 5 km up.
    assert np.linalg.norm(array.itrf_m, axis=1) == pytest.approx([6379.8e3] * 2, abs=3e3)
    assert 1 < np.linalg.norm(array.itrf_m[0] - array.itrf_m[1]) < 1e3


def test_dishes_of_two_sizes():
    array = antennas(make_row(antenna_arrays="J501:CM01 A001:DV07", array="12m+7m"))
    assert array.diameter_m.tolist() == [7, 12]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no two antennas"),
        ("A001:DV07", "names no two antennas"),
        ("A001 A002", "names no two antennas"),
        ("A001:DV07 J501:CM01", "mixes dishes of 7 and 12 m, but its array is '12m'"),
        ("A001:DV07 Q999:DV08", "'Q999'"),
    ],
)
def test_arrays_that_make_no_observation(text, sentence):
    with pytest.raises(UserError, match=sentence):
        antennas(make_row(antenna_arrays=text))


def test_integrations_fill_the_time_on_source():
    path = make_track(t_exptime=100.0)
    assert path.integration_s == pytest.approx(100 / 3)
    start = 58849.31 * 86400
    np.testing.assert_allclose(path.time_mjd_s - start, [100 / 6, 50, 500 / 6], atol=1e-5)
    assert path.uvw_m.shape == (3, 45, 3)
    assert make_track(t_exptime=5.0).time_mjd_s.size == 1


def test_rows_are_the_pairs_at_each_time():
    path = make_track(t_exptime=60.0)
    assert list(zip(path.antenna1, path.antenna2, strict=True))[:2] == [(0, 1), (0, 2)]
    first, again = path.uvw_m[:2, 0]
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


def test_scans_have_breaks_between_them():
    path = make_track(t_exptime=300.0, settings={"integration_s": 30, "scan_s": 120, "gap_s": 45})
    assert path.scan.tolist() == [1] * 4 + [2] * 4 + [3] * 2
    steps = np.diff(path.time_mjd_s)
    np.testing.assert_allclose(steps[[3, 7]], 75, atol=1e-5)
    np.testing.assert_allclose(np.delete(steps, [3, 7]), 30, atol=1e-5)
    whole = make_track(t_exptime=300.0, settings={"integration_s": 30, "gap_s": 0})
    np.testing.assert_allclose(np.diff(whole.time_mjd_s), 30, atol=1e-5)


def test_a_mosaic_goes_round_its_pointings_and_gives_all_the_same_time():
    path = make_track(t_exptime=300.0, n_pointings=7)
    assert path.pointing.tolist() == [*range(7), *range(7)]
    assert path.integration_s == pytest.approx(300 / 14)
    assert make_track(t_exptime=35.0, n_pointings=7).integration_s == pytest.approx(5.0)
    with pytest.raises(UserError, match="mosaic of 70 pointings leaves 0.5 s of t_exptime = 35 s for each"):
        make_track(t_exptime=35.0, n_pointings=70)


@pytest.mark.parametrize(("hours", "flagged"), [(-4.9, [1, 0, 1]), (0.0, [0, 0, 0]), (4.9, [1, 1, 0])])
def test_the_dish_behind_is_shadowed(hours, flagged):
    """J501 stands 8 m east of J502: it is in front while the source rises, and behind while it sets."""
    transit = make_track(t_min=58849.31 + 0.5, dec_deg=-12.0).time_mjd_s.mean() / 86400
    path = make_track(
        dec_deg=-12.0,
        antenna_arrays="J501:CM01 J502:CM02 A001:DV07",
        array="12m+7m",
        t_exptime=30.0,
        t_min=transit + hours / 24,
        settings={"elevation_limit_deg": 5.0},
    )
    assert path.shadowed[0].tolist() == flagged


@pytest.mark.parametrize(
    ("near_m", "far_m", "flagged"), [(9.4, 11.9, [1, 1, 1]), (9.6, 11.9, [0, 1, 1]), (9.4, 12.1, [1, 0, 1])]
)
def test_dishes_shadow_within_the_mean_of_their_diameters(near_m, far_m, flagged):
    """Dishes of 7, 12 and 12 m, each of the first two before the next: pairs (0, 1), (0, 2) and (1, 2)."""
    uvw = np.array([[[0.0, near_m, 30.0], [far_m, near_m, 90.0], [far_m, 0.0, 60.0]]])
    shadowed = _shadowed(uvw, np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([7.0, 12.0, 12.0]))
    assert shadowed[0].tolist() == flagged


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


def test_a_fixed_schedule_is_kept_to_or_refused():
    low = {"t_min": 58849.31 - 0.2}
    limit = {"elevation_limit_deg": 40.0}
    assert abs(make_track(settings=limit, **low).time_mjd_s[0] / 86400 - low["t_min"]) > 0.05
    with pytest.raises(UserError, match="comes down to .* deg, below simulate.elevation_limit_deg"):
        make_track(settings=limit, schedule="fixed", **low)
    assert make_track(schedule="fixed").time_mjd_s[0] / 86400 == pytest.approx(58849.31, abs=1e-3)
