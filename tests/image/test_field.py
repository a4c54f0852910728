"""The field's prior has the spectrum that its parameters say."""

import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.config.image import Prior
from almabrain.image import field

N_PIX = 36


@pytest.fixture(scope="module")
def modes():
    return field.modes(N_PIX)


@pytest.fixture(scope="module")
def prior(modes):
    return field.prior(modes)


def excitation(parameters, prior):
    """The inverse of `field.parameters`."""
    return (jnp.asarray(parameters) - prior.mean) / prior.std


@pytest.mark.parametrize("parameters", [(0.0, 0.5, 0.0), (1.5, 2.0, 1.4), (-1.0, -1.0, -3.0)])
def test_std_of_the_log_brightness_is_the_one_asked_for(modes, prior, parameters):
    amplitude = np.exp(field.log_amplitude(excitation(parameters, prior), modes, prior))
    assert np.sum(np.asarray(modes.count)[1:] * amplitude[1:] ** 2) == pytest.approx(
        np.exp(2 * parameters[0])
    )
    assert amplitude[0] == pytest.approx(field.ZERO_MODE_STD)


def test_draws_have_that_std_too(modes, prior):
    spectrum = excitation([0.5, 1.0, 0.7], prior)
    amplitude = jnp.exp(field.log_amplitude(spectrum, modes, prior))[modes.index]
    rng = np.random.default_rng(0)
    draws = np.array(
        [field.log_brightness(rng.standard_normal((N_PIX, N_PIX)), amplitude, 7.0) for _ in range(400)]
    )
    assert draws.mean() == pytest.approx(7.0, abs=5 * field.ZERO_MODE_STD / 20)
    around = draws - draws.mean((1, 2), keepdims=True)
    assert np.sqrt(np.mean(around**2)) == pytest.approx(np.exp(0.5), rel=0.05)


def test_spectrum_bends_where_and_as_it_should(modes, prior):
    """a² = A (1 + (k/k0)²)^(slope/2), so that it falls as k^slope far beyond k0 and by 2^(slope/2) at k0."""
    ln_k0, slope = np.log(3.0), -5.0
    spectrum = excitation([0.0, ln_k0, np.log(-slope - 2)], prior)
    power = np.exp(2 * field.log_amplitude(spectrum, modes, prior))
    length = np.asarray(modes.length)
    at = {k: power[np.argmin(np.abs(length - k))] for k in (1, 3)}
    assert at[3] / at[1] == pytest.approx((2 / (1 + 1 / 9)) ** (slope / 2))
    far = length > 15
    slopes = np.polyfit(np.log(length[far]), np.log(power[far]), 1)
    assert slopes[0] == pytest.approx(slope, abs=0.3)


def test_parameters_of_excitations_are_the_prior(prior):
    assert np.asarray(field.parameters(jnp.zeros(3), prior)) == pytest.approx(field.MEAN)
    assert np.asarray(field.parameters(jnp.ones(3), prior) - field.MEAN) == pytest.approx(field.STD)


def test_an_experts_prior_has_the_moments_that_were_asked_for(modes):
    """Of draws of its excitations; what was not asked for stays."""
    wanted = Prior(fluctuations=(2.0, 0.5), slope=(-4.0, 0.8), k0=(6.0, 3.0), zero_mode=0.3, offset=-9.0)
    prior = field.prior(modes, wanted, noise=1e-3)
    white = np.random.default_rng(2).standard_normal((100_000, 3))
    ln_std, ln_k0, ln_fall = np.transpose([prior.mean + prior.std * white])[:, :, 0]
    for drawn, (mean, std) in (
        (np.exp(ln_std), (2.0, 0.5)), (-2 - np.exp(ln_fall), (-4.0, 0.8)), (np.exp(ln_k0), (6.0, 3.0)),
    ):  # fmt: skip
        assert drawn.mean() == pytest.approx(mean, rel=0.01)
        assert drawn.std() == pytest.approx(std, rel=0.03)
    assert np.exp(field.log_amplitude(jnp.zeros(3), modes, prior)[0]) == pytest.approx(0.3)
    assert float(prior.offset_sigma) == pytest.approx(np.exp(-9) / 1e-3)
    other = field.prior(modes, Prior(k0=(6.0, 3.0)))
    assert np.asarray(other.mean)[[0, 2]] == pytest.approx(field.MEAN[[0, 2]])
    assert float(other.offset_sigma) == field.OFFSET_SIGMA and prior.excitations == other.excitations == 3


@pytest.mark.parametrize("flexibility, asperity", [(0.7, 0.0), (0.5, 2.0)])
def test_deviations_are_a_wiener_process_of_the_slope_without_its_line(modes, flexibility, asperity):
    """Against random walks of a fine step, each less its straight line in ln k."""
    rng, steps = np.random.default_rng(3), 400
    at = np.linspace(0, np.log(np.asarray(modes.length).max()), steps)
    step = at[1]
    slope = np.cumsum(flexibility * np.sqrt(step) * rng.standard_normal((4000, steps)), axis=1)
    walk = np.cumsum(slope * step, axis=1)
    walk += np.cumsum(flexibility * np.sqrt(asperity * step) * rng.standard_normal((4000, steps)), axis=1)
    line = np.polynomial.polynomial.polyvander(at, 1)
    walk -= walk @ np.linalg.pinv(line).T @ line.T
    prior = field.prior(modes, Prior(flexibility=flexibility, asperity=asperity))
    assert prior.excitations == 3 + field.DEVIATIONS and np.all(np.asarray(prior.deviations)[0] == 0)
    known = np.searchsorted(at, np.log(np.asarray(modes.length)[1:]) - 1e-9)
    found = np.asarray((prior.deviations**2).sum(1))[1:]
    expected = walk.var(0)[known]
    # Smooth walks are all in the first few components; of rough ones a fifth is not.
    missing = 0.01 if asperity == 0 else 0.2
    assert 1 - missing - 0.05 < found.sum() / expected.sum() < 1.05
    assert np.all(found - expected < 0.1 * expected.max())
    assert np.all(expected - found < (missing + 0.1) * expected.max())


def test_deviations_keep_the_std(modes):
    prior = field.prior(modes, Prior(flexibility=1.0))
    spectrum = jnp.asarray(np.random.default_rng(1).standard_normal(prior.excitations))
    amplitude = np.exp(field.log_amplitude(spectrum, modes, prior))
    plain = np.exp(field.log_amplitude(spectrum[:3], modes, field.prior(modes)))
    count = np.asarray(modes.count)[1:]
    assert (count * amplitude[1:] ** 2).sum() == pytest.approx((count * plain[1:] ** 2).sum())
    assert np.abs(np.log(amplitude / plain)).max() > 0.1


def test_radial_mean_is_that_of_each_ring(modes):
    image = np.random.default_rng(1).standard_normal((N_PIX, N_PIX))
    expected = [image[np.asarray(modes.index) == ring].mean() for ring in range(len(modes.length))]
    assert field.radial_mean(image, modes) == pytest.approx(np.array(expected))


def test_offset_is_a_brightness_far_below_the_noise():
    assert np.exp(field.prior_offset(0.01, 4.0)) * 4.0 == pytest.approx(field.OFFSET_SIGMA * 0.01)
