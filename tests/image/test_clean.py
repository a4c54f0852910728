"""CLEAN recovers what it should."""

import dataclasses

import numpy as np
import pytest

from almabrain.config.image import CleanSettings, Recipe
from almabrain.data.constants import ARCSEC
from almabrain.image import clean, engines
from almabrain.image.grid import choose_grid
from almabrain.response.beam import render_components

from .conftest import COMPACT, COMPONENTS, observe


def compact(beams, sigma_jy=0.03, flux_jy=1.0):
    """A source, this many beams wide, seen for a few minutes by nine 7 m antennas, and its grid."""
    width = beams * 7.0
    window = observe(
        [[flux_jy, 9.0, 5.0, width, width, 0.0]], sigma_jy, seed=1, n_time=3, place=COMPACT
    ).assign_attrs(dishes_m=[7.0, 7.0])
    windows = {"spw0": window}
    return windows, choose_grid(windows, Recipe())


def test_point_flux_and_place():
    windows = {"spw0": observe([[0.3, 1.37, -0.82, 0, 0, 0]], sigma_jy=0.1)}
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.2))
    made = clean.clean(windows, grid, CleanSettings())
    y, x = np.unravel_index(made["image"].argmax(), made["image"].shape)
    assert (64 - x, y - 64) == (round(1.37 / 0.2), round(-0.82 / 0.2))
    near = np.hypot(np.arange(128) - x, np.arange(128)[:, None] - y) * 0.2 < grid.beam.major_arcsec
    assert made["model"][near].sum() == pytest.approx(0.3, rel=0.02)
    # Noise that got into the mask stays: components are positive.
    assert made["model"].sum() == pytest.approx(0.3, rel=0.04)
    assert made["image"].max() == pytest.approx(0.3, rel=0.04)  # the peak lies between pixels
    assert made["verdict"] == "converged" and made["major_cycles"] >= 2


def test_image_is_model_plus_residual_and_extended_flux_is_kept(windows):
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.2))
    made = clean.clean(windows, grid, CleanSettings())
    restored = clean.convolve(made["model"], grid.cell_arcsec, grid.beam)
    assert np.allclose(made["image"], restored + made["residual"])
    assert made["model"].sum() == pytest.approx(COMPONENTS[:, 0].sum(), rel=0.1)
    rms = clean.robust_rms(made["residual"])
    flux, l, m, major, minor, pa = COMPONENTS.T  # noqa: E741
    true = render_components(128, grid.cell_arcsec, flux, l * ARCSEC, m * ARCSEC, major, minor, pa, grid.beam)
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


@pytest.mark.parametrize("beams, least", [(0, 0.95), (1.5, 0.75)])
def test_few_close_antennas_do_not_diverge(beams, least):
    windows, grid = compact(beams)
    thermal = clean.thermal_rms(windows, grid)
    made = clean.clean(windows, grid, CleanSettings())
    assert made["verdict"] == "converged"
    assert least < made["model"].sum() < 1.05
    assert 0.7 < clean.robust_rms(made["residual"]) / thermal < 1.3
    assert np.abs(made["residual"]).max() < 6 * thermal


def test_noise_is_that_of_the_weights_however_bright_the_source():
    windows, grid = compact(0)
    made = clean.clean(windows, grid, CleanSettings())
    assert made["noise"] == clean.thermal_rms(windows, grid)
    assert clean.robust_rms(made["dirty"]) > 10 * made["noise"]


def test_what_diverges_is_left_at_its_last_good_model_and_said():
    windows, grid = compact(1.5)
    truthful = grid.psf
    # A PSF that hides the sidelobes: what radler subtracts then is wrong everywhere but at the peak.
    grid = dataclasses.replace(grid, psf=-truthful + 2 * (truthful == truthful.max()))
    made = clean.clean(windows, grid, CleanSettings(gain=1.0))
    assert made["verdict"].startswith("not converged: the residual grew")
    assert np.abs(made["residual"]).max() <= 1.001 * np.abs(made["dirty"]).max()
    assert np.allclose(made["residual"], clean.dirty(windows, grid, made["model"]))


def test_cleaning_that_ran_out_is_not_converged(monkeypatch):
    windows, grid = compact(0)
    few = clean.clean(windows, grid, CleanSettings(iterations=5))
    assert few["verdict"].startswith("not converged: all 5 iterations were used")
    assert "highest peak of the residual" in few["verdict"]
    monkeypatch.setattr(engines, "MAJOR_CYCLES", 2)
    short = clean.clean(windows, grid, CleanSettings())
    assert short["verdict"].startswith("not converged: the threshold was not met in 2 major cycles")


def test_scales_that_no_baseline_measures_are_left_out():
    windows, grid = compact(0)
    beam = np.sqrt(grid.beam.major_arcsec * grid.beam.minor_arcsec)
    recoverable = clean.largest_recoverable_scale_arcsec(windows)
    kept = clean._scales(grid, recoverable)
    assert kept[0] == 0 and max(kept) < recoverable
    assert clean._scales(grid, 1.5 * beam) == [0.0]
    assert 6 * beam not in kept
