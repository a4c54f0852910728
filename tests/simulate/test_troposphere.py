"""The drawn air against its structure function: in space, in time, and within a dump."""

import numpy as np
import pytest

from almabrain.config.corruptions import TroposphereSettings
from almabrain.simulate.troposphere import Screen, _spectrum, law_m2, structure_m2

TYPICAL = TroposphereSettings(path_rms_um=200)


def screens(count, settings=TYPICAL):
    return [Screen.draw(settings, np.random.default_rng(seed)) for seed in range(count)]


def measured_structure(baseline_m, count=400):
    """Mean squared path difference over seeds, two axes, and 16 moments between which new air has come."""
    place = np.concatenate([np.zeros((1, 2))] + [np.diag([b, b]) for b in baseline_m])
    squares = []
    for screen in screens(count):
        path = screen.path_m(place, np.arange(16) * 3000.0, 0.0)
        squares.append(((path[:, 1:] - path[:, :1]) ** 2).mean(axis=0).reshape(-1, 2).mean(axis=1))
    return np.mean(squares, axis=0)


def test_drawn_field_has_the_structure_function():
    baseline = np.array([15.0, 60.0, 250.0, 1000.0, 2500.0, 6000.0, 16000.0])
    measured = measured_structure(baseline)
    np.testing.assert_allclose(measured, structure_m2(baseline, TYPICAL), rtol=0.04)
    slope = np.diff(np.log(measured)) / np.diff(np.log(baseline))
    assert slope[0] == pytest.approx(5 / 3, abs=0.04)
    assert slope[1] == pytest.approx(5 / 3, abs=0.04)
    assert abs(slope[-1]) < 0.1


@pytest.mark.parametrize("thickness_m", [300.0, 1000.0, 3000.0])
@pytest.mark.parametrize("outer_scale_m", [300.0, 6000.0, 30000.0])
def test_structure_function_keeps_to_the_law_but_for_its_corners(thickness_m, outer_scale_m):
    settings = TroposphereSettings(path_rms_um=200, thickness_m=thickness_m, outer_scale_m=outer_scale_m)
    baseline = np.geomspace(5, 4 * outer_scale_m, 200)
    ratio = structure_m2(baseline, settings) / law_m2(baseline, settings)
    assert ratio.min() > 0.85 and ratio.max() < 1.05
    far = np.abs(np.log2(baseline / min(thickness_m, outer_scale_m))) > 1
    far &= np.abs(np.log2(baseline / outer_scale_m)) > 1
    np.testing.assert_allclose(ratio[far], 1, atol=0.045)


def test_law_is_stated_on_one_kilometre():
    assert law_m2(1000.0, TYPICAL) == pytest.approx(200e-6**2)
    assert law_m2(125.0, TYPICAL) == pytest.approx(200e-6**2 * 0.125 ** (5 / 3))
    assert law_m2(8000.0, TYPICAL) == pytest.approx(200e-6**2 * 6 ** (2 / 3))
    half = TYPICAL.model_copy(update={"wvr_residual": 0.5})
    assert law_m2(1000.0, half) == pytest.approx(100e-6**2)
    assert structure_m2(700.0, half) == pytest.approx(structure_m2(700.0, TYPICAL) / 4)
    low = TroposphereSettings(path_rms_um=200, outer_scale_m=300)
    assert law_m2(100.0, low) == pytest.approx(law_m2(100.0, TYPICAL))


def test_wvr_residual_scales_the_drawn_path():
    half = TYPICAL.model_copy(update={"wvr_residual": 0.5})
    place, time = np.random.default_rng(0).normal(size=(5, 2)) * 1e3, np.arange(3.0)
    whole, residual = (
        Screen.draw(settings, np.random.default_rng(1)).path_m(place, time, 1.0)
        for settings in (TYPICAL, half)
    )
    np.testing.assert_allclose(residual, whole / 2, rtol=1e-9)


def test_neighbouring_antennas_see_the_same_air():
    place = np.array([(0, 0), (0, 15), (9e3, 9e3)], float)
    paths = np.array([screen.path_m(place, np.zeros(1), 1.0)[0] for screen in screens(200)])
    correlation = np.corrcoef(paths.T)
    assert correlation[0, 1] > 0.995
    assert abs(correlation[0, 2]) < 0.2


def test_wind_carries_the_air_along():
    screen = screens(1)[0]
    time = np.arange(40) * 30.0
    downwind = np.array([(0.0, 0.0), screen.wind_m_s * 300.0])
    upper, lower = screen.path_m(downwind, time, 6.0).T
    np.testing.assert_allclose(lower[10:], upper[:-10], rtol=1e-9, atol=1e-12)
    assert np.abs(lower - upper).max() > 50e-6
    assert np.hypot(*screen.wind_m_s) == pytest.approx(10)


def test_long_tracks_do_not_repeat_and_blocks_do_not_show():
    screen = screens(1)[0]
    place, time = np.array([(0.0, 0.0), (500.0, 40.0)]), np.arange(1300) * 30.0
    path = screen.path_m(place, time, 30.0)
    np.testing.assert_allclose(
        path[700:703], screen.path_m(place, np.r_[0, time[700:703]], 30.0)[1:], rtol=1e-9
    )


def test_mean_over_a_dump_is_the_mean_of_its_moments():
    screen = screens(1)[0]
    place = np.array([(0.0, 0.0), (40.0, 0.0), (500.0, 200.0)])
    moments = screen.path_m(place, np.arange(3000) * 0.01, 0.0).mean(axis=0)
    # The middles of the 3000 moments lie about 14.995 s.
    mean = screen.path_m(place, np.array([0.0, 14.995]), 30.0)[1]
    np.testing.assert_allclose(mean, moments, rtol=1e-4, atol=1e-9)


BASELINES = np.array([(20.0, 0.0), (0.0, 150.0), (800.0, 500.0), (6000.0, 0.0)])


@pytest.mark.parametrize("integration_s", [6.0, 60.0])
def test_dephasing_is_what_waves_lose_in_a_dump(integration_s):
    """Sum over all waves: a baseline sees 2(1 - cos kb) of one, and its mean over a dump sinc²(kvT/2) of that."""
    screen = screens(1)[0]
    rings, variance = _spectrum(TYPICAL.thickness_m, TYPICAL.outer_scale_m)
    angle = (np.arange(720) + 0.5) * np.pi / 360
    wave = 10 ** rings[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    lost = 1 - np.sinc(wave @ screen.wind_m_s * integration_s / (2 * np.pi)) ** 2
    direct = [(variance * (2 * (1 - np.cos(wave @ b)) * lost).mean(axis=1)).sum() for b in BASELINES]
    dephasing = screen.dephasing_m2(BASELINES, integration_s)
    np.testing.assert_allclose(dephasing, 200e-6**2 * np.array(direct), rtol=0.01)


def test_dephasing_is_the_variance_within_dumps():
    place = np.concatenate([np.zeros((1, 2)), BASELINES])
    moments = (np.arange(20) + 0.5) / 20 * 60.0
    time = (np.arange(8)[:, None] * 3000.0 + moments).ravel()
    within, predicted = [], []
    for screen in screens(120):  # scatter of the mean: up to 5 %
        path = screen.path_m(place, time, 0.0).reshape(8, 20, -1)
        within.append((path[..., 1:] - path[..., :1]).var(axis=1).mean(axis=0))
        predicted.append(screen.dephasing_m2(BASELINES, 60.0))
    np.testing.assert_allclose(np.mean(within, axis=0), np.mean(predicted, axis=0), rtol=0.1)


def test_dephasing_and_the_means_of_dumps_share_out_the_variance():
    """D(b) = variance within a dump + variance of its mean: nothing is lost or counted twice."""
    baseline = np.array([(120.0, 0.0)])
    place = np.concatenate([np.zeros((1, 2)), baseline])
    means, within = [], []
    for screen in screens(300):
        path = screen.path_m(place, np.arange(12) * 400.0, 30.0)
        means.append(((path[:, 1] - path[:, 0]) ** 2).mean())
        within.append(screen.dephasing_m2(baseline, 30.0)[0])
    assert np.mean(within) > 0.2 * np.mean(means)
    total = structure_m2(120.0, TYPICAL)
    assert np.mean(means) + np.mean(within) == pytest.approx(total, rel=0.04)


def test_still_air_dephases_nothing():
    still = TroposphereSettings(path_rms_um=200, wind_m_s=0)
    screen = screens(1, still)[0]
    assert screen.dephasing_m2(np.array([(100.0, 0.0)]), 30.0) == 0
    path = screen.path_m(np.zeros((1, 2)), np.arange(3) * 100.0, 30.0)
    assert np.ptp(path) < 1e-15
