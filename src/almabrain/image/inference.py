"""From data to draws of the posterior: a maximum a posteriori start, a warm-up, and Hamiltonian Monte Carlo.

The warm-up moves a few chains from the start to where the posterior's mass is, and on the way learns what the
sampler and the model need: step and metric, the noise, the antennas' gains, which points there are. Then all of that
rests, more chains go on from there, and their draws count, until they agree (see `agreement`).
"""

import dataclasses
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from almabrain.config.image import SelfCalibration
from almabrain.console.progress import Progress
from almabrain.data import seeds
from almabrain.image import accuracy, field, noise, points, sampler, selfcal, solver
from almabrain.image import likelihood as data_likelihood
from almabrain.image import model as sky_model
from almabrain.image.agreement import disagreement
from almabrain.image.grid import SEEN_WELL, Grid, Windows
from almabrain.image.likelihood import reduced_chi2

log = logging.getLogger(__name__)

MAP_STEPS, MAP_CG_STEPS, MAP_TOLERANCE, MAP_ENOUGH = 7, 40, 1.0, 10.0
WARM_CHAINS, CHAINS = 4, 8
ROUND = 4  # trajectories of every chain
LEAST_WARMING, MOST_WARMING = 5, 12  # rounds
LEAST_ROUNDS = 4  # of those that count
# Trajectories: the step at first, the acceptance it adapts to and how fast, their length, leapfrog steps.
FIRST_STEP, ACCEPTANCE, ADAPTATION = 0.1, 0.7, 0.7
LEAST_ACCEPTANCE = 0.2  # of any chain, in all rounds that count
LENGTH, LEAST_STEPS, MOST_STEPS = 4.0, 4, 64
ADAPTING_ROUNDS = 2  # of those that might count; at least as many never do
SETTLED = 0.5  # rms difference of two rounds of the warm-up, in standard deviations
DISAGREEMENT, WORST_DISAGREEMENT = 1.25, 1.8  # R-hat of all that is monitored, and of the worst twentieth
_SCATTER = 4.0  # of a reduced χ², in standard deviations
LEARN_ROUNDS = 6  # of noise and gains; then they rest
POINT_FINDING, POINT_PRUNING, PRUNE_SIGMA = (1, 2, 3), (3, 5), 3.0  # rounds of the warm-up


@dataclass
class Data:
    """What is imaged: windows as they came, and what has been learned of their noise and gains.

    `factors` are the noise factors by window, None where weights are exact; `gains` None without self-calibration.
    """

    windows: Windows
    total_power: xr.Dataset | None = None
    factors: dict[str, float] | None = None
    calibration: SelfCalibration = dataclasses.field(default_factory=SelfCalibration)
    gains: selfcal.Gains | None = None
    baseline_factors: np.ndarray | None = None

    def __post_init__(self):
        self.now = self.windows if self.factors is None else noise.rescaled(self.windows, self.factors)

    def learn(self, sky: np.ndarray, grid: Grid) -> None:
        """Gains and noise from what a `sky` (N, N) leaves: `now` are the windows with both put right."""
        calibrated = self.windows
        model = data_likelihood.model_visibilities(self.windows, sky, grid)
        if self.calibration.solve != "nothing":
            self.gains = selfcal.solve(self._weighted(calibrated), model, self.calibration)
            calibrated = selfcal.apply(calibrated, self.gains)
        if self.factors is None:
            self.now = calibrated
            return
        residual = {name: window.visibility.values - model[name] for name, window in calibrated.items()}
        self.now, self.factors, self.baseline_factors = noise.student_t(calibrated, residual, self.factors)

    def _weighted(self, windows: Windows) -> Windows:
        """The windows with the weights learned so far."""
        return {name: window.assign(weight=self.now[name].weight) for name, window in windows.items()}

    @property
    def learns(self) -> bool:
        """True where noise or gains are learned."""
        return self.factors is not None or self.calibration.solve != "nothing"

    def likelihood(self, grid: Grid, sky: np.ndarray | None = None) -> data_likelihood.Likelihood:
        """The likelihood of the data as they are now: exact on all of the grid's skies, or about a `sky`, and fast."""
        if grid.metric == grid.approximation or sky is None:
            return data_likelihood.build(self.now, grid, self.total_power)
        cheap = dataclasses.replace(grid, approximation=grid.metric)
        rough = data_likelihood.build(self.now, cheap, self.total_power)
        return data_likelihood.about(rough, self.now, grid, sky)


@dataclass(frozen=True)
class Round:
    """What one round did, for the verdict and the history."""

    warming: bool
    draws: int
    energy: float
    chi2: float
    acceptance: float
    worst_acceptance: float
    step: float
    disagreement: float
    slowest: float
    seconds: float


@dataclass
class State:
    """Where inference stands: data, grid, model, the chains' excitations, and the draws that count (vectors)."""

    data: Data
    grid: Grid
    model: sky_model.Model
    vectors: list[jax.Array]
    likelihood_error: float
    history: list[Round] = dataclasses.field(default_factory=list)
    draws: list[jax.Array] = dataclasses.field(default_factory=list)


def start(data: Data, grid: Grid, sides: str) -> State:
    """The state before inference: prior spectrum, offset from the noise, candidates for points."""
    grid, error = accuracy.settle(data.now, grid, accuracy.prior_like(grid.n_pix))
    likelihood = data.likelihood(grid, np.zeros((grid.n_pix, grid.n_pix)))
    candidates, point_part = points.find(data.now, grid, likelihood)
    modes = field.modes(grid.n_pix)
    mean = field.parameters(jnp.zeros(field.EXCITATIONS))
    model = sky_model.Model(
        amplitude=jnp.exp(field.log_amplitude(mean, modes)[modes.index]),
        offset=jnp.asarray(field.prior_offset(data_likelihood.rms(likelihood), grid.natural_beam_arcsec2)),
        pixel_area=jnp.asarray(grid.cell_arcsec**2),
        points=candidates,
        likelihood=likelihood,
        sides=jnp.asarray(field.SIDES[sides]),
    )
    dark = jnp.zeros((grid.n_pix, grid.n_pix))
    vector = sky_model.join(dark, jnp.asarray(point_part), jnp.zeros(field.EXCITATIONS))
    return State(data, grid, model, [vector], error)


def ascend(model: sky_model.Model, vector: jax.Array) -> jax.Array:
    """Towards the maximum a posteriori by Newton's method, loosely: it is a start only.

    The Hessian is the metric plus the non-linearity's positive part: without it steps overshoot where the model
    is brighter than the data.
    """
    now = sky_model.expand(model, vector)
    for _ in range(MAP_STEPS):
        bend = jnp.maximum(now.bend, 0), jnp.maximum(now.point_bend, 0)
        system = solver.metric_at(model, vector, now.steepness, *bend)
        step, _, _ = solver.solve(system, now.gradient, jnp.zeros_like(vector), MAP_TOLERANCE, MAP_CG_STEPS)
        length, new = 1.0, None
        while length > 1e-4:
            new = sky_model.expand(model, vector - length * step)
            if np.isfinite(new.value) and new.value < now.value:
                break
            length /= 2
        else:
            break
        gain = float(now.value - new.value)
        vector, now = vector - length * step, new
        if gain < MAP_ENOUGH:
            break
    return vector


class Walk:
    """Chains that move by trajectories, each under its own mass, with the step that suits them."""

    def __init__(self, state: State, key: jax.Array, threads: int):
        self.state, self.key = state, key
        self.steps = np.full(len(state.vectors), FIRST_STEP)
        self.pool = ThreadPoolExecutor(threads)
        self.seen = list(state.vectors)
        self.renew()

    def renew(self) -> None:
        """A new mass where the chains are now."""
        state = self.state
        self.masses = sampler.masses(state.model, state.vectors, self.seen)
        pairs = zip(self.masses, state.vectors, strict=True)
        self.chains = [sampler.position(state.model, mass, vector) for mass, vector in pairs]

    def warm(self) -> None:
        """Each chain a draw about its start, of the metric there, as far as that still explains the data."""
        state = self.state
        # A draw of the posterior fits worse than its maximum by what the data tell, which is far less than all data.
        limit = self._chi2(state.vectors[0]) + _SCATTER * np.sqrt(2 / state.model.likelihood.n_data)
        for number, vector in enumerate(state.vectors):
            self.key, key = jax.random.split(self.key)
            step = solver.draw_approximate(self.masses[0].system, key).at[-field.EXCITATIONS :].set(0.0)
            while self._chi2(vector + step) > limit:
                step = step / 2
            state.vectors[number] = vector + step
        self.seen = list(state.vectors)
        self.renew()

    def _chi2(self, vector: jax.Array) -> float:
        return reduced_chi2(self.state.model.likelihood, sky_model.sky(self.state.model, vector))

    def branch(self, count: int) -> None:
        """So many chains, each of the old ones continued several times over."""
        vectors = self.state.vectors
        old = np.arange(count) % len(vectors)
        self.state.vectors, self.steps = [vectors[number] for number in old], self.steps[old]
        self.renew()

    def move(self, adapt: bool) -> tuple[np.ndarray, np.ndarray]:
        """One trajectory of every chain; the chances that they were accepted, and energies, both (chain,)."""
        self.key, key = jax.random.split(self.key)
        keys = jax.random.split(key, len(self.chains))
        counts = np.clip(np.round(LENGTH / self.steps), LEAST_STEPS, MOST_STEPS).astype(int)

        def one(*how):
            return jax.block_until_ready(sampler.trajectory(self.state.model, *how))

        moved = list(self.pool.map(one, self.masses, self.chains, keys, self.steps, counts))
        self.chains = [chain for chain, _ in moved]
        chance, energy = (np.array([float(step[item]) for _, step in moved]) for item in (0, 1))
        if adapt:
            self.steps = self.steps * np.exp(ADAPTATION * (chance - ACCEPTANCE))
        pairs = zip(self.masses, self.chains, strict=True)
        self.state.vectors = [sampler.excitations(self.state.model, mass, chain) for mass, chain in pairs]
        return chance, energy


def monitored(model: sky_model.Model, vector: jax.Array, inside: np.ndarray) -> np.ndarray:
    """What chains have to agree on: fluxes of 16 x 16 boxes as seen, their total, and the spectrum."""
    seen = np.asarray(sky_model.sky(model, vector) * model.likelihood.attenuation)
    edges = np.linspace(0, len(seen), 17).astype(int)[:-1]
    boxes, covered = (
        np.add.reduceat(np.add.reduceat(image, edges, 0), edges, 1) for image in (seen, inside.astype(float))
    )
    return np.concatenate([boxes[covered > 0], [seen[inside].sum()], vector[-field.EXCITATIONS :]])


def prune_points(state: State, fluxes: np.ndarray) -> None:
    """Switch off the points that the data did not ask for: `fluxes` (draw, slot) below 3 σ of the natural image."""
    points_now = state.model.points
    bright = fluxes.mean(0) > PRUNE_SIGMA * points.noise_at(points_now, state.model.likelihood)
    kept = points_now.on * bright
    state.model = state.model._replace(points=points_now._replace(on=kept))
    n_pix = state.model.amplitude.shape[0]
    alive = sky_model.join(jnp.ones((n_pix, n_pix)), jnp.tile(kept, 3), jnp.ones(field.EXCITATIONS))
    state.vectors = [vector * alive for vector in state.vectors]


def add_points(state: State, sky: np.ndarray) -> None:
    """Give points to what the mean `sky` (N, N) leaves in the residual image."""
    likelihood = state.model.likelihood
    left, places = data_likelihood.left_over(likelihood, jnp.asarray(sky)), state.model.points
    for number, vector in enumerate(state.vectors):
        modes, point_part, spectrum = sky_model.split(vector, state.grid.n_pix)
        more, point_part = points.add(places, point_part, left, likelihood)
        state.vectors[number] = sky_model.join(modes, jnp.asarray(point_part), spectrum)
    state.model = state.model._replace(points=more)


def infer(
    data: Data, grid: Grid, max_rounds: int, seed: int, name: str, threads: int = 1, sides: str = "positive"
) -> State:
    """Draws of the posterior of the sky that was seen as `data`, on a grid that holds what they see.

    `sides` are the signs that the field may have: positive, negative, or signed. Random numbers depend on `seed` and
    `name` only. Ends when the chains agree, or after `max_rounds`; whether the result may be trusted is the
    verdict's to say.
    """
    progress = Progress("image", max_rounds + 1)
    state = start(data, grid, sides)
    state.vectors = [ascend(state.model, state.vectors[0])] * WARM_CHAINS
    progress.step("start")
    key = jax.random.key(int(seeds.generator(seed, "image", name).integers(2**31)))
    walk = Walk(state, key, threads)
    walk.warm()
    warming, rounds = True, []
    for number in range(1, max_rounds + 1):
        begun = time.monotonic()
        rounds.append(_round(walk, adapt=warming or len(rounds) < ADAPTING_ROUNDS))
        last = _account(state, rounds, walk.steps, warming, begun)
        state.history.append(last)
        log.debug("round %d: %s", number, last)
        note = "warm-up" if warming else f"chains differ by {last.disagreement:.2f}"
        progress.step(f"{note}, chi2 {last.chi2:.3f}")
        if not warming:
            state.draws = [draw for each in _counted(rounds) for draw in each.draws]
        if not np.isfinite(last.energy) or (not warming and _agree(rounds, last)):
            break
        if warming:
            _learn(state, number, rounds[-1])
            walk.renew()
            if number >= MOST_WARMING or (number >= LEAST_WARMING and _settled(rounds)):
                warming, rounds = False, []
                walk.branch(CHAINS)
    progress.step("finished", steps=progress.total - progress.done)
    return state


class Draws(NamedTuple):
    """A round: its draws (vectors), mean sky (N, N), `monitors` (trajectory, chain, quantity), `chance` (chain,)."""

    draws: list[jax.Array]
    sky: np.ndarray
    monitors: np.ndarray
    chance: np.ndarray
    energy: float


def _round(walk: Walk, adapt: bool) -> Draws:
    draws, skies, monitors, moves = [], [], [], []
    inside = walk.state.grid.primary_beam >= SEEN_WELL
    for _ in range(ROUND):
        moves.append(walk.move(adapt))
        model, here = walk.state.model, walk.state.vectors
        draws += here
        skies.append(np.mean([np.asarray(sky_model.sky(model, vector)) for vector in here], axis=0))
        monitors.append([monitored(model, vector, inside) for vector in here])
    walk.seen = draws
    chance, energy = np.mean(moves, axis=0)
    return Draws(draws, np.mean(skies, axis=0), np.array(monitors), chance, float(energy.mean()))


def _counted(rounds: list[Draws]) -> list[Draws]:
    """The later half: what the chains forgot of their start."""
    return rounds[len(rounds) // 2 :]


def _account(state: State, rounds: list[Draws], steps: np.ndarray, warming: bool, begun: float) -> Round:
    last, counted = rounds[-1], _counted(rounds)
    monitors = np.concatenate([each.monitors for each in counted])
    chance = np.mean([each.chance for each in counted], axis=0)
    apart = disagreement(monitors) if len(rounds) > 1 else (np.inf, np.inf)
    chi2 = reduced_chi2(state.model.likelihood, last.sky)
    draws = monitors.shape[0] * monitors.shape[1]
    return Round(
        warming, draws, last.energy, chi2, float(chance.mean()), float(chance.min()), float(np.median(steps)),
        *apart, time.monotonic() - begun,
    )  # fmt: skip


def _agree(rounds: list[Draws], last: Round) -> bool:
    together = last.disagreement <= DISAGREEMENT and last.slowest <= WORST_DISAGREEMENT
    return len(rounds) >= LEAST_ROUNDS and together and last.worst_acceptance >= LEAST_ACCEPTANCE


def _learn(state: State, number: int, made: Draws) -> None:
    """What a round of the warm-up teaches: noise and gains, points, and where the likelihood has to be exact."""
    if state.data.learns and number <= LEARN_ROUNDS:
        state.data.learn(made.sky, state.grid)
    likelihood = state.data.likelihood(state.grid, made.sky)
    state.model = state.model._replace(likelihood=likelihood)
    if number in POINT_PRUNING:
        prune_points(state, np.array([point_fluxes(state.model, vector) for vector in made.draws]))
    if number in POINT_FINDING:
        add_points(state, made.sky)


def _settled(rounds: list[Draws]) -> bool:
    """True where the last two rounds of the warm-up agree as well as two rounds can."""
    spread = np.concatenate([each.monitors for each in rounds[-2:]])
    apart = rounds[-1].monitors.mean((0, 1)) - rounds[-2].monitors.mean((0, 1))
    scale = np.maximum(spread.std((0, 1)), 1e-300)
    return bool(np.sqrt(np.mean((apart / scale) ** 2)) < SETTLED)


def point_fluxes(model: sky_model.Model, vector: jax.Array) -> np.ndarray:
    """Fluxes (SLOTS,) of the points [Jy] of excitations (vector)."""
    return np.asarray(points.flux(model.points, sky_model.split(vector, model.amplitude.shape[0])[1]))
