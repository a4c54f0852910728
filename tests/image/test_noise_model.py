"""The noise learned from residuals, against noise that was put in."""

import numpy as np
import pytest

from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.image import noise_model

from .conftest import COMPONENTS, FREQUENCY_HZ, observe

SIGMA = 0.25


def draw(rng, freedom, shape):
    """Complex noise, Gaussian or Student-t, of scale 1 in both parts: both share the scale of one sample."""
    scale = 1.0 if np.isinf(freedom) else np.sqrt(freedom / rng.chisquare(freedom, shape))
    return scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


@pytest.fixture(scope="module")
def window():
    return observe(COMPONENTS, SIGMA)


def learned(window, ratio, freedom=np.inf, seed=0, **options):
    """What is learned of noise `ratio` (row,) or a number times the claimed one."""
    rng = np.random.default_rng(seed)
    ratio = np.broadcast_to(ratio, window.sizes["row"])[:, None]
    residual = SIGMA * ratio * draw(rng, freedom, window.visibility.shape)
    return noise_model.learn({"spw0": window}, {"spw0": residual}, {"spw0": 1.0}, **options)


def klambda(window):
    return np.hypot(*window.uvw_m.values[:, :2].T) * FREQUENCY_HZ / SPEED_OF_LIGHT_M_S / 1e3


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


@pytest.mark.parametrize("freedom", [np.inf, 3.0])
def test_window_factors_are_right_within_their_errors(window, freedom):
    truth = {"a": 0.5, "b": 1.0, "c": 2.4}
    windows = dict.fromkeys(truth, window.isel(row=slice(0, 800)))
    pulls = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        residual = {name: SIGMA * factor * draw(rng, freedom, (800, 1)) for name, factor in truth.items()}
        made = noise_model.learn(windows, residual, dict.fromkeys(truth, 1.0))
        pulls += [np.log(made.factors[name] / truth[name]) / made.errors[name] for name in truth]
    # 90 pulls: their rms is known to 7.5 %.
    assert rms(pulls) == pytest.approx(1, abs=0.25) and abs(np.mean(pulls)) < 0.35
    # In ln σ of n complex numbers 1/√(4n); with tails √((4 + 2ν)/4νn) as ν is learned too.
    tails = np.array([made.windows[name].attrs["tail"] for name in truth])
    expected = 0.5 * np.sqrt(np.where(tails > 0, 2 + 4 * tails, 1) / 800)
    assert list(made.errors.values()) == pytest.approx(expected, rel=0.03)


def test_excess_on_short_baselines_is_right_within_its_errors(window):
    length = klambda(window)
    truth = 1 + 1.5 * np.exp(-length / 40)
    middle = np.exp(np.log(truth).mean())
    pulls, misses = [], []
    for seed in range(20):
        made = learned(window, truth, seed=seed)
        found = made.baseline
        # Nine tenths of the data: beyond, the curve is mostly prior.
        inside = (found.klambda > np.quantile(length, 0.05)) & (found.klambda < np.quantile(length, 0.95))
        miss = np.log(found.factor * middle / (1 + 1.5 * np.exp(-found.klambda / 40)))[inside]
        pulls.append(miss / found.error[inside])
        misses.append(miss)
        assert made.factors["spw0"] == pytest.approx(middle, rel=0.04)
    assert rms(pulls) == pytest.approx(1, abs=0.3)
    assert rms(misses) < 0.05


def test_curve_is_smooth_and_not_of_bins(window):
    made = learned(window, (klambda(window) / 50) ** -0.4)
    steps = np.diff(np.log(made.baseline.factor)) / np.diff(np.log(made.baseline.klambda))
    assert np.average(steps[3:-3]) == pytest.approx(-0.4, abs=0.06)
    assert np.abs(np.diff(steps)).max() < 0.2


@pytest.mark.parametrize("number", [30, 2400])
def test_noise_as_claimed_has_no_curve_and_no_antennas(window, number):
    rows = np.random.default_rng(0).choice(2400, number, replace=False)
    excess = []
    for seed in range(15):
        made = learned(window.isel(row=rows), 1.0, seed=seed, antennas=True)
        ends = [factor for factor, _ in made.antennas.values()]
        excess.append([np.abs(np.log(made.baseline.factor)).max(), np.abs(np.log(ends)).max()])
    assert np.median(excess) < 0.01 and np.max(excess) < (0.4 if number == 30 else 0.08)


def test_an_antenna_with_doubled_noise_is_found(window):
    own = np.ones(16)
    own[5] = 2.0
    ratio = own[window.antenna1.values] * own[window.antenna2.values]
    pulls = []
    for seed in range(15):
        made = learned(window, ratio, seed=seed, antennas=True)
        factor, error = np.array([made.antennas[number] for number in range(16)]).T
        truth = own / np.exp(np.log(own).mean())
        pulls.append(np.log(factor / truth) / error)
        assert factor[5] / np.median(factor) == pytest.approx(2, rel=0.12)
        weight = made.windows["spw0"].weight.values[:, 0]
        with_it = ratio > 1
        assert weight[~with_it].mean() / weight[with_it].mean() == pytest.approx(4, rel=0.15)
    assert rms(pulls) == pytest.approx(1, abs=0.25)


def test_antennas_baselines_and_tails_together(window):
    own = np.exp(0.3 * np.random.default_rng(7).standard_normal(16))
    length = klambda(window)
    ratio = 1.5 * own[window.antenna1.values] * own[window.antenna2.values] * (length / 50) ** -0.3
    made = learned(window, ratio, freedom=3.0, seed=1, antennas=True)
    factor, error = np.array(list(made.antennas.values())).T
    assert rms(np.log(factor / own * np.exp(np.log(own).mean())) / error) == pytest.approx(1, abs=0.5)
    assert 2.5 <= 1 / made.windows["spw0"].attrs["tail"] <= 4
    whole = made.factors["spw0"] * made.baseline.at(length)
    whole = whole * factor[window.antenna1.values] * factor[window.antenna2.values]
    assert rms(np.log(whole / ratio)) < 0.08 and np.mean(np.log(whole / ratio)) == pytest.approx(0, abs=0.06)


def test_antennas_that_nobody_knows_have_no_factors(window):
    unknown = window.assign(antenna1=-1 + 0 * window.antenna1, antenna2=-1 + 0 * window.antenna2)
    made = learned(unknown, 1.3, antennas=True)
    assert made.antennas == {} and made.factors["spw0"] == pytest.approx(1.3, rel=0.05)


@pytest.mark.parametrize("number, off", [(20, 0.45), (2, 1.2), (0, 1e-9)])
def test_few_data_fall_back_on_what_was_measured(window, number, off):
    """A window with few data, or none, beside one with many."""
    few = window.isel(row=slice(0, 40)).copy(deep=True)
    few["weight"].values[number:] = 0
    rng = np.random.default_rng(3)
    residual = {"few": 2 * SIGMA * draw(rng, np.inf, (40, 1)), "many": SIGMA * draw(rng, np.inf, (2400, 1))}
    made = noise_model.learn({"few": few, "many": window}, residual, {"few": 2.0, "many": 1.0})
    assert abs(np.log(made.factors["few"] / 2)) < off
    assert made.factors["many"] == pytest.approx(1, rel=0.04)
    for name in made.windows:
        assert np.isfinite(made.windows[name].weight.values).all() and np.isfinite(made.errors[name])
    assert (made.windows["few"].weight.values[number:] == 0).all()
    # As many data with Gaussian noise know it to 1/√(4n), with the heaviest tails to 1.9 times that.
    assert 0.45 < made.errors["few"] * np.sqrt(1 + number) < 1


def test_nothing_at_all_is_as_measured(window):
    none = window.assign(weight=0 * window.weight)
    made = noise_model.learn({"spw0": none}, {"spw0": 0 * window.visibility.values}, {"spw0": 1.7}, True)
    assert made.factors["spw0"] == pytest.approx(1.7) and np.all(made.baseline.factor == 1)
    assert (made.windows["spw0"].weight.values == 0).all()


def test_residuals_of_nothing_give_finite_weights(window):
    made = noise_model.learn({"spw0": window}, {"spw0": 0 * window.visibility.values}, {"spw0": 1.0}, True)
    assert np.isfinite(made.windows["spw0"].weight.values).all()
    assert np.isfinite([*made.factors.values(), *made.errors.values()]).all()


def test_outliers_are_tamed_and_weights_say_the_scatter(window):
    rng = np.random.default_rng(2)
    residual = SIGMA * 1.7 * draw(rng, 4.0, window.visibility.shape)
    made = noise_model.learn({"spw0": window}, {"spw0": residual}, {"spw0": 1.0})
    weight = made.windows["spw0"].weight.values
    worst = np.argmax(np.abs(residual[:, 0]))
    assert weight[worst, 0] < 0.2 * np.median(weight)
    expected = made.windows["spw0"].attrs["expected_chi2"]
    assert (weight * np.abs(residual) ** 2).sum() / (2 * weight.size) == pytest.approx(expected, rel=0.01)
    # The Fisher information of a complex t with 4 degrees of freedom is 3/4 of its weights' sum.
    assert expected == pytest.approx(0.75, abs=0.06)


@pytest.mark.parametrize("freedoms", [(4.0,), (np.inf,), (2.5, np.inf)])
def test_a_fit_scatters_as_much_as_its_weights_claim(freedoms):
    window = observe(COMPONENTS, SIGMA, n_antenna=9)
    claimed = {f"spw{index}": window for index in range(len(freedoms))}
    rng = np.random.default_rng(11)
    pulls = []
    for _ in range(80):
        pairs = zip(claimed, freedoms, strict=True)
        seen, place = {name: SIGMA * draw(rng, nu, window.visibility.shape) for name, nu in pairs}, 0.0
        for _ in range(2):
            residual = {name: values - place for name, values in seen.items()}
            made = noise_model.learn(claimed, residual, dict.fromkeys(claimed, 1.0)).windows
            total = sum(made[name].weight.values.sum() for name in claimed)
            place = sum((made[name].weight.values * seen[name]).sum() for name in claimed) / total
        pulls += [place.real * np.sqrt(total), place.imag * np.sqrt(total)]
    assert np.std(pulls) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("freedom, low, high", [(3.0, 2.5, 4.0), (7.0, 5.0, 10.0), (np.inf, 30.0, np.inf)])
def test_tails_are_learned(freedom, low, high):
    squared = np.abs(draw(np.random.default_rng(12), freedom, 6000)) ** 2
    assert 1 / high <= noise_model._tail(1.7 * squared) <= 1 / low


def test_gaussian_noise_keeps_its_scale_and_weights(window):
    made = learned(window, 1.7, seed=13)
    assert made.factors["spw0"] == pytest.approx(1.7, rel=0.03)
    weight = made.windows["spw0"].weight.values.sum()
    assert weight == pytest.approx(window.weight.values.sum() / 1.7**2, rel=0.05)
