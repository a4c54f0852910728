"""Molecular clouds: the power spectrum's slope is the one asked for, and no light is negative."""

from types import SimpleNamespace

import numpy as np
import pytest

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.sky.models import cloud

BEAM = 0.5
LARGE = {"radius_beams": [31, 31]}  # 250 pixels a side


def field(radius_beams=200.0):
    return SimpleNamespace(beam_arcsec=BEAM, radius_rad=radius_beams * BEAM * ARCSEC)


def drawn(seed=1, field_beams=200.0, **cloud_settings):
    settings = check(SkySettings, {"model": "cloud", "cloud": cloud_settings}, "sky")
    (shape,) = cloud.draw(field(field_beams), settings, np.random.default_rng(seed))
    return shape


def slope_of(pixels):
    """Slope of the power in rings of k, from 4 cycles a side to 0.35 cycles a pixel."""
    side = pixels.shape[0]
    power = np.abs(np.fft.fft2(pixels)) ** 2
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    edges = np.geomspace(4 / side, 0.35, 12)
    rings = [(k >= inner) & (k < outer) for inner, outer in zip(edges, edges[1:])]
    points = np.log([(k[ring].mean(), power[ring].mean()) for ring in rings])
    return np.polyfit(points[:, 0], points[:, 1], 1)[0]


def test_the_measure_of_slopes_knows_a_slope():
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    k[0, 0] = np.inf
    noise = np.fft.fft2(np.random.default_rng(3).standard_normal((256, 256)))
    assert slope_of(np.fft.ifft2(noise * k**-1.25).real) == pytest.approx(-2.5, abs=0.1)


@pytest.mark.parametrize(("slope", "bias"), [(-1.0, 0.05), (-2.0, 0.05), (-2.8, 0.05), (-3.5, 0.13)])
def test_the_power_spectrum_has_the_slope_asked_for(slope, bias):
    measured = [slope_of(drawn(seed, slope=slope, **LARGE).pixels) for seed in range(12)]
    assert np.mean(measured) == pytest.approx(slope, abs=bias + 0.04)  # one cloud scatters by 0.1
    assert np.std(measured) < 0.15


def test_the_light_is_one_never_negative_and_lies_in_the_field():
    for seed in range(10):
        shape = drawn(seed, field_beams=6)
        half = shape.pixels.shape[0] // 2
        assert shape.kind == "cloud" and shape.cell_arcsec == BEAM / 4
        assert shape.pixels.min() == 0 and shape.pixels.sum() == pytest.approx(1, rel=1e-12)
        y, x = np.mgrid[-half:half, -half:half] * shape.cell_arcsec
        assert np.hypot(x, y)[shape.pixels > 0].max() < 6 * BEAM
        assert np.hypot(shape.l, shape.m) / ARCSEC < 3 * BEAM


def test_the_outline_is_ragged_and_the_middle_bright():
    """Most of a round outline's rim would shine alike; of a cloud's, some is dark and some is not."""
    dark = []
    for seed in range(20):
        shape = drawn(seed, **LARGE)
        half = shape.pixels.shape[0] // 2
        y, x = np.mgrid[-half:half, -half:half] / half
        distance = np.hypot(x, y)
        assert (
            shape.pixels[distance < 0.25].mean()
            > 2 * shape.pixels[(distance > 0.5) & (distance < 0.7)].mean()
        )
        dark.append((shape.pixels[(distance > 0.45) & (distance < 0.55)] == 0).mean())
    assert 0.15 < np.mean(dark) < 0.7 and np.std(dark) > 0.1


def test_a_cloud_as_large_as_the_picture_can_be_has_coarser_pixels():
    shape = drawn(radius_beams=[100, 100])
    assert shape.pixels.shape == (512, 512) and shape.cell_arcsec > BEAM / 4
    assert shape.pixels.sum() == pytest.approx(1)


@pytest.mark.parametrize("slope", [0.0, -2.8, -5.0])
def test_a_cloud_smaller_than_the_beam_has_light_too(slope):
    for seed in range(30):
        pixels = drawn(seed, slope=slope, radius_beams=[0.01, 2]).pixels
        assert np.isfinite(pixels).all() and pixels.sum() == pytest.approx(1)


def test_the_same_seed_draws_the_same_bytes():
    first, again, other = (drawn(seed).pixels for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() and first.tobytes() != other.tobytes()
