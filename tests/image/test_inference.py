"""The posterior holds the truth, and only finished runs are called converged."""

import numpy as np
import pytest

from almabrain.config.image import Recipe
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.image import inference, likelihood, points, products
from almabrain.image.grid import choose_grid
from almabrain.image.verdict import judge
from almabrain.response.beam import render_components

from .conftest import COMPONENTS, observe


@pytest.fixture(scope="module")
def state(windows, grid):
    return inference.infer(windows, grid, samples=8, max_rounds=25, seed=1, name="test")


@pytest.fixture(scope="module")
def pictures(state, grid):
    exact, _ = products.sample_skies(state, grid)
    apparent = exact * grid.primary_beam * grid.cell_arcsec**2
    return np.stack([products.convolve(sky, grid.cell_arcsec, grid.beam) for sky in apparent])


def verdict(state, grid, samples=8):
    mean = np.asarray(inference.sky_model.mean_sky(state.model, state.mean, state.residuals))
    octiles, _ = likelihood.chi2_by_baseline(state.windows, likelihood.residuals(state.windows, mean, grid))
    peak = np.abs(inference.residual_image(state)).max()
    return judge(state.history, octiles, peak, 0.0, state.model.likelihood.n_data, samples)[0]


def truth(grid):
    flux, l, m, major, minor, pa = COMPONENTS.T  # noqa: E741
    return render_components(
        grid.n_pix, grid.cell_arcsec, flux, l * ARCSEC, m * ARCSEC, major, minor, pa, grid.beam
    )


def test_finished_run_converges_and_fits(state, grid):
    assert verdict(state, grid) == "converged"
    assert state.history[-1].chi2 == pytest.approx(1, abs=0.05)


def test_truth_lies_within_the_errors(pictures, grid):
    true = truth(grid)
    rms = 0.25 / np.sqrt(16 * 15 / 2 * 20)
    mean, std = pictures.mean(0), pictures.std(0, ddof=1)
    bright = true > 3 * rms
    pull = ((mean - true) / np.maximum(std, 0.3 * rms))[bright]
    assert np.mean(np.abs(pull) < 1) > 0.4
    assert np.mean(np.abs(pull) < 3) > 0.95
    # A dirty image would have an error of 1 rms here, even without its sidelobes.
    assert np.sqrt(np.mean((mean - true)[bright] ** 2)) < 1.3 * rms


def test_point_is_found_between_the_pixels(state, grid):
    found = products.point_list(state, grid)
    place = [[32 - entry["x"], entry["y"] - 32] for entry in found]
    east, north = COMPONENTS[0, 1:3] / grid.cell_arcsec
    nearest = int(np.argmin([np.hypot(x - east, y - north) for x, y in place]))
    assert np.hypot(place[nearest][0] - east, place[nearest][1] - north) < 0.1
    assert found[nearest]["flux_jy"] == pytest.approx(0.30, rel=0.05)


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_stopped_run_is_not_converged(windows, grid, rounds):
    stopped = inference.infer(windows, grid, samples=8, max_rounds=rounds, seed=1, name="test")
    assert verdict(stopped, grid).startswith("not converged: ")


def test_solver_stopped_early_is_not_converged(windows, grid, monkeypatch):
    monkeypatch.setattr(inference, "SAMPLE_CG_STEPS", 0)
    lazy = inference.infer(windows, grid, samples=8, max_rounds=4, seed=1, name="test")
    assert "solver" in verdict(lazy, grid)


def test_wrong_noise_is_not_converged(windows, grid, state):
    octiles = np.full(8, 1.4)
    assert "chi2" in judge(state.history, octiles, 3.0, 0.0, state.model.likelihood.n_data, 8)[0]


def test_source_left_in_the_residual_is_not_converged(state):
    assert "residual image" in judge(state.history, np.ones(8), 8.0, 0.0, state.model.likelihood.n_data, 8)[0]
    assert "gridder" in judge(state.history, np.ones(8), 3.0, -2.0, state.model.likelihood.n_data, 8)[0]


def test_faint_points_are_not_lost():
    """A point of 8 sigma hardly changes chi2, and the field alone would leave it in the residual."""
    rms = 0.25 / np.sqrt(2400)
    faint = [[8 * rms, -3.1, -2.3, 0, 0, 0], [20 * rms, 2.2, 1.4, 0, 0, 0], [7 * rms, 3.3, -3.0, 0, 0, 0]]
    windows = {"spw0": observe(faint, sigma_jy=0.25, seed=4)}
    grid = choose_grid(windows, Recipe(n_pix=64, cell_arcsec=0.25))
    state = inference.infer(windows, grid, samples=8, max_rounds=8, seed=1, name="faint")
    mean = inference._picture(state, grid).mean(0)
    for flux, east, north, *_ in faint:
        x, y = 32 - round(east * 4), 32 + round(north * 4)
        assert mean[y - 1 : y + 2, x - 1 : x + 2].max() == pytest.approx(flux, abs=3.5 * rms)
    assert np.abs(inference.residual_image(state)).max() < 5.5


def test_same_seed_same_samples(windows, grid):
    one = inference.infer(windows, grid, samples=8, max_rounds=1, seed=5, name="test")
    two = inference.infer(windows, grid, samples=8, max_rounds=1, seed=5, name="test")
    other = inference.infer(windows, grid, samples=8, max_rounds=1, seed=6, name="test")
    assert np.allclose(one.residuals, two.residuals, rtol=1e-9)
    assert not np.allclose(one.residuals, other.residuals, rtol=1e-3)


def test_empty_field_stays_empty():
    windows = {"spw0": observe(np.array([[0.0, 0, 0, 0, 0, 0]]), sigma_jy=0.25, seed=3)}
    grid = choose_grid(windows, Recipe(n_pix=64, cell_arcsec=0.25))
    state = inference.infer(windows, grid, samples=8, max_rounds=12, seed=1, name="empty")
    rms = likelihood.rms(state.model.likelihood)
    mean = inference._picture(state, grid).mean(0)
    assert np.abs(mean[grid.primary_beam > 0.2]).max() < 2 * rms
    assert float(state.model.points.on.sum()) == 0


def test_candidates_are_points_and_not_discs(windows, grid):
    found, _ = points.find(windows, grid, likelihood.build(windows, grid))
    x, y = (np.asarray(item)[np.asarray(found.on) > 0] for item in (found.x, found.y))
    east, north = COMPONENTS[0, 1:3] / grid.cell_arcsec
    assert np.hypot(32 - x[0] - east, y[0] - 32 - north) < 0.3


def test_no_weight_is_refused(windows):
    flagged = {name: window.assign(weight=0 * window.weight) for name, window in windows.items()}
    with pytest.raises(UserError, match="weight zero"):
        choose_grid(flagged, Recipe())


def test_noise_learned_before_a_long_shift_is_learned_again(windows, grid, monkeypatch):
    rounds = []
    monkeypatch.setattr(inference, "learn_noise", lambda state, *_: rounds.append(len(state.history)))
    shifts = iter([np.inf, 0.5, 0.5, 3.0, 2.0, 0.4, 5.0, 0.1])
    monkeypatch.setattr(inference, "_shift", lambda *_: (next(shifts), 0.0))
    inference.infer(windows, grid, 8, 8, seed=1, name="test", factors={"spw0": 1.0})
    assert rounds == [0, 1, 2, 3, 4, 5, 7]
