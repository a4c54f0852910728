"""The field's prior has the spectrum that its parameters say."""

import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.image import field

N_PIX = 36


@pytest.fixture(scope="module")
def modes():
    return field.modes(N_PIX)


@pytest.mark.parametrize("parameters", [(0.0, 0.5, 0.0), (1.5, 2.0, 1.4), (-1.0, -1.0, -3.0)])
def test_std_of_the_log_brightness_is_the_one_asked_for(modes, parameters):
    amplitude = np.exp(field.log_amplitude(jnp.asarray(parameters), modes))
    assert np.sum(np.asarray(modes.count)[1:] * amplitude[1:] ** 2) == pytest.approx(
        np.exp(2 * parameters[0])
    )
    assert amplitude[0] == pytest.approx(field.ZERO_MODE_STD)


def test_draws_have_that_std_too(modes):
    amplitude = jnp.exp(field.log_amplitude(jnp.array([0.5, 1.0, 0.7]), modes))[modes.index]
    rng = np.random.default_rng(0)
    draws = np.array(
        [field.log_brightness(rng.standard_normal((N_PIX, N_PIX)), amplitude, 7.0) for _ in range(400)]
    )
    assert draws.mean() == pytest.approx(7.0, abs=5 * field.ZERO_MODE_STD / 20)
    around = draws - draws.mean((1, 2), keepdims=True)
    assert np.sqrt(np.mean(around**2)) == pytest.approx(np.exp(0.5), rel=0.05)


def test_spectrum_bends_where_and_as_it_should(modes):
    """a² = A (1 + (k/k0)²)^(slope/2), so that it falls as k^slope far beyond k0 and by 2^(slope/2) at k0."""
    ln_k0, slope = np.log(3.0), -5.0
    power = np.exp(2 * field.log_amplitude(jnp.array([0.0, ln_k0, np.log(-slope - 2)]), modes))
    length = np.asarray(modes.length)
    at = {k: power[np.argmin(np.abs(length - k))] for k in (1, 3)}
    assert at[3] / at[1] == pytest.approx((2 / (1 + 1 / 9)) ** (slope / 2))
    far = length > 15
    slopes = np.polyfit(np.log(length[far]), np.log(power[far]), 1)
    assert slopes[0] == pytest.approx(slope, abs=0.3)


def test_finer_grids_know_the_same_law(modes):
    parameters, finer = field.parameters(jnp.array([0.3, -0.5, 1.0])), field.modes(2 * N_PIX)
    coarse = field.log_amplitude(parameters, modes)
    same = field.log_amplitude(parameters, modes, finer.length)
    places = np.searchsorted(np.asarray(finer.length) + 1e-6, np.asarray(modes.length))
    assert np.asarray(finer.length)[places] == pytest.approx(np.asarray(modes.length))
    assert np.asarray(same)[places] == pytest.approx(np.asarray(coarse))


def test_parameters_of_excitations_are_the_prior():
    assert np.asarray(field.parameters(jnp.zeros(3))) == pytest.approx(field.MEAN)
    assert np.asarray(field.parameters(jnp.ones(3)) - field.MEAN) == pytest.approx(field.STD)


def test_radial_mean_is_that_of_each_ring(modes):
    image = np.random.default_rng(1).standard_normal((N_PIX, N_PIX))
    expected = [image[np.asarray(modes.index) == ring].mean() for ring in range(len(modes.length))]
    assert field.radial_mean(image, modes) == pytest.approx(np.array(expected))


def test_offset_is_a_brightness_far_below_the_noise():
    assert np.exp(field.prior_offset(0.01, 4.0)) * 4.0 == pytest.approx(field.OFFSET_SIGMA * 0.01)
