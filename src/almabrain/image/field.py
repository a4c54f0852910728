"""The prior of the sky: a log-normal random field whose power spectrum is unknown too.

τ = m0 + Ĥ(a ∘ ξ), sky brightness e^τ in Jy/arcsec². ξ (N, N) are independent standard normals, one for each mode
of the Hartley transform; a (N, N) are the modes' standard deviations, whose squares are the power spectrum
P(k) = A (1 + (k/k0)²)^(slope/2), a Matérn-like law (Arras et al. 2021, A&A 646, A84 use the general one).
Wavenumbers are counted in cycles per field. Where a recipe allows it, ln P deviates from that law by an integrated
Wiener process over ln k, as theirs does.

A field with channels is τ_c = m0 + Σ_e U_ce Ĥ(a ∘ ξ_e), of E fields of modes ξ (E, N, N) and a `basis` U (C, E) with
orthogonal columns, see `spectral`. Without channels there is no basis, and no axis for them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from nifty.re import correlated_field

from almabrain.config.image import Prior as Wanted

PARAMETERS = ("ln_std", "ln_k0", "ln_fall")
# Normal prior of the spectrum's parameters: ln of the standard deviation of τ (without the mean), ln k0, and ln of
# by how much the slope falls below −2, above which a plane's power would lie in the smallest scales.
MEAN = np.array([np.log(3.0), np.log(2.5), np.log(3.0)])
STD = np.array([0.3, 0.8, 0.5])
EXCITATIONS = len(PARAMETERS)
DEVIATIONS = 8  # excitations of what deviates from the law, where anything may
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
    index, length, count = correlated_field.get_fourier_mode_distributor((n_pix, n_pix), 1 / n_pix)
    return Modes(jnp.asarray(index), jnp.asarray(length), jnp.asarray(count, float))


class Prior(NamedTuple):
    """The field's prior, as arrays, so that JAX compiles one function for all priors.

    `mean`, `std` (3,) of PARAMETERS; `zero_mode`, the standard deviation of the mean log brightness; `offset_sigma`,
    what a natural beam holds at the offset, in units of its noise; `deviations` (length, further), what each
    excitation beyond the parameters' adds to ln P.
    """

    mean: jax.Array
    std: jax.Array
    zero_mode: jax.Array
    offset_sigma: jax.Array
    deviations: jax.Array

    @property
    def excitations(self) -> int:
        """Number of the spectrum's excitations."""
        return len(self.mean) + self.deviations.shape[1]


def prior(modes: Modes, wanted: Wanted | None = None, noise: float = 1.0) -> Prior:
    """The prior of a field with these modes, as a recipe has it `wanted`.

    `noise` [Jy/arcsec²] is that of a natural beam, in which an offset that is wanted is counted.
    """
    wanted = wanted or Wanted()
    mean, std = MEAN.copy(), STD.copy()
    slope = wanted.slope and (-2 - wanted.slope[0], wanted.slope[1])
    for number, moments in enumerate((wanted.fluctuations, wanted.k0, slope)):
        if moments is not None:
            mean[number], std[number] = _of_logarithm(*moments)
    offset_sigma = OFFSET_SIGMA if wanted.offset is None else np.exp(wanted.offset) / noise
    zero_mode = ZERO_MODE_STD if wanted.zero_mode is None else wanted.zero_mode
    deviations = _deviations(np.asarray(modes.length), wanted.flexibility, wanted.asperity)
    return Prior(*(jnp.asarray(item) for item in (mean, std, zero_mode, offset_sigma, deviations)))


def _of_logarithm(mean: float, std: float) -> tuple[float, float]:
    """Mean and standard deviation of ln x, x being log-normal with this mean and standard deviation."""
    variance = np.log1p((std / mean) ** 2)
    return np.log(mean) - variance / 2, np.sqrt(variance)


def _deviations(length: np.ndarray, flexibility: float, asperity: float) -> np.ndarray:
    """Largest principal components (length, DEVIATIONS) of what ln P deviates from its law by; none where it may not.

    An integrated Wiener process in ln k, σ² (s²t/2 − s³/6) for s < t, and a Wiener process of σ² `asperity` s, with σ
    the `flexibility`. Their mean and slope are taken out: these are the law's.
    """
    if not flexibility:
        return np.zeros((len(length), 0))
    at = np.linspace(0, np.log(length.max()), 400)
    first, second = np.minimum.outer(at, at), np.maximum.outer(at, at)
    covariance = flexibility**2 * (first**2 * second / 2 - first**3 / 6 + asperity * first)
    line, _ = np.linalg.qr(np.stack([np.ones_like(at), at], axis=1))
    bent = np.eye(len(at)) - line @ line.T
    variance, shape = np.linalg.eigh(bent @ covariance @ bent)
    shape = (shape * np.sqrt(np.maximum(variance, 0.0)))[:, : -DEVIATIONS - 1 : -1]
    known = np.log(np.maximum(length, 1.0))
    # The zero mode has a prior of its own.
    return np.where(
        length[:, None] > 0, np.stack([np.interp(known, at, each) for each in shape.T], axis=1), 0.0
    )


def parameters(excitation: jax.Array, prior: Prior) -> jax.Array:
    """The spectrum's parameters (3,) of its excitations, which are standard normals a priori."""
    return prior.mean + prior.std * excitation[:EXCITATIONS]


def log_amplitude(excitation: jax.Array, modes: Modes, prior: Prior) -> jax.Array:
    """ln of the standard deviation of the modes of each length, of the spectrum's excitations."""
    ln_std, ln_k0, ln_fall = parameters(excitation, prior)
    power = -(2 + jnp.exp(ln_fall)) / 2 * jnp.log1p((modes.length / jnp.exp(ln_k0)) ** 2)
    power = power + prior.deviations @ excitation[EXCITATIONS:]
    total = jax.scipy.special.logsumexp(power[1:], b=modes.count[1:])
    return (ln_std + 0.5 * (power - total)).at[0].set(jnp.log(prior.zero_mode))


def radial_mean(image: np.ndarray, modes: Modes) -> np.ndarray:
    """Mean over the modes of each length of values (N, N) by mode."""
    index, count = np.asarray(modes.index), np.asarray(modes.count)
    return np.bincount(index.ravel(), np.asarray(image).ravel()) / count


def hartley(images: jax.Array) -> jax.Array:
    """The Hartley transform, which is its own inverse but for N², of images (..., N, N)."""
    return correlated_field.hartley(images, axes=(-2, -1))


def spread(basis: jax.Array | None, fields: jax.Array) -> jax.Array:
    """Channels (..., C, N, N) of fields (..., E, N, N); without a basis they are the same."""
    return fields if basis is None else jnp.einsum("ce,...eyx->...cyx", basis, fields)


def gather(basis: jax.Array | None, channels: jax.Array) -> jax.Array:
    """The transpose of `spread`."""
    return channels if basis is None else jnp.einsum("ce,...cyx->...eyx", basis, channels)


def log_brightness(
    excitation: jax.Array, amplitude: jax.Array, offset: float, basis: jax.Array | None = None
) -> jax.Array:
    """τ ([C,] N, N) of a field's excitations ξ ([E,] N, N)."""
    return offset + spread(basis, hartley(amplitude * excitation))


# What a field may be: shares of e^t and e^−t in its brightness, t = τ − m0.
SIDES = {"positive": (1.0, 0.0), "negative": (-1.0, 0.0), "signed": (1.0, -1.0)}


def sky(
    excitation: jax.Array,
    amplitude: jax.Array,
    offset: float,
    pixel_area: jax.Array,
    sides=SIDES["positive"],
    basis: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The field's sky ([C,] N, N) in Jy/pixel, and its derivative by τ; `pixel_area` in arcsec².

    e^τ; for a decrement (thermal SZ effect, absorption) −e^τ; where either sign may be, 2 e^m0 sinh(τ − m0), which
    is linear below the noise and exponential above it.
    """
    up = jnp.exp(log_brightness(excitation, amplitude, 0.0, basis))
    dark = pixel_area * jnp.exp(offset)
    rise, fall = dark * sides[0] * up, dark * sides[1] / jnp.maximum(up, 1e-30)
    return rise + fall, rise - fall


def prior_offset(rms_jy_beam: float, beam_area_arcsec2: float) -> float:
    """m0 = ln of the brightness [Jy/arcsec²] that is OFFSET_SIGMA of the noise in a natural beam."""
    return float(np.log(OFFSET_SIGMA * rms_jy_beam / beam_area_arcsec2))
