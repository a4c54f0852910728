"""Predicted visibilities against the direct Fourier sum."""

import numpy as np
import pytest

from almabrain.data.coordinates import n_minus_one
from almabrain.response.predict import predict_components, predict_image

from .conftest import ARCSEC, fourier_sum, pixel_directions


def test_two_points_off_axis(coverage):
    uvw, frequency = coverage
    l, m = np.array([20.0, -35.5]) * ARCSEC, np.array([-11.3, 7.7]) * ARCSEC
    flux = np.array([[1.0, 1.0], [0.3, 0.3]])
    got = predict_components(uvw, frequency, flux, l, m, np.zeros(2), np.zeros(2), np.zeros(2))
    np.testing.assert_allclose(got, fourier_sum(uvw, frequency, flux[:, 0], l, m), atol=1e-9)


def test_flux_belongs_to_its_channel(coverage):
    uvw, frequency = coverage
    zero = np.zeros(1)
    got = predict_components(uvw, frequency, [[2.0, 5.0]], zero, zero, zero, zero, zero)
    np.testing.assert_allclose(got, np.broadcast_to([2.0, 5.0], got.shape))


def test_gaussian_is_the_sum_of_its_pixels(coverage):
    uvw, frequency = coverage
    major, minor, pa = 4.0 * ARCSEC, 1.5 * ARCSEC, np.radians(30.0)
    cell = 0.15 * ARCSEC
    dl, dm = pixel_directions(128, cell)
    along, across = dl * np.sin(pa) + dm * np.cos(pa), dl * np.cos(pa) - dm * np.sin(pa)
    profile = np.exp(-4 * np.log(2) * ((along / major) ** 2 + (across / minor) ** 2))
    profile *= 3.0 / profile.sum()
    # A Gaussian on the tangent plane has no w of its own beyond its centre's; compare at w = 0.
    flat = uvw * [0.3, 0.3, 0]
    want = fourier_sum(flat, frequency, profile.ravel(), (dl + 9 * ARCSEC).ravel(), (dm - 5 * ARCSEC).ravel())
    got = predict_components(
        flat, frequency, [[3.0, 3.0]], [9 * ARCSEC], [-5 * ARCSEC], [major], [minor], [pa]
    )
    np.testing.assert_allclose(got, want, atol=3e-5)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("major", [0.0, 3.0, 400.0])
def test_many_even_channels_are_what_each_is_alone(coverage, major, descending):
    """The last of them is seen on few baselines only; some get nothing of it, even in the lowest channel."""
    uvw, _ = coverage
    frequency = np.linspace(90e9, 100e9, 150)[:: -1 if descending else 1]
    flux = np.linspace(1, 2, 150)[None]
    shape = [20 * ARCSEC], [-11 * ARCSEC], [major * ARCSEC], [0.5 * major * ARCSEC], [0.3]
    got = predict_components(uvw, frequency, flux, *shape)
    alone = [predict_components(uvw, frequency[k : k + 1], flux[:, k : k + 1], *shape) for k in range(150)]
    np.testing.assert_allclose(got, np.hstack(alone), atol=1e-11)
    uneven = np.append(frequency, 120e9)
    more = predict_components(uvw, uneven, np.append(flux, 1)[None], *shape)
    np.testing.assert_allclose(more[:, :-1], got, atol=1e-11)


def test_chunks_change_nothing(coverage, monkeypatch):
    uvw, frequency = coverage
    arguments = (uvw, frequency, [[1.0, 2.0]], [1e-5], [2e-5], [1e-6], [5e-7], [0.4])
    whole = predict_components(*arguments)
    monkeypatch.setattr("almabrain.response.predict._CHUNK_SAMPLES", 14)
    np.testing.assert_allclose(predict_components(*arguments), whole, rtol=1e-13)


@pytest.mark.parametrize("n_pix", [64, 41, 20])
@pytest.mark.parametrize("planar", [False, True])
def test_image_with_two_pixels_off_axis(coverage, n_pix, planar):
    uvw, frequency = coverage
    uvw = uvw * [1, 1, not planar]
    cell = 2.0 * ARCSEC
    image = np.zeros((n_pix, n_pix))
    image[n_pix // 2 + 7, n_pix // 2 - 3], image[n_pix // 2 - 2, n_pix // 2 - 9] = 1.0, 0.4
    l, m = pixel_directions(n_pix, cell)
    want = fourier_sum(uvw, frequency, image.ravel(), l.ravel(), m.ravel())
    got = predict_image(uvw, frequency, image, cell, epsilon=1e-9, planar=planar)
    np.testing.assert_allclose(got, want, atol=1e-7)


def test_cube_uses_each_channels_plane(coverage):
    uvw, frequency = coverage
    cube = np.zeros((2, 32, 32))
    cube[0, 20, 9], cube[1, 5, 14] = 1.0, 2.0
    got = predict_image(uvw, frequency, cube, ARCSEC)
    for k in range(2):
        alone = predict_image(uvw, frequency[k : k + 1], cube[k], ARCSEC)
        np.testing.assert_allclose(got[:, k : k + 1], alone, atol=1e-9)


def test_component_is_a_pixel_at_its_centre(coverage):
    uvw, frequency = coverage
    image = np.zeros((64, 64))
    image[40, 12] = 1.5
    l, m = (12 - 32) * -ARCSEC, (40 - 32) * ARCSEC
    got = predict_image(uvw, frequency, image, ARCSEC, epsilon=1e-9)
    point = predict_components(uvw, frequency, [[1.5, 1.5]], [l], [m], [0.0], [0.0], [0.0])
    np.testing.assert_allclose(got, point, atol=1e-7)


def test_n_minus_one_keeps_its_digits():
    tiny = 1e-9
    assert n_minus_one(tiny, 0.0) == pytest.approx(-0.5e-18, rel=1e-12)
    assert n_minus_one(0.3, 0.4) == pytest.approx(np.sqrt(0.75) - 1, rel=1e-14)
