"""Self-calibration: the antennas' gains as Gaussian processes in time, given a model of the sky.

V_ij = g_i g_j* M_ij + noise, g = exp(a + iφ). Phases φ, and log amplitudes a where asked for, of every antenna
have a stationary prior whose standard deviation, correlation time and order (see `gauss_markov`) are learned for
each execution by the largest evidence. The posterior is Laplace's: Gauss-Newton steps to its peak. Two things stay
as they are: the phase that all antennas share, of which visibilities say nothing, and the mean amplitude of an
execution: the flux scale is that of the data, and the model is scaled to it.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import Table

from almabrain.config.image import SelfCalibration
from almabrain.image.gauss_markov import Measured, Process, largest_std, learn, prior_energy

MOST_TIMES = 200  # of an execution: more integrations are joined to solutions
EXECUTION_GAP_S = 3600.0
# Evidence for gains that vary, as a difference of ln: below it none are applied. In 300 executions of noise alone
# the largest was 5.1, and each step of 1.1 a third as frequent as the one before.
LEAST_EVIDENCE = 8.0
_LARGEST = {"phase": np.pi, "log_amplitude": 1.0}
_ROUNDS, _STEPS = 5, 12


@dataclass(frozen=True)
class Part:
    """Posterior of the phases [rad], or log amplitudes, of one execution."""

    mean: np.ndarray  # (time, antenna)
    error: np.ndarray  # (time, antenna)
    process: Process | None  # the prior; None where nothing was learned, as there is no evidence for any
    log_evidence: float
    largest_std: float  # of the prior: where ln evidence is 2 below its best


@dataclass(frozen=True)
class Execution:
    """Gains of the antennas that took part in one execution."""

    source: str
    antenna: np.ndarray  # (antenna,) numbers
    time_mjd_s: np.ndarray  # (time,)
    interval_s: float
    parts: dict[str, Part]  # phase, log_amplitude

    def gain(self, time_mjd_s: np.ndarray, antenna: np.ndarray) -> np.ndarray:
        """Complex gains (row,): linear in phase and log amplitude between solutions, constant beyond the ends."""
        column = np.minimum(np.searchsorted(self.antenna, antenna), len(self.antenna) - 1)
        after = np.clip(np.searchsorted(self.time_mjd_s, time_mjd_s), 1, max(len(self.time_mjd_s) - 1, 1))
        before, after = after - 1, np.minimum(after, len(self.time_mjd_s) - 1)
        width = np.maximum(self.time_mjd_s[after] - self.time_mjd_s[before], 1e-9)
        share = np.clip((time_mjd_s - self.time_mjd_s[before]) / width, 0, 1)
        log_gain = np.zeros(len(time_mjd_s), complex)
        for name, unit in (("log_amplitude", 1), ("phase", 1j)):
            if name in self.parts:
                mean = self.parts[name].mean
                log_gain += unit * ((1 - share) * mean[before, column] + share * mean[after, column])
        return np.where(self.antenna[column] == antenna, np.exp(log_gain), 1)


@dataclass(frozen=True)
class Gains:
    """Gains of all executions."""

    executions: list[Execution] = field(default_factory=list)

    def table(self) -> Table:
        """Posterior mean and error of every gain: execution, antenna, time, phase, amplitude.

        Phases are about the mean of the antennas. The errors do not hold that of the learned prior.
        """
        columns = {name: [] for name in ("execution", "antenna", "time", "phase", "phase_error")}
        columns |= {"amplitude": [], "amplitude_error": []}
        for number, item in enumerate(self.executions):
            times, antennas = len(item.time_mjd_s), len(item.antenna)
            empty = np.zeros((times, antennas))
            phase, amplitude = item.parts["phase"], item.parts.get("log_amplitude")
            factor = np.exp(amplitude.mean) if amplitude else empty + 1
            columns["execution"].append(np.full(times * antennas, number))
            columns["antenna"].append(np.tile(item.antenna, times))
            columns["time"].append(np.repeat(item.time_mjd_s, antennas))
            columns["phase"].append(np.degrees(phase.mean).ravel())
            columns["phase_error"].append(np.degrees(phase.error).ravel())
            columns["amplitude"].append(factor.ravel())
            columns["amplitude_error"].append((factor * amplitude.error if amplitude else empty).ravel())
        made = Table({name: np.concatenate(values) for name, values in columns.items() if values})
        for name, unit in (("time", u.s), ("phase", u.deg), ("phase_error", u.deg)):
            if len(made):
                made[name].unit = unit
        made.meta["executions"] = self.summary()
        return made

    def summary(self) -> list[dict]:
        """What was learned of each execution: evidence and prior of its phases and amplitudes."""
        made = []
        for item in self.executions:
            entry = {"source": item.source, "solutions": len(item.time_mjd_s), "interval_s": item.interval_s}
            for name, part in item.parts.items():
                scale = 180 / np.pi if name == "phase" else 1.0
                entry[name] = {
                    "log_evidence": part.log_evidence,
                    "prior_std": scale * part.process.std if part.process else 0.0,
                    "prior_std_limit": scale * part.largest_std,
                    "correlation_s": part.process.correlation_s if part.process else None,
                    "order": part.process.order if part.process else None,
                    "applied_rms": float(scale * np.sqrt(np.mean(part.mean**2))),
                    "unit": "deg" if name == "phase" else "",
                }
            made.append(entry)
        return made


def solve(windows: dict[str, xr.Dataset], model: dict[str, np.ndarray], settings: SelfCalibration) -> Gains:
    """Gains of uncalibrated `windows`, given what the sky's `model` (row, channel) [Jy] predicts for each.

    Windows of one `source` share antennas; a gap of an hour begins another execution. σ is that of the weights.
    Start every round from the uncalibrated windows: gains are not relative to those of the round before.
    """
    if settings.solve == "nothing":
        return Gains()
    sources: dict[str, list[str]] = {}
    for name, window in windows.items():
        sources.setdefault(str(window.attrs.get("source", "")), []).append(name)
    executions = []
    for source, names in sources.items():
        begins = _begins(np.concatenate([windows[name].time_mjd_s.values for name in names]))
        for begin, end in zip(begins, [*begins[1:], np.inf]):
            chosen = [_Rows.of(windows[name], model[name], begin, end) for name in names]
            chosen = [rows for rows in chosen if len(rows.time_mjd_s)]
            if chosen:
                executions.append(_solve_execution(source, chosen, settings))
    return Gains(executions)


def apply(windows: dict[str, xr.Dataset], gains: Gains) -> dict[str, xr.Dataset]:
    """Calibrated windows: V/(g_i g_j*), with weights times |g_i g_j|².

    Weights are not lowered by the gains' errors. A phase that data fix adds less than 2/(antennas - 1) of the
    visibility's own variance; one that they do not fix belongs to visibilities that hold no signal above noise.
    """
    if not gains.executions:
        return windows
    made = {}
    for name, window in windows.items():
        own = [item for item in gains.executions if item.source == str(window.attrs.get("source", ""))]
        time = window.time_mjd_s.values
        factor = np.ones(len(time), complex)
        if own:
            ends = [(a.time_mjd_s[-1] + b.time_mjd_s[0]) / 2 for a, b in zip(own, own[1:])]
            which = np.searchsorted(ends, time)
            for index, item in enumerate(own):
                rows = np.flatnonzero(which == index)
                first, second = window.antenna1.values[rows], window.antenna2.values[rows]
                factor[rows] = item.gain(time[rows], first) * item.gain(time[rows], second).conj()
        made[name] = window.assign(
            visibility=(window.visibility.dims, window.visibility.values / factor[:, None]),
            weight=(window.weight.dims, window.weight.values * np.abs(factor[:, None]) ** 2),
        )
    return made


def _begins(time_mjd_s: np.ndarray) -> list[float]:
    """Where executions begin: the first time, and each after a gap of an hour."""
    time = np.unique(time_mjd_s)
    return [float(time[0]), *time[1:][np.diff(time) > EXECUTION_GAP_S].tolist()]


@dataclass(frozen=True)
class _Rows:
    """Rows of one window with what the gains need of them: Σ w M* V and Σ w |M|² over channels."""

    time_mjd_s: np.ndarray
    antenna1: np.ndarray
    antenna2: np.ndarray
    product: np.ndarray
    power: np.ndarray

    @classmethod
    def of(cls, window: xr.Dataset, model: np.ndarray, begin: float, end: float) -> "_Rows":
        time, weight = window.time_mjd_s.values, window.weight.values
        first, second = window.antenna1.values, window.antenna2.values
        rows = (time >= begin) & (time < end) & (weight > 0).any(1) & (first != second)
        weight, model = weight[rows], model[rows]
        seen = np.where(weight > 0, window.visibility.values[rows], 0)
        product, power = (weight * model.conj() * seen).sum(1), (weight * np.abs(model) ** 2).sum(1)
        return cls(time[rows], first[rows], second[rows], product, power)

    def spacing_s(self) -> float:
        """Median time between two samples of a baseline; 0 where there is one sample only."""
        order = np.lexsort((self.time_mjd_s, self.antenna2, self.antenna1))
        same = (np.diff(self.antenna1[order]) == 0) & (np.diff(self.antenna2[order]) == 0)
        gaps = np.diff(self.time_mjd_s[order])[same]
        gaps = gaps[gaps > 1e-3]
        return float(np.median(gaps)) if len(gaps) else 0.0


@dataclass(frozen=True)
class _Baselines:
    """Σ w M* V and Σ w |M|² of all pairs of antennas at each solution, (time, antenna, antenna)."""

    product: np.ndarray  # Hermitian
    power: np.ndarray

    def turned(self, x: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(g_i g_j* M)* V and |g_i g_j* M|², summed with the weights."""
        gain = np.exp(1j * x["phase"] + x.get("log_amplitude", 0.0))
        size = np.abs(gain) ** 2
        product = gain.conj()[:, :, None] * gain[:, None, :] * self.product
        return product, size[:, :, None] * size[:, None, :] * self.power

    def rescaled(self, x: dict[str, np.ndarray]) -> "_Baselines":
        """With a model of the flux that the data have, given gains `x`; at most by a factor of two."""
        product, power = self.turned(x)
        scale = np.clip(product.real.sum() / max(power.sum(), 1e-300), 0.5, 2.0)
        return _Baselines(scale * self.product, scale**2 * self.power)

    def energy(self, x: dict[str, np.ndarray]) -> float:
        """-ln L, less what does not depend on gains."""
        product, power = self.turned(x)
        return float(0.25 * power.sum() - 0.5 * product.real.sum())

    def phase_start(self) -> np.ndarray:
        """Phases (time, antenna) of each solution by itself: those of the largest eigenvector of Σ w M* V.

        (Angular synchronisation, Singer 2011, Appl. Comput. Harmon. Anal. 30, 20.) Unwrapped in time.
        """
        vector = np.linalg.eigh(self.product)[1][..., -1]
        vector = np.where(np.abs(vector) > 1e-9, vector, 1)
        for k in range(1, len(vector)):
            step = np.vdot(vector[k - 1], vector[k])
            vector[k] *= np.exp(-1j * np.angle(step))
        phase = _centred(np.unwrap(np.angle(vector), axis=0), 1)
        return phase - 2 * np.pi * np.round(phase.mean(0) / (2 * np.pi))

    def around(self, name: str, x: dict[str, np.ndarray], time_s: np.ndarray) -> Measured:
        """Gauss-Newton's view of the data at gains `x`, for phases or log amplitudes."""
        product, power = self.turned(x)
        sign = -1 if name == "phase" else 1
        information = sign * power
        index = np.arange(power.shape[1])
        information[:, index, index] = power.sum(2)
        slope = product.imag.sum(2) if name == "phase" else (product.real - power).sum(2)
        pull = slope + np.einsum("tij,tj->ti", information, x[name])
        return Measured(time_s, information, pull)


def _centred(values: np.ndarray, axis: int) -> np.ndarray:
    return values - values.mean(axis, keepdims=True)


def _solve_execution(source: str, rows: list[_Rows], settings: SelfCalibration) -> Execution:
    time = np.concatenate([item.time_mjd_s for item in rows])
    first, second = (
        np.concatenate([getattr(item, key) for item in rows]) for key in ("antenna1", "antenna2")
    )
    spacing = min((gap for item in rows if (gap := item.spacing_s())), default=1.0)
    interval, slot = _slots(time - time.min(), settings.interval_s or spacing, settings.interval_s is None)
    antenna, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    i, j = place.reshape(2, -1)
    shape = (int(slot.max()) + 1, len(antenna), len(antenna))
    flat = np.ravel_multi_index((slot, i, j), shape)

    def summed(values):
        return np.bincount(flat, values, int(np.prod(shape))).reshape(shape)

    power = summed(np.concatenate([item.power for item in rows]))
    product = np.concatenate([item.product for item in rows])
    product = summed(product.real) + 1j * summed(product.imag)
    baselines = _Baselines(product + product.conj().swapaxes(1, 2), power + power.swapaxes(1, 2))
    solution_time = np.bincount(slot, time - time.min()) / np.bincount(slot)
    names = ["phase"] + ["log_amplitude"] * (settings.solve == "phases and amplitudes")
    parts = _fit(baselines, names, solution_time, interval, settings)
    return Execution(source, antenna, solution_time + time.min(), interval, parts)


def _slots(time_s: np.ndarray, interval_s: float, may_grow: bool) -> tuple[float, np.ndarray]:
    """The interval of solutions [s], and each row's solution; intervals grow until there are few enough."""
    while True:
        used, slot = np.unique(np.floor(time_s / interval_s + 0.5).astype(np.int64), return_inverse=True)
        if len(used) <= MOST_TIMES or not may_grow:
            return float(interval_s), slot
        interval_s *= max(len(used) / MOST_TIMES, 1.05)


def _fit(
    baselines: _Baselines, names: list[str], time_s: np.ndarray, interval_s: float, settings: SelfCalibration
) -> dict[str, Part]:
    """Posteriors of phases and log amplitudes; their priors and the peak are found in turns."""
    given = {"phase": np.radians(settings.phase_rms_deg) if settings.phase_rms_deg else None}
    shape = baselines.power.shape[:2]
    process: dict[str, Process] = {}
    state = {name: np.zeros((*shape, 1)) for name in names}
    for _ in range(_ROUNDS):
        before, fresh = dict(process), not process
        baselines = baselines.rescaled(_values(state))
        for name in names:
            measured = baselines.around(name, _values(state), time_s)
            process[name] = learn(
                measured,
                before.get(name),
                _LARGEST[name],
                interval_s,
                given.get(name),
                settings.correlation_s,
            )
        if fresh:
            state = {name: _state(_values(state)[name], process[name].order) for name in names}
        state, energy = _peak(baselines, state, process, time_s)
        if fresh:
            # Large phases have several peaks: another start, from each solution by itself.
            other = state | {"phase": _state(baselines.phase_start(), process["phase"].order)}
            other, lower = _peak(baselines, other, process, time_s)
            if lower < energy - 1:
                state, process = other, {}
        elif before and all(_near(before[name], process[name]) for name in names):
            break
    return {
        name: _part(name, baselines, state, process[name], time_s, held=given.get(name) is not None)
        for name in names
    }


def _state(values: np.ndarray, order: int) -> np.ndarray:
    """States (time, antenna, order) of these values, at rest."""
    state = np.zeros((*values.shape, order))
    state[..., 0] = values
    return state


def _values(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values[..., 0] for name, values in state.items()}


def _near(one: Process, other: Process) -> bool:
    return np.allclose([one.std, one.correlation_s], [other.std, other.correlation_s], rtol=0.05)


def _peak(
    baselines: _Baselines, state: dict[str, np.ndarray], process: dict[str, Process], time_s: np.ndarray
) -> tuple[dict[str, np.ndarray], float]:
    """The peak of the posterior and -ln of it: Gauss-Newton steps, halved until they gain something."""

    def energy(state):
        prior = sum(prior_energy(state[name], time_s, process[name]) for name in state)
        return baselines.energy(_values(state)) + prior

    best = energy(state)
    for _ in range(_STEPS):
        values, length = _values(state), 1.0
        full = {name: baselines.around(name, values, time_s).mean(process[name]) for name in state}
        while length > 1e-3:
            trial = {name: state[name] + length * (full[name] - state[name]) for name in state}
            if (reached := energy(trial)) < best:
                break
            length /= 2
        else:
            break
        state, gained, best = trial, best - reached, reached
        if gained < 1e-3:
            break
    return state, best


def _part(
    name: str,
    baselines: _Baselines,
    state: dict[str, np.ndarray],
    process: Process,
    time_s: np.ndarray,
    held: bool,
) -> Part:
    """The posterior at its peak, if there is evidence for it; else no correction, and what could still be there."""
    values, index = _values(state), np.arange(state[name].shape[1])
    without = values | {name: np.zeros_like(values[name])}
    measured = baselines.around(name, values, time_s)
    gained = baselines.energy(without) - baselines.energy(values) - prior_energy(state[name], time_s, process)
    evidence = gained - measured.log_det(process) / 2
    found = held or evidence > LEAST_EVIDENCE
    if not found:
        measured = baselines.around(name, without, time_s)
    limit = largest_std(measured, process, _LARGEST[name])
    covariance = measured.covariance(process if found else replace(process, std=limit))
    mean = values[name] if found else without[name]
    if name == "phase":
        # What all antennas share is no error of a phase: baselines see differences only.
        covariance = _centred(_centred(covariance, 1), 2)
        mean = _centred(mean, 1)
    else:
        mean = mean - mean.mean()
    error = np.sqrt(np.maximum(covariance[:, index, index], 0))
    return Part(mean, error, process if found else None, float(evidence), limit)
