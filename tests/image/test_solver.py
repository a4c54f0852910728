"""Solver and samples against the exact inverse of the metric, on a grid small enough to write it down."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.config.image import Recipe
from almabrain.image import inference, solver
from almabrain.image import likelihood as likelihoods
from almabrain.image import model as sky_model
from almabrain.image.grid import choose_grid

N_PIX = 32


class Small:
    """A tiny state whose metric is also there as a dense matrix."""

    def __init__(self, windows):
        recipe = Recipe.model_construct(**Recipe().model_dump() | {"n_pix": N_PIX, "cell_arcsec": 0.25})
        recipe.clean = Recipe().clean
        self.grid = choose_grid(windows, recipe)
        self.windows = windows
        self.state = inference.start(windows, self.grid, {"spw0": 1.0}, False)
        bright = 30 * self.state.field_sky * np.random.default_rng(0).lognormal(0, 1.5, (N_PIX, N_PIX))
        self.state.field_sky = jnp.asarray(bright)
        bend = jnp.zeros((N_PIX, N_PIX)), jnp.zeros(self.state.mean.size - N_PIX**2)
        low = solver.low_excitations(N_PIX, self.state.mean.size - N_PIX**2)
        self.system = solver.factorise(
            solver.linearise(self.state.model, self.state.mean, self.state.field_sky, *bend, *low)
        )
        unit = jnp.eye(self.state.mean.size)
        self.dense = np.asarray(jax.lax.map(lambda column: solver.metric(self.system, column), unit))


@pytest.fixture(scope="module")
def small(windows):
    return Small(windows)


def test_metric_is_symmetric_and_at_least_the_prior(small):
    assert np.allclose(small.dense, small.dense.T, atol=1e-6 * np.abs(small.dense).max())
    assert np.linalg.eigvalsh(small.dense)[0] > 0.999
    assert np.linalg.eigvalsh(small.dense)[-1] > 1e3  # else there is nothing to test


def test_solution_is_the_exact_one(small):
    right = np.random.default_rng(1).standard_normal(len(small.dense)) * np.sqrt(np.diag(small.dense))
    found, steps, error = solver.solve(small.system, jnp.asarray(right), jnp.zeros(len(right)), 1e-4, 300)
    wrong = np.asarray(found) - np.linalg.solve(small.dense, right)
    assert 0 < int(steps) < 300
    assert wrong @ small.dense @ wrong < 1e-2
    assert float(error) <= 1e-4


def test_solver_says_when_it_stopped_early(small):
    right = np.random.default_rng(1).standard_normal(len(small.dense)) * np.sqrt(np.diag(small.dense))
    _, _, error = solver.solve(small.system, jnp.asarray(right), jnp.zeros(len(right)), 1e-4, 1)
    assert float(error) > 1e-4


def test_samples_have_the_inverse_metric_as_covariance(small, monkeypatch):
    monkeypatch.setattr(inference, "SAMPLE_TOLERANCE", 1e-3)
    pairs = 150
    error = inference.sample(small.state, small.grid, pairs, seed=3, name="test")
    assert error <= 1e-3
    drawn = np.asarray(small.state.residuals)
    assert np.allclose(drawn[0], -drawn[1])
    inverse = np.linalg.inv(small.dense)
    values, vectors = np.linalg.eigh(small.dense)
    # The best measured direction, one in the middle, and the image of a bump on the sky.
    tests = [vectors[:, -1], vectors[:, len(values) // 2], vectors[:, -20:].sum(1)]
    for direction in tests:
        seen = np.var(drawn[::2] @ direction)
        assert seen == pytest.approx(direction @ inverse @ direction, rel=4.5 * np.sqrt(2 / pairs))


def test_gradient_of_the_kl_by_finite_differences(small):
    rng = np.random.default_rng(4)
    mean = small.state.mean + 0.1 * rng.standard_normal(small.state.mean.size)
    residuals = jnp.asarray(0.05 * rng.standard_normal((2, mean.size)))
    direction = rng.standard_normal(mean.size)
    expansion = sky_model.expand(small.state.model, mean, residuals)
    step = 1e-5
    above = sky_model.expand(small.state.model, mean + step * direction, residuals).value
    below = sky_model.expand(small.state.model, mean - step * direction, residuals).value
    slope = float(jnp.vdot(expansion.gradient, direction))
    assert slope == pytest.approx(float(above - below) / (2 * step), rel=1e-4)


def test_energy_differences_are_those_of_the_gridder(small):
    skies = []
    for seed in (5, 6):
        vector = small.state.mean + 0.2 * np.random.default_rng(seed).standard_normal(small.state.mean.size)
        skies.append(np.asarray(sky_model.sky(small.state.model, jnp.asarray(vector))))
    exact = [
        0.5 * sum(
            (small.windows[name].weight.values * np.abs(residual) ** 2).sum()
            for name, residual in likelihoods.residuals(small.windows, sky, small.grid).items()
        )
        for sky in skies
    ]  # fmt: skip
    fast = [float(likelihoods.energy(small.state.model.likelihood, sky)) for sky in skies]
    assert fast[1] - fast[0] == pytest.approx(exact[1] - exact[0], abs=0.1)
