"""What the files of the Bayesian image hold, against numbers known beforehand."""

import copy
import json

import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits
from scipy.stats import invgamma

from almabrain.config.image import Recipe
from almabrain.data import store
from almabrain.data.constants import ARCSEC
from almabrain.data.fits import read_image
from almabrain.data.tables import read_table
from almabrain.image import field, inference, likelihood, points, posterior_tables, products
from almabrain.image import model as sky_model
from almabrain.image.dirty import dirty
from almabrain.image.grid import SEEN_WELL, SIGNAL_FLOOR, working
from almabrain.image.noise_model import Curve, Learned
from almabrain.image.refine import Samples
from almabrain.response.beam import Beam, render_components

from .conftest import COMPONENTS

IMAGES = (
    "mean",
    "std",
    "median",
    "relative_std",
    "mean_beam",
    "std_beam",
    "mean_flat",
    "residual",
    "resolution",
)


def a_round(number):
    """A round as inference writes it, whatever its numbers mean."""
    values = {"warming": number < 2, "draws": 8 * number, "chi2": 1.0 + 0.1 / number}
    return inference.Round(
        **{name: values.get(name, 0.5 + number) for name in inference.Round.__annotations__}
    )


@pytest.fixture(scope="module")
def drawn(windows, grid):
    """A state with draws about a sky of its own, as if inference had ended."""
    state = inference.start(inference.Data(windows), working(windows, grid), "positive")
    rng = np.random.default_rng(5)
    size = sky_model.size(state.grid.n_pix)
    state.draws = [state.vectors[0] + 0.3 * jnp.asarray(rng.standard_normal(size)) for _ in range(12)]
    state.history = [a_round(number) for number in range(1, 6)]
    return state


@pytest.fixture(scope="module")
def made(drawn, grid, tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    path = folder / "mine.reg"
    path.write_text('icrs\ncircle(10.0,-30.0,2") # text={core}\n')
    recipe = Recipe(n_pix=64, cell_arcsec=0.25, samples=8, regions=str(path), radii_arcsec=[1.5, 4.0])
    products.write(folder, drawn, grid, recipe, 7, {"inference": 1.0})
    return folder


def test_mean_median_and_deviations_of_a_lognormal_sky(grid):
    rng = np.random.default_rng(0)
    spread = np.linspace(0.1, 1.2, 64 * 64).reshape(64, 64)
    shown = np.exp(-3 + spread * rng.standard_normal((4000, 64, 64))).astype(np.float32)
    made = products.pictures(shown[:, :, :], products.at_beam(shown[:20], grid), grid)
    seen = grid.primary_beam >= SIGNAL_FLOOR
    assert np.median(made["median"][0][seen]) == pytest.approx(np.exp(-3), rel=0.005)
    assert made["median"][0][seen] == pytest.approx(np.exp(-3), rel=0.15)
    mean, relative = np.exp(-3 + spread**2 / 2), np.sqrt(np.expm1(spread**2))
    assert np.median(made["mean"][0] / mean) == pytest.approx(1, abs=0.005)
    assert np.median(made["relative_std"][0] / relative) == pytest.approx(1, abs=0.02)
    assert made["std"][0][seen] == pytest.approx((made["relative_std"][0] * made["mean"][0])[seen])
    flat, unit = made["mean_flat"]
    assert unit == "Jy/arcsec2" and flat == pytest.approx(shown.mean(0) * grid.primary_beam)


def test_every_file_is_there_and_says_what_it_is(made):
    for name in IMAGES:
        header = fits.getheader(made / f"{name}.fits")
        assert header["SEED"] == 7 and header["NSAMPLES"] == 8 and header["VERDICT"]
        assert header["CLNBMAJ"] > header["CLNBMIN"] > 0
        assert header["REDCHI2"] == pytest.approx(1.02)
        for card in [name.upper().replace("_", "")[:6] for name in field.PARAMETERS]:
            assert np.isfinite(header[card]) and header[f"{card}_E"] > 0
        assert ("BMAJ" in header) == (header["BUNIT"] == "Jy/beam")
    summary = json.loads((made / "summary.json").read_text())
    assert summary["timings_s"]["resolution"] > 0
    history = read_table(made / "history.ecsv")
    assert list(history["round"]) == [1, 2, 3, 4, 5] and list(history["warming"]) == [True] + [False] * 4


def test_planes_of_the_resolution(made, grid):
    planes = read_image(made / "resolution.fits")
    assert planes.shape == (4, 64, 64)
    header = fits.getheader(made / "resolution.fits")
    assert [header[f"PLANE{number}"].split()[0] for number in (1, 2, 3, 4)] == [
        "major",
        "minor",
        "position",
        "share",
    ]
    seen = grid.primary_beam >= SEEN_WELL
    assert np.isfinite(planes.values[3][seen]).all() and np.isnan(planes.values[:, ~seen]).all()
    major, minor = planes.values[:2, seen]
    assert np.all(major >= minor) and np.all(minor > 0.9 * grid.cell_arcsec)


def true_sky(grid):
    """The components as a true sky in Jy/pixel: the point exactly, the Gaussian as a picture of a narrower one."""
    flux, l, m, major, minor, pa = COMPONENTS.T  # noqa: E741
    narrow = Beam(0.5, 0.5, 0.0)
    axes = [np.sqrt(axis[1:] ** 2 - 0.25) for axis in (major, minor)]
    shown = render_components(64, 0.25, flux[1:], l[1:] * ARCSEC, m[1:] * ARCSEC, *axes, pa[1:], narrow)
    place = points.none(64)
    place = place._replace(x=place.x.at[0].set(32 - l[0] / 0.25), y=place.y.at[0].set(32 + m[0] / 0.25))
    place = place._replace(on=place.on.at[0].set(1.0))
    excitation = jnp.zeros(points.EXCITATIONS).at[0].set(float(points.unlikeliness(flux[0], 1.0)))
    apparent = shown / narrow.area_pixels(0.25) + np.asarray(points.draw(place, excitation, 64))
    return apparent / grid.primary_beam


def test_residual_of_the_truth_is_noise_and_of_nothing_the_dirty_image(drawn, grid):
    left, cards = products.residual(drawn, true_sky(grid), grid, {"SEED": (1, "")})
    noise = cards["NOISE"][0]
    assert noise == pytest.approx(0.25 / np.sqrt(2400), rel=0.01) and cards["SEED"] == (1, "")
    assert left.attrs["bunit"] == "Jy/beam"
    # The natural beam is wider than CLEAN's, so the picture is that of its own weights.
    assert left.attrs["bmaj_arcsec"] > grid.beam.major_arcsec
    assert left.values.std() == pytest.approx(noise, rel=0.15) and np.abs(left.values).max() < 5 * noise
    nothing, _ = products.residual(drawn, np.zeros((64, 64)), grid, {})
    assert nothing.values.max() > 40 * noise
    assert np.corrcoef(nothing.values.ravel(), dirty(drawn.data.now, grid).ravel())[0, 1] > 0.9


def test_fluxes_of_regions_are_those_of_the_samples(made, grid):
    samples = store.read(made / "samples.zarr.zip", "samples").sky.values.astype(float)
    table = read_table(made / "fluxes.ecsv")
    assert list(table["region"]) == [f"primary beam >= {SEEN_WELL}", "r < 1.5 arcsec", "r < 4 arcsec", "core"]
    totals = samples[:, grid.primary_beam >= SEEN_WELL].sum(1) * grid.cell_arcsec**2
    assert table["flux_jy"][0] == pytest.approx(totals.mean(), rel=1e-3)
    assert table["error_jy"][0] == pytest.approx(totals.std(ddof=1), rel=1e-2)
    radius = np.hypot(*(np.mgrid[:64, :64] - 32)) * 0.25
    inner = samples[:, radius < 4].sum(1) * grid.cell_arcsec**2
    assert table["flux_jy"][2] == pytest.approx(inner.mean(), rel=0.05)
    assert table["flux_jy"][1] < table["flux_jy"][3] < table["flux_jy"][2] < table["flux_jy"][0]


def test_flux_scale_widens_all_errors_alike(grid):
    skies = np.ones((10, 64, 64)) * np.linspace(0.9, 1.1, 10)[:, None, None]
    plain, scaled = (
        posterior_tables.fluxes(skies, grid, Recipe(radii_arcsec=[2.0], flux_scale_error=error))
        for error in (0, 0.1)
    )
    assert plain["flux_jy"][1] == pytest.approx(np.pi * 4, rel=1e-6)
    extra = np.sqrt(scaled["error_jy"] ** 2 - plain["error_jy"] ** 2) / plain["flux_jy"]
    assert np.asarray(extra) == pytest.approx(0.1, rel=0.01)


def test_parameters_are_told_with_their_priors(drawn):
    n_pix = drawn.grid.n_pix
    table = posterior_tables.parameters(Samples(drawn.model, drawn.draws), -12.5, drawn.grid)
    table.add_index("parameter")
    first = table.loc[field.PARAMETERS[0]]
    prior = drawn.model.prior
    spectra = np.array([field.parameters(vector[-field.EXCITATIONS :], prior) for vector in drawn.draws])
    assert first["prior_mean"] == field.MEAN[0] and first["prior_std"] == field.STD[0]
    assert (first["mean"], first["std"]) == pytest.approx((spectra[:, 0].mean(), spectra[:, 0].std(ddof=1)))
    assert table.loc["offset"]["mean"] == table.loc["offset"]["prior_p84"] == -12.5
    # τ's mean is the offset plus the zero mode.
    tau = [
        np.mean(field.log_brightness(sky_model.split(vector, n_pix)[0], drawn.model.amplitude, 0.0))
        for vector in drawn.draws
    ]
    assert table.loc["zero_mode"]["mean"] == pytest.approx(np.mean(tau))
    flux = table.loc["point 1 flux"]
    slot = int(np.flatnonzero(np.asarray(drawn.model.points.on))[0])
    law = invgamma(1, scale=float(drawn.model.points.scale[slot]))
    assert (flux["prior_p16"], flux["prior_p84"]) == pytest.approx(tuple(law.ppf([0.16, 0.84])))
    fluxes = [points.flux(drawn.model.points, sky_model.split(v, n_pix)[1])[slot] for v in drawn.draws]
    assert flux["mean"] == pytest.approx(np.mean(fluxes))
    east = table.loc["point 1 east"]
    cell = drawn.grid.cell_arcsec
    assert east["prior_mean"] == pytest.approx(-(float(drawn.model.points.x[slot]) - n_pix // 2) * cell)
    assert east["prior_std"] == pytest.approx(0.5 * cell)


def test_a_diverged_run_is_written_and_marked(drawn, grid, tmp_path):
    broken = copy.copy(drawn)
    broken.draws = [vector.at[5].set(np.nan) for vector in drawn.draws]
    last = inference.Round(**drawn.history[-1].__dict__ | {"energy": np.nan, "chi2": np.nan})
    broken.history = [*drawn.history[:-1], last]
    summary = products.write(tmp_path, broken, grid, Recipe(samples=8), 1, {})
    assert summary["verdict"].startswith("not converged: a sample diverged")
    header = fits.getheader(tmp_path / "mean.fits")
    assert header["VERDICT"] == "not converged" and "REDCHI2" not in header
    told = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert told == json.loads(json.dumps(summary)) and told["verdict"] == summary["verdict"]
    assert told["flux_jy"] is told["reduced_chi2"] is told["history"][-1]["chi2"] is None


def test_a_number_that_is_missing_is_no_convergence(drawn, grid, tmp_path, monkeypatch):
    """Whatever it was that went wrong."""
    monkeypatch.setattr(products, "judge", lambda *_: ("converged", []))
    monkeypatch.setattr(products, "largest_recoverable_scale_arcsec", lambda _: float("inf"))
    monkeypatch.setattr(products, "wide_part", lambda image, *_: np.full_like(image, np.nan))
    summary = products.write(tmp_path, drawn, grid, Recipe(samples=8), 1, {})
    lost = "flux_wide_jy, largest_recoverable_scale_arcsec came out as no finite number"
    assert summary["verdict"] == f"not converged: {lost}" and summary["reasons"] == [lost]
    assert fits.getheader(tmp_path / "mean.fits")["VERDICT"] == "not converged"
    told = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert told["flux_wide_jy"] is told["largest_recoverable_scale_arcsec"] is None


def test_noise_table_is_the_curve_beside_the_misfit():
    edges, chi2 = np.arange(9.0), np.arange(8) / 10
    table = posterior_tables.noise(edges, chi2, None)
    assert np.all(table["factor"] == 1) and np.allclose(table["reduced_chi2"], chi2)
    curve = Curve(np.array([1.5, 7.9, 20.0]), np.array([2.0, 1.0, 0.9]), np.full(3, 0.1))
    table = posterior_tables.noise(edges, chi2, Learned({}, {}, {}, curve))
    assert np.all(table["factor"] == [2, 1, 0.9]) and np.all(table["error"] == 0.1)
    assert np.allclose(table["reduced_chi2"], [0.1, 0.7, 0.7])


def test_learned_noise_is_told(drawn):
    told = copy.copy(drawn)
    told.data = copy.copy(drawn.data)
    assert products._noise(told)["noise_factors"] == {"spw0": 1.0}
    curve = Curve(np.array([1.0, 9.0]), np.array([2.0, 1.0]), np.full(2, 0.1))
    told.data.factors = {"spw0": 1.3}
    told.data.noise = Learned(told.data.now, {"spw0": 1.5}, {"spw0": 0.02}, curve, {7: (2.0, 0.1)})
    summary = json.loads(json.dumps(products._noise(told)))
    assert summary["noise_factors"] == {"spw0": 1.5} and summary["noise_factor_errors"] == {"spw0": 0.02}
    assert summary["noise_by_baseline"] == {"klambda": [1.0, 9.0], "factor": [2.0, 1.0], "error": [0.1, 0.1]}
    assert summary["noise_by_antenna"] == [{"antenna": 7, "factor": 2.0, "error": 0.1}]
    assert "antenna" in summary["noise_model"]


def test_residual_peak_is_where_the_likelihood_has_it(drawn, grid):
    left = np.asarray(drawn.model.likelihood.information)
    image, _ = products.residual(drawn, np.zeros((64, 64)), grid, {})
    peak = np.unravel_index(np.argmax(image.values), (64, 64))
    coarse = np.unravel_index(np.argmax(likelihood.in_sigma(left, drawn.model.likelihood)), left.shape)
    scale = 64 / drawn.grid.n_pix
    assert np.hypot(peak[0] - scale * coarse[0], peak[1] - scale * coarse[1]) <= 1.5 * scale
