"""References with known noise."""

import numpy as np
import pytest
import xarray as xr
from scipy import fft

from almabrain.data.fits import write_image

CELL_ARCSEC = 0.1


def _gaussian_field(shape, sigma_px, rng):
    """Unit-variance field whose ACF is exp(-lag^2 / (2 sigma^2)): white noise times the root of its spectrum.

    Drawn on four times the side and cut, by a route of its own (complex FFT, analytic spectrum).
    """
    padded = [4 * n for n in shape]
    k_y, k_x = (fft.fftfreq(n) for n in padded)
    power = np.exp(-2 * np.pi**2 * sigma_px**2 * (k_y[:, None] ** 2 + k_x**2))
    white = rng.standard_normal(padded)
    field = fft.ifft2(fft.fft2(white) * np.sqrt(power / power.mean())).real
    return field[: shape[0], : shape[1]]


def image(pixels, **attrs):
    """A FITS-ready image of these pixels."""
    attrs = {"ra_deg": 150.0, "dec_deg": 2.0, "cell_arcsec": CELL_ARCSEC, "bunit": "Jy/beam", **attrs}
    return xr.DataArray(pixels, dims=("y", "x"), attrs=attrs)


@pytest.fixture
def reference(tmp_path):
    """A function that writes pixels as a FITS reference and gives its path; `beam_px` None writes no beam."""

    def write(pixels, beam_px=5.0, name="reference.fits", **attrs):
        if beam_px is not None:
            beam_arcsec = beam_px * CELL_ARCSEC
            attrs = {"bmaj_arcsec": beam_arcsec, "bmin_arcsec": beam_arcsec, "bpa_deg": 0.0, **attrs}
        path = tmp_path / name
        write_image(path, image(pixels, **attrs))
        return path

    return write


@pytest.fixture(scope="session")
def gaussian_field():
    """The function that makes fields of known correlation."""
    return _gaussian_field


@pytest.fixture
def rng():
    return np.random.default_rng(7)
