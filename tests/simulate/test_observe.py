"""Whole observations against direct sums, the radiometer equation and the primary beam."""

import numpy as np
import pytest
import xarray as xr

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.instrument import noise, primary_beam
from almabrain.response.beam import Beam, render_components
from almabrain.response.primary_beam import dish
from almabrain.simulate.observe import observe
from almabrain.simulate.visibility import predict

from .conftest import ARCSEC, make_row, make_sky

SMALL = {"n_pix": 96, "cell_arcsec": 0.15}


def run(sky, seed=1, row=None, **settings):
    sky = {"spw0": sky} if isinstance(sky, xr.Dataset) else sky
    settings = SimulateSettings(**(SMALL | settings))
    return dict(observe([row or make_row()], sky, settings, np.random.default_rng(seed)))


@pytest.fixture(scope="module")
def empty_seeds():
    """Twelve observations of the empty sky, noise only."""
    return [run(make_sky([], [230e9]), seed, visibilities=False)["spw0"] for seed in range(12)]


def test_noise_is_what_the_radiometer_equation_says(empty_seeds):
    measured = np.mean([window["dirty"].values.std() for window in empty_seeds])
    row = make_row()
    elevation = np.radians(78.0)
    expected = noise.image_sensitivity(230e9, 100e6, 600.0, 10, 12.0, row["pwv"], elevation, band=6)
    predicted = float(empty_seeds[0]["rms_jy_beam"][0])
    assert predicted == pytest.approx(expected, rel=0.01)
    assert measured == pytest.approx(predicted, rel=0.03)


def test_noise_under_briggs_is_predicted_too():
    sky = make_sky([], [230e9])
    windows = [
        run(sky, seed, weighting="briggs", robust=-1, visibilities=False)["spw0"] for seed in range(12)
    ]
    predicted = float(windows[0]["rms_jy_beam"][0])
    assert np.mean([window["dirty"].values.std() for window in windows]) == pytest.approx(predicted, rel=0.05)
    assert predicted > 1.02 * float(run(sky)["spw0"]["rms_jy_beam"][0])


def test_noise_of_visibilities_has_the_stated_sigma():
    window = run(make_sky([(1, 2, 0.5)], 230e9 + 1e7 * np.arange(40)))["spw0"]
    residual = window["visibility"] - window["visibility_noiseless"]
    scaled = (residual / window["sigma_jy"]).values
    for part in (scaled.real, scaled.imag):
        assert part.std() == pytest.approx(1, rel=0.015)
    # Four times the error of the mean of 36,000 products: polarisations, and neighbouring channels, differ.
    assert abs(np.mean(scaled[..., 0] * scaled[..., 1].conj())) < 0.042
    assert abs(np.mean(scaled[:, 1:] * scaled[:, :-1].conj())) < 0.042


def test_dirty_holds_the_same_noise_as_the_visibilities():
    window = run(make_sky([(1, 2, 0.5)], [230e9]))["spw0"]
    weight = 1 / window["sigma_jy"].values[:, 0] ** 2
    stokes_i = window["visibility"].values.mean(axis=-1)[:, 0]
    u = window["uvw_m"].values @ np.array([-10, 7, 0]) * 0.15 * ARCSEC * 230e9 / 299_792_458.0
    direct = np.sum(weight * (stokes_i * np.exp(-2j * np.pi * u)).real) / weight.sum()
    assert float(window["dirty"][0, 48 + 7, 48 + 10]) == pytest.approx(direct, abs=1e-4)


def test_noise_falls_with_time_and_bandwidth():
    def rms(width, time):
        sky = make_sky([], [230e9], width)
        return float(run(sky, row=make_row(t_exptime=time), visibilities=False)["spw0"]["rms_jy_beam"][0])

    reference = rms(1e5, 120.0)  # narrow, so that T_sys is the same
    assert rms(4e5, 120.0) == pytest.approx(reference / 2, rel=1e-6)
    assert rms(1e5, 480.0) == pytest.approx(reference / 2, rel=0.01)


def test_psf_is_the_sum_over_the_coverage():
    window = run(make_sky([], [230e9]))["spw0"]
    uvw, weight = window["uvw_m"].values, 1 / window["sigma_jy"].values[:, 0] ** 2
    for dx, dy in [(2, 0), (0, 3), (-4, 1)]:
        phase = 2 * np.pi * (uvw @ np.array([-dx, dy, 0])) * 0.15 * ARCSEC * 230e9 / 299_792_458.0
        direct = np.sum(weight * np.cos(phase)) / weight.sum()
        assert float(window["psf"][0, 48 + dy, 48 + dx]) == pytest.approx(direct, abs=1e-5)


def test_beam_has_the_width_of_the_longest_baselines():
    window = run(make_sky([], [230e9]), weighting="briggs", robust=-2, n_pix=192)["spw0"]
    longest = np.hypot(*window["uvw_m"].values[:, :2].T).max() * 230e9 / 299_792_458.0
    # Uniform weighting of a filled disc would give 0.705 λ/B (J1's lobe); sparse coverage comes near it.
    assert 0.55 < float(window["bmin_arcsec"][0]) * ARCSEC * longest < 1.0


def test_sources_are_where_they_belong_and_attenuated_by_the_primary_beam():
    sources = [(4.2, 3.3, 2.0), (-3.9, -1.5, 1.0)]
    settings = {"n_pix": 256, "cell_arcsec": 0.1, "visibilities": False}
    row = make_row(band_list=7)
    window = run(make_sky(sources, [345e9]), row=row, **settings)["spw0"]
    dirty, psf = window["dirty_noiseless"].values[0].astype(float), window["psf"].values[0].astype(float)
    expected = np.zeros_like(dirty)
    for l, m, flux in sources:
        x, y = 128 - round(l / 0.1), 128 + round(m / 0.1)
        power = primary_beam.power(np.hypot(l, m) * ARCSEC, 345e9, 12.0)
        assert power < 0.8 if flux == 2.0 else power < 0.95
        assert float(window["pb"][0, y, x]) == pytest.approx(power, rel=1e-4)
        expected += flux * power * np.roll(psf, (y - 128, x - 128), (0, 1))
    inner = slice(64, -64)
    np.testing.assert_allclose(dirty[inner, inner], expected[inner, inner], atol=2e-3)


def test_pixel_model_is_its_components():
    sky = make_sky([])
    model = np.zeros((2, 64, 64))
    model[:, 40, 20], model[1, 22, 37] = 0.7, 0.2
    sky["pixel_model_jy"] = ("channel", "y", "x"), model, {"pixel_cell_arcsec": 0.25}
    same = make_sky([(3.0, 2.0, 0.7), (-1.25, -2.5, 0.2)])
    same["component_flux_jy"][1, 0] = 0.0
    uvw = np.random.default_rng(0).normal(size=(50, 3)) * 150
    np.testing.assert_allclose(predict(sky, uvw, dish(12.0)), predict(same, uvw, dish(12.0)), atol=1e-5)


@pytest.mark.parametrize("offset_fwhm", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("major", [6.5, 13.0, 19.5, 40.0, 90.0])
def test_beam_acts_on_the_whole_of_an_extended_component(major, offset_fwhm):
    """7 m dishes at 230 GHz, 1 to 14 beams: the sum over fine pixels, each behind its own primary beam."""
    frequency, minor, pa = np.array([229.1e9, 230.9e9]), 0.7 * major, 35.0
    l0, m0 = offset_fwhm * primary_beam.half_power_width_rad(230e9, 7.0) * np.array([0.8, -0.6]) / ARCSEC
    uvw = np.random.default_rng(0).normal(size=(60, 3)) * (12, 12, 0)
    seen = predict(make_sky([(l0, m0, 1.0, major, minor, pa)], frequency), uvw, dish(7.0))
    step = np.linspace(-2.2, 2.2, 111) * major
    l, m = (offset.ravel() for offset in np.meshgrid(step, step))
    sin, cos = np.sin(np.radians(pa)), np.cos(np.radians(pa))
    shape = ((l * sin + m * cos) / major) ** 2 + ((l * cos - m * sin) / minor) ** 2
    flux = np.exp(-4 * np.log(2) * shape)
    l, m = (l + l0) * ARCSEC, (m + m0) * ARCSEC
    for k, f in enumerate(frequency):
        pixel = flux / flux.sum() * primary_beam.power(np.arcsin(np.hypot(l, m)), f, 7.0)
        turns = (uvw[:, :1] * l + uvw[:, 1:2] * m) * f / 299_792_458.0
        np.testing.assert_allclose(seen[:, k], np.exp(2j * np.pi * turns) @ pixel, atol=1e-5)


def test_extended_source_in_the_dirty_image_has_its_flux():
    window = run(make_sky([(0.0, 0.0, 1.0, 0.6, 0.4, 20.0)], [230e9]))["spw0"]
    beam = Beam(*(float(window[key][0]) for key in ("bmaj_arcsec", "bmin_arcsec", "bpa_deg")))
    picture = render_components(96, 0.15, [1.0], [0.0], [0.0], [0.6], [0.4], [20.0], beam)
    assert float(window["dirty_noiseless"].max()) == pytest.approx(picture.max(), rel=0.05)


def test_all_windows_share_one_grid():
    made = run({"spw0": make_sky([(1, 1, 1.0)]), "spw1": make_sky([(1, 1, 1.0)], [246e9])}, n_pix="auto")
    assert set(made) == {"spw0", "spw1", "antennas", "pointings"}
    assert made["spw0"].attrs["n_pix"] == made["spw1"].attrs["n_pix"] == made["spw1"].sizes["x"]
    np.testing.assert_array_equal(made["spw0"]["uvw_m"], made["spw1"]["uvw_m"])


def test_same_seed_same_arrays():
    first, again, other = (run(make_sky([(1, 2, 0.5)]), seed)["spw0"] for seed in (1, 1, 2))
    xr.testing.assert_identical(first, again)
    assert not np.array_equal(first["dirty"], other["dirty"])
    np.testing.assert_array_equal(first["dirty_noiseless"], other["dirty_noiseless"])


def test_visibilities_can_be_left_out():
    window = run(make_sky([(1, 2, 0.5)]), visibilities=False)["spw0"]
    assert "visibility" not in window and "uvw_m" not in window and "dirty" in window


def test_single_baseline_has_no_beam():
    row = make_row(antenna_arrays="A001:DV07 A002:DV08", t_exptime=30.0)
    with pytest.raises(UserError, match="no beam can be fitted"):
        run(make_sky([], [230e9]), row=row)
