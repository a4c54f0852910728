import numpy as np
import pytest
from scipy.stats import norm

from almabrain.sky.particles import cloud_in_cell, full_width_kms, particles


def bits(number=200, side=6, seed=1):
    rng = np.random.default_rng(seed)
    return particles(
        side,
        rng.integers(0, side**2, number),
        rng.normal(0, 60, number),
        rng.random(number),
        rng.uniform(0, 5, number),
    )


def test_every_bit_is_a_gaussian_in_velocity_summed_over_its_pixel():
    gas, edges = bits(), np.linspace(-150, 170, 41)
    slow = np.zeros((40, 36))
    for pixel, velocity, light, spread in zip(gas.pixel, gas.velocity_kms, gas.light, gas.spread_kms):
        slow[:, pixel] += light * np.diff(norm.cdf(edges, velocity, np.hypot(8.0, spread)))
    assert np.allclose(gas.line_pixels(edges, 8.0).reshape(40, 36), slow, atol=1e-8)
    assert slow.max() > 1e-3


def test_channels_together_hold_all_light_whatever_their_width():
    gas = bits()
    for edges in ([-1e4, 1e4], np.linspace(-1000, 1000, 7), np.linspace(-400, 400, 801)):
        assert gas.line_pixels(np.array(edges), 10.0).sum() == pytest.approx(1, abs=1e-6)
    assert np.allclose(gas.line_pixels(np.array([-1e4, 1e4]), 10.0)[0], gas.pixels, atol=1e-8)


def test_a_point_between_pixels_keeps_its_light_and_place():
    pixel, share = cloud_in_cell(np.array([3.3]), np.array([5.8]), 10)
    row, column = np.divmod(pixel[:, 0], 10)
    assert share.sum() == pytest.approx(1)
    assert (share[:, 0] * column).sum() == pytest.approx(3.3)
    assert (share[:, 0] * row).sum() == pytest.approx(5.8)
    image = np.bincount(pixel[:, 0], share[:, 0], 100).reshape(10, 10)
    assert image[6, 3] == pytest.approx(0.7 * 0.8) and np.count_nonzero(image) == 4


def test_what_lies_outside_the_square_is_lost_and_never_wraps():
    pixel, share = cloud_in_cell(np.array([-0.25, 9.5, 20.0]), np.array([4.0, 9.0, -7.0]), 10)
    assert share.sum(axis=0) == pytest.approx([0.75, 0.5, 0])
    assert set(pixel[share > 0]) == {40, 99}


def test_width_of_a_gaussian_of_a_box_and_of_two_peaks():
    thin = np.array([-0.01, 0.01])
    assert full_width_kms(thin, np.array([1.0]), 10.0) == pytest.approx(23.548, rel=1e-3)
    assert full_width_kms(np.array([-150.0, 150.0]), np.array([1.0]), 5.0) == pytest.approx(300, rel=1e-3)
    edges = np.array([-100.1, -99.9, 99.9, 100.1])
    horns = full_width_kms(edges, np.array([0.5, 0.0, 0.5]), 10.0)
    assert horns == pytest.approx(200 + 23.548, rel=1e-3)
