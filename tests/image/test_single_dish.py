"""A total power map adds what it measured, no more and no less."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from almabrain.config.image import Recipe
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import radec_from_lm
from almabrain.image import likelihood as likelihoods
from almabrain.image import single_dish
from almabrain.image.grid import choose_grid
from almabrain.response.beam import Beam, render_components
from almabrain.simulate import total_power as simulated

from .conftest import observe

BEAM, RMS, CELL = 20.0, 0.02, 2.0


@pytest.fixture(scope="module")
def windows():
    return {"spw0": observe([[0, 0, 0, 0, 0, 0]], 0.25, reach_m=60.0).drop_attrs(deep=False).assign_attrs(
        ra_deg=10.0, dec_deg=-30.0, dishes_m=[12.0, 12.0], frame="TOPO")}  # fmt: skip


@pytest.fixture(scope="module")
def grid(windows):
    return choose_grid(windows, Recipe(n_pix=160, cell_arcsec=0.5))


def total_power(components, n_pix=60, aim=(0.0, 0.0), noise=0.0, **attrs) -> xr.Dataset:
    """A map of points and Gaussians (flux, l, m, major, minor, pa; arcsec) about `aim` [arcsec]."""
    flux, l, m, major, minor, pa = np.asarray(components, float).reshape(-1, 6).T  # noqa: E741
    beam = Beam(BEAM, BEAM, 0.0)
    places = (l - aim[0]) * ARCSEC, (m - aim[1]) * ARCSEC
    values = render_components(n_pix, CELL, flux, *places, major, minor, pa, beam)
    ra, dec = radec_from_lm(aim[0] * ARCSEC, aim[1] * ARCSEC, 10.0, -30.0)
    return xr.Dataset(
        {"map": (("y", "x"), values + noise)},
        attrs={
            "ra_deg": float(ra), "dec_deg": float(dec), "cell_arcsec": CELL, "beam_arcsec": BEAM, "rms_jy_beam": RMS,
            "frequency_hz": 230e9,
        } | attrs,
    )  # fmt: skip


def pixels(grid, components):
    """The same as pixels (N, N) in Jy: Gaussians without the beam."""
    fine = Beam(2.0, 2.0, 0.0)
    flux, l, m, major, minor, pa = np.asarray(components, float).reshape(-1, 6).T  # noqa: E741
    picture = render_components(
        grid.n_pix, grid.cell_arcsec, flux, l * ARCSEC, m * ARCSEC, major, minor, pa, fine
    )
    return picture / fine.area_pixels(grid.cell_arcsec)


# Wide enough that the fine beam of `pixels` adds nothing that counts.
SCENE = [[3.0, 6.0, -4.0, 12.0, 12.0, 0.0], [2.0, -7.0, 8.0, 10.0, 14.0, 20.0]]


@pytest.mark.parametrize("aim", [(0.0, 0.0), (5.0, -3.0)])
def test_the_best_sky_for_a_map_is_the_true_one(grid, aim):
    part = single_dish.build(total_power(SCENE, aim=aim), grid)
    sky = pixels(grid, SCENE)
    left = np.asarray(part.information) - np.asarray(single_dish.curvature(part, sky))
    assert np.abs(left).max() < 0.02 * np.abs(part.information).max()
    assert single_dish.chi2(part, sky) * part.n_data < 1e-3 * part.energy


@pytest.mark.parametrize("noise", [BEAM * single_dish._NOISE_PER_BEAM, 0.9 * BEAM])
def test_error_of_a_points_flux_is_that_of_a_monte_carlo(grid, noise):
    """Noise maps with a Gaussian correlation; the estimate j/K(0) scatters by 1/√K(0)."""
    n_pix, draws = 60, 300
    along = (np.arange(n_pix) - n_pix // 2) * CELL
    # White noise under a Gaussian of FWHM noise/√2 has that correlation.
    spread = single_dish._gaussian(along, (np.arange(-60, 60)) * CELL, noise / np.sqrt(2))
    spread /= np.sqrt((spread**2).sum(1, keepdims=True))
    rng, found = np.random.default_rng(0), []
    for _ in range(draws):
        texture = RMS * spread @ rng.standard_normal((120, 120)) @ spread.T
        part = single_dish.build(
            total_power([[0.0, 0, 0, 0, 0, 0]], noise=texture, noise_fwhm_arcsec=noise), grid
        )
        found.append(np.asarray(part.information)[80, 80])
    point = np.zeros((160, 160))
    point[80, 80] = 1.0
    peak = float(single_dish.curvature(part, jnp.asarray(point))[80, 80])
    assert peak == pytest.approx(BEAM**4 / (RMS**2 * noise**2 * (2 * BEAM**2 - noise**2)), rel=1e-3)
    assert np.std(found) / peak == pytest.approx(peak**-0.5, rel=4 / np.sqrt(2 * draws))


def test_simulated_noise_is_of_the_assumed_correlation(grid):
    """Flux and χ² of maps that stage simulate makes: errors and the number of data are right."""
    total, reduced, draws = [], [], 200
    wide = single_dish._gaussian(*2 * [(np.arange(160) - 80) * 0.5], 30.0)
    shape = np.outer(wide[80], wide[80])
    shape /= shape.sum()
    for seed in range(draws):
        noise = RMS * simulated._texture(60, CELL, BEAM, np.random.default_rng(seed))
        part = single_dish.build(total_power([[0.0, 0, 0, 0, 0, 0]], noise=noise), grid)
        total.append((shape * np.asarray(part.information)).sum())
        reduced.append(part.energy / part.n_data)
    known = float((shape * single_dish.curvature(part, jnp.asarray(shape))).sum())
    assert np.std(total) / known == pytest.approx(known**-0.5, rel=4 / np.sqrt(2 * draws))
    assert np.mean(reduced) == pytest.approx(1, abs=0.05)


def test_noise_image_has_the_curvature_as_covariance(grid):
    part = single_dish.build(total_power(SCENE), grid)
    sky, rng = pixels(grid, SCENE), np.random.default_rng(0)
    draws = [np.vdot(sky, single_dish.noise_information(part, rng)) for _ in range(400)]
    expected = float((sky * single_dish.curvature(part, jnp.asarray(sky))).sum())
    assert np.var(draws) == pytest.approx(expected, rel=5 * np.sqrt(2 / 400))


def test_map_and_visibilities_add_up(windows, grid):
    dishes = total_power(SCENE)
    alone, both = likelihoods.build(windows, grid), likelihoods.build(windows, grid, dishes)
    part, sky = likelihoods.mapped(both), jnp.asarray(pixels(grid, SCENE))
    assert likelihoods.mapped(alone) is None
    assert both.n_data == alone.n_data + part.n_data
    joint = 2 * float(likelihoods.energy(both, sky)) + both.data_energy
    single = 2 * float(likelihoods.energy(alone, sky)) + alone.data_energy
    assert joint == pytest.approx(single + single_dish.chi2(part, sky) * float(part.n_data), rel=1e-9)
    assert likelihoods.delta_log_likelihood(both, windows, sky, grid) == pytest.approx(
        likelihoods.delta_log_likelihood(alone, windows, sky, grid), abs=1e-4
    )
    # On the scales of the map the baselines know little.
    assert both.periodic[0, 0] > 10 * alone.periodic[0, 0]


def test_cells_as_wide_as_the_beam_are_refused(grid):
    with pytest.raises(UserError, match="cells of 2 arcsec under a beam of 3 arcsec"):
        single_dish.build(total_power(SCENE).assign_attrs(beam_arcsec=3.0), grid)


def test_a_map_stays_in_the_likelihood_about_a_sky(windows, grid):
    sky = pixels(grid, SCENE)
    both = likelihoods.build(windows, grid, total_power(SCENE))
    centred = likelihoods.about(both, windows, grid, 0.9 * sky)
    for other in (0.9 * sky, sky):
        exact, found = (
            2 * float(likelihoods.energy(made, jnp.asarray(other))) + made.data_energy
            for made in (both, centred)
        )
        assert found == pytest.approx(exact, rel=1e-5, abs=0.2)
