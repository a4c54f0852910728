"""Noise factors from neighbouring samples, and the robust weights learned from residuals."""

import numpy as np
import pytest

from almabrain.image import noise

from .conftest import COMPONENTS, observe


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.4])
def test_factor_is_seen_over_claimed(factor):
    window = observe(COMPONENTS, sigma_jy=0.25)
    window["weight"] = window.weight * factor**2
    assert noise.noise_factor(window) == pytest.approx(factor, rel=0.05)


def test_factor_is_blind_to_tails_and_flags():
    window = observe(COMPONENTS, sigma_jy=0.25)
    rng = np.random.default_rng(1)
    rows = rng.choice(window.sizes["row"], 100, replace=False)
    window["visibility"].values[rows] += 50
    flagged = rng.choice(window.sizes["row"], 300, replace=False)
    window["weight"].values[flagged] = 0
    assert noise.noise_factor(window) == pytest.approx(1, rel=0.15)


def test_factor_is_unknown_where_there_are_no_neighbours():
    assert np.isnan(noise.noise_factor(observe(COMPONENTS, 0.25, n_time=1)))


def test_student_t_finds_the_scale_and_tames_outliers():
    window = observe(COMPONENTS, sigma_jy=0.25)
    rng = np.random.default_rng(2)
    # A complex Student-t: both parts share the scale of one sample.
    scale = np.sqrt(4 / rng.chisquare(4, window.visibility.shape))
    shape = window.visibility.shape
    residual = 0.25 * 1.7 * scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    windows, factors, by_baseline = noise.student_t({"spw0": window}, {"spw0": residual}, {"spw0": 1.0})
    assert factors["spw0"] == pytest.approx(1.7, rel=0.05)
    weight, claimed = windows["spw0"].weight.values, window.weight.values
    worst = np.argmax(np.abs(residual[:, 0]))
    assert weight[worst, 0] < 0.2 * np.median(weight)
    expected = windows["spw0"].attrs["expected_chi2"]
    assert (weight * np.abs(residual) ** 2).sum() / (2 * weight.size) == pytest.approx(expected, rel=1e-3)
    # The Fisher information of a complex t with 4 degrees of freedom is 3/4 of its weights' sum.
    assert expected == pytest.approx(0.75, abs=0.06)
    assert weight.shape == claimed.shape
    assert np.allclose(by_baseline, 1, atol=0.15)


def draw(rng, freedom, shape):
    """Complex noise, Gaussian or Student-t, of scale 1 in both parts."""
    scale = 1.0 if np.isinf(freedom) else np.sqrt(freedom / rng.chisquare(freedom, shape))
    return scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


@pytest.mark.parametrize("freedoms", [(4.0,), (np.inf,), (2.5, np.inf)])
def test_a_fit_scatters_as_much_as_its_weights_claim(freedoms):
    window = observe(COMPONENTS, sigma_jy=0.25, n_antenna=9)
    claimed = {f"spw{index}": window for index in range(len(freedoms))}
    rng = np.random.default_rng(11)
    pulls = []
    for _ in range(150):
        pairs = zip(claimed, freedoms, strict=True)
        seen, place = {name: 0.25 * draw(rng, nu, window.visibility.shape) for name, nu in pairs}, 0.0
        for _ in range(4):
            residual = {name: values - place for name, values in seen.items()}
            learned, _, _ = noise.student_t(claimed, residual, dict.fromkeys(claimed, 1.0))
            total = sum(learned[name].weight.values.sum() for name in claimed)
            place = sum((learned[name].weight.values * seen[name]).sum() for name in claimed) / total
        pulls += [place.real * np.sqrt(total), place.imag * np.sqrt(total)]
    assert np.std(pulls) == pytest.approx(1, abs=0.09)


@pytest.mark.parametrize("freedom, low, high", [(3.0, 2.5, 4.0), (7.0, 5.0, 10.0), (np.inf, 30.0, np.inf)])
def test_tails_are_learned(freedom, low, high):
    squared = np.abs(draw(np.random.default_rng(12), freedom, 6000)) ** 2
    assert 1 / high <= noise._tail(1.7 * squared) <= 1 / low


def test_gaussian_noise_keeps_its_scale_and_weights():
    window = observe(COMPONENTS, sigma_jy=0.25)
    residual = 1.7 * 0.25 * draw(np.random.default_rng(13), np.inf, window.visibility.shape)
    windows, factors, _ = noise.student_t({"spw0": window}, {"spw0": residual}, {"spw0": 1.0})
    assert factors["spw0"] == pytest.approx(1.7, rel=0.03)
    assert windows["spw0"].weight.values.sum() == pytest.approx(window.weight.values.sum() / 1.7**2, rel=0.05)


def test_noise_that_grows_on_short_baselines_is_learned():
    window = observe(COMPONENTS, sigma_jy=0.25)
    length = np.hypot(*window.uvw_m.values[:, :2].T)
    excess = np.where(length < np.quantile(length, 0.25), 2.0, 1.0)[:, None]
    rng = np.random.default_rng(3)
    noise_jy = rng.standard_normal(window.visibility.shape) + 1j * rng.standard_normal(
        window.visibility.shape
    )
    _, _, by_baseline = noise.student_t({"spw0": window}, {"spw0": 0.25 * excess * noise_jy}, {"spw0": 1.0})
    assert by_baseline[:2] / by_baseline[2:].mean() == pytest.approx(2, rel=0.1)


def test_simulations_keep_their_weights_and_observations_do_not():
    window = observe(COMPONENTS, 0.25)
    assert noise.first_factors({"spw0": window}) is None
    measured = {
        name: window.assign_attrs(simulated=False, noise_factor=f) for name, f in (("a", 2.0), ("b", np.nan))
    }
    assert noise.first_factors(measured) == {"a": 2.0, "b": 2.0}
    rescaled, factors = noise.as_measured(measured, "auto")
    assert factors == {"a": 2.0, "b": 2.0}
    assert np.allclose(rescaled["b"].weight.values, window.weight.values / 4)
    assert noise.as_measured(measured, "never") == (measured, None)
