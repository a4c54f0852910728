"""Draws from the posterior itself: Hamiltonian Monte Carlo over the sky and the spectrum of its prior.

A Gaussian approximation (MGVI) loses faint sources and most of the uncertainty of what the spectrum decides, see
docs/decisions.md. Here a trajectory of the equations of motion, with the posterior's energy as potential, moves
sky and spectrum together, and an accept/reject step makes the draws exact (Duane et al. 1987; Neal 2011,
arXiv:1206.1901). Two things make that fast enough for 10⁵ unknowns:

- The kinetic energy's covariance is the solver's approximate inverse of the metric, P ≈ M⁻¹, so that all
  directions move at the same pace. Only products with P are needed: for momenta p + Δp with velocity v = P p
  the kinetic energy changes by (v + ½ PΔp)·Δp, and a first velocity is drawn from N(0, P).
- Where the data fix a mode of the field, a change of the spectrum must leave the mode's amplitude t alone; where
  they do not, it must scale it. So a chain's position is u = t / a^w, partly non-centred (Papaspiliopoulos et al.
  2003, Bayesian Statistics 7, 307), with w the prior's share in what is known of the mode.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from almabrain.image import field, points, solver
from almabrain.image import model as sky_model
from almabrain.image.likelihood import in_precision, metric

# Where all chains are dark, as at first, the metric would let them grow too fast: it sees at least this brightness,
# in units of the noise in a natural beam.
FLOOR_SIGMA = 0.3
# By how much of their spread at a fixed sky the spectrum's parameters move, squared: more needs shorter steps.
PACE = 80.0
SHORT_CHANCE, SHORT_STEP = 0.2, 0.3
LONGEST_STEP = 1.0  # an angle: half a turn would be no step at all
# Of a trajectory's skies and energies, for half the bytes. Rounding changes energies by 10⁻⁴ with peaks of 80 σ and by
# 0.2 with peaks of 2,400 σ: far above that it would be felt.
PRECISION = jnp.float32


class Mass(NamedTuple):
    """What trajectories go by: the metric `system`, and coordinates about the amplitudes exp(`central`).

    `noncentring` is w ([E,] N/2+1, N/2+1); `central` (N/2+1, N/2+1) serves all fields. Both are for the modes of one
    quadrant, which stands for the others: a look-up by length of every mode takes longer than a transform. `prior` is
    the model's; `anchor` ([C,] N, N) is a true sky near those to come.
    """

    system: solver.System
    modes: field.Modes
    prior: field.Prior
    central: jax.Array
    noncentring: jax.Array
    anchor: jax.Array


class Step(NamedTuple):
    """What a trajectory did: probability that it was accepted, the energy it ended with."""

    acceptance: jax.Array
    energy: jax.Array


def _whole(mass: Mass, quadrant: jax.Array) -> jax.Array:
    """Factors by mode of a quadrant for every excitation (vector); 1 for those of points and spectrum."""
    others = jnp.ones(points.EXCITATIONS + mass.prior.excitations, quadrant.dtype)
    quadrants = jnp.broadcast_to(quadrant, mass.noncentring.shape)
    return jnp.concatenate([mirrored(quadrants).ravel(), others])


def mirrored(quadrant: jax.Array) -> jax.Array:
    """What is the same for modes of ±k, (..., N, N) from (..., N/2+1, N/2+1), in the order of the FFT's wavenumbers."""
    half = jnp.concatenate([quadrant, quadrant[..., -2:0:-1, :]], axis=-2)
    return jnp.concatenate([half, half[..., -2:0:-1]], axis=-1)


def _stretch(mass: Mass, spectrum: jax.Array) -> jax.Array:
    """ln of a chain's amplitudes over the central ones, by mode of a quadrant."""
    side = len(mass.central)
    return (
        field.log_amplitude(spectrum, mass.modes, mass.prior)[mass.modes.index[:side, :side]] - mass.central
    )


def _widening(mass: Mass, position: jax.Array) -> jax.Array:
    """What turns a position into excitations (vector)."""
    return _whole(mass, jnp.exp(mass.noncentring * _stretch(mass, position[-mass.prior.excitations :])))


@jax.jit
def excitations(model: sky_model.Model, mass: Mass, position: jax.Array) -> jax.Array:
    """The excitations (vector) of `model` at a chain's position."""
    return position * _widening(mass, position) * _ratio(model, mass)


@jax.jit
def position(model: sky_model.Model, mass: Mass, vector: jax.Array) -> jax.Array:
    """The position of a chain at excitations of `model`: the inverse of `excitations`."""
    return vector / _widening(mass, vector) / _ratio(model, mass)


def _ratio(model: sky_model.Model, mass: Mass) -> jax.Array:
    others = jnp.ones(points.EXCITATIONS), jnp.ones(mass.prior.excitations)
    ratio = jnp.ones((*mass.noncentring.shape[:-2], 1, 1)) * mass.system.amplitude / model.amplitude
    return sky_model.join(ratio, *others)


@jax.jit
def energy(model: sky_model.Model, mass: Mass, position: jax.Array) -> tuple[jax.Array, jax.Array]:
    """−ln of the posterior's density at a position, up to a constant, and its gradient (vector), in its precision."""
    model, mass = in_precision(position.dtype, (model, mass))
    spectrum = position[-mass.prior.excitations :]
    stretch, along_spectrum = jax.vjp(lambda values: _stretch(mass, values), spectrum)
    widen = _whole(mass, jnp.exp(mass.noncentring * stretch))
    vector = position * widen
    misfit, gradient = sky_model.misfit(model._replace(amplitude=mass.system.amplitude), vector)
    pull = vector * _whole(mass, jnp.exp(-2 * stretch))
    gradient = gradient + pull
    n_pix = len(model.amplitude)
    modes, slope, pulled = (sky_model.split(each, n_pix)[0] for each in (vector, gradient, pull))
    (_, mirror) = jax.vjp(mirrored, mass.noncentring)

    def folded(image):
        return mirror(image)[0]

    centred = (1 - mass.noncentring) * folded(jnp.ones_like(modes))
    entropy = jnp.vdot(centred, jnp.broadcast_to(stretch, centred.shape))
    value = misfit + 0.5 * jnp.vdot(vector, pull) + entropy
    by_mode = mass.noncentring * folded(modes * slope) - folded(modes * pulled) + centred
    (shift,) = along_spectrum(sky_model.all_channels(by_mode))
    return value, (widen * gradient).at[-len(spectrum) :].add(shift)


@jax.jit
def trajectory(model, mass: Mass, position, key: jax.Array, step, count) -> tuple[jax.Array, Step]:
    """The position after `count` leapfrog steps of about `step`, or where it was if that was rejected."""
    key_velocity, key_accept, key_step, key_short = jax.random.split(key, 4)
    step = step * jax.random.uniform(key_step, minval=0.8, maxval=1.2)  # no period of the motion is met twice
    # A chain may wander to where only short steps are accepted: it would stay there for good.
    step = jnp.where(jax.random.bernoulli(key_short, SHORT_CHANCE), SHORT_STEP * step, step)

    step = jnp.minimum(step, LONGEST_STEP)

    # Leapfrog steps whose drifts and kicks have different lengths turn an oscillator of frequency 1 by exactly `step`.
    # Were they the same, 10⁵ modes that the data say nothing of would allow steps of 0.1 by their number alone.
    drift, kick = (item.astype(PRECISION) for item in (jnp.sin(step), 2 * jnp.tan(0.5 * step)))

    about, constant = sky_model.anchored(model, mass.anchor)

    def forward(number, state):
        here, kicked, velocity, before, _ = state
        here = here + jnp.where(number == 0, 0.0, drift) * velocity
        value, gradient = energy(about, mass, here)
        part = jnp.where((number == 0) | (number == count), 0.5 * kick, kick)
        change = solver.approximate_inverse(mass.system, gradient.astype(float))
        velocity = velocity - part * change.astype(PRECISION)
        return here, kicked - part * gradient, velocity, jnp.where(number == 0, value, before), value

    # One loop, that begins with half a kick where the chain is: what is called twice is compiled into slower code.
    drawn = solver.draw_approximate(mass.system, key_velocity).astype(PRECISION)
    zero = jnp.zeros((), PRECISION)
    start = position.astype(PRECISION), jnp.zeros_like(drawn), drawn, zero, zero
    end, kicked, velocity, before, after = jax.lax.fori_loop(0, count + 1, forward, start)
    end, kicked, velocity, drawn, before, after = (
        item.astype(float) for item in (end, kicked, velocity, drawn, before, after)
    )
    change = after - before + 0.5 * jnp.vdot(drawn + velocity, kicked)
    chance = jnp.where(jnp.isfinite(change), jnp.exp(-jnp.maximum(change, 0.0)), 0.0)
    accepted = jax.random.uniform(key_accept) < chance
    return jnp.where(accepted, end, position), Step(chance, jnp.where(accepted, after, before) + constant)


def masses(model: sky_model.Model, vectors: list[jax.Array], seen: list[jax.Array]) -> list[Mass]:
    """A mass for each of the chains that are at excitations `vectors` of `model`: about its own spectrum.

    The metric is that of the root mean square sky of the excitations `seen` of late, which is safer than their mean:
    where one of them is bright and the others are dark, steps must be small. Where chains are now is too few: what
    they find bright later would stop them.
    """
    n_pix = model.amplitude.shape[0]
    modes, prior = field.modes(n_pix), model.prior
    told = model.likelihood.periodic.reshape(-1, n_pix, n_pix).mean(0)
    steepness = jnp.stack([sky_model.field_sky(model, vector)[1] for vector in seen])
    floor = FLOOR_SIGMA / prior.offset_sigma * jnp.exp(model.offset) * model.pixel_area
    square = jnp.maximum(jnp.square(steepness).mean(0), floor**2)
    apparent = (model.likelihood.attenuation**2 * square).mean()
    told = n_pix**2 * jnp.asarray(field.radial_mean(told, modes)) * apparent
    if model.basis is not None:
        told = jnp.square(model.basis).sum(0)[:, None] * told
    mean, sky = jnp.stack(vectors).mean(0), jnp.sign(steepness[0]) * jnp.sqrt(square)

    def log_amplitude(spectrum):
        return field.log_amplitude(spectrum, modes, prior)

    spectrum = jnp.stack(seen).mean(0)[-prior.excitations :]
    slope = jax.jacfwd(log_amplitude)(spectrum).T
    noncentring = 1 / (1 + told * jnp.exp(2 * log_amplitude(spectrum)))
    # The sky's derivatives by the spectrum at a fixed position: the chains' own, and that of their mean.
    share = jnp.stack([each * noncentring for each in slope])
    own = jnp.stack([_ways(model, modes, share, vector, sky) for vector in seen])
    ways = own.mean(0)
    centred = (2 * modes.count * (1 - noncentring) ** 2).reshape(-1, len(modes.length)).sum(0)
    known = jnp.einsum("l,al,bl->ab", centred, slope, slope)
    unlike = sum(_told(model, each) for each in own) / len(own) - _told(model, ways)
    known = known + unlike / PACE
    amplitude = jnp.exp(log_amplitude(spectrum)[modes.index])
    system = solver.metric_at(model._replace(amplitude=amplitude), mean, sky, spectrum=(ways, known))
    anchor = jnp.stack([sky_model.sky(model, vector) for vector in vectors]).mean(0)
    made, quadrant = [], modes.index[: n_pix // 2 + 1, : n_pix // 2 + 1]
    for vector in vectors:
        central = log_amplitude(vector[-prior.excitations :])
        own = solver.with_amplitude(system, jnp.exp(central[modes.index]))
        share = 1 / (1 + told * jnp.exp(2 * central))
        made.append(Mass(own, modes, prior, central[quadrant], share[..., quadrant], anchor))
    return made


def _ways(model: sky_model.Model, modes: field.Modes, share: jax.Array, vector: jax.Array, sky: jax.Array):
    """What a field's sky ([C,] N, N) gains (way, [C,] N, N) where modes grow by `share` (way, [E,] length)."""
    own, _, _ = sky_model.split(vector, len(model.amplitude))
    grown = (way[..., modes.index] * own for way in share)
    return jnp.stack([sky * field.log_brightness(each, model.amplitude, 0.0, model.basis) for each in grown])


def _told(model: sky_model.Model, ways: jax.Array) -> jax.Array:
    """What the data tell (way, way) of skies (way, [C,] N, N)."""
    answers = jnp.stack([metric(model.likelihood, way) for way in ways])
    return ways.reshape(len(ways), -1) @ answers.reshape(len(ways), -1).T
