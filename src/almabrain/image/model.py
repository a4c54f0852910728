"""The sky model whole: a log-normal field plus point sources, as one function of one vector.

The excitations are one flat vector: the field's modes (N²), the points' parameters (points.EXCITATIONS), and those of
the field's spectrum (Prior.excitations). A priori all of them are independent standard normals, so the prior's energy
is half their squared length. The sky is a function of the first two; the third are what `amplitude` was made from.

A sky with channels is (C, N, N) and has E fields' modes (E N²); `basis` (C, E) joins them, see `field`. Points have
the same flux in all channels.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from almabrain.image import field, points
from almabrain.image.field import gather, hartley
from almabrain.image.likelihood import Likelihood, left_over


class Model(NamedTuple):
    """All that the sky and its likelihood depend on besides the excitations (arrays only, for JAX).

    `amplitude` (N, N) of the field's modes, `offset` m0, `pixel_area` [arcsec²], `points`, `likelihood`, the
    field's `sides` (2,), see field.sky, and its `prior`. With channels: their `basis` (C, E), and `offset` may be
    (C, 1, 1). The likelihood is that of what a sky has beyond `origin`, see `anchored`.
    """

    amplitude: jax.Array
    offset: jax.Array
    pixel_area: jax.Array
    points: points.Points
    likelihood: Likelihood
    sides: jax.Array
    prior: field.Prior
    basis: jax.Array | None = None
    origin: jax.Array | float = 0.0


class Expansion(NamedTuple):
    """The posterior's energy at one place: value, gradient (vector), and what its Hessian is made of.

    `steepness` ([C,] N, N) is the field's derivative by τ, `bend` ([C,] N, N) and `point_bend` (points.EXCITATIONS,)
    the non-linearity's diagonal (can be negative).
    """

    value: jax.Array
    gradient: jax.Array
    steepness: jax.Array
    bend: jax.Array
    point_bend: jax.Array


def split(excitation: jax.Array, n_pix: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The field's part ([E,] N, N), the points' and the spectrum's part of excitations."""
    fields = excitation.size // n_pix**2  # all others together are fewer than a field's modes
    end = fields * n_pix**2
    modes = excitation[:end].reshape(*([fields] if fields > 1 else []), n_pix, n_pix)
    return modes, excitation[end : end + points.EXCITATIONS], excitation[end + points.EXCITATIONS :]


def join(modes: jax.Array, point_part: jax.Array, spectrum: jax.Array) -> jax.Array:
    """The inverse of `split`."""
    return jnp.concatenate([modes.ravel(), point_part, spectrum])


def size(n_pix: int, spectrum: int = field.EXCITATIONS, basis: jax.Array | None = None) -> int:
    """Length of the vector of excitations of an image of n_pix x n_pix, `spectrum` of them the spectrum's."""
    fields = 1 if basis is None else basis.shape[1]
    return fields * n_pix * n_pix + points.EXCITATIONS + spectrum


def field_sky(model: Model, excitation: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The field's true sky ([C,] N, N) in Jy/pixel, and its derivative by τ."""
    modes, _, _ = split(excitation, model.amplitude.shape[0])
    return field.sky(modes, model.amplitude, model.offset, model.pixel_area, model.sides, model.basis)


@jax.jit
def sky(model: Model, excitation: jax.Array) -> jax.Array:
    """The true sky ([C,] N, N) in Jy/pixel, field and points, exact for the measured baselines."""
    n_pix = model.amplitude.shape[0]
    diffuse, _ = field_sky(model, excitation)
    return diffuse + points.draw(model.points, split(excitation, n_pix)[1], n_pix)


def all_channels(image: jax.Array) -> jax.Array:
    """The sum (N, N) of an image ([C,] N, N) over its channels."""
    return image.sum(0) if image.ndim == 3 else image


def anchored(model: Model, sky: jax.Array) -> tuple[Model, jax.Array]:
    """The model with energies counted from that of a true sky ([C,] N, N), and that energy, −ln L.

    Far from it energies are differences of large numbers, which single precision cannot hold.
    """
    left = left_over(model.likelihood, sky)
    energy = -0.5 * jnp.vdot(sky, left + model.likelihood.information)
    return model._replace(likelihood=model.likelihood._replace(information=left), origin=sky), energy


def misfit(model: Model, excitation: jax.Array) -> tuple[jax.Array, jax.Array]:
    """−ln L up to a constant, and its gradient (vector)."""
    value, gradient, *_ = _misfit(model, excitation)
    return value, gradient


def _misfit(model: Model, excitation: jax.Array):
    n_pix = model.amplitude.shape[0]
    _, point_part, spectrum = split(excitation, n_pix)
    diffuse, steepness = field_sky(model, excitation)
    total = diffuse + points.draw(model.points, point_part, n_pix) - model.origin
    slope = -left_over(model.likelihood, total)
    value = 0.5 * jnp.vdot(total, slope - model.likelihood.information)
    point_slope = points.slope(model.points, point_part, all_channels(slope))
    field_slope = model.amplitude * hartley(gather(model.basis, steepness * slope))
    gradient = join(field_slope, point_slope, jnp.zeros_like(spectrum))
    return value, gradient, diffuse, steepness, slope, point_slope


@jax.jit
def expand(model: Model, excitation: jax.Array) -> Expansion:
    """The posterior's energy, −ln L − ln prior up to a constant, about excitations (vector); see Expansion."""
    value, gradient, diffuse, steepness, slope, point_slope = _misfit(model, excitation)
    # Of the points' second derivatives only the flux's own counts, which grows as fast as the flux does.
    growth = points.growth(split(excitation, model.amplitude.shape[0])[1])
    flux_bend = growth * point_slope[: points.SLOTS]
    point_bend = jnp.concatenate([flux_bend, jnp.zeros(2 * points.SLOTS)])
    prior = 0.5 * jnp.vdot(excitation, excitation)
    return Expansion(value + prior, gradient + excitation, steepness, diffuse * slope, point_bend)
