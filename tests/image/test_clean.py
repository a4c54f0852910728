"""CLEAN recovers what it should."""

import numpy as np
import pytest

from almabrain.config.image import CleanSettings, Recipe
from almabrain.image import clean
from almabrain.image.grid import choose_grid
from almabrain.response.beam import ARCSEC_RAD, render_components

from .conftest import COMPONENTS, observe


def test_point_flux_and_place():
    windows = {"spw0": observe([[0.3, 1.37, -0.82, 0, 0, 0]], sigma_jy=0.1)}
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.2))
    made = clean.clean(windows, grid, CleanSettings())
    y, x = np.unravel_index(made["image"].argmax(), made["image"].shape)
    assert (64 - x, y - 64) == (round(1.37 / 0.2), round(-0.82 / 0.2))
    assert made["model"].sum() == pytest.approx(0.3, rel=0.03)
    assert made["image"].max() == pytest.approx(0.3, rel=0.04)  # the peak lies between pixels
    assert made["finished"] and made["major_cycles"] >= 2


def test_image_is_model_plus_residual_and_extended_flux_is_kept(windows):
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.2))
    made = clean.clean(windows, grid, CleanSettings())
    restored = clean.convolve(made["model"], grid.cell_arcsec, grid.beam)
    assert np.allclose(made["image"], restored + made["residual"])
    assert made["model"].sum() == pytest.approx(COMPONENTS[:, 0].sum(), rel=0.1)
    rms = clean.robust_rms(made["residual"])
    flux, l, m, major, minor, pa = COMPONENTS.T  # noqa: E741
    true = render_components(
        128, grid.cell_arcsec, flux, l * ARCSEC_RAD, m * ARCSEC_RAD, major, minor, pa, grid.beam
    )
    assert np.sqrt(np.mean((made["image"] - true) ** 2)) < 3 * rms


def test_no_iterations_leave_the_dirty_image(windows):
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.2))
    made = clean.clean(windows, grid, CleanSettings(iterations=0))
    assert np.allclose(made["image"], made["dirty"])
    assert not made["model"].any()


def test_thermal_noise_is_that_of_the_dirty_image():
    windows = {"spw0": observe([[0.0, 0, 0, 0, 0, 0]], sigma_jy=0.25, seed=7)}
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.2))
    assert clean.thermal_rms(windows, grid) == pytest.approx(clean.dirty(windows, grid).std(), rel=0.1)
