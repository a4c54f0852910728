"""The restoring beam against Gaussians known in closed form."""

import numpy as np
import pytest

from almabrain.data.constants import ARCSEC
from almabrain.response.beam import Beam, convolve, fit_beam, render_components


def picture_of(beam, n_pix, cell, east=0.0, north=0.0):
    y, x = np.mgrid[:n_pix, :n_pix]
    e, n = -(x - n_pix // 2) * cell - east, (y - n_pix // 2) * cell - north
    pa = np.radians(beam.pa_deg)
    along, across = e * np.sin(pa) + n * np.cos(pa), e * np.cos(pa) - n * np.sin(pa)
    return np.exp(-4 * np.log(2) * ((along / beam.major_arcsec) ** 2 + (across / beam.minor_arcsec) ** 2))


@pytest.mark.parametrize("pa_deg", [-80.0, -20.0, 0.0, 35.0, 89.0])
@pytest.mark.parametrize("major", [0.3, 1.2])
def test_fit_finds_a_gaussian(pa_deg, major):
    truth = Beam(major, 0.7 * major, pa_deg)
    found = fit_beam(picture_of(truth, 64, 0.1), 0.1)
    assert found.major_arcsec == pytest.approx(truth.major_arcsec, rel=1e-6)
    assert found.minor_arcsec == pytest.approx(truth.minor_arcsec, rel=1e-6)
    assert found.pa_deg == pytest.approx(truth.pa_deg, abs=1e-3)


def test_fit_ignores_sidelobes_and_scale():
    truth = Beam(1.0, 0.6, 20.0)
    psf = picture_of(truth, 64, 0.1) + 0.9 * picture_of(truth, 64, 0.1, 2.3, 1.9)
    assert fit_beam(7 * psf, 0.1).major_arcsec == pytest.approx(1.0, rel=0.02)


def test_fit_refuses_an_empty_psf():
    with pytest.raises(ValueError, match="no peak"):
        fit_beam(np.zeros((32, 32)), 0.1)


def test_area_is_the_integral():
    beam = Beam(1.3, 0.8, 15.0)
    assert picture_of(beam, 128, 0.1).sum() == pytest.approx(beam.area_pixels(0.1), rel=1e-9)
    assert beam.area_sr == pytest.approx(beam.area_pixels(1.0) * ARCSEC**2)


def test_convolve_puts_the_beam_at_a_pixel_and_not_round_the_edge():
    beam = Beam(1.3, 0.8, 15.0)
    image = np.zeros((64, 64))
    image[60, 2] = 2.0
    got = convolve(image, 0.1, beam)
    np.testing.assert_allclose(got, 2 * picture_of(beam, 64, 0.1, 3.0, 2.8), atol=1e-8)
    assert np.abs(got[:20]).max() < 1e-8


def test_convolve_with_a_beam_wider_than_the_image():
    beam = Beam(10.0, 8.0, 0.0)
    image = np.zeros((32, 32))
    image[16, 16] = 1.0
    np.testing.assert_allclose(convolve(image, 0.1, beam), picture_of(beam, 32, 0.1), atol=1e-9)


def test_rendered_point_is_the_beam_at_its_exact_place():
    beam = Beam(1.0, 0.6, -40.0)
    east, north = 0.537, -1.213
    got = render_components(64, 0.1, [3.0], [east * ARCSEC], [north * ARCSEC], [0.0], [0.0], [0.0], beam)
    np.testing.assert_allclose(got, 3 * picture_of(beam, 64, 0.1, east, north), atol=1e-8)


def test_rendered_gaussian_keeps_its_flux_and_widens():
    beam = Beam(0.8, 0.8, 0.0)
    got = render_components(128, 0.1, [2.0], [0.0], [0.0], [1.5], [0.6], [60.0], beam)
    assert got.sum() / beam.area_pixels(0.1) == pytest.approx(2.0, rel=1e-6)
    want = Beam(np.hypot(1.5, 0.8), np.hypot(0.6, 0.8), 60.0)
    np.testing.assert_allclose(got / got.max(), picture_of(want, 128, 0.1), atol=1e-8)


def test_rendered_gaussian_is_the_convolved_picture():
    beam = Beam(0.9, 0.6, 10.0)
    source = Beam(1.1, 0.5, -30.0)
    pixels = picture_of(source, 128, 0.05, 0.4, 0.7)
    got = render_components(128, 0.05, [1.0], [0.4 * ARCSEC], [0.7 * ARCSEC], [1.1], [0.5], [-30.0], beam)
    np.testing.assert_allclose(got, convolve(pixels / pixels.sum(), 0.05, beam), atol=1e-6)


def test_components_far_outside_leave_nothing():
    got = render_components(32, 0.1, [1.0], [1e-2], [0.0], [0.0], [0.0], [0.0], Beam(1, 1, 0))
    assert not got.any()
