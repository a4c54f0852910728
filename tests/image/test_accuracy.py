"""The likelihood is as exact as it has to be, and no more."""

import dataclasses

import numpy as np
import pytest

from almabrain.config.image import Recipe
from almabrain.image import accuracy
from almabrain.image import likelihood as likelihoods
from almabrain.image.grid import Approximation, choose_grid

from .test_likelihood import aimed, mosaic

SKIES = accuracy.prior_like(128, 6)


def lit(windows, flux, cell=0.5, n_pix=128):
    """The windows with a prior-like sky of that apparent flux, and their grid."""
    grid = choose_grid(windows, Recipe(n_pix=n_pix, cell_arcsec=cell))
    sky = accuracy.prior_like(n_pix, 1, seed=9)[0]
    model = likelihoods.model_visibilities(windows, flux * sky / (sky * grid.primary_beam).sum(), grid)
    windows = {
        name: window.assign(visibility=window.visibility + model[name]) for name, window in windows.items()
    }
    return windows, grid


def test_nothing_is_added_where_nothing_is_missing():
    windows, grid = lit({"spw0": aimed(0, 0)}, 0.2)
    settled, error = accuracy.settle(windows, grid, SKIES)
    assert settled.approximation == Approximation() and error < 0.1


def test_a_wide_band_gets_nodes():
    windows, grid = lit({"spw0": aimed(0, 0, n_time=6, frequency_hz=np.linspace(215e9, 245e9, 8))}, 1.0)
    settled, error = accuracy.settle(windows, grid, SKIES)
    assert accuracy.settle(windows, grid, SKIES, error / 4)[1] <= error / 4
    assert settled.approximation.nodes > 2 and settled.approximation.order == 0
    assert error < 0.1
    assert settled.metric.nodes < settled.approximation.nodes
    made = likelihoods.build(windows, settled)
    for sky in SKIES:
        exact, rough = (np.vdot(sky, kind(made, sky)) for kind in (likelihoods.curvature, likelihoods.metric))
        assert rough == pytest.approx(exact, rel=0.02)


def test_large_w_gets_first_order_and_larger_the_gridder():
    windows, grid = lit({"spw0": aimed(0, 0, n_time=6)}, 1.0)
    found = []
    for factor in (1, 1e2, 1e4):
        far = windows["spw0"].copy(deep=True)
        far["uvw_m"].values[:, 2] *= factor
        settled, error = accuracy.settle({"spw0": far}, grid, SKIES)
        assert error < 0.1
        found.append(settled.approximation.order)
    assert found == [0, 1, 2]


def test_a_bright_mosaic_gets_more_of_its_beams():
    windows = {name: window for name, window in mosaic(20.0).items() if name != "spw0.p1.7m"}
    for window in windows.values():
        window.uvw_m.values[:, 2] = 0
    windows, grid = lit(windows, 3.0, cell=0.6, n_pix=192)
    skies = accuracy.prior_like(192, 6)
    assert likelihoods.build(windows, grid).parts[0].beam.shape[-1] < 192
    assert accuracy.Judge(windows, grid, skies).errors(grid.approximation)[0] > 0.1
    settled, error = accuracy.settle(windows, grid, skies)
    assert settled.approximation.least_beam < 0.01 and error < 0.1
    made = likelihoods.build(windows, settled)
    assert made.rough[0].beam.shape[-1] < made.parts[0].beam.shape[-1]


def test_a_part_of_many_visibilities_tells_the_error_of_all(monkeypatch):
    windows, grid = lit({"spw0": aimed(0, 0, n_time=10, frequency_hz=np.linspace(215e9, 245e9, 8))}, 1.0)
    assert sum(window.weight.size for window in windows.values()) == 9600
    every = accuracy.Judge(windows, grid, SKIES).errors(Approximation())[0]
    monkeypatch.setattr(accuracy, "_ENOUGH", 2000)
    assert accuracy.Judge(windows, grid, SKIES).errors(Approximation())[0] == pytest.approx(every, rel=0.3)


def test_the_mean_is_judged_as_it_is():
    windows, grid = lit({"spw0": aimed(0, 0, frequency_hz=(220e9, 240e9))}, 1.0)
    sky = accuracy.prior_like(128, 1, seed=9)[0]
    sky /= (sky * grid.primary_beam).sum()
    error = accuracy.Judge(windows, grid, [], [sky]).errors(Approximation())[0]
    made = likelihoods.build(windows, dataclasses.replace(grid, approximation=Approximation()))
    assert error == pytest.approx(
        abs(likelihoods.delta_log_likelihood(made, windows, sky, grid)), rel=1e-3, abs=1e-4
    )


def test_some_pointings_tell_the_error_of_all(monkeypatch):
    windows, grid = lit(mosaic(10.0), 10.0)
    for window in windows.values():
        window.uvw_m.values[:, 2] *= 10
    judge = [accuracy.Judge(windows, grid, SKIES)]
    monkeypatch.setattr(accuracy, "_POINTINGS", 3)
    judge.append(accuracy.Judge(windows, grid, SKIES))
    every, some = (one.errors(Approximation(least_beam=0))[0] for one in judge)
    assert some == pytest.approx(every, rel=0.5)
