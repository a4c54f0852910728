"""The prior of the sky: a log-normal random field whose power spectrum is unknown too.

τ = m0 + Ĥ(a ∘ ξ), sky brightness e^τ in Jy/arcsec². ξ (N, N) are independent standard normals, one for each mode
of the Hartley transform; a (N, N) are the modes' standard deviations, whose squares are the power spectrum
P(k) = A (1 + (k/k0)²)^(slope/2), a Matérn-like law (Arras et al. 2021, A&A 646, A84 use the general one).
Wavenumbers are counted in cycles per field.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from nifty.re.correlated_field import get_fourier_mode_distributor, hartley

PARAMETERS = ("ln_std", "ln_k0", "ln_fall")
# Normal prior of the spectrum's parameters: ln of the standard deviation of τ (without the mean), ln k0, and ln of
# by how much the slope falls below −2, above which a plane's power would lie in the smallest scales.
MEAN = np.array([np.log(3.0), np.log(2.5), np.log(3.0)])
STD = np.array([0.3, 0.8, 0.5])
EXCITATIONS = len(PARAMETERS)
ZERO_MODE_STD = 1.0  # of the field's mean log brightness, which no interferometer measures
# Offset of the prior: brightness that one natural beam holds, in units of its noise. It has to be far below
# the noise: a field that starts too bright keeps a halo that the data cannot remove.
OFFSET_SIGMA = 0.01


class Modes(NamedTuple):
    """The modes of an N x N field by length: `index` (N, N) into `length` [cycles per field] and `count`."""

    index: jax.Array
    length: jax.Array
    count: jax.Array


def modes(n_pix: int) -> Modes:
    """The modes of a field n_pix wide; the first length is 0, the field's mean."""
    index, length, count = get_fourier_mode_distributor((n_pix, n_pix), 1 / n_pix)
    return Modes(jnp.asarray(index), jnp.asarray(length), jnp.asarray(count, float))


def parameters(excitation: jax.Array) -> jax.Array:
    """The spectrum's parameters (3,) of excitations (3,), which are standard normals a priori."""
    return jnp.asarray(MEAN) + jnp.asarray(STD) * excitation


def log_amplitude(parameters: jax.Array, modes: Modes, at: jax.Array | None = None) -> jax.Array:
    """ln of the standard deviation of the modes of each length, or of lengths `at` of a finer grid."""
    ln_std, ln_k0, ln_fall = parameters

    def law(length):
        return -(2 + jnp.exp(ln_fall)) / 2 * jnp.log1p((length / jnp.exp(ln_k0)) ** 2)

    total = jax.scipy.special.logsumexp(law(modes.length[1:]), b=modes.count[1:])
    length = modes.length if at is None else at
    return (ln_std + 0.5 * (law(length) - total)).at[0].set(jnp.log(ZERO_MODE_STD))


def radial_mean(image: np.ndarray, modes: Modes) -> np.ndarray:
    """Mean over the modes of each length of values (N, N) by mode."""
    index, count = np.asarray(modes.index), np.asarray(modes.count)
    return np.bincount(index.ravel(), np.asarray(image).ravel()) / count


def log_brightness(excitation: jax.Array, amplitude: jax.Array, offset: float) -> jax.Array:
    """τ (N, N) of a field's excitations ξ (N, N)."""
    return offset + hartley(amplitude * excitation)


# What a field may be: shares of e^t and e^−t in its brightness, t = τ − m0.
SIDES = {"positive": (1.0, 0.0), "negative": (-1.0, 0.0), "signed": (1.0, -1.0)}


def sky(
    excitation: jax.Array, amplitude: jax.Array, offset: float, pixel_area: jax.Array, sides=SIDES["positive"]
) -> tuple[jax.Array, jax.Array]:
    """The field's sky (N, N) in Jy/pixel, and its derivative by τ; `pixel_area` in arcsec².

    e^τ; for a decrement (thermal SZ effect, absorption) −e^τ; where either sign may be, 2 e^m0 sinh(τ − m0), which
    is linear below the noise and exponential above it.
    """
    up = log_brightness(excitation, amplitude, 0.0)
    rise, fall = (pixel_area * side * jnp.exp(offset + sign * up) for side, sign in zip(sides, (1, -1)))
    return rise + fall, rise - fall


def prior_offset(rms_jy_beam: float, beam_area_arcsec2: float) -> float:
    """m0 = ln of the brightness [Jy/arcsec²] that is OFFSET_SIGMA of the noise in a natural beam."""
    return float(np.log(OFFSET_SIGMA * rms_jy_beam / beam_area_arcsec2))
