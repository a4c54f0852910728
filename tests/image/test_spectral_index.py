"""Spectral indices of two sources, one steep and one flat."""

import numpy as np
import pytest

from almabrain.config.image import Spectral
from almabrain.data.fits import read_image
from almabrain.image import inference, products
from almabrain.image.grid import choose_grid, working

from .conftest import FIELD
from .lines import observe_channels

FREQUENCIES = np.array([207e9, 220.8e9, 239.2e9, 253e9])
REFERENCE_HZ = np.exp(np.log(FREQUENCIES).mean())
RECIPE = FIELD.model_copy(update={"spectral": Spectral(mode="index"), "samples": 48})
# flux at the reference, east and north [arcsec], index
SOURCES = [(0.8, -1.8, 1.1, 3.0), (0.5, 2.0, -1.0, 0.0)]


def components(channel):
    ratio = FREQUENCIES[channel] / REFERENCE_HZ
    return [[flux * ratio**index, *place, 1.5, 1.3, 30.0] for flux, *place, index in SOURCES]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    windows = {"spw0": observe_channels(FREQUENCIES, components, 0.3, seed=3)}
    grid = choose_grid(windows, RECIPE)
    state = inference.infer(
        inference.Data(windows), working(windows, grid), 30, seed=1, name="test", settings=RECIPE.spectral
    )
    folder = tmp_path_factory.mktemp("index")
    return folder, products.write(folder, state, grid, RECIPE, 1, {})


def near(image, east, north):
    """Pixels within 0.75 arcsec of a place."""
    pixel = np.arange(64)
    distance = np.hypot(pixel - (32 - east / 0.19), pixel[:, None] - (32 + north / 0.19))
    return image[distance < 4]


def test_indices_are_within_their_errors(made):
    index, error = (read_image(made[0] / f"spectral_index{end}.fits").values for end in ("", "_std"))
    assert np.array_equal(np.isfinite(index), np.isfinite(error))
    for _, east, north, true in SOURCES:
        found, own = near(index, east, north), near(error, east, north)
        assert np.isfinite(found).all()
        pull = (found - true) / own
        assert np.mean(np.abs(pull) < 2) > 0.9
        # Far better than the prior, no better than the flux allows: σ_α = σ_S / S / rms ln ν.
        rms = 0.3 / np.sqrt(4 * 16 * 15 / 2 * 20)
        best = rms / 0.8 / np.std(np.log(FREQUENCIES))
        assert best < np.median(own) < 0.4
    assert np.isnan(near(index, 4.5, 4.5)).all()  # nothing is there


def test_pictures_are_at_the_reference_frequency(made):
    folder, summary = made
    assert summary["spectral"]["reference_hz"] == pytest.approx(REFERENCE_HZ)
    assert summary["verdict"] == "converged"
    for name in ("mean", "std_beam", "residual"):
        image = read_image(folder / f"{name}.fits")
        assert image.dims == ("y", "x") and image.attrs["frequency_hz"] == pytest.approx(REFERENCE_HZ)
    assert summary["frequency_hz"] == pytest.approx(REFERENCE_HZ)
    assert "bmaj_arcsec" in read_image(folder / "spectral_index.fits").attrs
    total = sum(flux for flux, *_ in SOURCES)
    assert summary["flux_jy"] == pytest.approx(total / 0.98, abs=4 * summary["flux_error_jy"])
    assert summary["flux_error_jy"] < 0.03
