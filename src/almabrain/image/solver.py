"""Linear systems with the posterior's metric M = 1 + J†KJ: the core of sampling and of Newton steps.

J is the sky's derivative by the excitations, K the likelihood's curvature. M's eigenvalues span the square of the
signal-to-noise ratio times the dynamic range, so that plain conjugate gradients (nifty.re's take no
preconditioner) stall. Two parts remove that. The lowest modes of the field, where the prior is widest, the
points and the spectrum are solved exactly (deflation; Tang et al. 2009, J. Sci. Comput. 39, 340). The other
modes are approximated: where the sky is constant, M is diagonal in Fourier space, so the sky is cut into levels of
brightness, and M⁻¹ of each level is applied to its part of the field. With channels the basis does for them what the
Fourier transform does for pixels, and each pixel of each channel has its level. The exact part is about the metric on
a torus, which is cheaper and nearly the same; the other about the field's alone, on pixels as coarse as the modes
allow of which the data tell anything.
"""

import functools
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
_UNTOLD = 1.0  # what the data may tell of a mode, against the prior's 1, that coarse pixels have not
_SIZES = np.arange(2, 9) / 8  # of coarse grids, in those of the image's: few, since each is compiled


class Coarse(NamedTuple):
    """The field's metric on a torus of n x n pixels, coarser than the image's, for n x n modes.

    `amplitude` (n, n), 0 at the Nyquist frequency, where two modes of the image are one; `sky` ([C,] n, n) and `ways`
    (spectrum, [C,] n, n) what the beam lets through of the sky's derivatives by the field and by the spectrum;
    `periodic` ([C,] n, n//2+1) what the data tell of a mode; `parts` (level, [C,] n, n) and `filters`
    (level, [E,] n, n//2+1) the levels; `bend` ([C,] n, n) the non-linearity's, or None.
    """

    amplitude: jax.Array
    sky: jax.Array
    ways: jax.Array
    periodic: jax.Array
    parts: jax.Array
    filters: jax.Array
    bend: jax.Array | None


class System(NamedTuple):
    """A metric M and its preconditioner. Arrays only, so that JAX compiles the solver once.

    `amplitude` is (N, N), `sky`, the field's derivative by τ, ([C,] N, N); `rows`, `columns` (points.EXCITATIONS, N)
    belong to the points. `told` is what M has beyond 1 on the excitations `low`, `factor` M's Cholesky factor there;
    `coarse` serves all others. `ways` (spectrum, [C,] N, N) are the sky's derivatives by the spectrum, `known` what is
    known of that besides. `bend` ([C,] N, N) and `point_bend` (points.EXCITATIONS,), or None, are added for Newton
    steps. `basis` (C, E) is that of the channels.
    """

    amplitude: jax.Array
    sky: jax.Array
    likelihood: Likelihood
    rows: jax.Array
    columns: jax.Array
    coarse: Coarse
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
    size = _coarse_size(model, field_sky)
    return _factorise(_linearise(model, place, field_sky, low, bend, point_bend, *spectrum, size), lowest)


def _coarse_size(model: Model, field_sky: jax.Array) -> int:
    """How many pixels wide a grid must be for the modes that the data tell of, where the sky is brightest."""
    n_pix, likelihood = len(model.amplitude), model.likelihood
    apparent = np.square(np.asarray(likelihood.attenuation * field_sky)).max((-2, -1), keepdims=True)
    told = (apparent * np.asarray(likelihood.periodic)).reshape(-1, n_pix, n_pix)
    _, strength = _strengths(model.basis)
    told = n_pix**2 * np.asarray(model.amplitude) ** 2 * told.max(0) * np.max(strength)
    cycles = np.abs(np.fft.fftfreq(n_pix, 1 / n_pix))
    reach = np.maximum(cycles, cycles[:, None])[told > _UNTOLD].max(initial=2 * LOW_MODES)
    sizes = 2 * np.round(_SIZES * n_pix / 2).astype(int)
    return int(sizes[sizes > min(2 * reach, n_pix - 1)][0])


@functools.partial(jax.jit, static_argnums=8)
def _linearise(model: Model, place, field_sky, low, bend, point_bend, ways, known, size: int) -> System:
    n_pix = model.amplitude.shape[0]
    rows, columns = points.derivative(model.points, split(place, n_pix)[1], n_pix)
    none_yet = jnp.zeros((low.size, low.size))
    return System(
        model.amplitude, field_sky, model.likelihood, rows, columns,
        _coarse(model.likelihood, model.amplitude, field_sky, ways, bend, model.basis, size),
        low, none_yet, none_yet, ways, known, bend, point_bend, model.basis,
    )  # fmt: skip


def _coarse(likelihood: Likelihood, amplitude, sky, ways, bend, basis, size: int) -> Coarse:
    """The metric on `size` x `size` pixels, of skies as smooth as these can show."""
    n_pix = len(amplitude)

    def smooth(image):
        """An image (..., n, n), of sums over coarse pixels."""
        transform = _cropped_rows(jnp.fft.rfft2(image), size)
        return jnp.fft.irfft2(transform[..., : size // 2 + 1], s=(size, size))

    apparent, ways = (smooth(likelihood.attenuation * image) for image in (sky, ways))
    bend = None if bend is None else jnp.maximum(smooth(bend), 0.0)
    periodic = _cropped(likelihood.periodic, size)[..., : size // 2 + 1] / (n_pix / size) ** 2
    amplitude = _known_to(amplitude, size)
    parts, filters = _levels(amplitude, apparent, periodic, basis)
    return Coarse(amplitude, apparent, ways, periodic, parts, filters, bend)


def _known_to(amplitude: jax.Array, size: int) -> jax.Array:
    """Amplitudes (size, size) of the modes that a coarse grid has."""
    if size == len(amplitude):
        return amplitude
    inside = jnp.arange(size) != size // 2
    return _cropped(amplitude, size) * inside * inside[:, None]


def _cropped(modes: jax.Array, size: int) -> jax.Array:
    """The lowest modes (..., size, size) of (..., N, N)."""
    if size == modes.shape[-1]:
        return modes
    rows = _cropped_rows(modes, size)
    return jnp.concatenate([rows[..., : size // 2], rows[..., -(size // 2) :]], axis=-1)


def _cropped_rows(modes: jax.Array, size: int) -> jax.Array:
    return jnp.concatenate([modes[..., : size // 2, :], modes[..., -(size // 2) :, :]], axis=-2)


def _pasted(modes: jax.Array, lowest: jax.Array) -> jax.Array:
    """The modes with the `lowest` in place of their own: the inverse of `_cropped`."""
    size, n_pix = lowest.shape[-1], modes.shape[-1]
    if size == n_pix:
        return lowest
    half = size // 2
    rows = jnp.concatenate([lowest[..., :half, :], lowest[..., half:, :]], axis=-2)
    top, bottom = (
        jnp.concatenate([part[..., :half], own[..., half : n_pix - half], part[..., half:]], axis=-1)
        for part, own in (
            (rows[..., :half, :], modes[..., :half, :]),
            (rows[..., half:, :], modes[..., -half:, :]),
        )
    )
    return jnp.concatenate([top, modes[..., half : n_pix - half, :], bottom], axis=-2)


@jax.jit
def _factorise(system: System, lowest: jax.Array) -> System:
    """The system with the Cholesky factor of its own metric on the `lowest` modes, the points and the spectrum.

    Costs an application of the metric for each of these; one that belongs to another sky or spectrum would make the
    solver stall. Where one beam sees all, those of modes and spectrum are on the coarse grid.
    """
    count, of_points = len(system.known), points.EXCITATIONS
    told = jnp.zeros((system.low.size, system.low.size))
    own = jnp.r_[: system.low.size - of_points - count, system.low.size - count : system.low.size]
    told = told.at[own[:, None], own].set(_told_low(system, lowest))

    def column(index):
        """(M − 1) of one excitation."""
        unit = jnp.zeros(_size(system)).at[index].set(1.0)
        return (metric(system, unit, data.on_torus) - unit)[system.low]

    def by_points(slots):
        def seen():
            place = (
                jnp.arange(of_points).reshape(3, -1)[:, :slots].ravel() + system.low.size - of_points - count
            )
            columns = jax.lax.map(column, system.low[place]) if slots else jnp.zeros((0, system.low.size))
            return told.at[place].set(columns).at[:, place].set(columns.T)

        return seen

    told = points.in_use(jnp.any(system.rows != 0, axis=1).reshape(3, -1)[0], by_points)
    told = (told + told.T) / 2
    return system._replace(told=told, factor=_factor(told))


def _told_low(system: System, lowest: jax.Array) -> jax.Array:
    """M − 1 among the low modes of all fields, which are `lowest` of an image's, and the spectrum.

    Data couple fields through the basis alone, so that one application tells a mode's answers in all channels.
    """
    n_pix, one_beam = len(system.amplitude), data.one_beam(system.likelihood)
    on = system.coarse if one_beam else system
    places = _on_grid(lowest, n_pix, len(on.amplitude))
    basis = jnp.ones((1, 1)) if system.basis is None else system.basis

    def answer(image):
        """What the data make of a sky ([C,] n, n)."""
        return _told(on, image) if one_beam else data.metric(system.likelihood, image)

    def back(image):
        """Of skies (..., [C,] n, n) what the lowest modes of every channel (..., C, mode) gain."""
        modes = (on.amplitude * hartley(on.sky * image))[(..., *places)]
        return modes[..., None, :] if system.basis is None else modes

    def answers(row, column):
        """What channels (C, mode) say to the lowest modes when one mode of each is 1."""
        shift = hartley(on.amplitude * jnp.zeros(on.amplitude.shape).at[row, column].set(1.0))
        told = back(answer(on.sky * shift))
        return told if on.bend is None else told + (on.amplitude * hartley(on.bend * shift))[(..., *places)]

    told = jax.lax.map(lambda place: answers(*place), places)
    told = jnp.einsum("ce,cf,mcn->emfn", basis, basis, told).reshape(lowest.size * basis.shape[1], -1)
    field, mode = jnp.divmod(system.low[: -points.EXCITATIONS - len(system.known)], n_pix**2)
    place = field * lowest.size + jnp.searchsorted(lowest, mode)
    along = jax.lax.map(answer, on.ways)
    among = on.ways.reshape(len(on.ways), -1) @ along.reshape(len(on.ways), -1).T + system.known
    mixed = jnp.einsum("ce,acn->aen", basis, back(along)).reshape(len(on.ways), -1)[:, place]
    return jnp.block([[told[place][:, place], mixed.T], [mixed, among]])


def _on_grid(mode: jax.Array, n_pix: int, size: int) -> tuple[jax.Array, jax.Array]:
    """Row and column on a grid of `size` x `size` modes of those that are low among n_pix x n_pix."""
    return tuple(jnp.where(k < n_pix // 2, k, k - n_pix + size) for k in jnp.divmod(mode, n_pix))


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
    coarse = system.coarse
    known = _known_to(amplitude, len(coarse.amplitude))
    parts, filters = _levels(known, coarse.sky, coarse.periodic, system.basis)
    coarse = coarse._replace(amplitude=known, parts=parts, filters=filters)
    return system._replace(amplitude=amplitude, coarse=coarse, told=told, factor=_factor(told))


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
    information = n_pix**2 * amplitude[:, : n_pix // 2 + 1] ** 2 * periodic * strength
    brightness = 2 * jnp.log(jnp.abs(sky))
    top = brightness.max()
    bottom = jnp.minimum(jnp.maximum(brightness.min(), jnp.log(_FAINTEST / information.max())), top - 1.0)
    steps = jnp.arange(LEVELS).reshape(-1, *[1] * sky.ndim)
    place = jnp.clip((brightness - bottom) / (top - bottom) * (LEVELS - 1), 0, LEVELS - 1)
    parts = jnp.sqrt(jnp.clip(1 - jnp.abs(place - steps), 0, 1))
    level = jnp.exp(bottom + steps * (top - bottom) / (LEVELS - 1))
    return parts, 1 / (1 + information * level)


def _by_levels(coarse: Coarse, basis: jax.Array | None, modes: jax.Array) -> jax.Array:
    """M⁻¹ by levels, of modes ([E,] n, n)."""
    n_pix = len(coarse.amplitude)
    own, _ = _strengths(basis)
    pieces = gather(own, coarse.parts * spread(own, hartley(modes) / n_pix))
    pieces = jnp.fft.irfft2(jnp.fft.rfft2(pieces) * coarse.filters, s=(n_pix, n_pix))
    return _from_levels(coarse, own, pieces)


def _from_levels(coarse: Coarse, basis: jax.Array | None, pieces: jax.Array) -> jax.Array:
    """Modes ([E,] n, n) of white images (level, [E,] n, n), which a partition of unity joins."""
    return hartley(gather(basis, (coarse.parts * spread(basis, pieces)).sum(0))) / len(coarse.amplitude)


def _solve_low(system: System, right: jax.Array) -> jax.Array:
    return jax.scipy.linalg.cho_solve((system.factor, True), right)


def _coarse_low(system: System) -> tuple[jax.Array, ...]:
    """Indices ([field,] row, column) of the lowest modes on the coarse grid."""
    n_pix, size = len(system.amplitude), len(system.coarse.amplitude)
    field, mode = jnp.divmod(system.low[: -points.EXCITATIONS - len(system.known)], n_pix**2)
    place = _on_grid(mode, n_pix, size)
    return place if system.basis is None else (field, *place)


def _told(coarse: Coarse, image: jax.Array) -> jax.Array:
    """What the data make of an apparent sky ([C,] n, n)."""
    return jnp.fft.irfft2(jnp.fft.rfft2(image) * coarse.periodic, s=image.shape[-2:])


def _by_low(system: System, low: jax.Array) -> jax.Array:
    """(M − 1) v of the modes on the coarse grid ([E,] n, n), for a v that is `low` on the lowest and 0 elsewhere."""
    coarse = system.coarse
    shape = (
        coarse.amplitude.shape if system.basis is None else (system.basis.shape[1], *coarse.amplitude.shape)
    )
    modes = jnp.zeros(shape).at[_coarse_low(system)].set(low[: -points.EXCITATIONS - len(system.known)])
    shift = spread(system.basis, hartley(coarse.amplitude * modes))
    image = coarse.sky * shift + jnp.einsum("a,a...->...", low[-len(system.known) :], coarse.ways)
    return _gained(system, coarse.sky * _told(coarse, image), shift)


def _on_low(system: System, modes: jax.Array) -> jax.Array:
    """The transpose of `_by_low`."""
    coarse = system.coarse
    shift = spread(system.basis, hartley(coarse.amplitude * modes))
    answer = _told(coarse, coarse.sky * shift)
    ways = coarse.ways.reshape(len(system.known), -1) @ answer.ravel()
    low = _gained(system, coarse.sky * answer, shift)[_coarse_low(system)]
    return jnp.concatenate([low, jnp.zeros(points.EXCITATIONS), ways])


def _gained(system: System, told: jax.Array, shift: jax.Array) -> jax.Array:
    """What modes ([E,] n, n) gain of what data tell, and the bend makes, of a shift of τ (both [C,] n, n)."""
    coarse = system.coarse
    told = told if coarse.bend is None else told + coarse.bend * shift
    return coarse.amplitude * hartley(gather(system.basis, told))


def _joined(system: System, modes: jax.Array, low: jax.Array) -> jax.Array:
    """Excitations of all modes, and of the lowest, points and spectrum besides."""
    nothing = jnp.zeros(points.EXCITATIONS), jnp.zeros(len(system.known))
    return join(modes, *nothing).at[system.low].add(low)


def _others(system: System, modes: jax.Array) -> jax.Array:
    """Modes ([E,] n, n) but for the lowest, which are 0."""
    return modes.at[_coarse_low(system)].set(0.0)


def approximate_inverse(system: System, vector: jax.Array) -> jax.Array:
    """P v ≈ M⁻¹ v with the symmetric P = Q + (1 − QM) B (1 − MQ): Q exact on the low modes, B of the others by levels.

    M between these is the field's on the coarse grid; of modes that it has not P is 1.
    """
    every, _, _ = split(vector, len(system.amplitude))
    low = _solve_low(system, vector[system.low])
    rough = _others(system, _cropped(every, len(system.coarse.amplitude)) - _by_low(system, low))
    rough = _others(system, _by_levels(system.coarse, system.basis, rough))
    return _joined(system, _pasted(every, rough), low - _solve_low(system, _on_low(system, rough)))


def draw_approximate(system: System, key: jax.Array) -> jax.Array:
    """A normal random vector with covariance P."""
    key_levels, key_every, key_low = jax.random.split(key, 3)
    coarse, n_pix = system.coarse, len(system.amplitude)
    own, _ = _strengths(system.basis)
    size = len(coarse.amplitude)
    white = jax.random.normal(key_levels, (*coarse.filters.shape[:-2], size, size))
    pieces = jnp.fft.irfft2(jnp.fft.rfft2(white) * jnp.sqrt(coarse.filters), s=(size, size))
    rough = _others(system, _from_levels(coarse, own, pieces))
    white = jax.random.normal(key_low, system.low.shape)
    low = jax.scipy.linalg.solve_triangular(system.factor.T, white) - _solve_low(
        system, _on_low(system, rough)
    )
    every = jax.random.normal(key_every, (*rough.shape[:-2], n_pix, n_pix))
    return _joined(system, _pasted(every, rough), low)


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
