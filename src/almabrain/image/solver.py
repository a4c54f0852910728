"""Linear systems with the posterior's metric M = 1 + J†KJ: the core of sampling and of Newton steps.

J is the sky's derivative by the excitations, K the likelihood's curvature. M's eigenvalues span the square of the
signal-to-noise ratio times the dynamic range, so that plain conjugate gradients (nifty.re's take no
preconditioner) stall. Two parts remove that. The lowest modes of the field, where the prior is widest, and
the points are solved exactly (deflation; Tang et al. 2009, J. Sci. Comput. 39, 340: A-DEF2). The other modes
are approximated: where the sky is constant, M is diagonal in Fourier space, so the sky is cut into levels of
brightness, and M⁻¹ of each level is applied to its part of the field.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from nifty.re.correlated_field import hartley

from almabrain.image.likelihood import Likelihood
from almabrain.image.likelihood import curvature as data_curvature
from almabrain.image.model import Model, join, split
from almabrain.image.points import derivative

LEVELS = 5
LOW_MODES = 6  # modes up to this many cycles per field are solved exactly
_FAINTEST = 0.03  # what the data must tell of a pixel, against the prior's 1, for its level to count


class System(NamedTuple):
    """A metric M and its preconditioner. Arrays only, so that JAX compiles the solver once.

    `amplitude`, `sky` (of the field), `curvature` are (N, N); `rows`, `columns` (3 SLOTS, N)
    and `point_curvature` (3 SLOTS,) belong to the points; `parts` (level, N, N) and `filters`
    (level, N, N//2+1) to the levels; `factor` is M's Cholesky factor on the excitations `low`.
    """

    amplitude: jax.Array
    sky: jax.Array
    curvature: jax.Array
    likelihood: Likelihood
    rows: jax.Array
    columns: jax.Array
    point_curvature: jax.Array
    parts: jax.Array
    filters: jax.Array
    low: jax.Array
    factor: jax.Array


def pull_back(system: System, image: jax.Array) -> jax.Array:
    """J† of an image (N, N): excitations (vector)."""
    return join(
        system.amplitude * hartley(system.sky * image),
        jnp.einsum("qy,yx,qx->q", system.rows, image, system.columns),
    )


def metric(system: System, vector: jax.Array) -> jax.Array:
    """M v = v + J†K J v + the non-linearity's diagonal (≥ 0), for excitations (vector)."""
    modes, point_part = split(vector, system.amplitude.shape[0])
    shift = hartley(system.amplitude * modes)
    image = system.sky * shift + (point_part[:, None] * system.rows).T @ system.columns
    bend = join(system.amplitude * hartley(system.curvature * shift), system.point_curvature * point_part)
    return vector + pull_back(system, data_curvature(system.likelihood, image)) + bend


@jax.jit
def linearise(model: Model, mean, field_sky, curvature, point_curvature, low, factor) -> System:
    """The metric at the field's sky (N, N) and the points of `mean`; `low` and `factor` as `factorise` gave them.

    The curvatures (N, N) and (3 SLOTS,) are 0 for the metric that samples are drawn with.
    """
    n_pix = model.amplitude.shape[0]
    rows, columns = derivative(model.points, split(mean, n_pix)[1], n_pix)
    apparent = model.likelihood.attenuation * field_sky
    parts, filters = _levels(model.amplitude, apparent, model.likelihood.periodic)
    return System(
        model.amplitude, field_sky, curvature, model.likelihood, rows, columns, point_curvature,
        parts, filters, low, factor,
    )  # fmt: skip


@jax.jit
def factorise(system: System) -> System:
    """The system with the Cholesky factor of its own metric on the lowest modes and the points.

    Costs an application of the metric for each of these 200-odd excitations. A factor serves a few Newton
    steps in the neighbourhood, but after new samples or a new spectrum the solver would stall with it.
    """

    def column(index):
        return metric(system, jnp.zeros(system.amplitude.size + system.rows.shape[0]).at[index].set(1.0))

    dense = jax.lax.map(lambda index: column(index)[system.low], system.low)
    return system._replace(factor=jax.scipy.linalg.cholesky((dense + dense.T) / 2, lower=True))


def low_excitations(n_pix: int, points: int) -> tuple[jax.Array, jax.Array]:
    """Indices of the lowest modes and of the points' `points` excitations, and a factor that is none yet."""
    side = jnp.concatenate([jnp.arange(LOW_MODES + 1), jnp.arange(n_pix - LOW_MODES, n_pix)])
    modes = (side[:, None] * n_pix + side[None, :]).ravel()
    low = jnp.concatenate([modes, n_pix * n_pix + jnp.arange(points)])
    return low, jnp.eye(low.size)


def _levels(amplitude, sky, periodic):
    """Square roots of a partition of unity by brightness, and M⁻¹ in Fourier space at each level."""
    n_pix = amplitude.shape[0]
    information = n_pix**2 * amplitude**2 * periodic
    brightness = 2 * jnp.log(sky)
    top = brightness.max()
    bottom = jnp.minimum(jnp.maximum(brightness.min(), jnp.log(_FAINTEST / information.max())), top - 1.0)
    steps = jnp.arange(LEVELS)[:, None, None]
    place = jnp.clip((brightness - bottom) / (top - bottom) * (LEVELS - 1), 0, LEVELS - 1)
    parts = jnp.sqrt(jnp.clip(1 - jnp.abs(place - steps), 0, 1))
    level = jnp.exp(bottom + steps * (top - bottom) / (LEVELS - 1))
    return parts, 1 / (1 + information[:, : n_pix // 2 + 1] * level)


def _approximate_inverse(system: System, vector: jax.Array) -> jax.Array:
    n_pix = system.amplitude.shape[0]
    modes, point_part = split(vector, n_pix)
    pieces = system.parts * (hartley(modes) / n_pix)
    pieces = jnp.fft.irfft2(jnp.fft.rfft2(pieces) * system.filters, s=(n_pix, n_pix))
    return join(hartley((system.parts * pieces).sum(0)) / n_pix, jnp.zeros_like(point_part))


def _low_inverse(system: System, vector: jax.Array) -> jax.Array:
    solved = jax.scipy.linalg.cho_solve((system.factor, True), vector[system.low])
    return jnp.zeros_like(vector).at[system.low].set(solved)


@jax.jit
def solve(system: System, right, start, tolerance, max_steps):
    """x with M x = `right` by preconditioned conjugate gradients from `start`; (x, steps, error).

    `error` is rᵀPr of the last residual r, an estimate of (x−x*)ᵀM(x−x*): the squared distance from the
    solution in posterior standard deviations, summed over all modes. Stops once it is ≤ `tolerance`.
    """

    def precondition(vector):
        rough = _approximate_inverse(system, vector)
        return rough + _low_inverse(system, vector - metric(system, rough))

    solution = start + _low_inverse(system, right - metric(system, start))
    residual = right - metric(system, solution)
    direction = precondition(residual)
    state = (0, solution, residual, direction, jnp.vdot(residual, direction))

    def unfinished(state):
        return (state[0] < max_steps) & (state[4] > tolerance)

    def step(state):
        count, solution, residual, direction, error = state
        image = metric(system, direction)
        length = error / jnp.vdot(direction, image)
        solution, residual = solution + length * direction, residual - length * image
        conditioned = precondition(residual)
        new_error = jnp.vdot(residual, conditioned)
        return count + 1, solution, residual, conditioned + new_error / error * direction, new_error

    count, solution, _, _, error = jax.lax.while_loop(unfinished, step, state)
    return solution, count, error
