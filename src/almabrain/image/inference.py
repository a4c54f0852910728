"""From data to draws of the posterior: a maximum a posteriori start, a warm-up, and Hamiltonian Monte Carlo.

The warm-up moves a few chains from the start to where the posterior's mass is, and on the way learns what the
sampler and the model need: step and metric, the noise, the antennas' gains, which points there are. Then all of that
rests, more chains go on from there, and their draws count, until they agree (see `agreement`).
"""

import dataclasses
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from almabrain.config.image import Prior, SelfCalibration, Spectral
from almabrain.console.progress import Progress
from almabrain.data import seeds
from almabrain.image import accuracy, field, noise, noise_model, points, sampler, selfcal, solver, spectral
from almabrain.image import likelihood as data_likelihood
from almabrain.image import model as sky_model
from almabrain.image.agreement import disagreement
from almabrain.image.checkpoint import Checkpoint
from almabrain.image.grid import SEEN_WELL, Grid, Windows
from almabrain.image.likelihood import in_sigma, reduced_chi2

log = logging.getLogger(__name__)

MAP_STEPS, MAP_CG_STEPS, MAP_TOLERANCE, MAP_ENOUGH = 24, 40, 1.0, 10.0
WARM_CHAINS, CHAINS = 4, 8
ROUND = 2  # trajectories of every chain
LEAST_WARMING, MOST_WARMING = 5, 12  # rounds of the few chains
SPREADING = 3  # rounds of all chains, of which only masses learn
LEAST_ROUNDS = 8  # after the warm-up; the later half of them counts
# Trajectories: the step at first, the acceptance it adapts to and how fast, their length, leapfrog steps.
FIRST_STEP, ACCEPTANCE, ADAPTATION = 0.1, 0.7, 0.7
LEAST_ACCEPTANCE = 0.2  # of any chain, in all rounds that count
LENGTH, LEAST_STEPS, MOST_STEPS = 10.0, 4, 160
SETTLED = 0.5  # rms difference of two rounds of the warm-up from the two before, in standard deviations
# R-hat of all that is monitored, and of the worst twentieth: √(1 + 16 half chains / independent draws), so 36 and 10 of
# these (Vats & Knudson 2021, Statistical Science 36, 518).
DISAGREEMENT, WORST_DISAGREEMENT = 1.2, 1.6
_SCATTER = 4.0  # of a reduced χ², in standard deviations
LEARN_ROUNDS = 6  # of noise and gains; then they rest
POINT_FINDING, POINT_PRUNING, PRUNE_SIGMA = (1, 2, 3), (3, 5), 3.0  # rounds of the warm-up


@dataclass
class Data:
    """What is imaged: windows as they came, and what has been learned of their noise and gains.

    `factors` are the noise factors by window as measured, None where weights are exact; `antennas` asks for factors of
    antennas too; `noise` is what was learned, None before that; `gains` None without self-calibration.
    """

    windows: Windows
    total_power: xr.Dataset | None = None
    factors: dict[str, float] | None = None
    calibration: SelfCalibration = dataclasses.field(default_factory=SelfCalibration)
    gains: selfcal.Gains | None = None
    antennas: bool = False
    noise: noise_model.Learned | None = None

    def __post_init__(self):
        self.now = self.windows if self.factors is None else noise.rescaled(self.windows, self.factors)

    def learn(self, sky: np.ndarray, grid: Grid) -> None:
        """Gains and noise from what a `sky` ([C,] N, N) leaves: `now` are the windows with both put right."""
        calibrated = self.windows
        model = data_likelihood.model_visibilities(self.windows, sky, grid)
        if self.calibration.solve != "nothing":
            self.gains = selfcal.solve(self._weighted(calibrated), model, self.calibration)
            calibrated = selfcal.apply(calibrated, self.gains)
        if self.factors is None:
            self.now = calibrated
            return
        residual = {name: window.visibility.values - model[name] for name, window in calibrated.items()}
        self.noise = noise_model.learn(calibrated, residual, self.factors, self.antennas)
        self.now = self.noise.windows

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


class Draws(NamedTuple):
    """A round: draws (vectors), mean sky ([C,] N, N), `monitors` (trajectory, chain, quantity), `chance` (chain,).

    Draws that will not count, and the sky of a round that was kept, are forgotten.
    """

    draws: list[jax.Array]
    sky: np.ndarray | None
    monitors: np.ndarray
    chance: np.ndarray
    energy: float


@dataclass
class State:
    """Where inference stands: data, grid, model, the chains' excitations, and the draws that count (vectors).

    `spectral` is the prior of channels, as written out; `rounds` are those of the warm-up while it lasts, then those
    since; `taught` the mean skies ([C,] N, N) of the warm-up's rounds, from which noise, gains and likelihood were
    learned.
    """

    data: Data
    grid: Grid
    model: sky_model.Model
    vectors: list[jax.Array]
    likelihood_error: float
    spectral: dict[str, float] = dataclasses.field(default_factory=dict)
    history: list[Round] = dataclasses.field(default_factory=list)
    draws: list[jax.Array] = dataclasses.field(default_factory=list)
    warming: bool = True
    rounds: list[Draws] = dataclasses.field(default_factory=list)
    taught: list[np.ndarray] = dataclasses.field(default_factory=list)


def start(
    data: Data, grid: Grid, sides: str, wanted: Prior | None = None, settings: Spectral | None = None
) -> State:
    """The state before inference: prior spectrum, offset from the noise unless `wanted`, candidates for points.

    With channels there are no points, and the prior of these is as the `settings` say.
    """
    channels, shape = grid.channels, (grid.n_pix, grid.n_pix)
    if channels is None:
        grid, error = accuracy.settle(data.now, grid, accuracy.prior_like(grid.n_pix))
        likelihood = data.likelihood(grid, np.zeros(shape))
        candidates, point_part = points.find(data.now, grid, likelihood)
    else:
        grid, error = _settled_by_channels(data, grid)
        shape = (len(channels.frequency_hz), *shape)
        likelihood = data.likelihood(grid, np.zeros(shape))
        candidates, point_part = points.none(grid.n_pix), np.zeros(points.EXCITATIONS)
    modes, noise = field.modes(grid.n_pix), data_likelihood.rms(likelihood)
    prior = field.prior(modes, wanted, noise / grid.natural_beam_arcsec2)
    offset = field.prior_offset(noise, grid.natural_beam_arcsec2)
    if wanted and wanted.offset is not None:
        offset = wanted.offset
        if prior.offset_sigma > 1:
            log.warning(
                "key 'prior.offset' makes the field begin at %.2g times the noise in a beam, and keep a halo that the "
                "data cannot remove; give %.3g or less",
                *(prior.offset_sigma, np.log(noise / grid.natural_beam_arcsec2)),
            )
    joined = spectral.Prior(None, 0.0, {})
    if channels is not None:
        dirty, beam = in_sigma(likelihood.information, likelihood), grid.natural_beam_arcsec2
        std = float(jnp.exp(prior.mean[0]))
        joined = spectral.prior(settings, channels, dirty, beam / grid.cell_arcsec**2, std)
    spectrum = jnp.zeros(prior.excitations)
    model = sky_model.Model(
        amplitude=jnp.exp(field.log_amplitude(spectrum, modes, prior)[modes.index]),
        offset=jnp.asarray(offset + joined.offset),
        pixel_area=jnp.asarray(grid.cell_arcsec**2),
        points=candidates,
        likelihood=likelihood,
        sides=jnp.asarray(field.SIDES[sides]),
        prior=prior,
        basis=None if joined.basis is None else jnp.asarray(joined.basis),
    )
    dark = jnp.zeros(shape if joined.basis is None else (joined.basis.shape[1], *shape[1:]))
    vector = sky_model.join(dark, jnp.asarray(point_part), spectrum)
    return State(data, grid, model, [vector], error, joined.told)


def _settled_by_channels(data: Data, grid: Grid) -> tuple[Grid, float]:
    """As `accuracy.settle`, for the channel with the most signal, whose error those of all others may add to."""
    parts, one = grid.channels.split(data.now), dataclasses.replace(grid, channels=None)
    brightest = max(parts, key=accuracy.signal)
    settled, error = accuracy.settle(
        brightest, one, accuracy.prior_like(grid.n_pix), accuracy.LIMIT / len(parts)
    )
    return dataclasses.replace(settled, channels=grid.channels), error


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
    """Chains that move by trajectories, each under its own mass, with the step that suits them.

    `seen` are excitations of late, from which masses are made.
    """

    def __init__(self, state: State, key: jax.Array, threads: int, seen: list[jax.Array] | None = None):
        self.state, self.key = state, key
        self.steps = np.full(len(state.vectors), FIRST_STEP)
        self.pool = ThreadPoolExecutor(threads)
        self.seen = seen or list(state.vectors)
        self.renew()

    def renew(self) -> None:
        """A new mass where the chains are now."""
        state = self.state
        self.renewed, self.told = list(state.vectors), list(self.seen)
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
            step = solver.draw_approximate(self.masses[0].system, key)
            step = step.at[-state.model.prior.excitations :].set(0.0)
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

    def move(self, adapting: float) -> tuple[np.ndarray, np.ndarray]:
        """One trajectory of every chain; the chances that they were accepted, and energies, both (chain,).

        Steps adapt `adapting` times as fast as in the warm-up.
        """
        self.key, key = jax.random.split(self.key)
        keys = jax.random.split(key, len(self.chains))
        counts = np.clip(np.round(LENGTH / self.steps), LEAST_STEPS, MOST_STEPS).astype(int)

        def one(*how):
            """A chain's trajectory, done."""
            return jax.block_until_ready(sampler.trajectory(self.state.model, *how))

        moved = list(self.pool.map(one, self.masses, self.chains, keys, self.steps, counts))
        self.chains = [chain for chain, _ in moved]
        chance, energy = (np.array([float(step[item]) for _, step in moved]) for item in (0, 1))
        self.steps = self.steps * np.exp(adapting * ADAPTATION * (chance - ACCEPTANCE))
        pairs = zip(self.masses, self.chains, strict=True)
        self.state.vectors = [sampler.excitations(self.state.model, mass, chain) for mass, chain in pairs]
        return chance, energy


def monitored(model: sky_model.Model, vector: jax.Array, grid: Grid) -> np.ndarray:
    """What chains have to agree on: 16 x 16 boxes of the sky as seen by a natural beam, its flux, and the spectrum.

    Of what is finer than the beam the data say too little for chains to be asked: there the mean of all draws counts.
    Boxes are those of each channel that has data.
    """
    inside = grid.primary_beam >= SEEN_WELL
    seen = np.asarray(sky_model.sky(model, vector) * model.likelihood.attenuation)
    if grid.channels is not None:
        seen = seen[np.asarray(model.likelihood.attenuation).any((1, 2))]
    cycles = np.fft.fftfreq(grid.n_pix, grid.cell_arcsec)
    # Of a Gaussian beam, whose area is 2π times its variance.
    smooth = np.exp(
        -np.pi * grid.natural_beam_arcsec2 * (cycles[: grid.n_pix // 2 + 1] ** 2 + cycles[:, None] ** 2)
    )
    seen_by_beam = np.fft.irfft2(np.fft.rfft2(seen) * smooth, s=inside.shape)
    edges = np.linspace(0, grid.n_pix, 17).astype(int)[:-1]
    boxes, covered = (
        np.add.reduceat(np.add.reduceat(image, edges, -2), edges, -1)
        for image in (seen_by_beam, inside.astype(float))
    )
    spectrum = vector[-model.prior.excitations :]
    return np.concatenate([boxes[..., covered > 0].ravel(), [seen[..., inside].sum()], spectrum])


def prune_points(state: State, fluxes: np.ndarray) -> None:
    """Switch off the points that the data did not ask for: `fluxes` (draw, slot) below 3 σ of the natural image."""
    points_now = state.model.points
    bright = fluxes.mean(0) > PRUNE_SIGMA * points.noise_at(points_now, state.model.likelihood)
    kept = points_now.on * bright
    state.model = state.model._replace(points=points_now._replace(on=kept))
    n_pix = state.model.amplitude.shape[0]
    modes, _, spectrum = sky_model.split(jnp.ones_like(state.vectors[0]), n_pix)
    alive = sky_model.join(modes, jnp.tile(kept, 3), spectrum)
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
    data: Data, grid: Grid, max_rounds: int, seed: int, name: str, threads: int = 1, sides: str = "positive",
    prior: Prior | None = None, folder: Path | None = None, settings: Spectral | None = None,
) -> State:  # fmt: skip
    """Draws of the posterior of the sky that was seen as `data`, on a grid that holds what they see.

    `sides` are the signs that the field may have: positive, negative, or signed; `prior` what a recipe says of it, and
    `settings` of the grid's channels. Random numbers depend on `seed` and `name` only. Ends when the chains agree, or
    after `max_rounds`; whether the result may be trusted is the verdict's to say. With a `folder`, every round is kept
    there, and a run that was killed goes on; whoever has used the result removes it.
    """
    progress = Progress("image", max_rounds + 1)
    kept = folder and Checkpoint(folder, data, grid, seed, name, sides, prior, settings)
    state = start(data, grid, sides, prior, settings)
    key = jax.random.key(int(seeds.generator(seed, "image", name).integers(2**31)))
    walk = kept and _resumed(state, kept, max_rounds, threads)
    if walk:
        log.info("going on after round %d, which is kept in %s", len(state.history), folder)
    else:
        state.vectors = [ascend(state.model, state.vectors[0])] * WARM_CHAINS
        walk = Walk(state, key, threads)
        walk.warm()
    progress.step("start", steps=1 + len(state.history))
    while len(state.history) < max_rounds and not _ended(state):
        begun = time.monotonic()
        # Less and less once draws may count, so that in the end chains move by one law.
        state.rounds.append(_round(walk, 1.0 if state.warming else 1 / (1 + len(state.rounds))))
        last = _account(state, walk.steps, begun)
        state.history.append(last)
        log.debug("round %d: %s", len(state.history), last)
        note = "warm-up" if state.warming else f"chains differ by {last.disagreement:.2f}"
        progress.step(f"{note}, chi2 {last.chi2:.3f}")
        if state.warming and not _ended(state):
            _warmed(walk)
        _forget(state)
        if kept:
            _keep(kept, walk)
    if not state.warming:
        state.draws = [draw for each in _counted(state.rounds) for draw in each.draws]
    progress.step("finished", steps=progress.total - progress.done)
    return state


def _warmed(walk: Walk) -> None:
    """What follows a round of the warm-up, and its end where it has done enough.

    All chains together go where the few have not been, and masses that do not know of that would stop them later.
    """
    state, number = walk.state, len(walk.state.history)
    if len(walk.chains) == WARM_CHAINS:
        _learn(state, number, state.rounds[-1])
        walk.renew()
        if number >= MOST_WARMING or (number >= LEAST_WARMING and _settled(state.rounds)):
            state.rounds = []
            walk.branch(CHAINS)
        return
    walk.renew()
    if len(state.rounds) >= SPREADING:
        state.warming, state.rounds = False, []


def _ended(state: State) -> bool:
    """True where no further round would change anything: chains diverged, or agree."""
    if not state.history:
        return False
    last = state.history[-1]
    return not np.isfinite(last.energy) or (not state.warming and _agree(state.rounds, last))


def _forget(state: State) -> None:
    """Drop the draws that will not count."""
    uncounted = len(state.rounds) if state.warming else len(state.rounds) // 2
    state.rounds[:uncounted] = [each._replace(draws=[]) for each in state.rounds[:uncounted]]


def _round(walk: Walk, adapting: float) -> Draws:
    draws, skies, monitors, moves = [], [], [], []
    for _ in range(ROUND):
        moves.append(walk.move(adapting))
        model, here = walk.state.model, walk.state.vectors
        draws += here
        skies.append(np.mean([np.asarray(sky_model.sky(model, vector)) for vector in here], axis=0))
        monitors.append([monitored(model, vector, walk.state.grid) for vector in here])
    walk.seen = draws if len(walk.chains) == WARM_CHAINS else (walk.seen + draws)[-2 * ROUND * CHAINS :]
    chance, energy = np.mean(moves, axis=0)
    return Draws(draws, np.mean(skies, axis=0), np.array(monitors), chance, float(energy.mean()))


def _counted(rounds: list[Draws]) -> list[Draws]:
    """The later half: what the chains forgot of their start."""
    return rounds[len(rounds) // 2 :]


def _account(state: State, steps: np.ndarray, begun: float) -> Round:
    rounds, warming = state.rounds, state.warming
    last, counted = rounds[-1], _counted(rounds)
    monitors = np.concatenate([each.monitors for each in counted])
    chance = np.mean([each.chance for each in counted], axis=0)
    apart = disagreement(monitors) if len(monitors) > ROUND else (np.inf, np.inf)
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
    _teach(state, number, made.sky)
    state.model = state.model._replace(likelihood=state.data.likelihood(state.grid, made.sky))
    if state.grid.channels is not None:
        return
    if number in POINT_PRUNING:
        prune_points(state, np.array([point_fluxes(state.model, vector) for vector in made.draws]))
    if number in POINT_FINDING:
        add_points(state, made.sky)


def _teach(state: State, number: int, sky: np.ndarray) -> None:
    """Noise and gains, as far as they are learned, from the mean sky (N, N) of a round of the warm-up."""
    state.taught.append(sky)
    if state.data.learns and number <= LEARN_ROUNDS:
        state.data.learn(sky, state.grid)


def _settled(rounds: list[Draws]) -> bool:
    """True where two rounds of the warm-up and the two before agree as well as they can."""
    earlier, later = (
        np.concatenate([each.monitors for each in part]) for part in (rounds[-4:-2], rounds[-2:])
    )
    apart = later.mean((0, 1)) - earlier.mean((0, 1))
    scale = np.maximum(np.concatenate([earlier, later]).std((0, 1)), 1e-300)
    return bool(np.sqrt(np.mean((apart / scale) ** 2)) < SETTLED)


def _keep(kept: Checkpoint, walk: Walk) -> None:
    """Write down where inference stands.

    Of the model what inference changes; likelihood, noise, gains and masses are made again from what made them.
    """
    state, rounds = walk.state, walk.state.rounds
    arrays = {
        "history": np.array(json.dumps([dataclasses.asdict(each) for each in state.history])),
        "warming": np.array(state.warming),
        "taught": np.array(state.taught),
        "key": np.asarray(jax.random.key_data(walk.key)),
        "steps": walk.steps,
        "chains": np.array(walk.chains),
        "vectors": np.array(state.vectors),
        "renewed": np.array(walk.renewed),
        "told": np.array(walk.told),
    }
    arrays |= {f"points_{name}": np.asarray(item) for name, item in state.model.points._asdict().items()}
    for name in ("monitors", "chance", "energy"):
        arrays[f"round_{name}"] = np.array([getattr(each, name) for each in rounds])
    kept.save(arrays, {number: np.array(each.draws) for number, each in enumerate(rounds) if each.draws})


def _resumed(state: State, kept: Checkpoint, max_rounds: int, threads: int) -> Walk | None:
    """The walk that was kept, and `state`, as it was before inference, where it was then; None where nothing fits."""
    found = kept.load()
    if found is None:
        return None
    arrays, pieces = found
    history = [Round(**each) for each in json.loads(str(arrays["history"]))]
    if len(history) > max_rounds:
        return None
    state.history, state.warming = history, bool(arrays["warming"])
    for number, sky in enumerate(arrays["taught"], 1):
        _teach(state, number, sky)
    places = {name: jnp.asarray(arrays[f"points_{name}"]) for name in points.Points._fields}
    state.model = state.model._replace(points=points.Points(**places))
    if state.taught:
        likelihood = state.data.likelihood(state.grid, state.taught[-1])
        state.model = state.model._replace(likelihood=likelihood)
    state.vectors, told = ([jnp.asarray(vector) for vector in arrays[name]] for name in ("renewed", "told"))
    walk = Walk(state, jax.random.wrap_key_data(jnp.asarray(arrays["key"])), threads, told)
    walk.steps = arrays["steps"]
    walk.chains, state.vectors = (
        [jnp.asarray(each) for each in arrays[name]] for name in ("chains", "vectors")
    )
    parts = zip(arrays["round_monitors"], arrays["round_chance"], arrays["round_energy"].tolist())
    state.rounds = [
        Draws([jnp.asarray(draw) for draw in pieces.get(number, [])], None, *part)
        for number, part in enumerate(parts)
    ]
    return walk


def point_fluxes(model: sky_model.Model, vector: jax.Array) -> np.ndarray:
    """Fluxes (SLOTS,) of the points [Jy] of excitations (vector)."""
    return np.asarray(points.flux(model.points, sky_model.split(vector, model.amplitude.shape[0])[1]))
