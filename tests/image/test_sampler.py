"""Trajectories keep the posteriors that are known: the prior's own, that of a bright point, and of drawn skies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.image import field, likelihood, points, sampler, solver
from almabrain.image import model as sky_model

N_PIX = 36
SPECTRUM = slice(-field.EXCITATIONS, None)


@pytest.fixture(scope="module")
def masses(state):
    return sampler.masses(state.model, state.vectors, state.vectors)


@pytest.fixture(scope="module")
def somewhere(state, masses):
    """A mass and a position away from where it was made, in all coordinates."""
    rng = np.random.default_rng(2)
    place = sampler.position(state.model, masses[1], state.vectors[1])
    return masses[1], place + 0.2 * rng.standard_normal(len(place))


def apart(spectrum, mass):
    """ln of the amplitudes by mode (N, N) over the central ones."""
    own = field.log_amplitude(spectrum, mass.modes, mass.prior)
    return own[mass.modes.index] - sampler.mirrored(mass.central)


def test_gradient_by_finite_differences_in_all_coordinates(state, somewhere):
    mass, place = somewhere
    value, gradient = sampler.energy(state.model, mass, place)
    ways = np.random.default_rng(3).standard_normal((8, len(place)))
    ways[0, N_PIX**2 :] = 0
    ways[1, : N_PIX**2] = ways[1, SPECTRUM] = 0
    ways[2:5] = np.eye(len(place))[SPECTRUM]
    ways[5] = np.eye(len(place))[0]
    ways[6] = np.eye(len(place))[N_PIX**2 + 1]
    for way in ways:
        above, below = (sampler.energy(state.model, mass, place + step * way)[0] for step in (1e-5, -1e-5))
        expected = float(above - below) / 2e-5
        assert float(gradient @ way) == pytest.approx(expected, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("sides", ["negative", "signed"])
def test_gradient_of_fields_that_are_not_positive(state, somewhere, sides):
    mass, place = somewhere
    model = state.model._replace(sides=jnp.asarray(field.SIDES[sides]))
    way = np.random.default_rng(3).standard_normal(len(place))
    above, below = (sampler.energy(model, mass, place + step * way)[0] for step in (1e-6, -1e-6))
    gradient = sampler.energy(model, mass, place)[1]
    assert float(gradient @ way) == pytest.approx(float(above - below) / 2e-6, rel=1e-4)


def test_energy_is_the_posteriors_density_in_the_chains_coordinates(state, somewhere):
    """−ln L + ½ξ² of the standard normal excitations, and the volume that goes with t = u a^w instead of ξ = t/a."""
    mass, place = somewhere
    values = []
    for position in (place, place.at[SPECTRUM].set(jnp.array([0.3, -0.2, 0.5]))):
        vector = sampler.excitations(state.model, mass, position)
        modes, point_part, spectrum = sky_model.split(vector, N_PIX)
        stretch = apart(spectrum, mass)
        amplitude = mass.system.amplitude * jnp.exp(stretch)
        white = state.model.amplitude * modes / amplitude
        prior = 0.5 * ((white**2).sum() + (point_part**2).sum() + (spectrum**2).sum())
        share = sampler.mirrored(mass.noncentring)
        sky = sky_model.sky(state.model, vector)
        values.append(
            likelihood.energy(state.model.likelihood, sky) + prior + ((1 - share) * stretch).sum()
            - sampler.energy(state.model, mass, position)[0]
        )  # fmt: skip
    assert float(values[0] - values[1]) == pytest.approx(0, abs=1e-6)


def test_positions_and_excitations_are_inverse(state, somewhere):
    mass, place = somewhere
    again = sampler.position(state.model, mass, sampler.excitations(state.model, mass, place))
    assert np.asarray(again) == pytest.approx(np.asarray(place), rel=1e-9)


def test_only_what_the_data_leave_open_follows_the_spectrum(state, somewhere):
    """Amplitudes t of modes go as a^w when the spectrum changes and the position does not."""
    mass, place = somewhere
    moved = place.at[SPECTRUM].add(jnp.array([0.5, 0.3, -0.4]))
    shift = apart(moved[SPECTRUM], mass) - apart(place[SPECTRUM], mass)
    one, two = (sampler.excitations(state.model, mass, item)[: N_PIX**2] for item in (place, moved))
    share = sampler.mirrored(mass.noncentring).ravel()
    assert np.log(np.abs(two / one)) == pytest.approx(np.asarray(share * shift.ravel()), abs=1e-9)
    assert share.min() < 0.2 and share.max() > 0.9  # of modes that the data fix, and that they do not see


def moved(model, mass, start, seed, step, count, times=1):
    """Excitations after so many trajectories from excitations `start`, and their mean acceptance."""
    place, chances = sampler.position(model, mass, start), []
    for key in jax.random.split(jax.random.key(seed), times):
        place, told = sampler.trajectory(model, mass, place, key, step, count)
        chances.append(float(told.acceptance))
    return np.asarray(sampler.excitations(model, mass, place)), np.mean(chances)


def standard(mass, model, vector):
    """The excitations of a vector as standard normals of its own spectrum."""
    white = np.asarray(model.amplitude * vector[: N_PIX**2].reshape(N_PIX, N_PIX) / mass.system.amplitude)
    white = white / np.exp(np.asarray(apart(jnp.asarray(vector[SPECTRUM]), mass)))
    return np.concatenate([white.ravel(), vector[N_PIX**2 :]])


def meant(mass, model, white):
    """The inverse of `standard`."""
    amplitude = mass.system.amplitude * jnp.exp(apart(jnp.asarray(white[SPECTRUM]), mass))
    modes = amplitude * white[: N_PIX**2].reshape(N_PIX, N_PIX) / model.amplitude
    return jnp.concatenate([modes.ravel(), jnp.asarray(white[N_PIX**2 :])])


def dark(model):
    """The model without data, for the same compiled functions."""
    blind = jax.tree.map(jnp.zeros_like, model.likelihood)
    return model._replace(likelihood=blind._replace(data_energy=0.0, n_data=1.0))


def test_without_data_the_prior_is_kept(state, masses):
    """Whatever the mass and the coordinates, which are those of real data: excitations stay standard normals."""
    model, mass, rng, count = dark(state.model), masses[0], np.random.default_rng(4), 120
    before = rng.standard_normal((count, len(state.vectors[0])))
    made = [
        moved(model, mass, meant(mass, model, white), seed, 0.35, 10, 4) for seed, white in enumerate(before)
    ]
    assert np.mean([chance for _, chance in made]) > 0.3
    after = np.array([standard(mass, model, vector) for vector, _ in made])
    went = after[:, SPECTRUM] - before[:, SPECTRUM]
    assert went.std() > 0.2  # else this says nothing
    spread = 4.5 / np.sqrt(count)
    for values in (*after[:, SPECTRUM].T, after[:, 0], after[:, 1], after[:, N_PIX], after[:, N_PIX**2]):
        assert values.mean() == pytest.approx(0, abs=spread)
        assert values.var() == pytest.approx(1, abs=1.5 * spread)
    # Each ring of modes has its variance, and the spectrum nothing to do with it.
    power = np.array(
        [field.radial_mean(white[: N_PIX**2].reshape(N_PIX, N_PIX) ** 2, mass.modes) for white in after]
    )
    scatter = np.sqrt(2 / (count * np.asarray(mass.modes.count)))
    assert np.abs((power.mean(0) - 1) / scatter).max() < 5
    mean_power = power[:, 1:12].mean(1)
    assert abs(np.corrcoef(after[:, -3], mean_power)[0, 1]) < spread


def test_posterior_of_a_bright_point_is_the_gaussian_that_it_has_to_be(state):
    """A point at S/N 100 in a dark field: flux and place are normal, with the inverse of the information."""
    places = points.none(N_PIX)
    places = places._replace(
        x=places.x.at[0].set(20.3), y=places.y.at[0].set(15.6), on=places.on.at[0].set(1.0),
        scale=places.scale * likelihood.rms(state.model.likelihood),
    )  # fmt: skip
    model = state.model._replace(points=places, offset=jnp.asarray(-60.0))
    noise = likelihood.rms(model.likelihood)
    truth = jnp.zeros(sky_model.size(N_PIX)).at[N_PIX**2].set(points.unlikeliness(100 * noise, noise))
    curved = likelihood.curvature(model.likelihood, sky_model.sky(model, truth))
    model = model._replace(likelihood=model.likelihood._replace(information=curved))
    part = truth[N_PIX**2 : -field.EXCITATIONS]
    rows, columns = points.derivative(places, part, N_PIX)
    own = np.array([0, points.SLOTS, 2 * points.SLOTS])
    ways = jnp.einsum("qy,qx->qyx", rows[own], columns[own])
    told = [likelihood.curvature(model.likelihood, way) for way in ways]
    covariance = np.linalg.inv(np.einsum("ayx,byx->ab", ways, np.array(told)) + np.eye(3))
    mass = sampler.masses(model, [truth], [truth])[0]
    drawn, chances, rng = [], [], np.random.default_rng(5)
    for chain in range(12):
        # All else is the prior's, and begins as a draw of it.
        white = rng.standard_normal(len(truth))
        white[N_PIX**2 + own] = part[own]
        vector = meant(mass, model, white)
        for number in range(20):
            vector, chance = moved(model, mass, vector, 100 * chain + number, 0.25, 8)
            chances.append(chance)
            if number >= 4:
                drawn.append(vector)
    assert np.mean(chances) > 0.6
    drawn = np.array(drawn)[:, N_PIX**2 + own] - np.asarray(part)[own]
    effective = len(drawn) / 3
    for index in range(3):
        std = np.sqrt(covariance[index, index])
        assert drawn[:, index].mean() == pytest.approx(0, abs=4 * std / np.sqrt(effective) + 0.02 * std)
        assert drawn[:, index].std() == pytest.approx(std, rel=3 * np.sqrt(0.5 / effective))


def test_skies_of_the_prior_are_kept_by_the_data_they_would_make(state, masses, windows, worked):
    """Truth and a draw of the posterior that its data have are exchangeable (Geweke 2004, JASA 99, 799)."""
    rng, count = np.random.default_rng(6), 120
    model = state.model._replace(offset=state.model.offset - 2.0)
    # One mass for all, which knows how bright such skies can be: it must not depend on where a chain begins.
    whites = rng.standard_normal((40, len(state.vectors[0])))
    bright = [meant(masses[0], model, white) for white in whites]
    mass = sampler.masses(model, bright, bright)[0]
    pairs, chances = [], []
    for seed in range(count):
        truth = meant(mass, model, rng.standard_normal(len(state.vectors[0])))
        sky = sky_model.sky(model, truth)
        information = likelihood.curvature(model.likelihood, sky)
        information = information + likelihood.noise_information(windows, worked, rng)
        given = model._replace(likelihood=model.likelihood._replace(information=information))
        end, chance = moved(given, mass, truth, seed, 0.15, 12, 3)
        chances.append(chance)
        pairs.append([told(model, np.asarray(truth)), told(model, end)])
    assert np.mean(chances) > 0.25
    before, after = np.swapaxes(pairs, 0, 1)
    for one, two in zip(before.T, after.T, strict=True):
        for power in (1, 2):
            difference = (two - one.mean()) ** power - (one - one.mean()) ** power
            assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(count)


def told(model, vector):
    return np.array([*vector[SPECTRUM], np.log(float(sky_model.sky(model, jnp.asarray(vector)).sum()))])


def test_trajectories_are_reversible(state, masses, monkeypatch):
    """With the velocity it ended with turned round, a trajectory goes back to where it came from."""
    mass, count, key = masses[0], 6, jax.random.key(1)
    start = sampler.position(state.model, mass, state.vectors[0])
    step = 0.1 * float(jax.random.uniform(jax.random.split(key, 3)[2], minval=0.8, maxval=1.2))
    path = [start]
    for steps in (count - 1, count):
        end, told = sampler.trajectory(state.model, mass, start, key, 0.1, steps)
        assert not np.array_equal(end, start) and float(told.acceptance) > 0.5
        path.append(end)
    slope = sampler.energy(state.model, mass, path[-1])[1]
    kick = np.tan(step / 2) * solver.approximate_inverse(mass.system, slope)
    velocity = (path[-1] - path[-2]) / np.sin(step) - kick
    monkeypatch.setattr(solver, "draw_approximate", lambda *_: -velocity)
    back, _ = sampler.trajectory.__wrapped__(state.model, mass, path[-1], key, 0.1, count)
    assert np.asarray(back) == pytest.approx(np.asarray(start), abs=1e-4)  # single precision


def test_energy_errors_fall_as_the_square_of_the_step(state, masses):
    """Of the same trajectories with half the step; only those that lose energy tell."""
    errors = []
    for step, count in ((0.08, 12), (0.04, 24)):
        chances = []
        for number, (mass, vector) in enumerate(zip(masses, state.vectors, strict=True)):
            place = sampler.position(state.model, mass, vector)
            for key in jax.random.split(jax.random.key(number), 6):
                chances.append(float(sampler.trajectory(state.model, mass, place, key, step, count)[1][0]))
        errors.append(-np.log(chances))
    lossy = errors[1] > 0
    assert np.count_nonzero(lossy) >= 10
    assert errors[0][lossy].sum() / errors[1][lossy].sum() == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize(("brighter", "error"), [(1.0, 0.001), (30.0, 0.5)])
def test_single_precision_holds_energies(state, brighter, error):
    """At draws about a place, also of peaks of thousands of σ, where energies are 10⁴ times what draws differ by."""
    told = state.model.likelihood
    parts = (told.parts[0]._replace(transfer=brighter**2 * told.parts[0].transfer),)
    more = {name: brighter**2 * getattr(told, name) for name in ("information", "periodic", "diagonal")}
    model = state.model._replace(likelihood=told._replace(parts=parts, **more))
    mass = sampler.masses(model, state.vectors[:1], state.vectors[:1])[0]
    place = sampler.position(model, mass, state.vectors[0])
    about, _ = sky_model.anchored(model, mass.anchor)
    draws = [solver.draw_approximate(mass.system, key) for key in jax.random.split(jax.random.key(1), 8)]
    places = [(place + 0.3 * draw).astype(sampler.PRECISION) for draw in draws]
    exact = np.array([float(sampler.energy(model, mass, here.astype(float))[0]) for here in places])
    single = np.array([float(sampler.energy(about, mass, here)[0]) for here in places])
    assert np.ptp(exact) > 10
    assert single - single[0] == pytest.approx(exact - exact[0], abs=error)


def test_a_position_without_finite_energy_is_never_reached(state, masses):
    place = sampler.position(state.model, masses[0], state.vectors[0])
    end, told = sampler.trajectory(state.model, masses[0], place, jax.random.key(0), 50.0, 8)
    assert np.array_equal(end, place) and float(told.acceptance) < 1e-3 and np.isfinite(float(told.energy))
