"""The prior of the sky: a log-normal random field whose power spectrum is learned.

τ = m0 + Ĥ(a ∘ ξ), sky brightness e^τ in Jy/arcsec². ξ (N, N) are independent standard normals, one for each mode
of the Hartley transform; a (N, N) are the modes' standard deviations, whose squares are the power spectrum
P(k) = A (1 + (k/k0)²)^(slope/2), a Matérn-like law (Arras et al. 2021, A&A 646, A84 use the general one).
Wavenumbers are counted in cycles per field.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from nifty.re.correlated_field import get_fourier_mode_distributor, hartley
from scipy.optimize import minimize

ZERO_MODE_STD = 1.0  # of the field's mean log brightness, which no interferometer measures
# Where the spectrum starts and how far data may move it: (ln of the standard deviation of τ, ln k0, slope).
# The deviation is held best: with k0 free it would else drift to a halo on scales that no baseline sees.
START_STD, START_K0, START_SLOPE = 3.0, 0.35, -3.5
START = np.array([np.log(START_STD), np.log(START_K0), START_SLOPE])
HYPER_STD = np.array([0.2, 0.5, 0.5])
# Offset of the prior: brightness that one natural beam holds, in units of its noise. It has to be far below
# the noise: a field that starts too bright keeps a halo that the data cannot remove.
OFFSET_SIGMA = 0.02


@dataclass(frozen=True)
class Spectrum:
    """A power spectrum of τ: ln of its standard deviation (without the mean), ln of k0, slope."""

    parameters: np.ndarray
    n_pix: int

    @classmethod
    def initial(cls, n_pix: int) -> "Spectrum":
        """The spectrum before any data."""
        return cls(START.copy(), n_pix)

    def amplitude(self) -> np.ndarray:
        """Standard deviation (N, N) of every Hartley mode of τ."""
        frequency = np.fft.fftfreq(self.n_pix, 1 / self.n_pix)
        power = self.power(np.hypot(frequency[:, None], frequency[None, :]))
        power[0, 0] = ZERO_MODE_STD**2
        return np.sqrt(power)

    def power(self, wavenumber: np.ndarray) -> np.ndarray:
        """P(k) per mode at wavenumbers in cycles per field."""
        length, _, count = radial_power(np.zeros((self.n_pix, self.n_pix)))
        return _power(wavenumber, self.parameters, length, count)

    def refit(self, mode_power: np.ndarray, relaxation: float = 1.0) -> "Spectrum":
        """The spectrum that explains ⟨|τ_k|²⟩ (N, N) of posterior samples best: one EM step.

        The modes are independent normals, so the fit is Whittle's likelihood, with the weak prior HYPER_STD.
        `relaxation` > 1 steps further along the same way, since EM is slow where data say little.
        """
        length, mean, count = radial_power(mode_power)

        def objective(shape):
            log_power = np.log(_power(length, shape, length, count))
            pull = (shape - START) / HYPER_STD
            return 0.5 * (count * (mean * np.exp(-log_power) + log_power)).sum() + 0.5 * (pull @ pull)

        options = {"xatol": 1e-4, "fatol": 1e-4, "maxiter": 4000}
        best = minimize(objective, self.parameters, method="Nelder-Mead", options=options).x
        return replace(self, parameters=self.parameters + relaxation * (best - self.parameters))


def _power(wavenumber, shape, length, count):
    def law(k):
        return np.exp(shape[2] / 2 * np.log1p((k / np.exp(shape[1])) ** 2))

    return np.exp(2 * shape[0]) * law(wavenumber) / (count * law(length)).sum()


def radial_power(mode_power: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wavenumbers (cycles per field), mean power and number of the modes of each length, without k = 0."""
    index, length, count = get_fourier_mode_distributor(mode_power.shape, 1 / mode_power.shape[0])
    index, length, count = np.asarray(index), np.asarray(length), np.asarray(count)
    mean = np.bincount(index.ravel(), mode_power.ravel()) / count
    return length[1:], mean[1:], count[1:]


def log_brightness(excitation: jax.Array, amplitude: jax.Array, offset: float) -> jax.Array:
    """τ (N, N) of a field's excitations ξ (N, N)."""
    return offset + hartley(amplitude * excitation)


def sky(excitation: jax.Array, amplitude: jax.Array, offset: float, attenuation: jax.Array) -> jax.Array:
    """The apparent sky (N, N) in Jy/pixel; `attenuation` is the primary beam times the pixel's area."""
    return attenuation * jnp.exp(log_brightness(excitation, amplitude, offset))


def prior_offset(rms_jy_beam: float, beam_area_arcsec2: float) -> float:
    """m0 = ln of the brightness [Jy/arcsec²] that is OFFSET_SIGMA of the noise in a natural beam."""
    return float(np.log(OFFSET_SIGMA * rms_jy_beam / beam_area_arcsec2))
