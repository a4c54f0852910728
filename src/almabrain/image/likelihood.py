"""The likelihood of all visibilities as convolutions: R†N⁻¹R behind each primary beam, by a zero-padded FFT.

With w left out of the model, the noise-weighted response R†N⁻¹R of a pixel sky depends only on pixel
differences. A kernel of 2n x 2n pixels then holds the likelihood of a field of n x n exactly (up to a
constant), however many visibilities there are: the idea of Roth et al. (2024), A&A 690, A387, without its
approximations of the kernel. The data vector j = R†N⁻¹d is gridded with w, so that only the smearing between
pixels of one source is approximated.

The sky is the true one, in Jy/pixel. What one pointing and one kind of baseline see of it is a patch C s behind
their primary beam A, so that −ln L = Σ ½ (A C s)†K (A C s) − j†A C s over all such groups, up to a constant.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.image.grid import Grid, Windows
from almabrain.response import grid as gridder
from almabrain.response import predict

jax.config.update("jax_enable_x64", True)

_EPSILON = 1e-9
_LEAST_BEAM = 1e-3  # of the largest response: beyond, there is no image


class Part(NamedTuple):
    """Groups of data whose patches are of one size, n x n.

    `transfer` (group, 2n, n+1) is the kernel's transform, `beam` (group, n, n) the primary beam, `corner`
    (group, 2) the patch's first pixel (y, x) in the image.
    """

    transfer: jax.Array
    beam: jax.Array
    corner: jax.Array


class Likelihood(NamedTuple):
    """What the inference needs to know of the data: arrays and numbers only, for JAX.

    `information` (N, N) is Σ C†A j; `diagonal` (N, N) Σ w A², the curvature's diagonal, so that 1/√diagonal is
    the noise of the natural image in Jy; `attenuation` (N, N) √(Σ w A² / Σ w); `periodic` (N, N) the sum of the
    kernels' transforms for the N x N torus (never negative; a preconditioner's approximation); `data_energy`
    Σ w |V|²; `n_data` the number of real numbers measured, which is what χ² should be.
    """

    parts: tuple[Part, ...]
    information: jax.Array
    diagonal: jax.Array
    attenuation: jax.Array
    periodic: jax.Array
    data_energy: float
    n_data: float


def rms(likelihood: Likelihood) -> float:
    """The noise [Jy/beam] of the natural image where it is lowest."""
    return float(1 / np.sqrt(likelihood.diagonal.max()))


def expected_chi2(window: xr.Dataset) -> float:
    """χ² per datum of a perfect model: 1, but for the calibrated weights of noise with tails."""
    return float(window.attrs.get("expected_chi2", 1.0))


def build(windows: Windows, grid: Grid, threads: int = 1) -> Likelihood:
    """The likelihood of windows whose `weight` is already what the noise really is."""
    n_pix = grid.n_pix
    kernel = np.zeros((2 * n_pix, 2 * n_pix))
    information = np.zeros((n_pix, n_pix))
    energy, n_data, peak = 0.0, 0.0, 0.0
    cell_rad = grid.cell_arcsec * ARCSEC
    for window in windows.values():
        weight, visibility = window.weight.values, window.visibility.values
        uvw, frequency = window.uvw_m.values, window.frequency_hz.values
        kernel += gridder.adjoint(uvw, frequency, weight, 2 * n_pix, cell_rad, _EPSILON, True, threads)
        weighted = weight * visibility
        information += gridder.adjoint(uvw, frequency, weighted, n_pix, cell_rad, _EPSILON, False, threads)
        energy += float((weight * np.abs(visibility) ** 2).sum())
        n_data += 2 * expected_chi2(window) * np.count_nonzero(weight)
        peak += float(weight.sum())
    # Lag −N has no partner at +N, and no pair of pixels of the field is that far apart.
    kernel[0], kernel[:, 0] = 0.0, 0.0
    half = n_pix // 2
    lags = np.fft.ifftshift(kernel[half : half + n_pix, half : half + n_pix])
    beam = grid.primary_beam
    transfer = np.fft.rfft2(np.fft.ifftshift(kernel)).real
    part = Part(jnp.asarray(transfer[None]), jnp.asarray(beam[None]), jnp.zeros((1, 2), int))
    return Likelihood(
        parts=(part,),
        information=jnp.asarray(beam * information),
        diagonal=jnp.asarray(peak * beam**2),
        attenuation=jnp.asarray(np.abs(beam)),
        periodic=jnp.asarray(np.clip(np.fft.fft2(lags).real, 0, None)),
        data_energy=energy,
        n_data=n_data,
    )


def curvature(likelihood: Likelihood, sky: jax.Array) -> jax.Array:
    """Σ C†A K A C s: what the data make of a true sky (N, N) in Jy/pixel."""
    return sum(_curvature(part, sky) for part in likelihood.parts)


def _curvature(part: Part, sky: jax.Array) -> jax.Array:
    if part.beam.shape == (1, *sky.shape):  # one patch, which is the whole image
        return part.beam[0] * _convolve(part.transfer[0], part.beam[0] * sky)

    def add(image, group):
        transfer, beam, corner = group
        seen = beam * jax.lax.dynamic_slice(sky, corner, beam.shape)
        before = jax.lax.dynamic_slice(image, corner, beam.shape)
        return jax.lax.dynamic_update_slice(image, before + beam * _convolve(transfer, seen), corner), None

    return jax.lax.scan(add, jnp.zeros_like(sky), tuple(part))[0]


def _convolve(transfer: jax.Array, sky: jax.Array) -> jax.Array:
    """K s of an apparent sky (n, n), zero-padded so that nothing wraps."""
    n_pix = sky.shape[-1]
    padded = (2 * n_pix, 2 * n_pix)
    return jnp.fft.irfft2(jnp.fft.rfft2(sky, s=padded) * transfer, s=padded)[:n_pix, :n_pix]


def left_over(likelihood: Likelihood, sky: jax.Array) -> jax.Array:
    """j − K s: the residual image (N, N) of a true sky, the gradient of its ln L."""
    return likelihood.information - curvature(likelihood, sky)


def in_sigma(image: np.ndarray, likelihood: Likelihood) -> np.ndarray:
    """An image like `left_over` in units of its noise; 0 where no primary beam lets anything through."""
    noise = np.sqrt(np.asarray(likelihood.diagonal))
    return np.where(noise > _LEAST_BEAM * noise.max(), np.asarray(image) / np.maximum(noise, 1e-300), 0.0)


def energy(likelihood: Likelihood, sky: jax.Array) -> jax.Array:
    """−ln L = ½ sᵀKs − jᵀs of a true sky (N, N) in Jy/pixel, up to the constant ½ Σ w |V|²."""
    return 0.5 * jnp.vdot(sky, curvature(likelihood, sky)) - jnp.vdot(likelihood.information, sky)


def reduced_chi2(likelihood: Likelihood, sky: np.ndarray) -> float:
    """χ² of a true sky in Jy/pixel over the number of real data."""
    value = energy(likelihood, jnp.asarray(sky))
    return (2 * float(value) + likelihood.data_energy) / likelihood.n_data


def model_visibilities(
    windows: Windows, sky: np.ndarray, grid: Grid, threads: int = 1
) -> dict[str, np.ndarray]:
    """What every window sees (row, channel) in Jy of a true sky (N, N) in Jy/pixel: exact, by the gridder with w."""
    cell_rad = grid.cell_arcsec * ARCSEC
    apparent = np.asarray(sky) * grid.primary_beam
    return {
        name: predict.predict_image(
            window.uvw_m.values, window.frequency_hz.values, apparent, cell_rad, _EPSILON, False, threads
        )
        for name, window in windows.items()
    }


def residuals(windows: Windows, sky: np.ndarray, grid: Grid, threads: int = 1) -> dict[str, np.ndarray]:
    """Data minus model of every window (row, channel) in Jy, of a true sky (N, N) in Jy/pixel."""
    model = model_visibilities(windows, sky, grid, threads)
    return {name: window.visibility.values - model[name] for name, window in windows.items()}


def delta_log_likelihood(likelihood: Likelihood, windows: Windows, sky: np.ndarray, grid: Grid) -> float:
    """ln L by the kernel minus ln L by the gridder with w, for one true sky: the kernel's error."""
    exact = sum(
        float((windows[name].weight.values * np.abs(residual) ** 2).sum())
        for name, residual in residuals(windows, sky, grid).items()
    )
    value = 2 * float(energy(likelihood, jnp.asarray(sky))) + likelihood.data_energy
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


def noise_information(windows: Windows, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """A R†N^-½ of complex white noise: a random image (y, x) whose covariance is the curvature.

    Drawn per visibility, so that with the same generator it belongs to the same noise on any grid.
    """
    image = np.zeros((grid.n_pix, grid.n_pix))
    for window in windows.values():
        weight = window.weight.values
        noise = rng.standard_normal((2, *weight.shape))
        weighted = np.sqrt(weight) * (noise[0] + 1j * noise[1])
        image += gridder.adjoint(
            window.uvw_m.values,
            window.frequency_hz.values,
            weighted,
            grid.n_pix,
            grid.cell_arcsec * ARCSEC,
            _EPSILON,
            True,
        )
    return grid.primary_beam * image
