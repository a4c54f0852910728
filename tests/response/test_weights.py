"""Briggs weights against a loop over samples and cells."""

import math

import numpy as np
import pytest

from almabrain.response.weights import briggs, natural

from .conftest import ARCSEC, C


def slow_briggs(uvw, frequency, weight, n_pix, cell, robust):
    density, keys = {}, {}
    step = 1 / (n_pix * cell)
    for r in range(len(uvw)):
        for k, f in enumerate(frequency):
            u, v = uvw[r, :2] * f / C / step
            if v < 0:
                u, v = -u, -v
            cell_uv = math.floor(u), math.floor(v)
            if -n_pix // 2 <= cell_uv[0] < n_pix // 2 and cell_uv[1] < n_pix // 2:
                keys[r, k] = cell_uv
                density[cell_uv] = density.get(cell_uv, 0) + weight[r, k]
    total = sum(weight[key] for key in keys)
    f2 = (5 * 10**-robust) ** 2 / (sum(d**2 for d in density.values()) / total)
    out = np.zeros_like(weight)
    for key, cell_uv in keys.items():
        out[key] = weight[key] / (1 + f2 * density[cell_uv])
    return out


@pytest.mark.parametrize("robust", [-2.0, 0.0, 0.5, 2.0])
def test_briggs_is_the_loop(coverage, robust):
    uvw, frequency = coverage
    weight = np.random.default_rng(2).uniform(0.1, 3, (len(uvw), 2))
    weight[3] = 0
    got = briggs(uvw, frequency, weight, 64, 2 * ARCSEC, robust)
    want = slow_briggs(uvw, frequency, weight, 64, 2 * ARCSEC, robust)
    assert (want == 0).any() and (want > 0).sum() > 50
    np.testing.assert_allclose(got, want, rtol=1e-10)


def test_robust_goes_from_uniform_to_natural(coverage):
    uvw, frequency = coverage
    weight = np.ones((len(uvw), 2))
    towards_natural = briggs(uvw, frequency, weight, 64, ARCSEC, 5.0)
    np.testing.assert_allclose(towards_natural[towards_natural > 0], 1, rtol=1e-3)
    crowded = np.concatenate([np.repeat(uvw[:1], 9, axis=0), uvw[1:2]])
    uniform = briggs(crowded, frequency[:1], np.ones((10, 1)), 512, 0.1 * ARCSEC, -5.0)
    # Nine samples in one cell weigh together as much as one alone.
    np.testing.assert_allclose(uniform[:9].sum(), uniform[9, 0], rtol=1e-3)


def test_opposite_samples_share_a_cell():
    uvw = np.array([[100.0, 50.0, 0.0], [-100.0, -50.0, 0.0], [100.0, -50.0, 0.0]])
    got = briggs(uvw, np.array([1e11]), np.ones((3, 1)), 64, ARCSEC, -2.0)[:, 0]
    assert got[0] == got[1] < got[2]


def test_natural_keeps_the_inverse_variances():
    weight = np.array([[1.0, 2.0]])
    assert (natural(weight) == weight).all()
