"""Two points in one beam: found as two, and only then."""

import numpy as np
import pytest

from almabrain.config.image import Recipe
from almabrain.data.constants import ARCSEC
from almabrain.image import inference, points
from almabrain.image.grid import choose_grid, working
from almabrain.response import primary_beam

from .conftest import FREQUENCY_HZ, observe

SIGMA_JY, SNR = 0.02, 50.0
PLACE = np.array([0.7, -0.4])  # l, m [arcsec]


def natural_noise(window) -> float:
    return float(window.weight.values.sum() ** -0.5)


def candidates(window) -> np.ndarray:
    """Flux as the telescope sees it, l and m [arcsec] (point, 3) of what is found."""
    windows = {"spw0": window}
    grid = working(windows, choose_grid(windows, Recipe()))
    likelihood = inference.Data(windows).likelihood(grid, np.zeros((grid.n_pix, grid.n_pix)))
    found, excitation = points.find(windows, grid, likelihood)
    on = np.asarray(found.on) > 0
    # Candidates begin at half of their flux.
    flux = 2 * np.asarray(points.flux(found, excitation))[on]
    x, y = (np.asarray(item)[on] for item in points.positions(found, excitation))
    l, m = (grid.n_pix // 2 - x) * grid.cell_arcsec, (y - grid.n_pix // 2) * grid.cell_arcsec
    return np.stack([flux * primary_beam.dish(12.0)(l * ARCSEC, m * ARCSEC, FREQUENCY_HZ), l, m], axis=1)


@pytest.fixture(scope="module")
def beam_arcsec() -> float:
    windows = {"spw0": observe([[1.0, 0, 0, 0, 0, 0]], SIGMA_JY)}
    beam = choose_grid(windows, Recipe(clean={"robust": 2.0})).beam
    return float(np.sqrt(beam.major_arcsec * beam.minor_arcsec))


@pytest.mark.parametrize("angle", [0.3, 1.2, 2.5])
def test_two_points_half_a_beam_apart(angle, beam_arcsec):
    flux = SNR * natural_noise(observe([[1.0, 0, 0, 0, 0, 0]], SIGMA_JY))
    half = 0.25 * beam_arcsec * np.array([np.cos(angle), np.sin(angle)])
    true = np.array([[flux, *(PLACE + sign * half), 0, 0, 0] for sign in (-1, 1)])
    found = candidates(observe(true, SIGMA_JY, seed=3))
    assert len(found) == 2
    order = np.argsort(((found[:, None, 1:] - true[None, :, 1:3]) ** 2).sum(-1), axis=1)[:, 0]
    assert sorted(order) == [0, 1]
    assert np.hypot(*(found[:, 1:] - true[order, 1:3]).T).max() < 0.12 * beam_arcsec
    assert found[:, 0].sum() == pytest.approx(2 * flux, rel=0.08)


@pytest.mark.parametrize("snr", [20.0, 200.0, 2000.0])
def test_one_point_stays_one(snr):
    flux = snr * natural_noise(observe([[1.0, 0, 0, 0, 0, 0]], SIGMA_JY))
    found = candidates(observe([[flux, *PLACE, 0, 0, 0]], SIGMA_JY, seed=4))
    assert len(found) == 1
    assert found[0, 0] == pytest.approx(flux, rel=max(0.02, 5 / snr))


def test_a_disc_is_no_pair(beam_arcsec):
    flux = 100 * natural_noise(observe([[1.0, 0, 0, 0, 0, 0]], SIGMA_JY))
    width = 2 * beam_arcsec
    assert len(candidates(observe([[flux, *PLACE, width, 0.6 * width, 30.0]], SIGMA_JY, seed=5))) == 0
