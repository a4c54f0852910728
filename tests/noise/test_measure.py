"""Measured on fields of known noise, the known comes back."""

import dataclasses

import numpy as np
import pytest

from almabrain.console.errors import UserError
from almabrain.data.fits import write_image
from almabrain.data.statistics import robust_rms
from almabrain.noise.draw import drawer
from almabrain.noise.mask import mesh_rms, source_mask
from almabrain.noise.measure import measure
from almabrain.noise.model import load, save
from almabrain.response.beam import Beam

FWHM = np.sqrt(8 * np.log(2))


def source(shape, y, x, peak, sigma_px):
    rows, columns = np.indices(shape)
    return peak * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma_px**2))


def test_rms_acf_and_beam_of_gaussian_noise(reference, gaussian_field, rng):
    """No beam in the header: the core of the ACF is taken."""
    model = measure(reference(2e-5 * gaussian_field((192, 192), 3.0, rng), beam_px=None))
    assert model.rms == pytest.approx(2e-5, rel=0.05)
    assert model.card["acf_along_x"][2] == pytest.approx(np.exp(-0.5), abs=0.06)
    assert model.beam.major_arcsec == pytest.approx(3 * FWHM * 0.1, rel=0.1)
    assert model.warp.is_identity and model.local_rms is None
    assert model.power.mean() == pytest.approx(1) and model.power.min() >= 0


def test_sources_are_masked_and_do_not_count(reference, gaussian_field, rng):
    noise = gaussian_field((192, 192), 2.0, rng)
    sky = sum(source(noise.shape, *at, 2.2) for at in [(40, 50, 40), (100, 150, 12), (160, 60, 8)])
    dirty, clean = (measure(reference(p, beam_px=5.0, name=n)) for p, n in ((noise + sky, "a"), (noise, "b")))
    assert dirty.rms == pytest.approx(clean.rms, rel=0.02)
    assert dirty.card["masked_fraction"] > 0.01
    assert clean.card["masked_fraction"] == 0
    assert dirty.card["acf_along_y"][3] == pytest.approx(clean.card["acf_along_y"][3], abs=0.02)


def test_noise_alone_is_seldom_masked(gaussian_field, rng):
    masks = [source_mask(gaussian_field((128, 128), 2.1, rng), Beam(0.5, 0.5, 0), 0.1) for _ in range(20)]
    assert np.mean([mask.any() for mask in masks]) <= 0.3


def test_mesh_rms_follows_the_noise_and_not_a_source(rng):
    image = rng.standard_normal((256, 256)) * np.linspace(1, 3, 256)
    image += source(image.shape, 128, 128, 100, 4)
    rms = mesh_rms(image, 32)
    assert rms[:, 20].mean() == pytest.approx(1.16, rel=0.15)
    assert rms[:, 235].mean() == pytest.approx(2.84, rel=0.15)


def test_robust_rms_ignores_outliers(rng):
    values = 2 * rng.standard_normal(100_000)
    values[:100] = 1e6
    assert robust_rms(values) == pytest.approx(2, rel=0.02)


def test_a_rising_rms_is_found_and_even_noise_is_left_alone(reference, gaussian_field, rng):
    """Twice the noise at the edges, as after a primary beam correction."""
    noise = gaussian_field((192, 192), 2.0, rng)
    rows, columns = np.indices(noise.shape) - 96
    true = 1 + (rows**2 + columns**2) / 96**2
    model = measure(reference(noise * true))
    assert np.corrcoef(model.local_rms.ravel(), true.ravel())[0, 1] > 0.9
    assert np.mean(model.local_rms**2) == pytest.approx(1)
    assert measure(reference(noise, name="even")).local_rms is None


def test_a_skewed_reference_gives_skewed_draws(reference, gaussian_field, rng):
    """Spectrum and marginal of the draws are both the reference's (ACF within 0.03, KS within 0.02)."""
    pixels = np.exp(0.5 * gaussian_field((192, 192), 2.0, rng))
    model = measure(reference(pixels), mask_sources=False)
    assert model.card["marginal"] == "quantile table"
    assert model.card["comparison"]["ks"] < 0.02
    assert model.card["comparison"]["acf_difference"] < 0.03
    draw = drawer(model)
    skewness = np.mean([np.mean(draw(rng) ** 3) for _ in range(10)])
    assert skewness == pytest.approx(model.card["skewness"], rel=0.2)


def test_draws_are_new_and_not_the_reference_again(reference, gaussian_field, rng):
    numbers = measure(reference(gaussian_field((128, 128), 2.0, rng))).card["comparison"]
    assert numbers["correlation"] < 4 / 3 * numbers["correlation_limit"]
    assert 0 < numbers["correlation_limit"] < 0.2


def test_the_plane_of_a_cube_is_chosen(tmp_path, gaussian_field, rng):
    import xarray as xr

    cube = np.stack([gaussian_field((64, 64), 1.5, rng), 5 * gaussian_field((64, 64), 1.5, rng)])
    attrs = {"ra_deg": 1.0, "dec_deg": 2.0, "cell_arcsec": 0.1, "bunit": "Jy/beam"}
    attrs |= {"bmaj_arcsec": 0.35, "bmin_arcsec": 0.35, "bpa_deg": 0.0}
    frequency = {"frequency_hz": ("channel", [1e11, 1.001e11])}
    path = tmp_path / "cube.fits"
    write_image(path, xr.DataArray(cube, dims=("channel", "y", "x"), coords=frequency, attrs=attrs))
    assert measure(path, plane=1).rms == pytest.approx(5, rel=0.2)
    with pytest.raises(UserError, match="noise.plane is 2"):
        measure(path, plane=2)


def test_blank_corners_are_left_out(reference, gaussian_field, rng):
    pixels = gaussian_field((128, 128), 2.0, rng)
    rows, columns = np.indices(pixels.shape) - 64
    pixels[rows**2 + columns**2 > 62**2] = np.nan
    model = measure(reference(pixels))
    assert model.card["blank_fraction"] > 0.2 and model.rms == pytest.approx(1, rel=0.15)


def test_a_model_is_saved_and_read_whole(reference, gaussian_field, rng, tmp_path):
    model = measure(reference(np.exp(0.4 * gaussian_field((96, 96), 2.0, rng))), mask_sources=False)
    save(tmp_path / "model.zarr.zip", model)
    again = load(tmp_path / "model.zarr.zip")
    for field in dataclasses.fields(model):
        if field.name not in ("power", "warp", "local_rms", "comparison"):
            assert getattr(again, field.name) == getattr(model, field.name)
    assert np.array_equal(again.power, model.power)
    assert np.array_equal(again.warp.value, model.warp.value)
    assert again.comparison.identical(model.comparison)


def test_measuring_twice_gives_the_same(reference, gaussian_field, rng):
    path = reference(gaussian_field((96, 96), 2.0, rng))
    assert measure(path).card == measure(path).card
