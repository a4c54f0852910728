"""The warp and the correlation it leaves."""

import numpy as np
import pytest
from scipy import stats

from almabrain.noise.warp import Warp, fit_warp


def lognormal(width):
    score = np.linspace(-4, 4, 65)
    return Warp(score, np.exp(width * score))


def test_moments_are_those_of_a_standard_variable(rng):
    pixels = lognormal(0.5)(rng.standard_normal(400_000))
    assert abs(pixels.mean()) < 0.01
    assert abs(pixels.std() - 1) < 0.01


def test_correlation_of_a_lognormal_is_the_analytic_one():
    width, gaussian = 0.5, np.linspace(-0.9, 1, 20)
    expected = np.expm1(width**2 * gaussian) / np.expm1(width**2)
    assert lognormal(width).correlation(gaussian) == pytest.approx(expected, abs=0.01)


def test_predistortion_inverts_the_correlation():
    warp, wanted = lognormal(0.7), np.linspace(-0.3, 1, 27)
    assert warp.correlation(warp.predistort(wanted)) == pytest.approx(wanted, abs=1e-3)
    assert np.all(warp.predistort(wanted)[wanted > 0.01][:-1] > wanted[wanted > 0.01][:-1])


def test_the_identity_changes_nothing():
    values = np.linspace(-1, 1, 5)
    assert np.array_equal(Warp.identity()(values), values)
    assert np.array_equal(Warp.identity().predistort(values), values)


@pytest.mark.parametrize("distribution", [stats.expon(), stats.uniform(), stats.t(5), stats.lognorm(0.5)])
def test_fitted_quantiles_hold_the_distribution(distribution, rng):
    pixels = distribution.rvs(200_000, random_state=rng)
    pixels = (pixels - pixels.mean()) / pixels.std()
    warp = fit_warp(pixels, 50_000)
    assert stats.kstest(pixels, warp.cdf).statistic < 0.01
    assert np.all(np.diff(warp(np.linspace(-6, 6, 500))) > 0)


def test_tails_reach_only_as_far_as_the_sample_knows(rng):
    pixels = rng.standard_normal(100_000)
    assert fit_warp(pixels, 50).score[-1] < fit_warp(pixels, 50_000).score[-1]
