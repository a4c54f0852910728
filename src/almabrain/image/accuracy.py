"""How exact the likelihood is against the gridder, and the cheapest one that is exact enough."""

import dataclasses
import logging
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from almabrain.image import groups, likelihood
from almabrain.image.grid import Approximation, Grid, Windows

log = logging.getLogger(__name__)

SKIES = 20
METRIC_LIMIT = 0.02  # of what skies add to ln L: for covariances, masses and Newton's steps
LIMIT = 0.1  # of |Δ ln L|; a parameter that is off by one standard deviation costs 0.5
_ENOUGH, _POINTINGS = (
    20_000,
    8,
)  # visibilities, and pointings of each kind of baseline, that know the error of all
_MORE_EXACT, _MAIN_LOBE = (0.01, 1e-3, 0.0), 0.03  # least primary beams; above those of dishes' sidelobes
_STD, _SCALE, _SLOPE = 3.0, 0.35, -3.5  # of ln brightness: deviation, wavenumber per field, power law
_WORTH_IT = 0.7  # the error that is left by a step that is taken alone
_curvature = jax.jit(likelihood.curvature)


def prior_like(n_pix: int, count: int = SKIES, seed: int = 0) -> np.ndarray:
    """Log-normal fields (count, N, N) such as the prior draws, in any unit: smooth, and bright in few places."""
    rng = np.random.default_rng(seed)
    frequency = np.fft.fftfreq(n_pix, 1 / n_pix)
    wavenumber = np.hypot(frequency[:, None], frequency[: n_pix // 2 + 1])
    amplitude = (1 + (wavenumber / _SCALE) ** 2) ** (_SLOPE / 4)
    amplitude[0, 0] = 0.0
    skies = []
    for _ in range(count):
        texture = np.fft.irfft2(
            amplitude * np.fft.rfft2(rng.standard_normal((n_pix, n_pix))), s=(n_pix, n_pix)
        )
        skies.append(np.exp(_STD * texture / texture.std()))
    return np.stack(skies)


class Judge:
    """The gridder's answer for a set of skies, against which approximations are held.

    `skies` (sky, N, N) in any unit get one flux, at which half of them would explain what the data hold beyond
    noise; `as_they_are` in Jy/pixel keep theirs. Of many visibilities and pointings some stand for all.
    """

    def __init__(self, windows: Windows, grid: Grid, skies: Sequence, as_they_are: Sequence = ()):
        self._windows = _thinned(_some_pointings(windows, grid))
        self._grid = grid
        rough = self._build(grid.approximation)
        self._skies = [np.asarray(sky) for sky in as_they_are]
        self._power = [float(jnp.vdot(sky, _curvature(rough, sky))) for sky in self._skies]
        if len(skies):
            unit = [jnp.asarray(sky) / np.sum(sky) for sky in skies]
            power = [float(jnp.vdot(sky, _curvature(rough, sky))) for sky in unit]
            flux = np.sqrt(signal(windows) / max(np.median(power), 1e-300))
            self._skies += [flux * np.asarray(sky) for sky in unit]
            self._power += [flux**2 * one for one in power]
        self._exact = [self._gridded(sky) for sky in self._skies]

    def _build(self, approximation: Approximation) -> likelihood.Likelihood:
        return likelihood.build(self._windows, dataclasses.replace(self._grid, approximation=approximation))

    def _gridded(self, sky) -> float:
        """−ln L less that of an empty sky."""
        model = likelihood.model_visibilities(self._windows, sky, self._grid)
        return sum(
            float((w.weight.values * (0.5 * np.abs(m) ** 2 - (w.visibility.values.conj() * m).real)).sum())
            for w, m in ((window, model[name]) for name, window in self._windows.items())
        )

    def errors(self, approximation: Approximation) -> tuple[float, float]:
        """The largest |Δ ln L| over all skies, and the part that is missed of what all skies add to ln L."""
        made = self._build(approximation)
        found = (self._energy(made, jnp.asarray(sky)) for sky in self._skies)
        missed = [abs(value - exact) for value, exact in zip(found, self._exact, strict=True)]
        return max(missed), sum(missed) / max(0.5 * sum(self._power), 1e-300)

    @staticmethod
    def _energy(made: likelihood.Likelihood, sky) -> float:
        return float(0.5 * jnp.vdot(sky, _curvature(made, sky)) - jnp.vdot(made.information, sky))


def settle(windows: Windows, grid: Grid, skies: Sequence, limit: float = LIMIT) -> tuple[Grid, float]:
    """The grid with the cheapest approximation that misses ln L by no more than `limit`, and by how much it does.

    Its `metric` is the cheapest that misses no more than METRIC_LIMIT of all ln L.
    `skies` (sky, N, N) such as the prior draws, in any unit. Steps are taken one by one, always the one that helps
    most: more of the primary beams, more nodes in frequency, w to first order; where nothing helps, the gridder
    itself.
    """
    judge, views = Judge(windows, grid, skies), groups.split(windows, *grid.centre)
    most_nodes = max(len(view.nodes()[0]) for view in views)
    now, several = grid.approximation, len(views) > 1
    main_lobes = dataclasses.replace(now, least_beam=_MAIN_LOBE)
    metric = main_lobes if several and judge.errors(main_lobes)[1] <= METRIC_LIMIT else None
    error, part = judge.errors(now)
    while True:
        metric = now if metric is None and part <= METRIC_LIMIT else metric
        if error <= limit or now.order > 1:
            break
        log.info("%s misses ln L by %.3g", now, error)
        tried = {step: judge.errors(step) for step in _steps(now, most_nodes, several)}
        now, (error, part) = _best(judge, now, error, tried, limit)
    if now.order > 1:
        log.warning("the field is so wide that only the gridder is exact: this takes long; make it smaller")
    return dataclasses.replace(grid, approximation=now, metric=metric or now), error


def _best(
    judge: Judge, now: Approximation, error: float, tried: dict, limit: float
) -> tuple[Approximation, tuple]:
    """The step to take from here, with its errors: the best single one, all at once, or the gridder."""
    enough = max(_WORTH_IT * error, limit)
    if len(tried) > 1 and min(tried.values())[0] > enough:  # two errors may hide each other
        every = _all(now, list(tried))
        tried = {**tried, every: judge.errors(every)}
    best = min(tried, key=tried.get, default=None)
    if best is None or tried[best][0] > enough:
        best = dataclasses.replace(now, order=2)
        return best, judge.errors(best)
    return best, tried[best]


def _steps(now: Approximation, most_nodes: int, several: bool) -> list[Approximation]:
    """The approximations that are one step more exact."""
    steps = []
    if several and now.least_beam > 0:
        less = next(limit for limit in _MORE_EXACT if limit < now.least_beam)
        steps.append(dataclasses.replace(now, least_beam=less))
    if now.nodes < most_nodes:
        steps.append(dataclasses.replace(now, nodes=now.nodes + 1))
    if now.order == 0:
        steps.append(dataclasses.replace(now, order=1))
    return steps


def _all(now: Approximation, steps: list[Approximation]) -> Approximation:
    """All steps in one."""
    changes = {
        key: getattr(step, key)
        for step in steps
        for key in ("least_beam", "nodes", "order")
        if getattr(step, key) != getattr(now, key)
    }
    return dataclasses.replace(now, **changes)


def signal(windows: Windows) -> float:
    """Σ w |V|² beyond what noise adds to it, and at least three standard deviations of that."""
    weight = np.concatenate([window.weight.values.ravel() for window in windows.values()])
    squared = np.concatenate([np.abs(window.visibility.values.ravel()) ** 2 for window in windows.values()])
    noise = 2 * np.count_nonzero(weight)
    return max(float(weight @ squared) - noise, 3 * np.sqrt(2 * noise))


def _some_pointings(windows: Windows, grid: Grid) -> Windows:
    """A few pointings of each kind of baseline, at random, with weights so much larger that the sums stay."""
    kinds: dict[tuple, list[groups.Group]] = {}
    for view in groups.split(windows, *grid.centre):
        kinds.setdefault(view.dishes_m, []).append(view)
    some, rng = {}, np.random.default_rng(0)
    for views in kinds.values():
        chosen = [views[k] for k in rng.permutation(len(views))[:_POINTINGS]]
        share = sum(view.weight for view in chosen) / max(sum(view.weight for view in views), 1e-300)
        for name in (name for view in chosen for name in view.frequencies_hz):
            window = windows[name]
            some[name] = window.assign(weight=window.weight / share) if 0 < share < 1 else window
    return some


def _thinned(windows: Windows) -> Windows:
    """Random rows of each window, with weights so much larger that the sums stay."""
    count = sum(window.weight.size for window in windows.values())
    share, rng = min(_ENOUGH / count, 1.0), np.random.default_rng(0)
    if share == 1.0:
        return windows
    thin = {}
    for name, window in windows.items():
        rows = window.sizes["row"]
        kept = np.sort(rng.choice(rows, max(round(share * rows), 1), replace=False))
        part = window.isel(row=kept)
        thin[name] = part.assign(weight=part.weight * (rows / len(kept)))
    return thin
