"""A cube: its posterior holds the channels' truth, and its files say which channel is which."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.stats import chi2

from almabrain.config.image import Spectral
from almabrain.data import store
from almabrain.data.constants import ARCSEC
from almabrain.data.fits import read_image
from almabrain.data.tables import read_table
from almabrain.image import inference, products
from almabrain.image.grid import choose_grid, working
from almabrain.response.beam import render_components

from .conftest import FIELD
from .lines import observe_channels, rotating

COUNT, STEP_HZ, SIGMA = 3, 2e6, 0.6
FREQUENCIES = 230e9 + STEP_HZ * np.arange(COUNT)
REST_HZ = 230.005e9
RECIPE = FIELD.model_copy(
    update={
        "spectral": Spectral(mode="cube", rest_frequency_ghz=REST_HZ / 1e9),
        "samples": 32,
        "radii_arcsec": [4.0],
    }
)
TRUTH = rotating(COUNT)
RMS = SIGMA / np.sqrt(16 * 15 / 2 * 20)  # of a channel's natural image


@pytest.fixture(scope="module")
def line():
    return {"spw0": observe_channels(FREQUENCIES, TRUTH, SIGMA, seed=3)}


@pytest.fixture(scope="module")
def grid(line):
    return choose_grid(line, RECIPE)


@pytest.fixture(scope="module")
def cube(line, grid):
    worked = working(line, grid)
    return inference.infer(inference.Data(line), worked, 30, seed=1, name="test", settings=RECIPE.spectral)


@pytest.fixture(scope="module")
def folder(cube, grid, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cube")
    return folder, products.write(folder, cube, grid, RECIPE, 1, {})


def true_maps(grid):
    """Every channel as seen, at the beam [Jy/beam]."""
    maps = []
    for channel in range(COUNT):
        flux, l, m, major, minor, pa = np.transpose(TRUTH(channel))  # noqa: E741
        where = l * ARCSEC, m * ARCSEC, major, minor
        maps.append(render_components(grid.n_pix, grid.cell_arcsec, flux, *where, pa, grid.beam))
    return np.stack(maps)


def errors_are_right(pull, grid):
    """Whether χ² of pixels' errors over those claimed is one that right errors have, by the beams they fill."""
    beams = pull.size / (grid.beam.area_sr / ARCSEC**2 / grid.cell_arcsec**2)
    low, high = chi2.ppf([1e-3, 1 - 1e-3], beams) / beams
    return low < np.mean(pull**2) < high


def test_the_verdict_covers_the_whole_cube(folder, cube):
    summary = folder[1]
    assert summary["verdict"] == "converged"
    assert summary["reduced_chi2"] == pytest.approx(1, abs=0.05)
    assert abs(summary["delta_log_likelihood"]) < 0.1
    assert cube.model.likelihood.n_data == 2 * COUNT * 16 * 15 / 2 * 20
    told = summary["spectral"]
    assert told["frequency_hz"] == FREQUENCIES.tolist()
    # The channels have equally many data.
    assert np.mean(told["reduced_chi2"]) == pytest.approx(
        np.mean(summary["chi2_by_baseline"]["reduced_chi2"])
    )
    assert told["reduced_chi2"] == pytest.approx([1.0] * COUNT, abs=4 * np.sqrt(2 / (16 * 15 * 20)))
    # Sources a beam apart from channel to channel.
    assert told["correlation_channels"] == pytest.approx(-1 / np.log(told["correlation_of_neighbours"]))
    assert 0 < told["correlation_of_neighbours"] < 0.6


def test_truth_lies_within_the_errors_in_every_channel(folder, grid):
    mean, std = (
        read_image(folder[0] / f"{name}_beam.fits").values * grid.primary_beam for name in ("mean", "std")
    )
    true = true_maps(grid)
    bright = true > 3 * RMS
    assert bright.any((1, 2)).all()
    assert errors_are_right((mean - true)[bright] / std[bright], grid)
    assert (
        np.sqrt(np.mean((mean - true)[bright] ** 2)) < 1.5 * RMS
    )  # CLEAN's weights have 1.4 times that noise
    assert 0.3 * RMS < np.median(std[bright]) < 2 * RMS


def test_fluxes_are_told_by_channel(folder):
    table = read_table(folder[0] / "fluxes.ecsv")
    table = table[table["region"] == "r < 4 arcsec"]
    assert table["channel"].tolist() == list(range(COUNT))
    assert table["frequency"].quantity.to_value("Hz") == pytest.approx(FREQUENCIES)
    true = np.array([TRUTH(channel)[0][0] for channel in range(COUNT)])
    flux, error = table["flux_jy"].value, table["error_jy"].value
    # The primary beam is 0.98 there.
    assert (np.abs(flux - true / 0.98) < 3 * error).all()
    assert (error < 4 * RMS).all() and (error > RMS).all()
    whole = folder[1]["spectral"]["flux_jy"]
    assert folder[1]["flux_jy"] == pytest.approx(np.mean(whole))


def test_every_picture_has_a_true_frequency_axis(folder):
    for name in ("mean", "std", "median", "relative_std", "mean_beam", "std_beam", "mean_flat", "residual"):
        with fits.open(folder[0] / f"{name}.fits") as hdus:
            header, shape = hdus[0].header, hdus[0].data.shape
        assert header["CTYPE3"] == "FREQ" and shape == (COUNT, 64, 64), name
        found = WCS(header).spectral.pixel_to_world_values(np.arange(COUNT))
        assert found == pytest.approx(FREQUENCIES, rel=1e-12)
        assert header["RESTFRQ"] == REST_HZ
    kept = store.read(folder[0] / "samples.zarr.zip", "samples")
    assert kept.sky.dims == ("sample", "channel", "y", "x") and kept.sky.shape == (32, COUNT, 64, 64)
    assert kept.frequency_hz.values.tolist() == FREQUENCIES.tolist()


def test_residuals_are_those_of_each_channel(folder, cube):
    left = read_image(folder[0] / "residual.fits")
    noise = fits.getheader(folder[0] / "residual.fits")["NOISE"]
    assert noise == pytest.approx(RMS, rel=1e-6)
    assert left.values.std((1, 2)) == pytest.approx(np.full(COUNT, RMS), rel=0.3)


def test_moments_are_those_of_the_samples(folder, grid):
    samples = store.read(folder[0] / "samples.zarr.zip", "samples").sky.values.astype(float)
    velocity = 299792.458 * (1 - FREQUENCIES / REST_HZ)
    step = velocity[0] - velocity[1]
    images = [
        read_image(folder[0] / f"{name}.fits")
        for name in ("moment0", "moment0_std", "moment1", "moment1_std")
    ]
    assert all(image.attrs["bmaj_arcsec"] == pytest.approx(grid.beam.major_arcsec) for image in images)
    moment0, deviation, moment1, error = (image.values for image in images)
    y, x = np.unravel_index(np.nanargmax(moment0 * grid.primary_beam), moment0.shape)
    here = products.at_beam(samples * grid.cell_arcsec**2, grid)[:, :, y, x]
    assert moment0[y, x] == pytest.approx(step * here.sum(1).mean(), rel=1e-4)
    assert deviation[y, x] == pytest.approx(step * here.sum(1).std(ddof=1), rel=1e-3)
    centres = here @ velocity / here.sum(1)
    assert moment1[y, x] == pytest.approx(centres.mean(), rel=1e-3)
    assert error[y, x] == pytest.approx(centres.std(ddof=1), rel=1e-2)
    # Truth at the beam, where moment 1 is shown.
    true = true_maps(grid)
    shown = np.isfinite(moment1)
    true = np.tensordot(velocity, true, 1)[shown] / true.sum(0)[shown]
    assert shown.sum() > 100 and errors_are_right((moment1[shown] - true) / error[shown], grid)
    # The source moves from east to west as frequency rises.
    assert np.polyfit(np.nonzero(shown)[1], moment1[shown], 1)[0] < 0
    assert np.isnan(moment1[:, 0]).all()


def test_a_rest_frequency_of_another_line_is_told(grid, caplog):
    skies = np.random.default_rng(1).exponential(1.0, (4, COUNT, grid.n_pix, grid.n_pix))
    for ghz, told in ((None, False), (230.538, False), (115.271, True)):
        caplog.clear()
        recipe = RECIPE.model_copy(update={"spectral": Spectral(mode="cube", rest_frequency_ghz=ghz)})
        products.spectral_maps(skies, grid, recipe)
        assert ("spectral.rest_frequency_ghz" in caplog.text) == told


def test_same_seed_same_draws_however_many_threads(line, grid):
    one, two = (
        inference.infer(
            inference.Data(line), working(line, grid), 2, 1, "test", threads, settings=RECIPE.spectral
        ).vectors
        for threads in (1, 2)
    )
    assert np.array_equal(np.array(one), np.array(two))
