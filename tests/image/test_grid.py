"""The image covers what there is to see, and says so where it does not."""

import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.config.image import Recipe
from almabrain.data.constants import ARCSEC
from almabrain.image import clean, points
from almabrain.image.grid import choose_grid
from almabrain.image.inference import Round
from almabrain.image.verdict import judge
from almabrain.response.choose import cell_arcsec
from almabrain.response.predict import predict_components, predict_image

from .conftest import observe


def simulated(pixels, components=((0.3, 1.0, -0.8, 0, 0, 0),), sigma_jy=0.1):
    """A simulated observation whose field is this many cells wide."""
    window = observe(components, sigma_jy)
    cell = cell_arcsec(window.uvw_m.values, window.frequency_hz.values)
    return {"spw0": window.assign_attrs(field_arcsec=pixels * cell)}, cell


@pytest.mark.parametrize("pixels, cells, n_pix", [(240, 1, 240), (400, 400 / 256, 256), (1000, 5 / 3, 600)])
def test_all_of_a_simulated_field_is_imaged(pixels, cells, n_pix):
    windows, cell = simulated(pixels)
    grid = choose_grid(windows, Recipe())
    assert grid.n_pix * grid.cell_arcsec >= 0.99 * pixels * cell and not grid.shortfall
    assert grid.cell_arcsec == pytest.approx(cells * cell, rel=0.06)
    assert grid.n_pix == pytest.approx(n_pix, rel=0.06)


def test_a_source_far_out_is_imaged_and_not_taken_for_noise():
    _, cell = simulated(400)
    windows, _ = simulated(400, [[0.3, 170 * cell, 100 * cell, 0, 0, 0], [0.05, 0, 0, 0, 0, 0]])
    grid = choose_grid(windows, Recipe())
    made = clean.clean(windows, grid, Recipe().clean)
    assert made["verdict"] == "converged"
    assert made["model"].sum() == pytest.approx(0.35, rel=0.05)


def test_an_observation_covers_the_primary_beam():
    windows, cell = simulated(100)
    del windows["spw0"].attrs["field_arcsec"]
    grid = choose_grid(windows, Recipe())
    assert grid.n_pix * grid.cell_arcsec > 2 * 25.2 and not grid.shortfall


def test_a_field_too_small_is_not_converged():
    windows, cell = simulated(400)
    grid = choose_grid(windows, Recipe(n_pix=64, cell_arcsec=cell))
    assert "smaller than the" in grid.shortfall and "were simulated" in grid.shortfall
    made = clean.clean(windows, grid, Recipe().clean)
    assert made["verdict"].startswith("not converged: ") and grid.shortfall in made["verdict"]
    rested = 4 * [Round(8, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)]
    assert judge(rested, np.ones(8), 3.0, 0.0, 100, 8)[0] == "converged"
    assert (
        judge(rested, np.ones(8), 3.0, 0.0, 100, 8, grid.shortfall)[0] == f"not converged: {grid.shortfall}"
    )


def test_points_are_exact_on_the_coarsest_pixels_chosen():
    windows, cell = simulated(1000)
    window, coarse, n_pix = windows["spw0"], cell * 5 / 3, 128
    uvw, frequency = window.uvw_m.values * [1, 1, 0], window.frequency_hz.values
    excitation = np.zeros(3 * points.SLOTS)
    where = points.none(0.0)._replace(
        x=jnp.full(points.SLOTS, 70.37), y=jnp.full(points.SLOTS, 51.6), on=jnp.arange(points.SLOTS) < 1
    )
    sky = np.asarray(points.draw(where, jnp.asarray(excitation), n_pix))
    east, north = (64 - 70.37) * coarse, (51.6 - 64) * coarse
    exact = predict_components(
        uvw,
        frequency,
        np.ones((1, 1)),
        *(np.array([v * ARCSEC]) for v in (east, north, 0.0, 0.0)),
        np.zeros(1),
    )
    seen = predict_image(uvw, frequency, sky, coarse * ARCSEC)
    assert np.abs(seen - exact).max() < 0.005
