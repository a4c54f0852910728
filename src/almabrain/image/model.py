"""The sky model whole: a log-normal field plus point sources, as one function of one vector.

The excitations are one flat vector (N² + 3 SLOTS,): the field's modes, then the points' parameters. A priori all
of them are independent standard normals, so the prior's energy is half their squared length.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from nifty.re.correlated_field import hartley

from almabrain.image import field, points
from almabrain.image.likelihood import Likelihood, left_over


class Model(NamedTuple):
    """All that the sky and its likelihood depend on besides the excitations (arrays only, for JAX).

    `amplitude` (N, N) of the field's modes, `offset` m0, `pixel_area` [arcsec²], `points`, `likelihood`.
    """

    amplitude: jax.Array
    offset: jax.Array
    pixel_area: jax.Array
    points: points.Points
    likelihood: Likelihood


class Expansion(NamedTuple):
    """The KL at one mean: value, gradient (vector), and what its Hessian is made of.

    `sky` (N, N) is the field's mean sky, `bend` (N, N) and `point_bend` (3 SLOTS,) the non-linearity's
    diagonal (can be negative), `chi2` the samples' mean of 2 × (−ln L), without the data's constant.
    """

    value: jax.Array
    gradient: jax.Array
    sky: jax.Array
    bend: jax.Array
    point_bend: jax.Array
    chi2: jax.Array


def split(excitation: jax.Array, n_pix: int) -> tuple[jax.Array, jax.Array]:
    """The field's part (N, N) and the points' part (3 SLOTS,) of excitations."""
    return excitation[: n_pix * n_pix].reshape(n_pix, n_pix), excitation[n_pix * n_pix :]


def join(modes: jax.Array, point_part: jax.Array) -> jax.Array:
    """The inverse of `split`."""
    return jnp.concatenate([modes.ravel(), point_part])


def size(n_pix: int) -> int:
    """Length of the vector of excitations of an image of n_pix x n_pix."""
    return n_pix * n_pix + 3 * points.SLOTS


def field_sky(model: Model, excitation: jax.Array) -> jax.Array:
    """The field's true sky (N, N) in Jy/pixel."""
    modes, _ = split(excitation, model.amplitude.shape[0])
    return field.sky(modes, model.amplitude, model.offset, model.pixel_area)


@jax.jit
def sky(model: Model, excitation: jax.Array) -> jax.Array:
    """The true sky (N, N) in Jy/pixel, field and points, exact for the measured baselines."""
    n_pix = model.amplitude.shape[0]
    return field_sky(model, excitation) + points.draw(model.points, split(excitation, n_pix)[1], n_pix)


def _one(model: Model, excitation: jax.Array):
    """−ln L of one sample, its gradient, and the parts of an `Expansion`."""
    n_pix = model.amplitude.shape[0]
    _, point_part = split(excitation, n_pix)
    diffuse = field_sky(model, excitation)
    rows, columns = points.derivative(model.points, point_part, n_pix)
    total = diffuse + points.draw(model.points, point_part, n_pix)
    slope = -left_over(model.likelihood, total)
    energy = 0.5 * jnp.vdot(total, slope - model.likelihood.information)
    point_slope = jnp.einsum("qy,yx,qx->q", rows, slope, columns)
    gradient = join(model.amplitude * hartley(diffuse * slope), point_slope)
    # Of the points' second derivatives only the log-normal flux's own counts: f'' = FLUX_LOG_STD f'.
    flux_bend = points.FLUX_LOG_STD * point_slope[: points.SLOTS]
    point_bend = jnp.concatenate([flux_bend, jnp.zeros(2 * points.SLOTS)])
    return energy, gradient, diffuse, diffuse * slope, point_bend


@jax.jit
def expand(model: Model, mean: jax.Array, residuals: jax.Array) -> Expansion:
    """The KL divergence at `mean` for sample residuals (sample, vector), up to a constant; see Expansion."""
    # One sample after the other: batched transforms of this size are slower, not faster.
    energy, gradient, diffuse, bend, point_bend = jax.lax.map(
        lambda residual: _one(model, mean + residual), residuals
    )
    prior = 0.5 * jnp.vdot(mean, mean) + 0.5 * jnp.square(residuals).mean(0).sum()
    return Expansion(
        energy.mean() + prior + jnp.vdot(mean, residuals.mean(0)),
        mean + residuals.mean(0) + gradient.mean(0),
        diffuse.mean(0),
        bend.mean(0),
        point_bend.mean(0),
        2 * energy.mean(),
    )


@jax.jit
def mean_sky(model: Model, mean: jax.Array, residuals: jax.Array) -> jax.Array:
    """The posterior-mean true sky (N, N) in Jy/pixel."""
    return jax.lax.map(lambda residual: sky(model, mean + residual), residuals).mean(0)
