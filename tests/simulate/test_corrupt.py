"""Corruptions against the laws that they state: rms, autocorrelation, frequency, closure, shares of flags."""

import numpy as np
import pytest

from almabrain.config.corruptions import CorruptionSettings, FlagSettings
from almabrain.simulate.corrupt import acts_on_signal, draw, draw_flags
from almabrain.simulate.drift import drift

FREQUENCY = np.linspace(229e9, 231e9, 64)


def draw_one(seed=1, n_antennas=6, n_times=40, integration_s=10.0, elevation_deg=90.0, **settings):
    place = np.random.default_rng(0).normal(size=(n_antennas, 3)) * 300
    time = 5e9 + np.arange(n_times) * integration_s
    elevation = np.full(n_times, np.radians(elevation_deg))
    settings = CorruptionSettings(**settings)
    return draw(settings, place, time, integration_s, elevation, np.random.default_rng(seed))


def rows_of(corruption):
    """time, antenna1, antenna2 of every row, time slowest."""
    n_times, n_antennas = corruption.path_m.shape
    first, second = np.triu_indices(n_antennas, 1)
    time = np.repeat(np.arange(n_times), len(first))
    return time, np.tile(first, n_times), np.tile(second, n_times)


def corrupt_ones(corruption, frequency=FREQUENCY):
    rows = rows_of(corruption)
    return corruption.apply(np.ones((len(rows[0]), len(frequency)), complex), frequency, *rows)


def test_drift_has_the_rms_and_the_autocorrelation_of_its_law():
    time = np.cumsum(np.tile([10.0, 10.0, 70.0, 10.0], 12))
    series = drift(time, 50.0, (20000,), np.random.default_rng(3))
    np.testing.assert_allclose(series.std(axis=1), 1, rtol=0.02)
    for k, later in ((0, 1), (1, 2), (1, 3), (5, 5), (0, 8)):
        expected = np.exp(-abs(time[later] - time[k]) / 50)
        assert np.mean(series[k] * series[later]) == pytest.approx(expected, abs=0.03)


def test_nothing_is_off_unless_set():
    assert not acts_on_signal(CorruptionSettings())
    for section in ({"gain": {"amplitude_rms": 0.1}}, {"gain": {"phase_rms_deg": 5}},
                    {"bandpass": {"phase_rms_deg": 5}}, {"troposphere": {"path_rms_um": 100}}):  # fmt: skip
        assert acts_on_signal(CorruptionSettings(**section))
    np.testing.assert_array_equal(corrupt_ones(draw_one()), 1)


def test_gains_have_their_rms_and_correlation_time():
    gains = np.stack([
        draw_one(seed, gain={"amplitude_rms": 0.05, "phase_rms_deg": 12, "correlation_s": 100}).gain
        for seed in range(150)
    ])  # fmt: skip
    amplitude, phase = np.abs(gains) - 1, np.angle(gains)
    assert amplitude.std() == pytest.approx(0.05, rel=0.05)
    assert phase.std() == pytest.approx(np.radians(12), rel=0.05)
    for series in (amplitude, phase):
        unit = series / series.std()
        assert np.mean(unit[:, 10:] * unit[:, :-10]) == pytest.approx(np.exp(-1), abs=0.04)
        assert abs(np.mean(unit[:, :, 0] * unit[:, :, 1])) < 0.05  # another antenna
        assert abs(np.mean(unit[..., 0] * unit[..., 1])) < 0.05  # the other polarisation
    assert abs(np.mean(amplitude * phase)) / 0.05 / np.radians(12) < 0.05


def test_gains_act_on_baselines_and_close():
    corruption = draw_one(gain={"amplitude_rms": 0.1, "phase_rms_deg": 40})
    time, first, second = rows_of(corruption)
    sky = np.random.default_rng(2).normal(size=(len(time), 3, 2)) @ [1, 1j]
    seen = corruption.apply(sky, FREQUENCY[:3], time, first, second)
    assert seen.shape == (*sky.shape, 2) and seen.dtype == np.complex64
    expected = sky[..., None] * (corruption.gain[time, first] * corruption.gain[time, second].conj())[:, None]
    np.testing.assert_allclose(seen, expected, rtol=1e-5)
    # Rows in another order belong to the same antennas and times.
    mixed = np.random.default_rng(0).permutation(len(time))
    again = corruption.apply(sky[mixed], FREQUENCY[:3], time[mixed], first[mixed], second[mixed])
    np.testing.assert_array_equal(again, seen[mixed])
    here = {(a, b): seen[k, 0, 0] / sky[k, 0] for k, (a, b) in enumerate(zip(first, second)) if time[k] == 7}
    closure = np.angle(here[0, 1] * here[1, 2] * here[0, 2].conj())
    assert abs(closure) < 1e-5 and abs(np.angle(here[0, 1])) > 0.01


def test_effects_change_neither_each_others_numbers_nor_the_caller_s():
    alone = draw_one(gain={"phase_rms_deg": 10})
    together = draw_one(
        gain={"phase_rms_deg": 10}, troposphere={"path_rms_um": 90}, bandpass={"amplitude_rms": 0.1}
    )
    np.testing.assert_array_equal(alone.gain, together.gain)
    rng = np.random.default_rng(1)
    arguments = np.zeros((3, 3)), np.arange(4.0), 1.0, np.ones(4), rng
    first = draw(CorruptionSettings(gain={"phase_rms_deg": 10}), *arguments)
    second = draw(CorruptionSettings(gain={"phase_rms_deg": 10}), *arguments)
    assert rng.random() == np.random.default_rng(1).random()
    assert np.abs(first.gain - second.gain).max() > 0.01  # another execution has other faults


def test_same_seed_same_bytes():
    settings = {"gain": {"phase_rms_deg": 10}, "troposphere": {"path_rms_um": 90}}
    np.testing.assert_array_equal(*(corrupt_ones(draw_one(3, **settings)) for _ in range(2)))


def test_bandpass_ripple_has_its_rms_and_period():
    settings = {"amplitude_rms": 0.04, "phase_rms_deg": 6, "period_mhz": 500}
    drawn = [draw_one(seed, n_times=1, n_antennas=2, bandpass=settings) for seed in range(1500)]
    frequency = 230e9 + np.array([0, 125, 250, 500]) * 1e6
    # exp(a₁ + a₂ + i(φ₁ - φ₂)) of two antennas: √2 times the rms of one.
    seen = np.stack([np.log(corrupt_ones(one, frequency)[0]) for one in drawn])
    for part, rms in ((seen.real, 0.04), (seen.imag, np.radians(6))):
        assert part.std() == pytest.approx(np.sqrt(2) * rms, rel=0.04)
        unit = (part - part.mean(axis=0)) / part.std(axis=0)
        for k, cosine in ((1, 0), (2, -1), (3, 1)):
            assert np.mean(unit[:, 0] * unit[:, k]) == pytest.approx(cosine, abs=0.06)
        assert abs(np.mean(unit[:, 0, 0] * unit[:, 0, 1])) < 0.06  # the other polarisation


def test_bandpass_is_one_curve_over_all_windows_and_times():
    corruption = draw_one(bandpass={"amplitude_rms": 0.05, "phase_rms_deg": 10})
    seen = corrupt_ones(corruption).reshape(40, 15, 64, 2)
    np.testing.assert_array_equal(seen, np.broadcast_to(seen[:1], seen.shape))
    parts = [corrupt_ones(corruption, part) for part in (FREQUENCY[:20], FREQUENCY[20:])]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1).ravel(), seen.ravel())


def test_troposphere_turns_phases_by_the_difference_of_paths_over_the_wavelength():
    corruption = draw_one(troposphere={"path_rms_um": 150, "wind_m_s": 0})
    time, first, second = rows_of(corruption)
    frequency = np.array([100e9, 300e9])
    phase = np.angle(corrupt_ones(corruption, frequency))
    path = corruption.path_m[time, first] - corruption.path_m[time, second]
    np.testing.assert_allclose(phase[:, 0, 0], 2 * np.pi * path * 100e9 / 299_792_458, atol=1e-5)
    np.testing.assert_allclose(phase[:, 1], 3 * phase[:, 0], atol=1e-4)
    np.testing.assert_allclose(np.abs(corrupt_ones(corruption, frequency)), 1, atol=1e-5)


def test_paths_grow_with_the_root_of_the_air_mass():
    zenith, low = (draw_one(troposphere={"path_rms_um": 150}, elevation_deg=deg) for deg in (90, 30))
    np.testing.assert_allclose(low.path_m, np.sqrt(2) * zenith.path_m, rtol=1e-9)
    np.testing.assert_allclose(low.dephasing_m2, 2 * zenith.dephasing_m2, rtol=1e-9)


def test_decorrelation_is_the_mean_of_the_phasors_within_a_dump():
    """|mean of exp(iφ)| over a minute in which the wind changes the path, against exp(-σ²/2)."""
    settings = {"troposphere": {"path_rms_um": 400, "wind_m_s": 12}}
    frequency = np.array([150e9, 300e9])
    moments, mean, predicted = 30, [], []
    for seed in range(150):
        fine = draw_one(seed, n_antennas=3, n_times=moments, integration_s=2.0, **settings)
        whole = draw_one(seed, n_antennas=3, n_times=1, integration_s=60.0, **settings)
        mean.append(np.abs(corrupt_ones(fine, frequency)[..., 0].reshape(moments, 3, 2).mean(axis=0)))
        predicted.append(np.abs(corrupt_ones(whole, frequency))[..., 0])
    mean, predicted = np.mean(mean, axis=0), np.mean(predicted, axis=0)
    assert predicted[1:, 1].max() < 0.85
    np.testing.assert_allclose(1 - mean, 1 - predicted, rtol=0.15)
    np.testing.assert_allclose(np.log(predicted[:, 1]), 4 * np.log(predicted[:, 0]), rtol=0.02)


def test_phase_and_decorrelation_can_be_had_apart():
    both, phase, loss = (
        corrupt_ones(draw_one(troposphere={"path_rms_um": 400, "effect": effect}, integration_s=60.0))
        for effect in ("both", "phase", "decorrelation")
    )
    np.testing.assert_allclose(np.abs(phase), 1, atol=1e-5)
    np.testing.assert_allclose(loss.imag, 0, atol=1e-6)
    assert loss.real.min() < 0.95
    np.testing.assert_allclose(phase * loss, both, atol=1e-5)


def flag_rows(n_times=60, n_antennas=20, per_scan=6):
    first, second = np.triu_indices(n_antennas, 1)
    time = np.repeat(np.arange(n_times), len(first))
    return np.tile(first, n_times), np.tile(second, n_times), time // per_scan


def flags(seed, flag=None, **shares):
    first, second, scan = flag_rows()
    flag = np.zeros(len(first), bool) if flag is None else flag
    return draw_flags(FlagSettings(**shares), first, second, scan, flag, np.random.default_rng(seed))


def test_flags_have_the_exact_share():
    assert flags(0, rows=0.1).mean() == pytest.approx(0.1, abs=1e-4)
    by_baseline = flags(0, baselines=0.2).reshape(60, 190)
    assert (by_baseline == by_baseline[0]).all()
    assert by_baseline[0].sum() == 38
    # 1 of 190 with probability 0.95: the mean is exact though the number is whole.
    counts = [flags(seed, baselines=0.005).reshape(60, 190)[0].sum() for seed in range(300)]
    assert set(counts) == {0, 1}
    assert np.mean(counts) == pytest.approx(0.95, abs=0.04)


def test_antennas_are_flagged_for_whole_scans():
    made = flags(1, antenna_scans=0.1)
    first, second, scan = flag_rows()
    lost, lost_by_scan = 0, []
    for number in range(10):
        here = scan == number
        for antenna in range(20):
            mine = made[here & ((first == antenna) | (second == antenna))]
            lost += mine.all()
        pattern = made[here].reshape(6, 190)
        assert (pattern == pattern[0]).all()
        lost_by_scan.append(pattern[0])
    assert lost == 20
    assert len(np.unique(lost_by_scan, axis=0)) > 5
    shares = [flags(seed, antenna_scans=0.1).mean() for seed in range(60)]
    assert np.mean(shares) == pytest.approx(1 - 0.9**2, abs=0.005)


def test_flags_keep_those_before():
    before = np.random.default_rng(0).random(60 * 190) < 0.3
    made = flags(0, before, rows=0.1)
    assert made[before].all() and made[~before].mean() == pytest.approx(0.1, abs=0.02)
    assert not flags(0).any()
