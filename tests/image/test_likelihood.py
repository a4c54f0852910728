"""The FFT likelihood is the gridder's, and its noise has the right covariance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.data.constants import ARCSEC
from almabrain.image import likelihood as likelihoods
from almabrain.response.predict import predict_components

N_PIX, CELL = 64, 0.25


@pytest.fixture(scope="module")
def likelihood(windows, grid):
    return likelihoods.build(windows, grid)


def random_sky(seed):
    return np.random.default_rng(seed).exponential(2e-4, (N_PIX, N_PIX))


def direct_energy(windows, sky):
    """−ln L by an explicit sum over pixels and visibilities, with w."""
    y, x = np.nonzero(sky)
    l, m = -(x - N_PIX // 2) * CELL * ARCSEC, (y - N_PIX // 2) * CELL * ARCSEC  # noqa: E741
    total = 0.0
    for window in windows.values():
        model = predict_components(
            window.uvw_m.values, window.frequency_hz.values, sky[y, x][:, None], l, m, 0 * l, 0 * l, 0 * l
        )
        total += 0.5 * (window.weight.values * np.abs(window.visibility.values - model) ** 2).sum()
    return total


def test_likelihood_is_that_of_an_explicit_sum(windows, grid, likelihood):
    sparse = [np.where(np.random.default_rng(seed).random((N_PIX, N_PIX)) < 0.01, 0.02, 0) for seed in (1, 2)]
    for sky in sparse:
        found = float(likelihoods.energy(likelihood, jnp.asarray(sky)))
        found += likelihood.data_energy / 2
        assert found == pytest.approx(direct_energy(windows, sky * grid.primary_beam), abs=0.05)


def test_difference_to_the_gridder_is_reported_small(windows, grid, likelihood):
    assert abs(likelihoods.delta_log_likelihood(likelihood, windows, random_sky(3), grid)) < 0.1


def test_difference_to_the_gridder_sees_large_w(windows, grid):
    far = windows["spw0"].copy(deep=True)
    far["uvw_m"].values[:, 2] += 3e5 * np.random.default_rng(0).standard_normal(far.sizes["row"])
    likelihood = likelihoods.build({"spw0": far}, grid)
    bright = 10 * random_sky(3)
    assert abs(likelihoods.delta_log_likelihood(likelihood, {"spw0": far}, bright, grid)) > 1


def test_gradient_by_finite_differences(likelihood):
    sky, direction = random_sky(4), np.random.default_rng(5).standard_normal((N_PIX, N_PIX)) * 1e-4
    energy = lambda step: float(likelihoods.energy(likelihood, sky + step * direction))  # noqa: E731
    gradient = jax.grad(lambda image: likelihoods.energy(likelihood, image))(jnp.asarray(sky))
    assert float(jnp.vdot(gradient, direction)) == pytest.approx((energy(0.5) - energy(-0.5)), rel=1e-6)


def test_response_is_symmetric(likelihood):
    a, b = random_sky(6), random_sky(7)
    left = np.vdot(b, likelihoods.curvature(likelihood, jnp.asarray(a)))
    assert left == pytest.approx(np.vdot(a, likelihoods.curvature(likelihood, jnp.asarray(b))), rel=1e-12)


def test_noise_images_have_the_curvature_as_covariance(windows, grid, likelihood):
    rng = np.random.default_rng(8)
    shape = random_sky(9)
    draws = [np.vdot(shape, likelihoods.noise_information(windows, grid, rng)) for _ in range(300)]
    expected = float(np.vdot(shape, likelihoods.curvature(likelihood, jnp.asarray(shape))))
    assert np.var(draws) == pytest.approx(expected, rel=5 * np.sqrt(2 / 300))


def test_chi2_by_baseline_adds_up(windows):
    data = windows["spw0"]
    residual = {"spw0": data.visibility.values}
    octiles, edges = likelihoods.chi2_by_baseline(windows, residual)
    total = (data.weight.values * np.abs(data.visibility.values) ** 2).sum() / (2 * data.visibility.size)
    assert np.mean(octiles) == pytest.approx(total, rel=1e-3)
    assert np.all(np.diff(edges) > 0)
