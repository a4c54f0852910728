"""The answer to an injected point, against dense algebra and against the Wiener filter of a flat sky."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.config.image import Recipe
from almabrain.image import field, inference, likelihood, points, resolution
from almabrain.image import model as sky_model
from almabrain.image.grid import choose_grid
from almabrain.response.beam import Beam, axes_of, convolve, covariance_of

from .conftest import observe

BRIGHT, FAINT = 100.0, 0.3  # of a flat sky, in units of the noise per beam


@pytest.fixture(scope="module")
def empty():
    windows = {"spw0": observe(np.array([[0.0, 0, 0, 0, 0, 0]]), sigma_jy=0.25)}
    return windows, choose_grid(windows, Recipe(n_pix=64, cell_arcsec=0.25))


def flat_sky(windows, grid, sigma):
    """A model whose sky is the same everywhere, `sigma` times the noise in a natural beam, and no points."""
    state = inference.start(inference.Data(windows), grid, "positive")
    noise = likelihood.rms(state.model.likelihood) / grid.natural_beam_arcsec2
    model = state.model._replace(offset=jnp.asarray(np.log(sigma * noise)), points=points.none(grid.n_pix))
    return model, [jnp.zeros(sky_model.size(grid.n_pix))] * 2


def wiener(model, grid):
    """The answer to a point of 1 Jy in the middle of such a sky where the primary beam is 1, on the torus."""
    n_pix = grid.n_pix
    sky = float(np.exp(model.offset) * model.pixel_area)
    told = n_pix**2 * np.asarray(model.amplitude**2 * model.likelihood.periodic) * sky**2
    return np.fft.fftshift(np.fft.ifft2(told / (1 + told)).real)


@pytest.mark.parametrize("sigma", [10.0, 1.0, FAINT])
def test_flat_sky_is_a_wiener_filter(empty, sigma):
    windows, grid = empty
    model, vectors = flat_sky(windows, grid, sigma)
    system = resolution.system_about(model, vectors)
    found, expected = np.asarray(resolution.answer(system, 32, 32)), wiener(model, grid)
    # The primary beam, which is 1 in the middle only, and the torus make the difference.
    near = slice(28, 37), slice(28, 37)
    assert np.abs(found - expected)[near].max() < 0.02 * expected.max()


def test_bright_places_are_sharper_than_the_beam_and_faint_ones_are_not(empty):
    windows, grid = empty
    bright, faint = (
        resolution._measured(
            np.asarray(resolution.answer(resolution.system_about(*flat_sky(windows, grid, sigma)), 32, 32)),
            32, 32, grid,
        )
        for sigma in (BRIGHT, FAINT)
    )  # fmt: skip
    clean = np.sqrt(grid.beam.major_arcsec * grid.beam.minor_arcsec)
    assert np.sqrt(bright[0] * bright[1]) < 0.85 * clean < clean < np.sqrt(faint[0] * faint[1])
    assert bright[3] == pytest.approx(1, abs=0.15)
    assert 0 < faint[3] < 0.6


def test_answer_is_that_of_dense_algebra(windows):
    recipe = Recipe.model_construct(**dict(Recipe()) | {"n_pix": 32, "cell_arcsec": 0.4})
    grid = choose_grid(windows, recipe)
    state = inference.start(inference.Data(windows), grid, "positive")
    rng = np.random.default_rng(1)
    n_pix, model = 32, state.model._replace(offset=state.model.offset + 4)
    own = jnp.asarray(0.3 * rng.standard_normal((n_pix, n_pix)))
    vector = sky_model.split(state.vectors[0], n_pix)[1]
    vector = sky_model.join(own, vector, jnp.zeros(field.EXCITATIONS))
    assert float(model.points.on.sum()) > 0
    slope = np.asarray(jax.jacfwd(lambda v: sky_model.sky(model, v).ravel())(vector))
    unit = jnp.eye(n_pix**2).reshape(-1, n_pix, n_pix)
    told = np.asarray(jax.lax.map(lambda e: likelihood.metric(model.likelihood, e).ravel(), unit))
    metric = np.eye(len(vector)) + slope.T @ told @ slope
    system = resolution.system_about(model, [vector, vector])
    for x, y in ((16, 16), (21, 12), (5, 25)):
        expected = (slope @ np.linalg.solve(metric, slope.T @ told[y * n_pix + x])).reshape(n_pix, n_pix)
        found = np.asarray(resolution.answer(system, x, y, precision=1e-4))
        assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()
        quick = np.asarray(resolution.answer(system, x, y))
        assert np.abs(quick - expected).max() < 0.03 * np.abs(expected).max()


def test_width_share_and_angle_of_a_gaussian_answer(empty):
    _, grid = empty
    wide = Beam(1.9, 1.3, 35.0)
    point = np.zeros((64, 64))
    point[40, 22] = 0.6
    drawn = convolve(point, grid.cell_arcsec, wide) / wide.area_pixels(grid.cell_arcsec)
    major, minor, pa_deg, share = resolution._measured(drawn, 22, 40, grid)
    assert (major, minor, pa_deg) == pytest.approx((1.9, 1.3, 35.0), rel=1e-3)
    assert 0.6 * (1 - 2 ** -(4 * (grid.beam.major_arcsec / 1.9) ** 2)) < share < 0.6


def test_lattice_takes_the_brightest_and_the_median_of_each_square():
    rng = np.random.default_rng(0)
    image, inside = rng.lognormal(0, 1, (40, 40)), np.hypot(*(np.mgrid[:40, :40] - 20)) < 18
    y, x = resolution.lattice(image, inside, 30)
    assert 48 <= len(x) <= 64 and inside[y, x].all()
    assert image[y, x][0] == image[inside].max() and np.all(np.diff(image[y, x]) <= 0)


def test_picture_returns_the_probes_where_they_are():
    shapes = np.array([[1.0, 0.5, 20.0], [2.0, 1.5, -60.0], [np.nan] * 3])
    image = np.full((60, 60), 1e-3)
    image[20, 20], image[40, 40], image[20, 40] = 1.0, 0.1, 1e-3
    place = np.array([20, 40, 40]), np.array([20, 40, 20])
    probes = resolution.Probes(*place, image[place[1], place[0]], *shapes.T, np.array([1.0, 0.7, 0.0]))
    assert probes.typical() == (1.5, 1.0)
    planes = resolution.picture(probes, image, 1.0)
    for index in (0, 1):
        found = planes[:, place[1][index], place[0][index]]
        assert found[:2] == pytest.approx(shapes[index][:2], rel=0.03)
        assert found[2] == pytest.approx(shapes[index][2], abs=2)
    assert planes[3, 20, 40] < 0.05 < 0.95 < planes[3, 20, 20]
    # One pixel further the sky is dark, and looks like the dark probe rather than like its neighbour.
    assert planes[3, 20, 21] < 0.5


def test_axes_of_covariances_are_those_of_the_beam():
    forms = [covariance_of(2.0, 1.0, angle) for angle in (-70.0, 0.0, 35.0)]
    elements = np.array([[form[0, 0], form[0, 1], form[1, 1]] for form in forms]).T[:, :, None]
    assert resolution._axes(elements)[:, :, 0].T == pytest.approx(np.array([axes_of(form) for form in forms]))
