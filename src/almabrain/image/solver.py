"""Linear systems with the posterior's metric M = 1 + J†KJ: the core of sampling and of Newton steps.

J is the sky's derivative by the excitations, K the likelihood's curvature. M's eigenvalues span the square of the
signal-to-noise ratio times the dynamic range, so that plain conjugate gradients (nifty.re's take no
preconditioner) stall. Two parts remove that. The lowest modes of the field, where the prior is widest, the
points and the spectrum are solved exactly (deflation; Tang et al. 2009, J. Sci. Comput. 39, 340). The other
modes are approximated: where the sky is constant, M is diagonal in Fourier space, so the sky is cut into levels of
brightness, and M⁻¹ of each level is applied to its part of the field. With channels the basis does for them what the
Fourier transform does for pixels, and each pixel of each channel has its level. All of this is about the metric on a
torus, which is cheaper and nearly the same.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from almabrain.image import likelihood as data
from almabrain.image import points
from almabrain.image.field import gather, hartley, spread
from almabrain.image.likelihood import Likelihood
from almabrain.image.model import Model, all_channels, join, size, split

LEVELS = 3
LOW_MODES = 11.0  # modes up to this many cycles per field are solved exactly
_MOST_LOW = 900  # of all fields together: factors are made and applied densely
_FALL = 5.0  # of the prior's power with wavenumber
_FAINTEST = 0.03  # what the data must tell of a pixel, against the prior's 1, for its level to count


class System(NamedTuple):
    """A metric M and its preconditioner. Arrays only, so that JAX compiles the solver once.

    `amplitude` is (N, N), `sky`, the field's derivative by τ, ([C,] N, N); `rows`, `columns` (points.EXCITATIONS, N)
    belong to the points, `parts` (level, [C,] N, N) and `filters` (level, [E,] N, N//2+1) to the levels. `told` is what
    M has beyond 1 on the excitations `low`, `factor` M's Cholesky factor there. `ways` (spectrum, [C,] N, N) are the
    sky's derivatives by the spectrum, `known` what is known of that besides. `bend` ([C,] N, N) and `point_bend`
    (points.EXCITATIONS,), or None, are added for Newton steps. `basis` (C, E) is that of the channels.
    """

    amplitude: jax.Array
    sky: jax.Array
    likelihood: Likelihood
    rows: jax.Array
    columns: jax.Array
    parts: jax.Array
    filters: jax.Array
    low: jax.Array
    told: jax.Array
    factor: jax.Array
    ways: jax.Array
    known: jax.Array
    bend: jax.Array | None = None
    point_bend: jax.Array | None = None
    basis: jax.Array | None = None


def metric(system: System, vector: jax.Array, told=data.metric) -> jax.Array:
    """M v = v + J†K J v + the non-linearity's diagonal (≥ 0) if there is one, for excitations (vector).

    `told` is the likelihood's curvature K, of a sky.
    """
    modes, point_part, spectrum = split(vector, system.amplitude.shape[0])
    shift = spread(system.basis, hartley(system.amplitude * modes))
    image = system.sky * shift + (point_part[:, None] * system.rows).T @ system.columns
    image = image + jnp.einsum("a,a...->...", spectrum, system.ways)
    answer = told(system.likelihood, image)
    field_part = system.sky * answer
    point_answer = jnp.einsum("qy,yx,qx->q", system.rows, all_channels(answer), system.columns)
    if system.bend is not None:
        field_part = field_part + system.bend * shift
        point_answer = point_answer + system.point_bend * point_part
    rows = answer.reshape(-1, answer.shape[-1])
    change = jnp.einsum("ayx,yx->a", system.ways.reshape(-1, *rows.shape), rows)
    spectrum_answer = change + system.known @ spectrum
    field_answer = system.amplitude * hartley(gather(system.basis, field_part))
    return vector + join(field_answer, point_answer, spectrum_answer)


def _nearly(system: System, vector: jax.Array) -> jax.Array:
    """M v on the torus."""
    return metric(system, vector, data.on_torus)


def metric_at(
    model: Model, place: jax.Array, field_sky: jax.Array, bend=None, point_bend=None, spectrum=None
) -> System:
    """The metric where the field's derivative by τ is `field_sky` ([C,] N, N), with the points of excitations `place`.

    `spectrum` are the system's `ways` and `known`; without them it is held.
    """
    if spectrum is None:
        count = model.prior.excitations
        spectrum = jnp.zeros((count, *field_sky.shape)), jnp.zeros((count, count))
    n_pix, others = model.amplitude.shape[0], points.EXCITATIONS + model.prior.excitations
    low = _low_excitations(n_pix, model.prior.excitations, model.basis)
    lowest = np.unique(low[:-others] % n_pix**2)
    return _factorise(_linearise(model, place, field_sky, low, bend, point_bend, *spectrum), lowest)


@jax.jit
def _linearise(model: Model, place, field_sky, low, bend, point_bend, ways, known) -> System:
    n_pix = model.amplitude.shape[0]
    rows, columns = points.derivative(model.points, split(place, n_pix)[1], n_pix)
    apparent = model.likelihood.attenuation * field_sky
    parts, filters = _levels(model.amplitude, apparent, model.likelihood.periodic, model.basis)
    none_yet = jnp.zeros((low.size, low.size))
    return System(
        model.amplitude, field_sky, model.likelihood, rows, columns, parts, filters, low, none_yet, none_yet, ways,
        known, bend, point_bend, model.basis,
    )  # fmt: skip


@jax.jit
def _factorise(system: System, lowest: jax.Array) -> System:
    """The system with the Cholesky factor of its own metric on the `lowest` modes and the points.

    Costs an application of the metric for each of these, 470-odd without channels; one that belongs to another sky
    or spectrum would make the solver stall.
    """

    def column(index):
        return _nearly(system, jnp.zeros(_size(system)).at[index].set(1.0))[system.low]

    if system.basis is None:
        dense = jax.lax.map(column, system.low)
    else:
        others = points.EXCITATIONS + len(system.known)
        rest = jax.lax.map(column, system.low[-others:])
        fields = jnp.concatenate([_among_fields(system, system.low[:-others], lowest), rest[:, :-others]])
        dense = jnp.concatenate([fields, rest.T], axis=1)
    told = (dense + dense.T) / 2 - jnp.eye(system.low.size)
    return system._replace(told=told, factor=_factor(told))


def _among_fields(system: System, low: jax.Array, lowest: jax.Array) -> jax.Array:
    """M among the modes `low` of all fields, which are `lowest` of an image's.

    Data couple fields through the basis alone, so that one application tells a mode's answers in all channels.
    """
    count, n_pix = len(system.basis), len(system.amplitude)
    apart = system._replace(basis=jnp.eye(count))
    nothing = jnp.zeros(points.EXCITATIONS), jnp.zeros(len(system.known))

    def answers(mode):
        """What channels (C, mode) say to the `lowest` modes when one mode of each is 1."""
        unit = jnp.zeros((count, n_pix**2)).at[:, mode].set(1.0)
        modes, _, _ = split(_nearly(apart, join(unit, *nothing)) - join(unit, *nothing), n_pix)
        return modes.reshape(count, -1)[:, lowest]

    told = jnp.einsum("ce,cf,mcn->emfn", system.basis, system.basis, jax.lax.map(answers, lowest))
    told = told.reshape(len(lowest) * system.basis.shape[1], -1)
    field, mode = jnp.divmod(low, n_pix**2)
    place = field * len(lowest) + jnp.searchsorted(lowest, mode)
    return told[place][:, place] + jnp.eye(len(place))


def _size(system: System) -> int:
    return size(system.amplitude.shape[0], len(system.known), system.basis)


def _factor(told: jax.Array) -> jax.Array:
    return jax.scipy.linalg.cholesky(told + jnp.eye(len(told)), lower=True)


@jax.jit
def with_amplitude(system: System, amplitude: jax.Array) -> System:
    """The system for other amplitudes (N, N) of the field's modes, at the same sky; costs next to nothing."""
    modes, *rest = split(jnp.ones(_size(system)), len(amplitude))
    scale = join(amplitude / system.amplitude * modes, *rest)[system.low]
    told = scale[:, None] * system.told * scale
    apparent = system.likelihood.attenuation * system.sky
    parts, filters = _levels(amplitude, apparent, system.likelihood.periodic, system.basis)
    return system._replace(amplitude=amplitude, parts=parts, filters=filters, told=told, factor=_factor(told))


def _low_excitations(n_pix: int, spectrum: int, basis: jax.Array | None) -> np.ndarray:
    """Indices of the lowest modes and of all other excitations, `spectrum` of them the spectrum's.

    Of several fields modes down to the same deviation a priori.
    """
    cycles = np.fft.fftfreq(n_pix, 1 / n_pix)
    length = np.hypot(cycles, cycles[:, None])
    widest = np.ones(1) if basis is None else np.square(np.asarray(basis)).sum(0)
    reach = LOW_MODES * (widest / widest.max()) ** (1 / _FALL)
    # Every field keeps its mean.
    while sum(np.count_nonzero(length <= own) for own in reach) > _MOST_LOW and reach.max() >= 1:
        reach = 0.98 * reach
    modes = [k * n_pix**2 + np.flatnonzero(length <= own) for k, own in enumerate(reach)]
    return np.concatenate([*modes, np.arange(len(reach) * n_pix**2, size(n_pix, spectrum, basis))])


def _strengths(basis: jax.Array | None) -> tuple[jax.Array | None, jax.Array | float]:
    """The basis with columns of length 1, and their lengths squared (E, 1, 1)."""
    if basis is None:
        return None, 1.0
    squared = jnp.square(basis).sum(0)
    return basis / jnp.sqrt(squared), squared[:, None, None]


def _levels(amplitude, sky, periodic, basis):
    """Square roots of a partition of unity by brightness, and M⁻¹ in Fourier space at each level."""
    n_pix = amplitude.shape[0]
    if basis is not None:
        # What one channel's data tell more than another's counts as brightness.
        told = periodic.mean((1, 2), keepdims=True)
        sky, periodic = sky * jnp.sqrt(told / told.mean()), periodic.mean(0)
    _, strength = _strengths(basis)
    information = n_pix**2 * amplitude**2 * periodic * strength
    brightness = 2 * jnp.log(jnp.abs(sky))
    top = brightness.max()
    bottom = jnp.minimum(jnp.maximum(brightness.min(), jnp.log(_FAINTEST / information.max())), top - 1.0)
    steps = jnp.arange(LEVELS).reshape(-1, *[1] * sky.ndim)
    place = jnp.clip((brightness - bottom) / (top - bottom) * (LEVELS - 1), 0, LEVELS - 1)
    parts = jnp.sqrt(jnp.clip(1 - jnp.abs(place - steps), 0, 1))
    level = jnp.exp(bottom + steps * (top - bottom) / (LEVELS - 1))
    return parts, 1 / (1 + information[..., : n_pix // 2 + 1] * level)


def _by_levels(system: System, vector: jax.Array) -> jax.Array:
    n_pix = system.amplitude.shape[0]
    modes, *rest = split(vector, n_pix)
    basis, _ = _strengths(system.basis)
    pieces = gather(basis, system.parts * spread(basis, hartley(modes) / n_pix))
    pieces = jnp.fft.irfft2(jnp.fft.rfft2(pieces) * system.filters, s=(n_pix, n_pix))
    return join(_from_levels(system, pieces), *map(jnp.zeros_like, rest))


def _from_levels(system: System, pieces: jax.Array) -> jax.Array:
    """Excitations ([E,] N, N) of the field from white images (level, [E,] N, N), which a partition of unity joins."""
    basis, _ = _strengths(system.basis)
    return hartley(gather(basis, (system.parts * spread(basis, pieces)).sum(0))) / len(system.amplitude)


def _low_inverse(system: System, vector: jax.Array) -> jax.Array:
    solved = jax.scipy.linalg.cho_solve((system.factor, True), vector[system.low])
    return jnp.zeros_like(vector).at[system.low].set(solved)


def approximate_inverse(system: System, vector: jax.Array) -> jax.Array:
    """P v ≈ M⁻¹ v with the symmetric P = Q + (1 − QM) B (1 − MQ): Q exact on the low modes, B by levels."""
    low = _low_inverse(system, vector)
    rough = _by_levels(system, vector - _nearly(system, low))
    return low + rough - _low_inverse(system, _nearly(system, rough))


def draw_approximate(system: System, key: jax.Array) -> jax.Array:
    """A normal random vector with covariance P."""
    key_levels, key_low = jax.random.split(key)
    n_pix = system.amplitude.shape[0]
    white = jax.random.normal(key_levels, (*system.filters.shape[:-2], n_pix, n_pix))
    pieces = jnp.fft.irfft2(jnp.fft.rfft2(white) * jnp.sqrt(system.filters), s=(n_pix, n_pix))
    nothing = jnp.zeros(points.EXCITATIONS), jnp.zeros(len(system.known))
    rough = join(_from_levels(system, pieces), *nothing)
    rough = rough - _low_inverse(system, _nearly(system, rough))
    white = jax.random.normal(key_low, system.low.shape)
    return rough.at[system.low].add(jax.scipy.linalg.solve_triangular(system.factor.T, white))


@jax.jit
def solve(system: System, right, start, tolerance, max_steps):
    """x with M x = `right` by preconditioned conjugate gradients from `start`; (x, steps, error).

    `error` is rᵀPr of the last residual r, an estimate of (x−x*)ᵀM(x−x*): the squared distance from the
    solution in posterior standard deviations, summed over all modes. Stops once it is ≤ `tolerance`.
    """
    residual = right - metric(system, start)
    direction = approximate_inverse(system, residual)
    state = (0, start, residual, direction, jnp.vdot(residual, direction))

    def unfinished(state):
        return (state[0] < max_steps) & (state[4] > tolerance)

    def step(state):
        count, solution, residual, direction, error = state
        image = metric(system, direction)
        length = error / jnp.vdot(direction, image)
        solution, residual = solution + length * direction, residual - length * image
        conditioned = approximate_inverse(system, residual)
        new_error = jnp.vdot(residual, conditioned)
        return count + 1, solution, residual, conditioned + new_error / error * direction, new_error

    count, solution, _, _, error = jax.lax.while_loop(unfinished, step, state)
    return solution, count, error
