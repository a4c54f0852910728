"""ACF under a mask, and the spectrum nearest to it."""

import numpy as np
import pytest

from almabrain.noise import spectrum


def slow_masked_acf(field, weight, dy, dx):
    """Sum over all pairs of pixels at one lag, written out."""
    n_y, n_x = field.shape
    product = pairs = 0.0
    for y in range(n_y):
        for x in range(n_x):
            if 0 <= y + dy < n_y and 0 <= x + dx < n_x:
                w = weight[y, x] * weight[y + dy, x + dx]
                product += w * field[y, x] * field[y + dy, x + dx]
                pairs += w
    return product / pairs


def test_masked_acf_is_the_sum_over_pairs(rng):
    field, weight = (
        rng.standard_normal((9, 12)),
        rng.uniform(size=(9, 12)) * (rng.uniform(size=(9, 12)) > 0.3),
    )
    acf = spectrum.masked_acf(field, weight)
    for lag in [(0, 0), (1, 0), (0, 2), (2, -3), (-1, 1)]:
        assert acf[lag] == pytest.approx(slow_masked_acf(field, weight, *lag), abs=1e-12)


def test_blank_pixels_do_not_poison_the_acf(rng):
    field = rng.standard_normal((16, 16))
    weight = np.ones((16, 16))
    field[3, 4], weight[3, 4] = np.nan, 0.0
    assert np.isfinite(spectrum.masked_acf(field, weight)).all()


@pytest.mark.parametrize("masked", [0.05, 0.2, 0.4])
def test_a_mask_leaves_no_bias(masked, rng, gaussian_field):
    """Recipe: ACF division is biased by at most 1.5 % where filling the holes costs up to 30 %."""
    holes = gaussian_field((128, 128), 6.0, rng)
    weight = (holes < np.quantile(holes, 1 - masked)).astype(float)
    found = []
    for _ in range(40):
        field = gaussian_field((128, 128), 3.0, rng)
        found.append(spectrum.masked_acf(field, weight)[[0, 0, 0, 0], [0, 2, 4, 6]])
    expected = np.exp(-(np.array([0, 2, 4, 6]) ** 2) / (2 * 3.0**2))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    assert np.all(np.abs(mean - expected) < 0.015 + 3 * error)


def test_the_simplex_projection_is_the_nearest_one(rng):
    raw = rng.standard_normal((6, 5)) + 0.7
    found = spectrum.project_simplex(raw)
    assert found.min() >= 0 and found.mean() == pytest.approx(1)
    distance = np.sum((found - raw) ** 2)
    for _ in range(2000):
        other = np.abs(found + 0.3 * rng.standard_normal(raw.shape))
        assert np.sum((other / other.mean() - raw) ** 2) > distance


def test_projection_leaves_no_white_floor():
    power = np.zeros(1000)
    power[:100] = 10.0
    noisy = power + np.random.default_rng(1).normal(scale=0.3, size=1000)
    assert (spectrum.project_simplex(noisy)[100:] == 0).mean() > (np.maximum(noisy, 0)[100:] == 0).mean()


def test_ring_mean_averages_and_marks_empty_rings():
    radius = np.array([[0.5, 1.5], [1.6, 3.5]])
    means = spectrum.ring_mean(np.array([[2.0, 4.0], [6.0, 8.0]]), radius, np.arange(5.0))
    assert means[[0, 1, 3]] == pytest.approx([2, 5, 8]) and np.isnan(means[2])


def test_independent_pixels_of_a_gaussian_acf():
    """Sum of exp(-lag^2 / sigma^2) over all lags is pi sigma^2."""
    lag = np.fft.fftfreq(128, 1 / 128)
    acf = np.exp(-(lag[:, None] ** 2 + lag**2) / (2 * 4.0**2))
    assert spectrum.independent_pixels(acf, 128**2) == pytest.approx(128**2 / (np.pi * 16), rel=1e-3)
