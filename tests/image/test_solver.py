"""The solver against the exact inverse of the metric, on a grid small enough to write it down."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.image import field, points, sampler, solver
from almabrain.image import likelihood as likelihoods
from almabrain.image import model as sky_model

N_PIX = 36


class Small:
    """The sampler's metric, spectrum included, about a posterior of 36 x 36 pixels, as dense matrices."""

    def __init__(self, state):
        self.model = state.model
        self.vectors = state.vectors
        self.system = sampler.masses(state.model, state.vectors, state.vectors)[0].system
        self.size = sky_model.size(state.grid.n_pix)
        unit = jnp.eye(self.size)
        self.dense, self.on_torus = (
            np.asarray(jax.lax.map(lambda column, told=told: solver.metric(self.system, column, told), unit))
            for told in (likelihoods.metric, likelihoods.on_torus)
        )
        self.rough = np.asarray(
            jax.lax.map(lambda column: solver.approximate_inverse(self.system, column), unit)
        )


@pytest.fixture(scope="module")
def small(state):
    return Small(state)


@pytest.fixture(scope="module")
def right(small):
    return np.random.default_rng(1).standard_normal(small.size) * np.sqrt(np.diag(small.dense))


def test_metric_is_symmetric_and_at_least_the_prior(small):
    assert np.allclose(small.dense, small.dense.T, atol=1e-6 * np.abs(small.dense).max())
    assert np.linalg.eigvalsh(small.dense)[0] > 0.999
    assert np.linalg.eigvalsh(small.dense)[-1] > 1e3  # else there is nothing to test


def test_metric_is_that_of_the_skys_derivative(small):
    """J†KJ + 1 with J by finite differences, for everything but the spectrum."""
    place = jnp.stack(small.vectors).mean(0)
    steepness = sky_model.field_sky(small.model, place)[1]
    system = solver.metric_at(small.model, place, steepness)
    rng = np.random.default_rng(5)
    one, two = (jnp.asarray(rng.standard_normal(small.size)).at[-field.EXCITATIONS :].set(0.0) for _ in "ab")
    slopes = [
        (sky_model.sky(small.model, place + 1e-5 * way) - sky_model.sky(small.model, place - 1e-5 * way)) / 2e-5
        for way in (one, two)
    ]  # fmt: skip
    expected = jnp.vdot(slopes[0], likelihoods.curvature(small.model.likelihood, slopes[1])) + one @ two
    assert float(one @ solver.metric(system, two)) == pytest.approx(float(expected), rel=1e-5)


def test_solution_is_the_exact_one(small, right):
    found, steps, error = solver.solve(small.system, jnp.asarray(right), jnp.zeros(small.size), 1e-4, 300)
    wrong = np.asarray(found) - np.linalg.solve(small.dense, right)
    assert 0 < int(steps) < 300
    assert wrong @ small.dense @ wrong < 1e-2
    assert float(error) <= 1e-4


def test_solver_says_when_it_stopped_early(small, right):
    _, _, error = solver.solve(small.system, jnp.asarray(right), jnp.zeros(small.size), 1e-4, 1)
    assert float(error) > 1e-4


def test_approximate_inverse_is_symmetric_and_positive(small):
    assert np.allclose(small.rough, small.rough.T, atol=1e-9)
    assert np.linalg.eigvalsh((small.rough + small.rough.T) / 2)[0] > 0


def test_approximate_inverse_is_exact_for_the_low_modes_the_points_and_the_spectrum(small):
    """At given others: what P says is known of them is what M says."""
    low = np.asarray(small.system.low)
    assert len(set(low.tolist())) == len(low)
    known = np.linalg.inv(small.rough)[np.ix_(low, low)]
    expected = small.on_torus[np.ix_(low, low)]
    scale = np.sqrt(np.diag(expected))
    assert known / scale / scale[:, None] == pytest.approx(expected / scale / scale[:, None], abs=1e-6)


def test_approximate_inverse_is_near_the_true_one(small):
    """Eigenvalues of P M: the squared frequencies of a trajectory's motion, over those of a perfect mass."""
    root = np.linalg.cholesky(small.dense)
    spread = np.linalg.eigvalsh(root.T @ small.rough @ root)
    assert 0.2 < spread[0] <= spread[-1] < 5
    assert np.mean(np.abs(np.log(spread)) < 0.2) > 0.9


def test_coarse_pixels_are_exact_for_what_they_can_show(small, monkeypatch):
    """A sky of up to 6 cycles with low modes of up to 3 has no more than 9, and 24 pixels can show 11."""
    monkeypatch.setattr(solver, "LOW_MODES", 3.0)
    x = 2 * np.pi * np.arange(N_PIX) / N_PIX
    smooth = np.abs(small.system.sky).mean() * (2 + np.cos(6 * x) + 0.5 * np.sin(5 * x)[:, None])
    flat = small.model.likelihood._replace(attenuation=jnp.ones((N_PIX, N_PIX)))
    bend = jnp.asarray(1 + np.cos(2 * x) * np.sin(x)[:, None]), jnp.zeros(points.EXCITATIONS)
    ways = jnp.asarray(np.stack([smooth, 2 * smooth * np.cos(x), smooth[::-1]])), jnp.eye(3)
    model, made = small.model._replace(likelihood=flat), {}
    for size in (24, N_PIX):
        monkeypatch.setattr(solver, "_coarse_size", lambda *_, size=size: size)
        made[size] = solver.metric_at(model, small.vectors[0], jnp.asarray(smooth), *bend, spectrum=ways)
    assert made[24].coarse.amplitude.shape == (24, 24)
    told = [np.asarray(made[size].told) for size in made]
    assert told[0] == pytest.approx(told[1], abs=1e-9 * np.abs(told[1]).max())
    unit = jnp.eye(small.size)
    rough = np.asarray(jax.lax.map(lambda v: solver.approximate_inverse(made[24], v), unit))
    assert np.allclose(rough, rough.T, atol=1e-9) and np.linalg.eigvalsh((rough + rough.T) / 2)[0] > 0
    # What the grid has not, its Nyquist frequency included, keeps the prior's mass.
    cycles = np.abs(np.fft.fftfreq(N_PIX, 1 / N_PIX))
    fine = np.flatnonzero(np.maximum(cycles, cycles[:, None]) > 12)
    assert np.array_equal(rough[fine], np.eye(small.size)[fine])
    assert np.abs(rough - np.eye(small.size)).max() > 0.5


def test_the_grid_has_the_modes_that_the_data_tell_of(small):
    """White data tell as much of each mode as its amplitude makes it."""
    size = len(small.model.amplitude)
    cycles = np.abs(np.fft.fftfreq(size, 1 / size))
    amplitude = jnp.asarray(np.where(np.maximum(cycles, cycles[:, None]) <= 13, 1.0, 1e-9))
    told = small.model.likelihood._replace(
        periodic=jnp.full((size, size), 10.0 / size**2), attenuation=jnp.ones((size, size))
    )
    model, sky = small.model._replace(amplitude=amplitude, likelihood=told), jnp.ones((size, size))
    for low, expected in ((3.0, 28), (8.0, 36)):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(solver, "LOW_MODES", low)
            assert solver._coarse_size(model, sky) == expected
            assert solver._coarse_size(model, 1e-6 * sky) == (14 if low == 3 else 36)


def test_draws_have_the_approximate_inverse_as_covariance(small):
    count = 4000
    keys = jax.random.split(jax.random.key(3), count)
    drawn = np.asarray(jax.lax.map(lambda key: solver.draw_approximate(small.system, key), keys))
    rng = np.random.default_rng(4)
    ways = rng.standard_normal((30, small.size))
    ways[:3] = np.eye(small.size)[-3:]  # the spectrum
    ways[3:6] = np.eye(small.size)[N_PIX**2 : N_PIX**2 + 3]  # fluxes
    ways[6:9] = np.linalg.eigh(small.dense)[1][:, [-1, -50, 400]].T
    ways[9:20, : N_PIX**2] *= np.geomspace(1, 1e-3, N_PIX**2)[rng.permutation(N_PIX**2)]
    seen = (drawn @ ways.T).var(0)
    expected = np.einsum("ai,ij,aj->a", ways, small.rough, ways)
    assert seen == pytest.approx(expected, rel=4.5 * np.sqrt(2 / count))
    assert np.abs(drawn.mean(0) / np.sqrt(np.diag(small.rough))).max() < 5 / np.sqrt(count)


def test_other_amplitudes_make_the_metric_that_is_theirs(small):
    modes = field.modes(N_PIX)
    spectrum, prior = jnp.array([1.0, -1.0, 0.5]), small.model.prior
    other = jnp.exp(field.log_amplitude(spectrum, modes, prior)[modes.index])
    found = solver.with_amplitude(small.system, other)
    spectrum = small.system.ways, small.system.known
    place = jnp.stack(small.vectors).mean(0)
    expected = solver.metric_at(
        small.model._replace(amplitude=other), place, small.system.sky, spectrum=spectrum
    )
    for name in ("amplitude", "sky", "rows", "columns", "told", "factor"):
        one, two = np.asarray(getattr(found, name)), np.asarray(getattr(expected, name))
        assert np.abs(one - two).max() <= 1e-9 * np.abs(two).max(), name
    for one, two in zip(found.coarse[:-1], expected.coarse[:-1], strict=True):
        assert np.abs(one - two).max() <= 1e-9 * np.abs(two).max()


def test_newtons_bend_is_added_to_the_metric(small):
    rng = np.random.default_rng(6)
    bend = (
        jnp.asarray(rng.exponential(1.0, (N_PIX, N_PIX))),
        jnp.asarray(rng.exponential(1.0, points.EXCITATIONS)),
    )
    place = small.vectors[0]
    plain, bent = (solver.metric_at(small.model, place, small.system.sky, *more) for more in ((), bend))
    vector = jnp.asarray(rng.standard_normal(small.size))
    more = float(vector @ (solver.metric(bent, vector) - solver.metric(plain, vector)))
    modes, point_part, _ = sky_model.split(vector, N_PIX)
    shift = field.log_brightness(modes, small.model.amplitude, 0.0)
    assert more == pytest.approx(
        float((bend[0] * shift**2).sum() + (bend[1] * point_part**2).sum()), rel=1e-9
    )


@pytest.mark.parametrize("sides", field.SIDES)
def test_gradient_of_the_energy_by_finite_differences(small, sides):
    rng = np.random.default_rng(4)
    model = small.model._replace(sides=jnp.asarray(field.SIDES[sides]))
    place = small.vectors[0] + 0.1 * rng.standard_normal(small.size)
    direction, step = rng.standard_normal(small.size), 1e-5
    above, below = (sky_model.expand(model, place + sign * step * direction).value for sign in (1, -1))
    slope = float(jnp.vdot(sky_model.expand(model, place).gradient, direction))
    assert slope == pytest.approx(float(above - below) / (2 * step), rel=1e-4)


def test_energy_differences_are_those_of_the_gridder(small, windows, worked):
    skies = [np.asarray(sky_model.sky(small.model, vector)) for vector in small.vectors[:2]]
    exact = [
        0.5 * sum(
            (windows[name].weight.values * np.abs(residual) ** 2).sum()
            for name, residual in likelihoods.residuals(windows, sky, worked).items()
        )
        for sky in skies
    ]  # fmt: skip
    fast = [float(likelihoods.energy(small.model.likelihood, sky)) for sky in skies]
    assert fast[1] - fast[0] == pytest.approx(exact[1] - exact[0], abs=0.1)
