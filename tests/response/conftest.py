"""A small array's uv coverage and the slow, obvious Fourier sum that everything is held against."""

import numpy as np
import pytest

ARCSEC = np.pi / 648_000
C = 299_792_458.0


def fourier_sum(uvw_m, frequency_hz, flux, l, m):
    """Σ S exp(+2πi(ul + vm + w(n−1))), one visibility at a time."""
    out = np.zeros((len(uvw_m), len(frequency_hz)), complex)
    for r, (u, v, w) in enumerate(uvw_m):
        for k, f in enumerate(frequency_hz):
            n = np.sqrt(1 - l**2 - m**2)
            out[r, k] = np.sum(flux * np.exp(2j * np.pi * f / C * (u * l + v * m + w * (n - 1))))
    return out


def pixel_directions(n_pix, cell_rad):
    """l (east) and m (north) at the pixels of an image (y, x) by the project's convention."""
    y, x = np.mgrid[:n_pix, :n_pix]
    return -(x - n_pix // 2) * cell_rad, (y - n_pix // 2) * cell_rad


@pytest.fixture
def coverage():
    """uvw (row, 3) in metres with strong w, and two frequencies."""
    rng = np.random.default_rng(7)
    return rng.normal(size=(120, 3)) * [300.0, 250.0, 200.0], np.array([90e9, 110e9])
