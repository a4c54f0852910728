"""Gains of antennas: injected ones are found within their errors, and none where there are none."""

import time

import numpy as np
import pytest
from scipy.optimize import least_squares

from almabrain.config.corruptions import CorruptionSettings
from almabrain.config.image import SelfCalibration
from almabrain.data.constants import ARCSEC
from almabrain.image import selfcal
from almabrain.response.predict import predict_components
from almabrain.simulate import corrupt

from .conftest import FREQUENCY_HZ, observe

POINT = np.array([[1.0, 1.2, -0.8, 0.0, 0.0, 0.0]])
POINT_AND_GAUSSIAN = np.array([[1.0, 1.2, -0.8, 0.0, 0.0, 0.0], [0.8, -1.6, 1.1, 1.6, 1.0, 30.0]])
PHASES = SelfCalibration(solve="phases")


def prediction(window, components):
    flux, l, m, major, minor, pa = np.asarray(components, float).reshape(-1, 6).T
    return predict_components(
        window.uvw_m.values, window.frequency_hz.values, flux[:, None], l * ARCSEC, m * ARCSEC, major * ARCSEC,
        minor * ARCSEC, np.radians(pa),
    )  # fmt: skip


def observation(snr, components=POINT, seed=0, n_antenna=12, n_time=40):
    """An observation whose naturally weighted image shows a point of 1 Jy at this signal-to-noise ratio."""
    sigma = np.sqrt(n_antenna * (n_antenna - 1) / 2 * n_time) / snr
    return observe(components, sigma, seed=seed, n_antenna=n_antenna, n_time=n_time)


def smooth_phases(time_s, antennas, rms_deg, correlation_s, seed):
    """Phases [rad] (time, antenna) with a Gaussian autocorrelation: smoother than any prior of ours."""
    apart = (time_s[:, None] - time_s) / correlation_s
    root = np.linalg.cholesky(np.exp(-(apart**2) / 2) + 1e-9 * np.eye(len(time_s)))
    phase = root @ np.random.default_rng(seed).standard_normal((len(time_s), antennas))
    phase -= phase.mean(1, keepdims=True)
    return np.radians(rms_deg) * phase / phase.std()


def drawn_by_simulate(time_s, antennas, seed, **settings):
    """Gains (time, antenna) of the stage simulate."""
    place = np.random.default_rng(seed).normal(0, 300, (antennas, 3)) + [2.2e6, -5.4e6, -2.5e6]
    made = corrupt.draw(
        CorruptionSettings.model_validate(settings),
        place,
        time_s,
        30.0,
        np.full(len(time_s), 1.2),
        np.random.default_rng(seed),
    )
    return made.gain[..., 0] * np.exp(2j * np.pi * FREQUENCY_HZ / 299_792_458.0 * made.path_m)


def corrupted(window, gain):
    k = np.searchsorted(np.unique(window.time_mjd_s.values), window.time_mjd_s.values)
    factor = gain[k, window.antenna1.values] * gain[k, window.antenna2.values].conj()
    return window.assign(visibility=window.visibility * factor[:, None])


def centred(phase):
    return phase - phase.mean(1, keepdims=True)


def rms_deg(phase):
    return np.degrees(np.sqrt(np.mean(phase**2)))


def phase_errors(part, phase):
    """Error of every phase [rad] and over its claimed one, about the antennas' mean, wraps removed."""
    difference = part.mean - centred(phase)
    difference = centred(difference - 2 * np.pi * np.round(difference / (2 * np.pi)))
    return difference, difference / part.error


@pytest.mark.parametrize("seed", range(4))
def test_smooth_phases_of_30_deg_are_found_to_3_deg_at_a_ratio_of_100(seed):
    window = observation(100, seed=seed)
    moments = np.unique(window.time_mjd_s.values)
    phase = smooth_phases(moments, 12, 30.0, np.ptp(moments) / 2, seed)
    bad = {"spw0": corrupted(window, np.exp(1j * phase))}
    gains = selfcal.solve(bad, {"spw0": prediction(window, POINT)}, PHASES)
    error, pull = phase_errors(gains.executions[0].parts["phase"], phase)
    assert rms_deg(error) <= 3
    assert 0.6 < np.sqrt(np.mean(pull**2)) < 1.3
    fixed = selfcal.apply(bad, gains)["spw0"].visibility.values
    truth, model = window.visibility.values, prediction(window, POINT)
    coherence = [(visibility * model.conj()).mean().real for visibility in (fixed, truth)]
    assert coherence[0] == pytest.approx(coherence[1], rel=0.02)


def least_error(covariance, snr, antennas):
    """Rms error [rad] of phases about their mean whose covariance in time is known, of a point source.

    The information of an image of N antennas is split into N-1 differences: 2 SNR²/((N-1) T) each at each of T times.
    """
    times = len(covariance)
    noise = (antennas - 1) * times / (2 * snr**2)
    left = covariance - covariance @ np.linalg.solve(covariance + noise * np.eye(times), covariance)
    return np.sqrt(np.trace(left) / times * (antennas - 1) / antennas)


@pytest.mark.parametrize("kind, worse", [("drift", 1.1), ("smooth", 1.25)])
def test_no_method_could_do_much_better(kind, worse):
    errors, antennas = [], 12
    for seed in range(4):
        window = observation(100, seed=seed)
        moments = np.unique(window.time_mjd_s.values)
        track = np.ptp(moments)
        apart = np.abs(moments[:, None] - moments) / track * 2
        if kind == "smooth":
            phase, covariance = (
                smooth_phases(moments, antennas, 30.0, track / 2, seed),
                np.exp(-(apart**2) / 2),
            )
        else:
            gain = drawn_by_simulate(
                moments, antennas, seed, gain={"phase_rms_deg": 30, "correlation_s": track / 2}
            )
            phase, covariance = np.unwrap(np.angle(gain), axis=0), np.exp(-apart)
        bad = {"spw0": corrupted(window, np.exp(1j * phase))}
        gains = selfcal.solve(bad, {"spw0": prediction(window, POINT)}, PHASES)
        errors.append(phase_errors(gains.executions[0].parts["phase"], phase)[0])
    least = least_error(np.radians(30) ** 2 * covariance, 100, antennas)
    assert np.sqrt(np.mean(np.square(errors))) < worse * least


@pytest.mark.parametrize(
    "settings, antennas",
    [
        ({"gain": {"phase_rms_deg": 30, "correlation_s": 300}}, 12),
        ({"troposphere": {"path_rms_um": 300, "outer_scale_m": 300, "effect": "phase"}}, 12),
    ],
)
@pytest.mark.parametrize("snr", [100, 1000])
def test_errors_of_drifts_and_air_are_as_claimed(settings, antennas, snr):
    pulls = []
    for seed in range(4):
        window = observation(snr, seed=seed)
        gain = drawn_by_simulate(np.unique(window.time_mjd_s.values), antennas, seed, **settings)
        bad = {"spw0": corrupted(window, np.exp(1j * np.angle(gain)))}
        gains = selfcal.solve(bad, {"spw0": prediction(window, POINT)}, PHASES)
        part = gains.executions[0].parts["phase"]
        error, pull = phase_errors(part, np.unwrap(np.angle(gain), axis=0))
        assert rms_deg(error) < 0.6 * rms_deg(centred(np.unwrap(np.angle(gain), axis=0)))
        pulls.append(pull)
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1, abs=0.15)


def test_constant_phases_are_known_as_well_as_data_allow():
    window = observation(100)
    phase = np.radians(30) * np.random.default_rng(5).standard_normal(12) * np.ones((40, 1))
    bad = {"spw0": corrupted(window, np.exp(1j * phase))}
    gains = selfcal.solve(bad, {"spw0": prediction(window, POINT)}, PHASES)
    part = gains.executions[0].parts["phase"]
    # An antenna's phase is measured by its baselines, of which each holds its share of the image's information.
    limit = 11 / np.sqrt(2 * 12) / 100
    assert limit < np.sqrt(np.mean(part.error**2)) < 2 * limit
    error, _ = phase_errors(part, phase)
    assert rms_deg(error) < 2


@pytest.mark.parametrize("snr", [20, 100, 1000])
def test_perfect_data_get_no_phases(snr):
    for seed in range(8):
        window = observation(snr, seed=seed)
        model = {"spw0": prediction(window, POINT)}
        gains = selfcal.solve({"spw0": window}, model, PHASES)
        part = gains.executions[0].parts["phase"]
        assert part.process is None
        assert rms_deg(part.mean) <= 0.2
        assert (np.abs(part.mean) <= part.error).all() and (part.error > 0).all()
        same = selfcal.apply({"spw0": window}, gains)["spw0"]
        assert np.array_equal(same.visibility, window.visibility)
    # What could still be there shrinks with the noise.
    assert np.degrees(part.largest_std) < 3 * 100 / snr * 3


def fit(window, start):
    """A toy imager: a point and a round Gaussian by least squares."""
    root = np.sqrt(window.weight.values)

    def components(p):
        return [[p[0], p[1], p[2], 0, 0, 0], [p[3], p[4], p[5], abs(p[6]), abs(p[6]), 0]]

    def residual(p):
        difference = (root * (prediction(window, components(p)) - window.visibility.values)).ravel()
        return np.concatenate([difference.real, difference.imag])

    found = least_squares(residual, start, method="lm").x
    return found, prediction(window, components(found))


TRUE_FIT = np.array([1.0, 1.2, -0.8, 0.8, -1.6, 1.1, 1.3])
ROUND = np.array([[1.0, 1.2, -0.8, 0.0, 0.0, 0.0], [0.8, -1.6, 1.1, 1.3, 1.3, 0.0]])


def alternate(bad, rounds):
    """Imaging and self-calibration in turns, from a poor guess."""
    place = TRUE_FIT * [0.6, 1, 1, 0.6, 1, 1, 1.3] + [0, 0.1, -0.1, 0, 0.1, 0.1, 0]
    calibrated, gains = bad, None
    for _ in range(rounds):
        place, model = fit(calibrated["spw0"], place)
        gains = selfcal.solve(bad, {"spw0": model}, PHASES)
        calibrated = selfcal.apply(bad, gains)
    return place, gains


@pytest.mark.parametrize("seed", range(3))
def test_phases_and_image_are_found_together(seed):
    window = observation(100, ROUND, seed=seed)
    moments = np.unique(window.time_mjd_s.values)
    phase = smooth_phases(moments, 12, 30.0, np.ptp(moments) / 2, seed + 50)
    bad = {"spw0": corrupted(window, np.exp(1j * phase))}
    raw, alone = fit(bad["spw0"], TRUE_FIT)[0], fit(window, TRUE_FIT)[0]
    place, gains = alternate(bad, rounds=8)
    error, _ = phase_errors(gains.executions[0].parts["phase"], phase)
    # A shift of the sky is a phase that grows along the array: nobody can tell them apart.
    with_first = window.antenna1.values == 0
    gradient = np.zeros((len(moments), 12, 2))
    gradient[:, 1:] = window.uvw_m.values[with_first, :2].reshape(len(moments), 11, 2)
    gradient = (gradient - gradient.mean(1, keepdims=True)).reshape(-1, 2)
    shift = np.linalg.lstsq(gradient, error.ravel(), rcond=None)[0]
    assert rms_deg(error.ravel() - gradient @ shift) <= 3
    # The noise is the same as in data that were never corrupted, so their fit is the truth to compare with.
    assert raw[0] < 0.82 * alone[0]
    assert place[[0, 3]] == pytest.approx(alone[[0, 3]], abs=0.015)
    assert place[[4, 5]] - place[[1, 2]] == pytest.approx(alone[[4, 5]] - alone[[1, 2]], abs=0.02)
    assert place[6] == pytest.approx(alone[6], rel=0.03)


def test_perfect_data_stay_so_when_imaged_in_turns():
    for seed in range(3):
        window = observation(100, ROUND, seed=seed)
        alone, _ = fit(window, TRUE_FIT)
        place, gains = alternate({"spw0": window}, rounds=3)
        assert rms_deg(gains.executions[0].parts["phase"].mean) <= 0.2
        assert place == pytest.approx(alone, abs=2e-3)


def test_amplitudes_are_found_and_the_flux_scale_is_kept():
    window = observation(1000)
    gain = drawn_by_simulate(
        np.unique(window.time_mjd_s.values), 12, 3,
        gain={"amplitude_rms": 0.1, "phase_rms_deg": 20, "correlation_s": 3000},
    )  # fmt: skip
    bad = {"spw0": corrupted(window, gain)}
    # A model too faint by a fifth: the gains must not take the flux over.
    gains = selfcal.solve(
        bad, {"spw0": 0.8 * prediction(window, POINT)}, SelfCalibration(solve="phases and amplitudes")
    )
    part = gains.executions[0].parts["log_amplitude"]
    true = np.log(np.abs(gain))
    error = part.mean - (true - true.mean())
    assert true.std() > 0.05
    assert np.sqrt(np.mean(error**2)) < 0.015
    assert np.sqrt(np.mean((error / part.error) ** 2)) == pytest.approx(1, abs=0.2)
    assert abs(part.mean.mean()) < 1e-9
    fixed = selfcal.apply(bad, gains)["spw0"]
    ratio = bad["spw0"].visibility.values / fixed.visibility.values
    assert np.allclose(fixed.weight, window.weight * np.abs(ratio) ** 2)


def test_windows_share_gains_and_executions_do_not():
    first = observation(60, seed=1)
    second = observation(60, seed=1).assign_attrs(source="test")
    second["visibility"] = observation(60, seed=1).visibility + 0
    rng = np.random.default_rng(9)
    other = rng.standard_normal(first.visibility.shape) + 1j * rng.standard_normal(first.visibility.shape)
    second["visibility"].values[:] = prediction(first, POINT) + other / np.sqrt(first.weight.values)
    later = observation(60, seed=2)
    later["time_mjd_s"] = later.time_mjd_s + 86400.0
    elsewhere = observation(60, seed=3).assign_attrs(source="another")
    moments = np.unique(first.time_mjd_s.values)
    phases = [smooth_phases(moments, 12, 30.0, 600.0, seed) for seed in range(3)]
    windows = {
        "spw0": corrupted(first, np.exp(1j * phases[0])),
        "spw1": corrupted(second, np.exp(1j * phases[0])),
        "spw2": corrupted(later, np.exp(1j * phases[1])),
        "b.spw0": corrupted(elsewhere, np.exp(1j * phases[2])),
    }
    model = {name: prediction(window, POINT) for name, window in windows.items()}
    gains = selfcal.solve(windows, model, PHASES)
    assert [(item.source, len(item.time_mjd_s)) for item in gains.executions] == [
        ("test", 40), ("test", 40), ("another", 40),
    ]  # fmt: skip
    for item, phase in zip(gains.executions, phases):
        error, _ = phase_errors(item.parts["phase"], phase)
        assert rms_deg(error) < 6
    alone = selfcal.solve({"spw0": windows["spw0"]}, model, PHASES).executions[0].parts["phase"]
    together = gains.executions[0].parts["phase"]
    assert np.mean(together.error) < 0.85 * np.mean(alone.error)
    table = gains.table()
    assert len(table) == 3 * 40 * 12
    assert table["phase"].unit == "deg" and set(table["execution"]) == {0, 1, 2}
    assert set(table["amplitude"]) == {1.0}


def test_flags_gaps_and_bad_values_do_no_harm():
    window = observation(200)
    moments = np.unique(window.time_mjd_s.values)
    phase = smooth_phases(moments, 12, 30.0, np.ptp(moments) / 2, 11)
    bad = corrupted(window, np.exp(1j * phase))
    model = prediction(window, POINT)
    lost = (bad.antenna2.values == 11) & (bad.time_mjd_s.values > np.median(moments))
    lost |= (bad.antenna1.values == 2) & (bad.antenna2.values == 3)
    bad["weight"].values[lost] = 0
    bad["visibility"].values[lost] = np.nan
    order = np.random.default_rng(12).permutation(bad.sizes["row"])
    shuffled = bad.isel(row=order)
    gains = selfcal.solve({"spw0": shuffled}, {"spw0": model[order]}, PHASES)
    part = gains.executions[0].parts["phase"]
    error, pull = phase_errors(part, phase)
    seen = np.ones(error.shape, bool)
    seen[moments > np.median(moments), 11] = False
    assert rms_deg(error[seen]) < 3
    assert part.error[~seen].max() > 3 * part.error[seen].max()
    assert np.sqrt(np.mean(pull**2)) < 1.5


def test_solutions_join_integrations_where_there_are_many_or_one_asks():
    window = observation(300, n_antenna=6, n_time=500)
    model = {"spw0": prediction(window, POINT)}
    chosen = selfcal.solve({"spw0": window}, model, PHASES).executions[0]
    assert 150 <= len(chosen.time_mjd_s) <= selfcal.MOST_TIMES
    asked = SelfCalibration(solve="phases", interval_s=300.0)
    item = selfcal.solve({"spw0": window}, model, asked).executions[0]
    assert np.diff(item.time_mjd_s)[1:-1] == pytest.approx(300)
    once = SelfCalibration(solve="phases", interval_s=1e6)
    assert len(selfcal.solve({"spw0": window}, model, once).executions[0].time_mjd_s) == 1


def test_prior_of_ones_own_is_held():
    window = observation(100)
    asked = SelfCalibration(solve="phases", phase_rms_deg=20.0, correlation_s=200.0)
    part = (
        selfcal.solve({"spw0": window}, {"spw0": prediction(window, POINT)}, asked)
        .executions[0]
        .parts["phase"]
    )
    assert np.degrees(part.process.std) == pytest.approx(20)
    assert part.process.correlation_s == pytest.approx(200)
    assert 1 < np.degrees(part.error.mean()) < 20


def test_by_default_nothing_is_done():
    window = observation(100)
    gains = selfcal.solve({"spw0": window}, {}, SelfCalibration())
    assert selfcal.apply({"spw0": window}, gains) == {"spw0": window}
    assert len(gains.table()) == 0


def test_twenty_antennas_take_a_second():
    window = observation(100, n_antenna=20, n_time=100)
    moments = np.unique(window.time_mjd_s.values)
    phase = smooth_phases(moments, 20, 30.0, np.ptp(moments) / 2, 13)
    bad, model = {"spw0": corrupted(window, np.exp(1j * phase))}, {"spw0": prediction(window, POINT)}
    start = time.process_time()
    selfcal.solve(bad, model, PHASES)
    assert time.process_time() - start < 2.5  # 0.5 on an idle core
