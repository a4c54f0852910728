"""Drawing new noise with the spectrum and the pixel distribution of a measured model."""

import dataclasses

import numpy as np
from scipy import fft, ndimage

from almabrain.noise.model import NoiseModel, beam_root
from almabrain.noise.spectrum import spectrum_from_acf
from almabrain.noise.warp import Warp
from almabrain.response.beam import Beam


@dataclasses.dataclass(frozen=True)
class Drawer:
    """Draws fields (n_y, n_x) of unit variance; `amplitude` is sqrt(P) on the padded half plane of rfft2."""

    shape: tuple[int, int]
    amplitude: np.ndarray
    warp: Warp

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """One new field (n_y, n_x): mean 0 and variance 1 over many draws, not normalised one by one.

        White noise is filtered with sqrt(P), since the filter acts twice on the power; on twice the
        image's size, so that one edge does not know the other. Then the pixels are warped.
        """
        n_y, n_x = self.shape
        padded = (2 * n_y, 2 * n_x)
        filtered = fft.irfft2(fft.rfft2(rng.standard_normal(padded)) * self.amplitude, padded)
        return self.warp(filtered[:n_y, :n_x])


def drawer(
    model: NoiseModel,
    shape: tuple[int, int] | None = None,
    cell_arcsec: float | None = None,
    beam: Beam | None = None,
) -> Drawer:
    """Prepare draws of `model` on a grid of `shape` and `cell_arcsec` for a telescope beam `beam`.

    Lags are measured in units of the beam: the ellipse of the new beam is mapped onto the reference's by
    the symmetric matrices of both. What is left out takes the reference's value.
    """
    shape = shape or model.shape
    acf = resampled_acf(model, shape, cell_arcsec or model.cell_arcsec, beam or model.beam)
    # The warp changes correlations, so the Gaussian field gets those that the warp turns into the wanted.
    power = spectrum_from_acf(model.warp.predistort(acf))
    return Drawer(shape, np.sqrt(power[:, : shape[1] + 1]), model.warp)


def resampled_acf(model: NoiseModel, shape: tuple[int, int], cell_arcsec: float, beam: Beam) -> np.ndarray:
    """ACF of `model` at the lags of a padded grid (2 n_y, 2 n_x), FFT order; zero beyond its own lags."""
    acf = model.acf
    same = shape == model.shape and np.isclose(cell_arcsec, model.cell_arcsec, rtol=1e-6)
    if same and np.allclose(beam_root(beam), beam_root(model.beam), rtol=1e-6):
        return acf
    to_reference = beam_root(model.beam) @ np.linalg.inv(beam_root(beam))
    lag_y, lag_x = (fft.fftfreq(2 * n, 1 / (2 * n)) * cell_arcsec for n in shape)
    # East is towards smaller x: l = -x.
    m, l = np.meshgrid(lag_y, -lag_x, indexing="ij")
    reference_l, reference_m = np.tensordot(to_reference, [l, m], axes=1)
    n_y, n_x = model.shape
    index = np.array([n_y + reference_m / model.cell_arcsec, n_x - reference_l / model.cell_arcsec])
    return ndimage.map_coordinates(fft.fftshift(acf), index, order=3, mode="constant", cval=0.0)
