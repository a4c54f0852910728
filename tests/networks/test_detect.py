"""Peaks and matched filter against hand-made maps."""

import numpy as np
import pytest

from almabrain.networks.detect import centroids, peaks
from almabrain.networks.inputs import matched_filter
from almabrain.networks.shapes import gaussian, pixel_covariance

BEAM = pixel_covariance(5.0, 4.0, 20.0, 1.0)


def test_peaks_are_found_highest_first():
    y, x = np.mgrid[:64, :64]
    score = 5 * gaussian(x, y, 20, 30, BEAM) + 9 * gaussian(x, y, 45, 10, BEAM)
    assert peaks(score, 3.0, 3.0).tolist() == [[45, 10], [20, 30]]
    assert peaks(score, 6.0, 3.0).tolist() == [[45, 10]]
    assert peaks(score, 20.0, 3.0).shape == (0, 2)


def test_ripples_on_a_wide_source_are_one_source_but_a_dip_makes_two():
    score = np.zeros((32, 64))
    score[10:20, 5:55] = 8.0
    score[15, 10], score[15, 50] = 9.0, 8.5
    assert peaks(score, 3.0, 3.0).tolist() == [[10, 15]]
    score[10:20, 30] = 4.0
    assert peaks(score, 3.0, 3.0).tolist() == [[10, 15], [50, 15]]


def test_a_flat_top_is_one_peak():
    score = np.zeros((32, 32))
    score[10:14, 10:14] = 5.0
    assert len(peaks(score, 1.0, 2.0)) == 1


def test_centroid_finds_a_position_between_pixels():
    y, x = np.mgrid[:64, :64]
    weight = gaussian(x, y, 30.4, 21.7, pixel_covariance(3.0, 3.0, 0, 1.0))
    assert centroids(weight, np.array([[30.0, 22.0]]), 5.0)[0] == pytest.approx([30.4, 21.7], abs=0.03)


def test_matched_filter_raises_a_source_in_white_noise_as_theory_says():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:256, :256]
    kernel = gaussian(x, y, 128, 128, BEAM)
    filtered = matched_filter(rng.standard_normal((256, 256)) + 3 * kernel, BEAM)
    # The gain of the matched filter: S/N = amplitude x sqrt(sum kernel^2 / sigma^2).
    assert filtered[128, 128] == pytest.approx(3 * np.sqrt(np.sum(kernel**2)), abs=2.5)
    assert filtered.std() == pytest.approx(1.0, abs=0.1)
