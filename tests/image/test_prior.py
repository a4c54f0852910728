"""What an expert says of the prior is what inference believes, and a spectrum that may bend finds a bump."""

import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.config.image import Prior
from almabrain.image import field, inference, likelihood, posterior_tables, sampler
from almabrain.image import model as sky_model
from almabrain.image.refine import Samples

from .conftest import ARRAY, observe

BRIGHT = 3.0  # offset of the skies here, in units of the noise in a beam: their modes can be measured


@pytest.fixture(scope="module")
def modes():
    return field.modes(36)


@pytest.fixture(scope="module")
def bumped(modes):
    """ln P of every mode length: the law, and about k = 7 a bump of a factor of 20."""
    prior, length = field.prior(modes), np.asarray(modes.length)
    spectrum = (jnp.log(jnp.array([1.5, 2.0, 3.0])) - prior.mean) / prior.std
    power = 2 * np.array(field.log_amplitude(spectrum, modes, prior))
    power[1:] += 3.0 * np.exp(-0.5 * (np.log(length[1:] / 7) / 0.25) ** 2)
    return power


@pytest.fixture(scope="module")
def seen(modes, bumped, worked):
    """Visibilities of a sky with that spectrum, and its offset."""
    empty = {"spw0": observe([[0, 0, 0, 0, 0, 0]], sigma_jy=0.5, seed=7, place=ARRAY)}
    noise = likelihood.rms(likelihood.build(empty, worked)) / worked.natural_beam_arcsec2
    white = jnp.asarray(np.random.default_rng(1).standard_normal((36, 36)))
    amplitude = jnp.exp(0.5 * jnp.asarray(bumped))[modes.index]
    sky, _ = field.sky(white, amplitude, np.log(BRIGHT * noise), worked.cell_arcsec**2)
    model = likelihood.model_visibilities(empty, np.asarray(sky), worked)
    windows = {
        name: window.assign(visibility=window.visibility + model[name]) for name, window in empty.items()
    }
    return windows, float(np.log(BRIGHT * noise))


def infer(seen, worked, rounds=20, **wanted):
    windows, offset = seen
    prior = Prior(offset=offset, **wanted)
    return inference.infer(inference.Data(windows), worked, rounds, 1, "bump", prior=prior)


@pytest.fixture(scope="module")
def bent(seen, worked):
    return infer(seen, worked, flexibility=8.0)


def spectra(state, modes):
    """ln P (draw, length) of the draws."""
    prior = state.model.prior
    return np.array(
        [2 * field.log_amplitude(vector[-prior.excitations :], modes, prior) for vector in state.draws]
    )


def test_a_bump_is_found_by_a_spectrum_that_may_bend(seen, worked, modes, bumped, bent):
    """Where rings have many modes and the data see them; the law alone can but smooth it over."""
    length = np.asarray(modes.length)
    measured = (length >= 3) & (length <= 12)
    stiff = infer(seen, worked)
    drawn = {name: spectra(state, modes)[:, measured] for name, state in (("law", stiff), ("bent", bent))}
    error = {name: drawn[name].mean(0) - bumped[measured] for name in drawn}
    rms = {name: np.sqrt(np.mean(values**2)) for name, values in error.items()}
    assert rms["law"] > 0.8 and rms["bent"] < 0.5 * rms["law"]
    assert np.mean(np.abs(error["bent"]) < 2.5 * drawn["bent"].std(0)) > 0.9


def test_gradient_and_coordinates_of_a_spectrum_that_may_bend(bent):
    mass = sampler.masses(bent.model, bent.vectors, bent.vectors)[0]
    rng = np.random.default_rng(2)
    place = sampler.position(bent.model, mass, bent.vectors[0])
    place = place + 0.1 * rng.standard_normal(len(place))
    again = sampler.position(bent.model, mass, sampler.excitations(bent.model, mass, place))
    assert np.asarray(again) == pytest.approx(np.asarray(place), rel=1e-9)
    gradient = sampler.energy(bent.model, mass, place)[1]
    ways = np.eye(len(place))[-bent.model.prior.excitations :]
    for way in (*ways, rng.standard_normal(len(place))):
        above, below = (sampler.energy(bent.model, mass, place + step * way)[0] for step in (1e-5, -1e-5))
        assert float(gradient @ way) == pytest.approx(float(above - below) / 2e-5, rel=1e-4, abs=1e-3)


def test_all_of_it_is_told(bent, worked):
    table = posterior_tables.parameters(Samples(bent.model, bent.draws), float(bent.model.offset), worked)
    names = [*field.PARAMETERS, *(f"deviation {number}" for number in range(1, 9)), "zero_mode", "offset"]
    assert list(table["parameter"][: len(names)]) == names
    deviations = table[3:11]
    assert np.all(deviations["prior_mean"] == 0) and np.all(deviations["prior_std"] == 1)
    drawn = np.array([vector[-8:] for vector in bent.draws])
    assert np.asarray(deviations["mean"]) == pytest.approx(drawn.mean(0))
    assert np.abs(drawn.mean(0)).max() > 1  # the bump


def test_a_narrow_prior_is_believed_and_told(state, windows, worked):
    """Its values are arguments: nothing is compiled for them that the usual ones do not need."""
    for function in (sky_model.sky, sky_model.expand):
        function(state.model, state.vectors[0])
    compiled = sky_model.sky._cache_size(), sky_model.expand._cache_size()
    wanted = Prior(slope=(-3.0, 0.05), k0=(4.0, 0.1), zero_mode=0.5)
    state = inference.infer(inference.Data(windows), worked, 20, 1, "test", prior=wanted)
    assert (sky_model.sky._cache_size(), sky_model.expand._cache_size()) == compiled
    table = posterior_tables.parameters(Samples(state.model, state.draws), 0.0, worked)
    table.add_index("parameter")
    for name, value, wide in (("ln_fall", np.log(1.0), 0.05), ("ln_k0", np.log(4.0), 0.025)):
        row = table.loc[name]
        assert (row["prior_mean"], row["prior_std"]) == pytest.approx((value, wide), abs=0.003)
        assert abs(row["mean"] - value) < 3 * wide and row["std"] < 2 * wide
    assert table.loc["zero_mode"]["prior_std"] == 0.5
    assert table.loc["ln_std"]["prior_std"] == field.STD[0]


def test_an_offset_is_held_where_it_was_put(windows, worked, caplog):
    """And dark skies are floored at the same brightness as ever."""
    usual = inference.start(inference.Data(windows), worked, "positive").model
    assert not caplog.text
    for shift in (-3.0, 8.0):
        offset = float(usual.offset) + shift
        model = inference.start(inference.Data(windows), worked, "positive", Prior(offset=offset)).model
        assert float(model.offset) == offset
        noise, same = (each.offset - jnp.log(each.prior.offset_sigma) for each in (model, usual))
        assert float(noise) == pytest.approx(float(same))
        assert ("keep a halo" in caplog.text) == (shift > np.log(100))
