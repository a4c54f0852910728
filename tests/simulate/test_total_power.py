"""Single-dish maps: flux, place, beam, noise, and the short spacings that they share with the array."""

import logging

import numpy as np
import pytest

from almabrain.config.simulate import TotalPowerSettings
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.instrument import noise, primary_beam
from almabrain.response.predict import predict_components, predict_image
from almabrain.simulate.field import component_geometry
from almabrain.simulate.total_power import beam_arcsec, covering_arcsec, single_dish

from .conftest import ARCSEC, make_sky

CONTEXT = {"pwv": 1.0, "band_list": 6, "elevation_rad": np.radians(60)}
SETTINGS = TotalPowerSettings()
WIDE = (180, 1.5)  # 270 arcsec: ten beams at 230 GHz


def maps(sky, grid=WIDE, settings=SETTINGS, seed=0, context=CONTEXT):
    made = single_dish(sky, *grid, settings, context, np.random.default_rng(seed))
    return {name: values for name, (_, values) in made.items()}


def pixel_sky(side=48, cell=1.1):
    """Two channels of a lopsided pixel model, and two components beside it."""
    sky = make_sky([(12.0, -7.0, 0.8), (-20.0, 15.0, 1.7, 12.0, 5.0, 30.0)], (228e9, 232e9))
    y, x = np.mgrid[:side, :side]
    blob = np.exp(-((x - 30) ** 2 + (y - 15) ** 2) / 60) + 0.3 * np.random.default_rng(1).random((side, side))
    sky["pixel_model_jy"] = (("channel", "y", "x"), np.stack([blob, 0.5 * blob]) / blob.sum())
    sky["pixel_model_jy"].attrs["pixel_cell_arcsec"] = cell
    return sky


def beam_pixels(width_arcsec, cell_arcsec):
    return np.pi / (4 * np.log(2)) * (width_arcsec / cell_arcsec) ** 2


def test_point_source_peaks_at_its_flux_and_place():
    made = maps(make_sky([(-30.0, 18.0, 2.5)]))
    cube = made["total_power_noiseless"]
    y, x = np.unravel_index(cube[0].argmax(), cube[0].shape)
    assert (x, y) == (90 + 20, 90 + 12)
    np.testing.assert_allclose(cube[:, y, x], 2.5, rtol=1e-6)
    assert cube.dtype == made["total_power"].dtype == np.float32


def test_beam_is_the_dish_s_a_little_widened_and_shrinks_with_frequency():
    frequency = np.array([100e9, 230e9, 345e9])
    dish = primary_beam.half_power_width_rad(frequency, 12.0) / ARCSEC
    np.testing.assert_allclose(beam_arcsec(frequency), 1.0541 * dish, rtol=1e-4)
    made = maps(make_sky([(0.0, 0.0, 1.0)], frequency))
    for k, width in enumerate(made["total_power_beam_arcsec"]):
        row = made["total_power_noiseless"][k, 90]
        offset = (np.arange(180) - 90) * 1.5
        fwhm = 2 * np.interp(0.5, row[90:][::-1], offset[90:][::-1])
        assert fwhm == pytest.approx(width, rel=0.005)


def test_flux_closes():
    sky = pixel_sky()
    assert covering_arcsec(sky) < WIDE[0] * WIDE[1]
    made = maps(sky)
    for k, width in enumerate(made["total_power_beam_arcsec"]):
        total = made["total_power_noiseless"][k].sum(dtype=float) / beam_pixels(width, WIDE[1])
        true = float(sky["component_flux_jy"][:, k].sum() + sky["pixel_model_jy"][k].sum())
        assert total == pytest.approx(true, rel=0.001)


def test_flux_closes_on_the_narrowest_covering_grid():
    sky = make_sky([(15.0, 25.0, 1.0), (-40.0, 2.0, 0.6, 20.0, 10.0, 70.0)], [230e9])
    n_pix = int(np.ceil(covering_arcsec(sky) / 2.0 / 2) * 2)
    made = maps(sky, (n_pix, 2.0))
    total = made["total_power_noiseless"].sum() / beam_pixels(made["total_power_beam_arcsec"][0], 2.0)
    assert total == pytest.approx(1.6, rel=0.001)


def test_pixels_are_points():
    sky = pixel_sky()
    model = sky["pixel_model_jy"].values
    offset = (np.arange(48) - 24) * 1.1
    y, x = np.meshgrid(offset, -offset, indexing="ij")
    points = make_sky(np.stack([x.ravel(), y.ravel(), model[0].ravel()], axis=1), [228e9])
    alone = sky.isel(component=slice(0, 0), channel=slice(0, 1))
    np.testing.assert_allclose(
        maps(alone)["total_power_noiseless"], maps(points)["total_power_noiseless"], atol=1e-6
    )


def test_short_spacings_agree_with_the_interferometer():
    """The map's Fourier transform over the beam's is the sky's: what baselines shorter than 6 m would see."""
    sky = pixel_sky()
    frequency = sky["frequency_hz"].values
    made = maps(sky)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    length = np.repeat([0.0, 2.0, 4.0, 6.0], 6)
    uvw = np.stack([length * np.cos(angle), length * np.sin(angle), 0 * length], axis=1)
    l, m, major, minor, pa = component_geometry(sky)
    axes = major * ARCSEC, minor * ARCSEC, np.radians(pa)
    expected = predict_components(uvw, frequency, sky["component_flux_jy"].values, l, m, *axes)
    expected += predict_image(uvw, frequency, sky["pixel_model_jy"].values, 1.1 * ARCSEC, 1e-9, True)
    offset = (np.arange(WIDE[0]) - WIDE[0] // 2) * WIDE[1] * ARCSEC
    for k, width in enumerate(made["total_power_beam_arcsec"]):
        u, v = uvw[:, :2].T * frequency[k] / SPEED_OF_LIGHT_M_S
        west, north = (np.exp(sign * 2j * np.pi * np.outer(w, offset)) for sign, w in ((-1, u), (1, v)))
        seen = np.einsum("ry,yx,rx->r", north, made["total_power_noiseless"][k].astype(float), west)
        beam = np.exp(-((np.pi * width * ARCSEC) ** 2) / (4 * np.log(2)) * (u**2 + v**2))
        sky_seen = seen / beam_pixels(width, WIDE[1]) / beam
        np.testing.assert_allclose(sky_seen, expected[:, k], atol=1e-3 * np.abs(expected[0, k]))


def test_light_from_beyond_the_edges_is_in_the_map():
    sky = pixel_sky()
    wide, narrow = maps(sky)["total_power_noiseless"], maps(sky, (20, 1.5))["total_power_noiseless"]
    np.testing.assert_allclose(narrow, wide[:, 80:100, 80:100], rtol=1e-5)


def test_a_map_that_misses_light_is_said_in_the_log(caplog):
    with caplog.at_level(logging.INFO):
        maps(pixel_sky(), (64, 0.5))
    assert "32 arcsec wide" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        maps(pixel_sky())
    assert not caplog.text


def noise_of(grid=(64, 2.0), seeds=40, **settings):
    settings = TotalPowerSettings(**settings)
    made = [maps(make_sky([], [230e9]), grid, settings, seed) for seed in range(seeds)]
    return np.stack([one["total_power"][0] for one in made]), made[0]


def test_noise_has_the_predicted_rms_everywhere():
    cube, made = noise_of(seeds=60)
    assert cube.std() == pytest.approx(float(made["total_power_rms"][0]), rel=0.02)
    # The lattice that it is drawn on leaves no trace: columns vary as much as their number of samples lets them.
    columns = cube.std(axis=(0, 1)) / cube.std()
    assert abs(columns - 1).max() < 0.12
    assert abs(columns[:32].mean() / columns[32:].mean() - 1) < 0.05


def test_noise_is_correlated_as_gridding_makes_it():
    cube, made = noise_of()
    kernel = made["total_power_beam_arcsec"][0] / np.sqrt(10)
    for pixels in (1, 2, 4, 8, 16):
        step = pixels * 2.0
        measured = np.mean(cube[:, pixels:] * cube[:, :-pixels]) / cube.var()
        expected = np.exp(-4 * np.log(2) * step**2 / (2 * kernel**2))
        assert measured == pytest.approx(expected, abs=0.03)


def test_rms_is_the_radiometer_equation_s():
    """All the time in one beam, by hand: SEFD / √(N · 2 polarisations · Δν · t)."""
    sky, grid = make_sky([], [230e9]), (40, 2.0)
    rms = float(maps(sky, grid)["total_power_rms"][0])
    dish = primary_beam.half_power_width_rad(230e9, 12.0) / ARCSEC
    # Two antennas' naturally weighted image: SEFD / √(2 · 2 Δν t); see `noise.image_sensitivity`.
    sefd = 2 * noise.image_sensitivity(230e9, 100e6, 1.0, 2, 12.0, 1.0, np.radians(60), band=6) * 1e4
    kernel_area = 2.266 * (dish / 3) ** 2
    time = 3600 * kernel_area / (80 + dish) ** 2
    assert rms == pytest.approx(sefd / np.sqrt(3 * 2 * 100e6 * time) * 10 / 9, rel=1e-3)


def test_rms_follows_time_antennas_bandwidth_and_weather():
    def rms(width=100e6, context=CONTEXT, **settings):
        sky = make_sky([], [230e9], width)
        return float(
            maps(sky, settings=TotalPowerSettings(**settings), context=context)["total_power_rms"][0]
        )

    assert rms(time_s=14400) == pytest.approx(rms() / 2)
    assert rms(antennas=9) == pytest.approx(rms() / np.sqrt(3))
    assert rms(width=4e4) == pytest.approx(rms(width=1e4) / 2)  # narrow, so that T_sys is the same
    assert rms(context=CONTEXT | {"pwv": 5.0}) > 1.2 * rms()
    assert rms(context=CONTEXT | {"elevation_rad": np.radians(25)}) > 1.1 * rms()


def test_same_seed_same_map_and_channels_are_independent():
    sky = make_sky([], (230e9, 230.1e9))
    first, again = maps(sky, seed=4), maps(sky, seed=4)
    np.testing.assert_array_equal(first["total_power"], again["total_power"])
    a, b = first["total_power"].reshape(2, -1)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.2
