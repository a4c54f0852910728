"""The image covers what there is to see, and says so where it does not."""

import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.config.image import Recipe
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.image import clean, points
from almabrain.image.grid import as_image, choose_grid, working
from almabrain.instrument.primary_beam import voltage
from almabrain.response.choose import cell_arcsec, coarsest_cell_arcsec
from almabrain.response.predict import predict_components, predict_image

from .conftest import observe
from .test_likelihood import DEC, RA, mosaic, two_dishes


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


def test_points_are_exact_on_the_coarsest_pixels_chosen():
    windows, cell = simulated(1000)
    window, coarse, n_pix = windows["spw0"], cell * 5 / 3, 128
    uvw, frequency = window.uvw_m.values * [1, 1, 0], window.frequency_hz.values
    excitation = np.zeros(3 * points.SLOTS)
    excitation[: points.SLOTS] = points.unlikeliness(1.0, 1.0)
    where = points.none(0.0)._replace(
        x=jnp.full(points.SLOTS, 70.37),
        y=jnp.full(points.SLOTS, 51.6),
        on=(jnp.arange(points.SLOTS) < 1) * 1.0,
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


def test_inference_runs_on_pixels_that_hold_what_the_data_see():
    """0.3 of the finest fringe, of the same field; and where that saves little, on the image's own."""
    windows, cell = simulated(200)
    grid = choose_grid(windows, Recipe())
    worked = working(windows, grid)
    window = windows["spw0"]
    fringe = 2 * coarsest_cell_arcsec(window.uvw_m.values, window.frequency_hz.values)
    assert 0.27 * fringe < worked.cell_arcsec < 0.31 * fringe
    assert worked.n_pix * worked.cell_arcsec == pytest.approx(grid.n_pix * grid.cell_arcsec)
    assert worked.primary_beam.shape == (worked.n_pix, worked.n_pix)
    half, middle = worked.n_pix // 2, grid.n_pix // 2
    assert worked.primary_beam[half, half] == pytest.approx(grid.primary_beam[middle, middle])
    assert worked.centre == grid.centre
    coarse = choose_grid(windows, Recipe(n_pix=140, cell_arcsec=0.29 * fringe))
    assert working(windows, coarse) is coarse


def test_a_mosaic_is_imaged_with_all_its_beams():
    windows = mosaic(20.0)
    grid = choose_grid(windows, Recipe())
    assert (grid.attrs["ra_deg"], grid.attrs["dec_deg"]) == pytest.approx((RA, DEC), abs=1e-6)
    # 40 arcsec of pointings and twice the 43 arcsec of a 7 m dish's beam about them.
    assert grid.n_pix * grid.cell_arcsec >= 40 + 1.98 * 43
    assert grid.primary_beam.max() == 1
    # Six pointings and the middle one make a plateau: the response there is that of nearly flat noise.
    middle = grid.primary_beam[grid.n_pix // 2, grid.n_pix // 2 + round(10 / grid.cell_arcsec)]
    assert middle > 0.7
    picture = as_image(grid.primary_beam, grid, "")
    assert picture.attrs["ra_deg"] == grid.attrs["ra_deg"]


def test_two_kinds_of_dishes_respond_with_the_mean_of_their_beams():
    windows = two_dishes()
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.5))
    weight = {name: float(window.weight.sum()) for name, window in windows.items()}
    angle = 20 * 0.5 * ARCSEC
    pairs = {"spw0.12m": (12, 12), "spw0.7m": (7, 7), "spw0.7m-12m": (7, 12)}
    expected = sum(
        weight[name] * voltage(angle, 230e9, one) * voltage(angle, 230e9, two)
        for name, (one, two) in pairs.items()
    ) / sum(weight.values())
    assert grid.primary_beam[64, 84] == pytest.approx(expected, rel=1e-6)


def test_pixels_too_coarse_are_refused_with_the_right_cell():
    windows, cell = simulated(100)
    with pytest.raises(UserError, match=f"too coarse for the longest baseline; give {cell:g} or less"):
        choose_grid(windows, Recipe(n_pix=64, cell_arcsec=4 * cell))


def test_a_field_much_wider_than_the_beam_is_refused():
    windows, cell = simulated(100)
    del windows["spw0"].attrs["field_arcsec"]
    n_pix = 2 * round(2.6 * 2 * 25.2 / cell)
    with pytest.raises(UserError, match="of which the telescope sees"):
        choose_grid(windows, Recipe.model_construct(**dict(Recipe()) | {"n_pix": n_pix, "cell_arcsec": cell}))
