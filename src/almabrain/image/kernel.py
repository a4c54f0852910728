"""The likelihood of all visibilities as one convolution: R†N⁻¹R by a zero-padded FFT.

With w left out of the model, the noise-weighted response R†N⁻¹R of a pixel sky depends only on pixel
differences. A kernel of 2N x 2N pixels then holds the likelihood of a field of N x N exactly (up to a
constant), however many visibilities there are: the idea of Roth et al. (2024), A&A 690, A387, without its
approximations of the kernel. The data vector j = R†N⁻¹d is gridded with w, so that only the smearing between
pixels of one source is approximated.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.image.grid import Windows
from almabrain.response import grid, predict

jax.config.update("jax_enable_x64", True)

_EPSILON = 1e-9


@dataclass(frozen=True)
class Kernel:
    """What the inference needs to know of the data.

    `transfer` (2N, N+1) is the kernel's transform, `periodic` (N, N) the same for the N x N torus (never
    negative; a preconditioner's approximation), `information` (N, N) the weighted adjoint image j, `data_energy`
    Σ w |V|², `n_data` the number of real numbers measured, which is what χ² should be, `peak` = Σ w the kernel at
    the origin.
    """

    transfer: jax.Array
    periodic: jax.Array
    information: jax.Array
    data_energy: float
    n_data: float
    peak: float


def expected_chi2(window: xr.Dataset) -> float:
    """χ² per datum of a perfect model: 1, but for the calibrated weights of noise with tails."""
    return float(window.attrs.get("expected_chi2", 1.0))


def build(windows: Windows, n_pix: int, cell_arcsec: float, threads: int = 1) -> Kernel:
    """The kernel of windows whose `weight` is already what the noise really is."""
    kernel = np.zeros((2 * n_pix, 2 * n_pix))
    information = np.zeros((n_pix, n_pix))
    energy, n_data, peak = 0.0, 0.0, 0.0
    cell_rad = cell_arcsec * ARCSEC
    for window in windows.values():
        weight, visibility = window.weight.values, window.visibility.values
        uvw, frequency = window.uvw_m.values, window.frequency_hz.values
        kernel += grid.adjoint(uvw, frequency, weight, 2 * n_pix, cell_rad, _EPSILON, True, threads)
        weighted = weight * visibility
        information += grid.adjoint(uvw, frequency, weighted, n_pix, cell_rad, _EPSILON, False, threads)
        energy += float((weight * np.abs(visibility) ** 2).sum())
        n_data += 2 * expected_chi2(window) * np.count_nonzero(weight)
        peak += float(weight.sum())
    # Lag −N has no partner at +N, and no pair of pixels of the field is that far apart.
    kernel[0], kernel[:, 0] = 0.0, 0.0
    half = n_pix // 2
    lags = np.fft.ifftshift(kernel[half : half + n_pix, half : half + n_pix])
    return Kernel(
        transfer=jnp.asarray(np.fft.rfft2(np.fft.ifftshift(kernel)).real),
        periodic=jnp.asarray(np.clip(np.fft.fft2(lags).real, 0, None)),
        information=jnp.asarray(information),
        data_energy=energy,
        n_data=n_data,
        peak=peak,
    )


def convolve(transfer: jax.Array, sky: jax.Array) -> jax.Array:
    """K s: the response of the data to a sky (..., N, N) in Jy/pixel, zero-padded so that nothing wraps."""
    n_pix = sky.shape[-1]
    padded = (2 * n_pix, 2 * n_pix)
    return jnp.fft.irfft2(jnp.fft.rfft2(sky, s=padded) * transfer, s=padded)[..., :n_pix, :n_pix]


def energy(transfer: jax.Array, information: jax.Array, sky: jax.Array) -> jax.Array:
    """−ln L = ½ sᵀKs − jᵀs of a sky (N, N) in Jy/pixel, up to the constant ½ Σ w |V|²."""
    return 0.5 * jnp.vdot(sky, convolve(transfer, sky)) - jnp.vdot(information, sky)


def reduced_chi2(kernel: Kernel, sky: np.ndarray) -> float:
    """χ² of a sky in Jy/pixel (as the telescope sees it) over the number of real data."""
    value = energy(kernel.transfer, kernel.information, jnp.asarray(sky))
    return (2 * float(value) + kernel.data_energy) / kernel.n_data


def residuals(
    windows: Windows, sky: np.ndarray, cell_arcsec: float, threads: int = 1
) -> dict[str, np.ndarray]:
    """Data minus model of every window (row, channel) in Jy, by the gridder with w: the exact response."""
    cell_rad = cell_arcsec * ARCSEC
    return {
        name: window.visibility.values
        - predict.predict_image(
            window.uvw_m.values, window.frequency_hz.values, sky, cell_rad, _EPSILON, False, threads
        )
        for name, window in windows.items()
    }


def delta_log_likelihood(kernel: Kernel, windows: Windows, sky: np.ndarray, cell_arcsec: float) -> float:
    """ln L by the kernel minus ln L by the gridder with w, for one sky: the kernel's error."""
    exact = sum(
        float((windows[name].weight.values * np.abs(residual) ** 2).sum())
        for name, residual in residuals(windows, sky, cell_arcsec).items()
    )
    value = 2 * float(energy(kernel.transfer, kernel.information, jnp.asarray(sky))) + kernel.data_energy
    return 0.5 * (exact - value)


def chi2_by_baseline(
    windows: Windows, residual: dict[str, np.ndarray], bins: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Reduced χ² in `bins` bins of baseline length with equally many data, and the bins' edges [wavelengths]."""
    length, term = [], []
    for name, window in windows.items():
        weight = window.weight.values
        scale = window.frequency_hz.values / SPEED_OF_LIGHT_M_S
        baseline = np.multiply.outer(np.hypot(*window.uvw_m.values[:, :2].T), scale)
        length.append(baseline[weight > 0])
        term.append((weight * np.abs(residual[name]) ** 2)[weight > 0] / expected_chi2(window))
    length, term = np.concatenate(length), np.concatenate(term)
    edges = np.quantile(length, np.linspace(0, 1, bins + 1))
    index = np.clip(np.searchsorted(edges, length, side="right") - 1, 0, bins - 1)
    count = np.maximum(np.bincount(index, minlength=bins), 1)
    return np.bincount(index, term, bins) / (2 * count), edges


def noise_information(
    windows: Windows, n_pix: int, cell_arcsec: float, rng: np.random.Generator
) -> np.ndarray:
    """R†N^-½ of complex white noise: a random image (y, x) whose covariance is the kernel K.

    Drawn per visibility, so that with the same generator it belongs to the same noise on any grid.
    """
    image = np.zeros((n_pix, n_pix))
    for window in windows.values():
        weight = window.weight.values
        noise = rng.standard_normal((2, *weight.shape))
        weighted = np.sqrt(weight) * (noise[0] + 1j * noise[1])
        image += grid.adjoint(
            window.uvw_m.values,
            window.frequency_hz.values,
            weighted,
            n_pix,
            cell_arcsec * ARCSEC,
            _EPSILON,
            True,
        )
    return image
