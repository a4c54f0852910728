"""From data to posterior samples: a MAP start, then metric Gaussian variational inference (MGVI).

MGVI (Knollmüller & Ensslin 2019, arXiv:1901.11033) approximates the posterior by a Gaussian in the excitations,
whose covariance is the inverse metric. A round draws samples with the metric at the posterior-mean sky, moves
the mean to the least KL divergence for those samples, and fits the power spectrum to them (EM). The random
numbers are the same in every round, so that rounds converge.
"""

import logging
import time
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from almabrain.console.progress import Progress
from almabrain.data import seeds
from almabrain.image import field, noise, points, solver
from almabrain.image import model as sky_model
from almabrain.image.grid import Grid
from almabrain.image.likelihood import Windows, build, in_sigma, left_over, noise_information, rms
from almabrain.image.likelihood import residuals as data_residuals
from almabrain.response.beam import convolve

log = logging.getLogger(__name__)

MAP_STEPS, MAP_CG_STEPS = 9, 50
NEWTON_STEPS, NEWTON_CG_STEPS, NEWTON_TOLERANCE = 6, 60, 0.02
SAMPLE_CG_STEPS, SAMPLE_TOLERANCE = 150, 0.1
EARLY_ROUNDS, EARLY_PAIRS = 2, 2  # a few samples are enough while the mean still moves far
# Then the weights rest, or the rounds could not converge; but residuals of a mean that has moved far since teach
# wrong ones.
LEARN_NOISE_ROUNDS, LATEST_LEARNING, FAR_SIGMA = 4, 10, 1.0
KL_STOP = 0.1
POINT_FINDING, POINT_PRUNING, PRUNE_SIGMA = (1, 2, 3), (2, 4), 3.0  # rounds, from 0
# What may still move when the samples are taken for converged; the verdict uses the same numbers.
SHIFT_SIGMA, FLUX_SHIFT_SIGMA, KL_CHANGE, CG_ERROR = 0.1, 0.15, 1.0, 1.0
# The MAP is far below the posterior mean where the data only set a limit; samples drawn there would be wild.
# So the first metric sees at least this brightness, in units of the noise in a natural beam.
FLOOR_SIGMA = 0.3
_LEAST_SPREAD = 0.3
# The spectrum takes long steps at first and shorter ones later: with few samples EM does not rest by itself.
EM_RELAXATION, EM_LONG_ROUNDS = 1.5, 5


@dataclass(frozen=True)
class Round:
    """What one round did, for the verdict and the history."""

    samples: int
    kl: float
    kl_change: float
    cg_error: float
    chi2: float
    shift_sigma: float
    flux_shift_sigma: float
    seconds: float


@dataclass
class State:
    """All that inference changes: model, spectrum, mean (vector), residuals (sample, vector), data in use."""

    model: sky_model.Model
    windows: Windows
    spectrum: field.Spectrum
    mean: np.ndarray
    residuals: np.ndarray
    field_sky: np.ndarray
    noise_factors: dict[str, float]
    learned_noise: bool
    baseline_factors: np.ndarray
    history: list[Round]


def excitations(state: State):
    """The posterior samples' excitations, one vector after the other."""
    return [state.mean + residual for residual in state.residuals]


def start(windows: Windows, grid: Grid, factors: dict[str, float], learned: bool) -> State:
    """The state before inference: spectrum and offset from the noise, candidates for points."""
    likelihood = build(windows, grid)
    spectrum = field.Spectrum.initial(grid.n_pix)
    candidates, point_part = points.find(windows, grid, likelihood)
    model = sky_model.Model(
        amplitude=jnp.asarray(spectrum.amplitude()),
        offset=jnp.asarray(field.prior_offset(rms(likelihood), grid.natural_beam_arcsec2)),
        pixel_area=jnp.asarray(grid.cell_arcsec**2),
        points=candidates,
        likelihood=likelihood,
    )
    mean = np.zeros(sky_model.size(grid.n_pix))
    mean[grid.n_pix**2 :] = point_part
    none = jnp.zeros((1, mean.size))
    diffuse = sky_model.field_sky(model, jnp.asarray(mean))
    return State(
        model,
        windows,
        spectrum,
        jnp.asarray(mean),
        none,
        diffuse,
        dict(factors),
        learned,
        np.ones(8),
        [],
    )


def minimise(state: State, steps: int, cg_steps: int, tolerance: float) -> tuple[float, float]:
    """Move the mean towards the least KL by Newton's method; the KL and its last change.

    The Hessian is the metric at the mean sky plus the non-linearity's positive part: without it steps
    overshoot where the model is brighter than the data.
    """
    now = sky_model.expand(state.model, state.mean, state.residuals)
    change = np.inf
    low, factor = solver.low_excitations(state.spectrum.n_pix, 3 * points.SLOTS)
    for number in range(steps):
        bend = jnp.maximum(now.bend, 0), jnp.maximum(now.point_bend, 0)
        system = solver.linearise(state.model, state.mean, now.sky, *bend, low, factor)
        if number == 0 or len(state.residuals) == 1:  # towards the MAP every step is a long one
            system = solver.factorise(system)
            factor = system.factor
        step, _, _ = solver.solve(system, now.gradient, jnp.zeros_like(state.mean), tolerance, cg_steps)
        mean, new = _line_search(state, step, now)
        if new is None:
            break
        change = float(now.value - new.value)
        state.mean, now = mean, new
        if change < KL_STOP:
            break
    state.field_sky = 0.5 * (state.field_sky + now.sky) if len(state.residuals) > 1 else now.sky
    return float(now.value), change


def _line_search(state: State, step, now):
    """The mean after the longest of step, step/2, ... that lowers the KL, or None where none does."""
    length = 1.0
    while length > 1e-4:
        mean = state.mean - length * step
        new = sky_model.expand(state.model, mean, state.residuals)
        if np.isfinite(new.value) and new.value < now.value:
            return mean, new
        length /= 2
    return state.mean, None


def sample(state: State, grid: Grid, pairs: int, seed: int, name: str) -> float:
    """Draw mirrored pairs of residuals from the Gaussian with the inverse metric; the worst solver's error."""
    n_pix = grid.n_pix
    bend = jnp.zeros((n_pix, n_pix)), jnp.zeros(3 * points.SLOTS)
    low = solver.low_excitations(n_pix, 3 * points.SLOTS)
    system = solver.factorise(solver.linearise(state.model, state.mean, state.field_sky, *bend, *low))
    drawn, worst = [], 0.0
    for pair in range(pairs):
        rng = seeds.generator(seed, "image", f"{name}/pair{pair}")
        white = jnp.asarray(rng.standard_normal(state.mean.size))
        noise_image = jnp.asarray(noise_information(state.windows, grid, rng, state.model.likelihood))
        right = white + solver.pull_back(system, noise_image)
        warm = len(state.residuals) > 2 * pair + 1
        first = state.residuals[2 * pair] if warm else jnp.zeros_like(state.mean)
        residual, _, error = solver.solve(system, right, first, SAMPLE_TOLERANCE, SAMPLE_CG_STEPS)
        worst = max(worst, float(error)) if np.isfinite(error) else np.inf
        drawn += [residual, -residual]
    state.residuals = jnp.stack(drawn)
    return worst


def refit_spectrum(state: State, relaxation: float) -> None:
    """Fit the power spectrum to the samples; excitations are rescaled so that the sky stays as it is."""
    n_pix = state.spectrum.n_pix
    old = state.model.amplitude
    modes = [sky_model.split(vector, n_pix)[0] for vector in excitations(state)]
    power = np.mean([np.asarray(old * mode) ** 2 for mode in modes], axis=0)
    state.spectrum = state.spectrum.refit(power, relaxation)
    new = jnp.asarray(state.spectrum.amplitude())

    def rescale(vector):
        modes, point_part = sky_model.split(vector, n_pix)
        return sky_model.join(modes * old / new, point_part)

    state.mean = rescale(state.mean)
    state.residuals = jnp.stack([rescale(residual) for residual in state.residuals])
    state.model = state.model._replace(amplitude=new)


def prune_points(state: State) -> None:
    """Switch off the points that the data did not ask for: fainter than 3 σ of the natural image there."""
    n_pix = state.spectrum.n_pix
    fluxes = [points.flux(state.model.points, sky_model.split(v, n_pix)[1]) for v in excitations(state)]
    bright = np.mean(fluxes, axis=0) > PRUNE_SIGMA * points.noise_at(
        state.model.points, state.model.likelihood
    )
    kept = state.model.points.on * bright
    state.model = state.model._replace(points=state.model.points._replace(on=kept))
    alive = sky_model.join(jnp.ones((n_pix, n_pix)), jnp.tile(kept, 3))
    state.mean, state.residuals = state.mean * alive, state.residuals * alive


def residual_image(state: State) -> np.ndarray:
    """The natural residual image (N, N) of the posterior-mean sky in units of its noise."""
    mean = sky_model.mean_sky(state.model, state.mean, state.residuals)
    return in_sigma(left_over(state.model.likelihood, mean), state.model.likelihood)


def add_points(state: State) -> None:
    """Give points to what the model leaves in the residual image."""
    n_pix = state.spectrum.n_pix
    modes, point_part = sky_model.split(state.mean, n_pix)
    mean = sky_model.mean_sky(state.model, state.mean, state.residuals)
    left = left_over(state.model.likelihood, mean)
    more, point_part = points.add(state.model.points, point_part, left, state.model.likelihood)
    state.model = state.model._replace(points=more)
    state.mean = sky_model.join(modes, jnp.asarray(point_part))


def learn_noise(state: State, claimed: Windows, grid: Grid) -> None:
    """New weights from the residuals at the posterior-mean sky (Student-t, one factor per window)."""
    mean = np.asarray(sky_model.mean_sky(state.model, state.mean, state.residuals))
    residual = data_residuals(claimed, mean, grid)
    state.windows, state.noise_factors, state.baseline_factors = noise.student_t(
        claimed, residual, state.noise_factors
    )
    state.model = state.model._replace(likelihood=build(state.windows, grid))


def _picture(state: State, grid: Grid) -> np.ndarray:
    """The samples' apparent skies at the CLEAN beam's resolution (sample, y, x), Jy/beam."""
    skies = [np.asarray(sky_model.sky(state.model, vector)) for vector in excitations(state)]
    return np.stack([convolve(sky * grid.primary_beam, grid.cell_arcsec, grid.beam) for sky in skies])


def _shift(old: np.ndarray | None, new: np.ndarray, inside: np.ndarray, rms: float) -> tuple[float, float]:
    """How far the mean moved, in posterior σ: rms over pixels, and of the total flux.

    A pixel whose σ is far below the noise `rms` of the image is known to be empty: there `rms` is the scale.
    """
    if old is None:
        return np.inf, np.inf
    spread = np.maximum(new.std(0, ddof=1)[inside], _LEAST_SPREAD * rms)
    step = (new.mean(0) - old.mean(0))[inside]
    totals = new[:, inside].sum(1)
    moved = abs(totals.mean() - old[:, inside].sum(1).mean())
    return float(np.sqrt(np.mean((step / spread) ** 2))), float(moved / totals.std(ddof=1))


def at_rest(last: Round) -> bool:
    """True where another round would change nothing that matters."""
    return (
        last.shift_sigma <= SHIFT_SIGMA
        and last.flux_shift_sigma <= FLUX_SHIFT_SIGMA
        and abs(last.kl_change) <= KL_CHANGE
        and last.cg_error <= CG_ERROR
    )


def _stale(history: list[Round]) -> bool:
    """True where the mean has moved far since the noise was learned."""
    return len(history) < LATEST_LEARNING and history[-1].shift_sigma > FAR_SIGMA


def infer(
    windows: Windows,
    grid: Grid,
    samples: int,
    max_rounds: int,
    seed: int,
    name: str,
    factors: dict[str, float] | None = None,
) -> State:
    """Posterior samples of the sky that was seen as `windows`.

    `factors` are the first noise factors by window of an observation, whose noise is learned too; None
    takes the weights as exact. Random numbers depend on `seed` and `name` only. Ends when rounds no longer
    change the samples, or after `max_rounds`; whether the result may be trusted is the verdict's to say.
    """
    claimed = windows
    if factors is not None:
        windows = noise.rescaled(windows, factors)
    state = start(windows, grid, factors or dict.fromkeys(windows, 1.0), factors is not None)
    progress = Progress("image", max_rounds + 1)
    minimise(state, MAP_STEPS, MAP_CG_STEPS, 1.0)
    progress.step("MAP start")
    floor = FLOOR_SIGMA / field.OFFSET_SIGMA * jnp.exp(state.model.offset) * state.model.pixel_area
    state.field_sky = jnp.maximum(state.field_sky, floor)
    picture = None
    for number in range(max_rounds):
        begun = time.monotonic()
        if factors is not None and (number < LEARN_NOISE_ROUNDS or _stale(state.history)):
            learn_noise(state, claimed, grid)
        pairs = EARLY_PAIRS if number < EARLY_ROUNDS else samples // 2
        cg_error = sample(state, grid, pairs, seed, name)
        kl, change = minimise(state, NEWTON_STEPS, NEWTON_CG_STEPS, NEWTON_TOLERANCE)
        likelihood = state.model.likelihood
        chi2 = float(sky_model.expand(state.model, state.mean, state.residuals).chi2)
        chi2 = (chi2 + likelihood.data_energy) / likelihood.n_data
        old, picture = picture, _picture(state, grid)
        shift = _shift(old, picture, grid.primary_beam >= 0.2, rms(likelihood))
        state.history.append(Round(2 * pairs, kl, change, cg_error, chi2, *shift, time.monotonic() - begun))
        progress.step(f"round {number + 1}, KL {kl:.1f}, chi2 {chi2:.3f}, shift {shift[0]:.2f} sigma")
        log.debug("round %d: %s, spectrum %s", number + 1, state.history[-1], state.spectrum.parameters)
        rested = number > max(POINT_PRUNING) and at_rest(state.history[-1])
        # What follows prepares the next round: after the last one it would change what was judged.
        if rested or not np.isfinite(kl) or number == max_rounds - 1:
            break
        if number in POINT_PRUNING:
            prune_points(state)
        if number in POINT_FINDING:
            add_points(state)
        refit_spectrum(state, EM_RELAXATION * min(1.0, EM_LONG_ROUNDS / (number + 1)) ** 2)
    progress.step("finished", steps=progress.total - progress.done)
    return state
