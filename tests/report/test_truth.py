"""The picture of the true sky against pixels that are each seen through the primary beam."""

import numpy as np
import pytest
import xarray as xr

from almabrain.data.coordinates import lm_grid, radec_from_lm
from almabrain.instrument import primary_beam
from almabrain.report.truth import apparent_sky
from almabrain.response.beam import Beam, convolve, render_components

ARCSEC = np.pi / 648_000


@pytest.mark.parametrize("east_arcsec", [0.0, 11.0])
def test_an_extended_component_is_seen_through_the_whole_primary_beam(east_arcsec):
    """A Gaussian a third as wide as the beam of a 7 m dish, on its axis and a quarter of it off."""
    frequency = np.array([229e9, 231e9])
    ra, dec = radec_from_lm(east_arcsec * ARCSEC, 0.0, 10.0, -30.0)
    window = xr.Dataset(
        {
            "frequency_hz": ("channel", frequency),
            "line_free": ("channel", [True, True]),
            "component_flux_jy": (("component", "channel"), [[1.0, 1.0]]),
            **{
                name: ("component", [float(value)])
                for name, value in {
                    "ra_deg": ra,
                    "dec_deg": dec,
                    "major_arcsec": 15.0,
                    "minor_arcsec": 15.0,
                    "pa_deg": 0.0,
                }.items()
            },
        }
    )
    grid = {"n_pix": 128, "cell_arcsec": 1.0, "ra_deg": 10.0, "dec_deg": -30.0}
    beam = Beam(6.0, 5.0, 20.0)
    picture = apparent_sky({"spw0": window}, {"spw0": (frequency, np.ones(2))}, 7.0, grid, beam)
    l, m = lm_grid(128, 1.0)
    pixels = np.exp(-4 * np.log(2) * ((l / ARCSEC - east_arcsec) ** 2 + (m / ARCSEC) ** 2) / 15.0**2)
    pixels *= primary_beam.power(np.arcsin(np.hypot(l, m)), 230e9, 7.0) / pixels.sum()
    expected = convolve(pixels, 1.0, beam)
    np.testing.assert_allclose(picture, expected, atol=0.01 * expected.max())
    at_centre = primary_beam.power(east_arcsec * ARCSEC, 230e9, 7.0)
    assert picture.sum() / beam.area_pixels(1.0) == pytest.approx(pixels.sum(), rel=2e-3)
    assert pixels.sum() < 0.97 * at_centre


@pytest.mark.parametrize("cell_arcsec", [0.7, 1.5, 9.0])
def test_pixels_of_a_model_are_points_behind_the_primary_beam(cell_arcsec):
    """Pixels finer and coarser than the picture's beam of 6 by 4 arcsec, against a sum over all of them."""
    frequency = np.array([229e9, 230e9, 231e9])
    side = 24
    light = np.random.default_rng(3).random((side, side)) ** 8
    slope = np.array([1.0, 7.0, 3.0])  # the middle channel holds a line
    model = ("channel", "y", "x"), slope[:, None, None] * light, {"pixel_cell_arcsec": cell_arcsec}
    window = xr.Dataset(
        {
            "frequency_hz": ("channel", frequency),
            "line_free": ("channel", [True, False, True]),
            "pixel_model_jy": model,
        }
    )
    grid = {"n_pix": 64, "cell_arcsec": 1.3, "ra_deg": 10.0, "dec_deg": -30.0}
    beam = Beam(6.0, 4.0, 20.0)
    imaged = {"spw0": (frequency[:2], np.array([1.0, 3.0]))}
    picture = apparent_sky({"spw0": window}, imaged, 12.0, grid, beam)
    l, m = (axis.ravel() for axis in lm_grid(side, cell_arcsec))
    # Continuum of 1 and of 2, between 1 and 3; a quarter and three quarters of the weight.
    seen = light.ravel() * sum(
        share * level * primary_beam.power(np.arcsin(np.hypot(l, m)), hertz, 12.0)
        for share, level, hertz in ((0.25, 1.0, 229e9), (0.75, 2.0, 230e9))
    )
    zero = np.zeros(l.size)
    expected = render_components(64, 1.3, seen, l, m, zero, zero, zero, beam)
    np.testing.assert_allclose(picture, expected, atol=1e-3 * expected.max())
