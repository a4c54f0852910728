"""Dirty images and PSFs against the direct Fourier sum."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import j1

from almabrain.response.beam import fit_beam
from almabrain.response.grid import LARGEST_PLANAR_PHASE, adjoint, dirty_image, largest_w_phase, psf
from almabrain.response.predict import predict_image

from .conftest import ARCSEC, C, fourier_sum, pixel_directions


def slow_dirty(uvw, frequency, visibility, weight, n_pix, cell):
    l, m = pixel_directions(n_pix, cell)
    total = np.zeros((n_pix, n_pix))
    n = np.sqrt(1 - l**2 - m**2)
    for r, (u, v, w) in enumerate(uvw):
        for k, f in enumerate(frequency):
            phase = -2j * np.pi * f / C * (u * l + v * m + w * (n - 1))
            total += (weight[r, k] * visibility[r, k] * np.exp(phase)).real
    return total / weight.sum()


def test_dirty_image_is_the_direct_sum(coverage):
    uvw, frequency = coverage
    rng = np.random.default_rng(3)
    shape = (len(uvw), 2)
    visibility = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    weight = rng.uniform(0.5, 2, shape)
    got = dirty_image(uvw, frequency, visibility, weight, 32, 3 * ARCSEC, epsilon=1e-9)
    np.testing.assert_allclose(got, slow_dirty(uvw, frequency, visibility, weight, 32, 3 * ARCSEC), atol=1e-8)


def test_two_sources_come_back_where_they_were(coverage):
    uvw, frequency = coverage
    cell = 0.5 * ARCSEC
    l, m = pixel_directions(64, cell)
    pixels = [(40, 12), (20, 50)]
    where = tuple(np.array(pixels).T)
    visibility = fourier_sum(uvw, frequency, np.array([1.0, 0.8]), l[where], m[where])
    image = dirty_image(uvw, frequency, visibility, np.ones(visibility.shape), 64, cell)
    assert np.unravel_index(image.argmax(), image.shape) == pixels[0]
    assert image[pixels[1]] > 0.7
    mirrored = image[64 - 40, 64 - 12]
    assert mirrored < 0.5


def test_weightless_samples_do_not_count(coverage):
    uvw, frequency = coverage
    weight = np.ones((len(uvw), 2))
    weight[50:] = 0
    visibility = np.ones(weight.shape, complex)
    visibility[50:] = np.nan
    got = dirty_image(uvw, frequency, visibility, weight, 32, ARCSEC)
    want = dirty_image(uvw[:50], frequency, visibility[:50], weight[:50], 32, ARCSEC)
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert not dirty_image(uvw, frequency, visibility, 0 * weight, 32, ARCSEC).any()


def test_psf_is_one_at_the_centre(coverage):
    uvw, frequency = coverage
    weight = np.random.default_rng(1).uniform(size=(len(uvw), 2))
    beam = psf(uvw, frequency, weight, 64, ARCSEC)
    np.testing.assert_allclose(beam[32, 32], 1, rtol=1e-6)
    assert beam.max() == beam[32, 32]


def test_adjoint_of_predict(coverage):
    uvw, frequency = coverage
    rng = np.random.default_rng(5)
    sky = rng.normal(size=(48, 48))
    data = rng.normal(size=(len(uvw), 2)) + 1j * rng.normal(size=(len(uvw), 2))
    forward = np.vdot(predict_image(uvw, frequency, sky, ARCSEC, epsilon=1e-10), data).real
    backward = np.vdot(sky, adjoint(uvw, frequency, data, 48, ARCSEC, epsilon=1e-10))
    np.testing.assert_allclose(forward, backward, rtol=1e-8)


def test_planar_is_the_phase_criterion():
    frequency = np.array([100e9])
    field = 60 * ARCSEC
    corner = 2 * (field / 2) ** 2 / 2
    w_limit_m = 1e-3 / (2 * np.pi * corner) * C / 100e9
    phase = largest_w_phase(np.array([[0, 0, 0.5], [0, 0, -0.98 * w_limit_m]]), frequency, field)
    assert phase == pytest.approx(0.98e-3, rel=1e-6) and LARGEST_PLANAR_PHASE == 1e-3


def test_psf_of_a_gaussian_coverage_has_its_analytic_beam():
    """Weights exp(−u²/2σ²) along two axes give a Gaussian of FWHM √(8 ln 2)/(2πσ), turned as they are."""
    step = np.linspace(-4, 4, 81)
    along, across = (axis.ravel() for axis in np.meshgrid(step, step))
    weight = np.exp(-(along**2 + across**2) / 2)[:, None]
    sin, cos = np.sin(np.radians(25.0)), np.cos(np.radians(25.0))
    sigma = np.array([400.0, 600.0])  # wavelengths; the beam is long where the coverage is short
    u = sigma[0] * along * sin + sigma[1] * across * cos
    v = sigma[0] * along * cos - sigma[1] * across * sin
    uvw = np.stack([u, v, 0 * u], axis=1) * C / 100e9
    beam = fit_beam(psf(uvw, np.array([100e9]), weight, 128, 12 * ARCSEC), 12.0)
    expected = np.sqrt(8 * np.log(2)) / (2 * np.pi * sigma) / ARCSEC
    assert [beam.major_arcsec, beam.minor_arcsec] == pytest.approx(expected, rel=1e-3)
    assert beam.pa_deg == pytest.approx(25.0, abs=0.1)


def test_psf_of_a_filled_disc_has_its_analytic_width():
    """2J₁(πDθ)/(πDθ) of an aperture plane filled out to D/2 wavelengths: it falls to half at 0.705/D."""
    axis = np.arange(-500.0, 501.0, 10.0)
    u, v = (values.ravel() for values in np.meshgrid(axis, axis))
    inside = np.hypot(u, v) <= 500
    uvw = np.stack([u, v, 0 * u], axis=1)[inside] * C / 100e9
    cell = 6.0
    cut = psf(uvw, np.array([100e9]), np.ones((inside.sum(), 1)), 128, cell * ARCSEC)[64, 64:]
    half = np.interp(0.5, cut[40::-1], np.arange(41)[::-1]) * cell * ARCSEC
    x = brentq(lambda x: 2 * j1(x) / x - 0.5, 1, 3)
    assert half == pytest.approx(x / (np.pi * 1000.0), rel=0.01)
