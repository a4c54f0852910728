"""Images whose sources and noise are known exactly."""

import numpy as np
import pytest
from scipy import fft

from almabrain.catalogue.plane import SkyPlane
from almabrain.data.coordinates import image_wcs
from almabrain.networks.shapes import gaussian, pixel_covariance
from almabrain.response.beam import Beam

CELL = 0.2
BEAM = Beam(1.2, 0.9, 30.0)


def correlated_noise(rng, n_pix: int, covariance: np.ndarray) -> np.ndarray:
    """Unit noise whose autocorrelation is a Gaussian of this pixel covariance, as natural weights make it."""
    axis = fft.fftfreq(n_pix) * n_pix
    acf = gaussian(axis[None, :], axis[:, None], 0, 0, covariance)
    power = np.clip(fft.fft2(acf).real, 0, None)
    return fft.ifft2(fft.fft2(rng.standard_normal((n_pix, n_pix))) * np.sqrt(power)).real


def make_plane(rng, sources=(), n_pix: int = 128, rms: float = 1e-3, pb=None) -> SkyPlane:
    """A plane with Gaussians (x, y, peak over rms, major, minor, pa of the sky) in noise of `rms` Jy/beam."""
    beam = pixel_covariance(BEAM.major_arcsec, BEAM.minor_arcsec, BEAM.pa_deg, CELL)
    values = rms * correlated_noise(rng, n_pix, beam)
    y, x = np.mgrid[:n_pix, :n_pix]
    for x0, y0, snr, *shape in sources:
        values += snr * rms * gaussian(x, y, x0, y0, beam + pixel_covariance(*shape, CELL))
    return SkyPlane(values, pb, BEAM, CELL, 1e11, image_wcs(n_pix, CELL, 150.0, -30.0), "made")


@pytest.fixture
def rng():
    return np.random.default_rng(7)
