"""The FFT likelihood is the gridder's, and its noise has the right covariance."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.config.image import Recipe
from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import lm_from_radec, radec_from_lm
from almabrain.image import groups
from almabrain.image import likelihood as likelihoods
from almabrain.image.grid import Approximation, choose_grid
from almabrain.instrument import primary_beam
from almabrain.response.predict import predict_components

from .conftest import observe

N_PIX, CELL = 64, 0.25


@pytest.fixture(scope="module")
def likelihood(windows, grid):
    return likelihoods.build(windows, grid)


def random_sky(seed):
    return np.random.default_rng(seed).exponential(2e-4, (N_PIX, N_PIX))


def direct_energy(windows, sky):
    """−ln L by an explicit sum over pixels and visibilities, with w."""
    y, x = np.nonzero(sky)
    l, m = -(x - N_PIX // 2) * CELL * ARCSEC, (y - N_PIX // 2) * CELL * ARCSEC  # noqa: E741
    total = 0.0
    for window in windows.values():
        model = predict_components(
            window.uvw_m.values, window.frequency_hz.values, sky[y, x][:, None], l, m, 0 * l, 0 * l, 0 * l
        )
        total += 0.5 * (window.weight.values * np.abs(window.visibility.values - model) ** 2).sum()
    return total


def test_likelihood_is_that_of_an_explicit_sum(windows, grid, likelihood):
    sparse = [np.where(np.random.default_rng(seed).random((N_PIX, N_PIX)) < 0.01, 0.02, 0) for seed in (1, 2)]
    for sky in sparse:
        found = float(likelihoods.energy(likelihood, jnp.asarray(sky)))
        found += likelihood.data_energy / 2
        assert found == pytest.approx(direct_energy(windows, sky * grid.primary_beam), abs=0.05)


def test_difference_to_the_gridder_is_reported_small(windows, grid, likelihood):
    assert abs(likelihoods.delta_log_likelihood(likelihood, windows, random_sky(3), grid)) < 0.1


def test_difference_to_the_gridder_sees_large_w(windows, grid):
    far = windows["spw0"].copy(deep=True)
    far["uvw_m"].values[:, 2] += 3e5 * np.random.default_rng(0).standard_normal(far.sizes["row"])
    likelihood = likelihoods.build({"spw0": far}, grid)
    bright = 10 * random_sky(3)
    assert abs(likelihoods.delta_log_likelihood(likelihood, {"spw0": far}, bright, grid)) > 1


def test_gradient_by_finite_differences(likelihood):
    sky, direction = random_sky(4), np.random.default_rng(5).standard_normal((N_PIX, N_PIX)) * 1e-4
    energy = lambda step: float(likelihoods.energy(likelihood, sky + step * direction))  # noqa: E731
    gradient = jax.grad(lambda image: likelihoods.energy(likelihood, image))(jnp.asarray(sky))
    assert float(jnp.vdot(gradient, direction)) == pytest.approx((energy(0.5) - energy(-0.5)), rel=1e-6)


def test_response_is_symmetric(likelihood):
    a, b = random_sky(6), random_sky(7)
    left = np.vdot(b, likelihoods.curvature(likelihood, jnp.asarray(a)))
    assert left == pytest.approx(np.vdot(a, likelihoods.curvature(likelihood, jnp.asarray(b))), rel=1e-12)


def test_noise_images_have_the_curvature_as_covariance(windows, grid, likelihood):
    rng = np.random.default_rng(8)
    shape = random_sky(9)
    draws = [np.vdot(shape, likelihoods.noise_information(windows, grid, rng)) for _ in range(300)]
    expected = float(np.vdot(shape, likelihoods.curvature(likelihood, jnp.asarray(shape))))
    assert np.var(draws) == pytest.approx(expected, rel=5 * np.sqrt(2 / 300))


def test_chi2_by_baseline_adds_up(windows):
    data = windows["spw0"]
    residual = {"spw0": data.visibility.values}
    octiles, edges = likelihoods.chi2_by_baseline(windows, residual)
    total = (data.weight.values * np.abs(data.visibility.values) ** 2).sum() / (2 * data.visibility.size)
    assert np.mean(octiles) == pytest.approx(total, rel=1e-3)
    assert np.all(np.diff(edges) > 0)


RA, DEC = 40.0, -60.0


def aimed(l_arcsec, m_arcsec, dishes=(12.0, 12.0), seed=0, frequency_hz=(230e9,), reach_m=60.0, **array):
    """An observation without light, of a pointing at direction cosines (l, m) about RA and DEC."""
    window = observe([[0, 0, 0, 0, 0, 0]], 0.25, seed, reach_m=reach_m, **array)
    ra, dec = radec_from_lm(l_arcsec * ARCSEC, m_arcsec * ARCSEC, RA, DEC)
    channels = np.asarray(frequency_hz)
    window = window.isel(channel=np.zeros(channels.size, int)).assign(frequency_hz=("channel", channels))
    del window.attrs["field_arcsec"]
    return window.assign_attrs(ra_deg=float(ra), dec_deg=float(dec), dishes_m=list(dishes))


def direct(window, grid, sky):
    """What a window sees of a sky (N, N), pixel by pixel about its own phase centre, through its own beam."""
    y, x = np.nonzero(sky)
    half, cell = grid.n_pix // 2, grid.cell_arcsec * ARCSEC
    places = radec_from_lm(-(x - half) * cell, (y - half) * cell, grid.attrs["ra_deg"], grid.attrs["dec_deg"])
    l, m = lm_from_radec(*places, *groups.place(window))  # noqa: E741
    frequency, angle = window.frequency_hz.values, np.arcsin(np.hypot(l, m))[:, None]
    first, second = (primary_beam.voltage(angle, frequency, size) for size in window.attrs["dishes_m"])
    flux = sky[y, x][:, None] * first * second
    return predict_components(window.uvw_m.values, frequency, flux, l, m, 0 * l, 0 * l, 0 * l)


def exact(windows, grid, sky):
    return sum(
        0.5 * (window.weight.values * np.abs(window.visibility.values - direct(window, grid, sky)) ** 2).sum()
        for window in windows.values()
    )


def points_sky(grid, seed, count=25, flux=0.05):
    rng = np.random.default_rng(seed)
    sky = np.zeros((grid.n_pix, grid.n_pix))
    sky[tuple(rng.integers(0, grid.n_pix, (2, count)))] = flux * rng.lognormal(0, 1, count)
    return sky


def two_dishes():
    """12 m with 12 m, 7 m with 7 m, and one of each, all at one place."""
    return {
        "spw0.12m": aimed(0, 0),
        "spw0.7m": aimed(0, 0, (7.0, 7.0), 1, reach_m=40.0, n_antenna=8),
        "spw0.7m-12m": aimed(0, 0, (7.0, 12.0), 2, reach_m=40.0, n_antenna=6),
    }


def mosaic(spacing=13.0):
    """Seven pointings about RA and DEC, and the 7 m array on one of them."""
    angles = np.radians(60 * np.arange(6))
    aims = [(0.0, 0.0), *zip(spacing * np.cos(angles), spacing * np.sin(angles), strict=True)]
    windows = {f"spw0.p{k}": aimed(*aim, seed=k, n_time=6) for k, aim in enumerate(aims)}
    return windows | {"spw0.p1.7m": aimed(*aims[1], (7.0, 7.0), 9, reach_m=40.0, n_antenna=8)}


CASES = {"two dishes": two_dishes, "mosaic": mosaic}


@pytest.fixture(scope="module", params=CASES)
def several(request):
    """Windows that saw a known sky with noise, their grid and likelihood."""
    windows = CASES[request.param]()
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.5))
    sky = points_sky(grid, 1)
    windows = {
        name: window.assign(visibility=window.visibility + direct(window, grid, sky))
        for name, window in windows.items()
    }
    return windows, grid, likelihoods.build(windows, grid)


def test_gridder_sees_what_each_pointing_sees(several):
    windows, grid, _ = several
    sky = points_sky(grid, 2)
    seen = likelihoods.model_visibilities(windows, sky, grid)
    for name, window in windows.items():
        expected = direct(window, grid, sky)
        assert np.abs(seen[name] - expected).max() < 1e-6 * np.abs(expected).max()


def test_several_beams_are_an_explicit_sum(several):
    windows, grid, likelihood = several
    for seed in (3, 4):
        sky = points_sky(grid, seed)
        found = float(likelihoods.energy(likelihood, jnp.asarray(sky))) + likelihood.data_energy / 2
        assert found == pytest.approx(exact(windows, grid, sky), abs=0.1)


@pytest.mark.parametrize(
    "kind", [{}, {"nodes": 2}, {"order": 1}, {"nodes": 2, "order": 1}, {"order": 2}], ids=str
)
def test_curvature_is_symmetric_and_the_gradients(kind):
    """Of every approximation: ⟨a, K b⟩ = ⟨b, K a⟩, and K s − j is the energy's slope."""
    windows = {
        "spw0": aimed(3.0, 0, n_time=3, frequency_hz=(220e9, 230e9)),
        "other": aimed(-3.0, 4.0, n_time=3),
    }
    grid = choose_grid(windows, Recipe(n_pix=64, cell_arcsec=0.5))
    grid = dataclasses.replace(grid, approximation=Approximation(**kind))
    likelihood = likelihoods.build(windows, grid)
    a, b = (jnp.asarray(random_sky(seed)) for seed in (1, 2))
    left, right = (float(jnp.vdot(y, likelihoods.curvature(likelihood, x))) for x, y in ((a, b), (b, a)))
    assert left == pytest.approx(right, rel=1e-7)
    above, below = (float(likelihoods.energy(likelihood, a + step * b)) for step in (0.5, -0.5))
    slope = -float(jnp.vdot(likelihoods.left_over(likelihood, a), b))
    assert slope == pytest.approx(above - below, rel=1e-6)


def test_noise_of_several_beams_has_the_curvature_as_covariance(several):
    windows, grid, likelihood = several
    shape = points_sky(grid, 9)
    rng = np.random.default_rng(8)
    draws = [np.vdot(shape, likelihoods.noise_information(windows, grid, rng)) for _ in range(100)]
    expected = float(jnp.vdot(shape, likelihoods.curvature(likelihood, jnp.asarray(shape))))
    assert np.var(draws) == pytest.approx(expected, rel=5 * np.sqrt(2 / 100))


def test_noise_flat_image_knows_its_noise(several):
    windows, grid, likelihood = several
    rng = np.random.default_rng(7)
    draws = np.stack([likelihoods.noise_information(windows, grid, rng) for _ in range(60)])
    sigma = np.stack([likelihoods.in_sigma(image, likelihood) for image in draws])[
        :, grid.primary_beam > 0.05
    ]
    assert sigma.std(0).mean() == pytest.approx(1, abs=0.02)


def bright(windows, grid, seed=1):
    """The windows with a sky of 1 Jy points all over, and the sky."""
    sky = points_sky(grid, seed, flux=1.0)
    return {
        name: window.assign(visibility=window.visibility + direct(window, grid, sky))
        for name, window in windows.items()
    }, sky


def difference(windows, grid, sky, **kind):
    grid = dataclasses.replace(grid, approximation=Approximation(**kind))
    return abs(likelihoods.delta_log_likelihood(likelihoods.build(windows, grid), windows, sky, grid))


def test_first_order_in_w_holds_where_none_does_not():
    windows, grid = mosaic(), choose_grid(mosaic(), Recipe(n_pix=128, cell_arcsec=0.5))
    for window in windows.values():
        window.uvw_m.values[:, 2] *= 10
    windows, _ = bright(windows, grid)
    other = points_sky(grid, 3, flux=1.0)
    assert difference(windows, grid, other, least_beam=0) > 10
    assert difference(windows, grid, other, least_beam=0, order=1) < 0.01


def test_the_gridder_holds_where_first_order_does_not():
    windows = {"spw0": aimed(0, 0, n_time=4)}
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.5))
    windows["spw0"].uvw_m.values[:, 2] += 3e6 * np.random.default_rng(0).standard_normal(480)
    windows, _ = bright(windows, grid)
    other = points_sky(grid, 2, flux=1.0)
    assert difference(windows, grid, other, order=1) > 1
    assert difference(windows, grid, other, order=2) < 0.01


def test_nodes_follow_the_beam_across_a_wide_band():
    windows = {"spw0": aimed(0, 0, n_time=4, frequency_hz=np.linspace(220e9, 240e9, 12))}
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.5))
    windows["spw0"].uvw_m.values[:, 2] = 0
    windows, _ = bright(windows, grid)
    other = points_sky(grid, 2, flux=1.0)
    found = [difference(windows, grid, other, nodes=count) for count in (1, 3, 5)]
    assert found[0] > 10 and found[2] < 0.1 and found[0] > 10 * found[1] > 100 * found[2]


def test_first_order_with_two_nodes_is_both():
    windows = {"spw0": aimed(0, 0, n_time=4, frequency_hz=(220e9, 240e9))}
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.5))
    windows["spw0"].uvw_m.values[:, 2] *= 30
    windows, _ = bright(windows, grid)
    other = points_sky(grid, 2, flux=1.0)
    assert min(difference(windows, grid, other, **kind) for kind in ({}, {"nodes": 2}, {"order": 1})) > 0.5
    assert difference(windows, grid, other, nodes=2, order=1) < 0.02


def test_executions_that_point_alike_are_one_group():
    """A tenth of a milliarcsecond is no other pointing, but phases are turned by it."""
    windows = {"a": aimed(0, 0), "b": aimed(1e-4, 0, seed=1), "c": aimed(0, 0, (7.0, 12.0), seed=2)}
    views = groups.split(windows, *groups.place(windows["a"]))
    assert [[*view.frequencies_hz] for view in views] == [["a", "b"], ["c"]]
    centre = groups.place(windows["a"])
    assert groups.turn_to(windows["c"], *centre) == 1.0
    # V about the new centre is V exp(2πi b·(s_old − s_new)), and the old one lies at l = 1e-4 arcsec.
    u = windows["b"].uvw_m.values[:, :1] * 230e9 / SPEED_OF_LIGHT_M_S
    expected = np.exp(2j * np.pi * u * 1e-4 * ARCSEC)
    assert groups.turn_to(windows["b"], *centre) == pytest.approx(expected, abs=1e-9)


def test_receiver_bands_are_groups_of_their_own():
    tunings = {"a": (90e9, 92e9), "b": (102e9, 104e9), "c": (230e9,), "d": (104e9,)}
    windows = {name: aimed(0, 0, frequency_hz=frequency) for name, frequency in tunings.items()}
    views = groups.split(windows, *groups.place(windows["a"]))
    assert [sorted(view.frequencies_hz) for view in views] == [["a", "b", "d"], ["c"]]
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.5))
    windows, sky = bright(windows, grid)
    assert difference(windows, grid, sky, least_beam=0, nodes=8, order=1) < 0.1


def test_a_cheap_likelihood_about_the_mean_is_exact_for_samples():
    """A wide band in full light: cheap kernels are far off, but not in what samples about a sky differ by."""
    windows = {
        "spw0": aimed(0, 0, n_time=6, frequency_hz=np.linspace(215e9, 245e9, 8)),
        "7m": aimed(4, 0, (7, 7)),
    }
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.5))
    windows, sky = bright(windows, grid)
    cheap = likelihoods.build(windows, grid)
    centred = likelihoods.about(cheap, windows, grid, sky)
    off = [likelihoods.delta_log_likelihood(made, windows, sky, grid) for made in (cheap, centred)]
    assert abs(off[0]) > 10 and abs(off[1]) < 1e-3
    near = sky + 3e-3 * points_sky(grid, 2, flux=1.0)
    apart = [likelihoods.delta_log_likelihood(made, windows, near, grid) for made in (cheap, centred)]
    assert abs(apart[0] - off[0]) > 0.5 and abs(apart[1]) < 0.02
    assert likelihoods.reduced_chi2(centred, sky) == pytest.approx(1, abs=0.03)
