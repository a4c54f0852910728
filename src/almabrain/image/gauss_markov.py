"""Gaussian processes in time that many antennas share, as Markov chains with banded precision matrices.

A process of order 1 has the autocorrelation exp(-s), s = Δt/τ (a drift: continuous, rough); one of order 2 has
(1 + s) exp(-s), s = √3 Δt/τ (a drift of the rate: smooth). They are the Matérn processes of ν = 1/2 and 3/2,
whose state (the value, and for order 2 its rate) is Markov (Hartikainen & Särkkä 2010, IEEE MLSP). So the cost
of n antennas at T times is T n³, where a dense covariance would take (T n)³.
"""

from dataclasses import dataclass

import numpy as np

ORDERS = (1, 2)
_SIMPLEX_STEP = -0.3  # of the natural logarithms of standard deviation and correlation time


@dataclass(frozen=True)
class Process:
    """A stationary prior: standard deviation, correlation time [s] and order."""

    std: float
    correlation_s: float
    order: int


@dataclass(frozen=True)
class Measured:
    """What data say of values x (time, antenna) at `time_s`: -ln L = ½ xᵀFx - hᵀx at each time.

    `information` F (time, antenna, antenna) may be singular; `pull` h (time, antenna).
    """

    time_s: np.ndarray
    information: np.ndarray
    pull: np.ndarray

    def log_evidence(self, process: Process) -> float:
        """ln of the marginal likelihood over that of x = 0."""
        factor, log_det = self._factor(process)
        pull = self._pull(process)
        return float(0.5 * (pull @ _solve(factor, pull)) - 0.5 * log_det)

    def log_det(self, process: Process) -> float:
        """ln det of posterior precision over prior precision."""
        return self._factor(process)[1]

    def mean(self, process: Process) -> np.ndarray:
        """Posterior mean of the states (time, antenna, order), of which the first are the values x."""
        factor, _ = self._factor(process)
        found = _solve(factor, self._pull(process))
        return process.std * found.reshape(*self.pull.shape, process.order)

    def covariance(self, process: Process) -> np.ndarray:
        """Posterior covariance among antennas at each time, (time, antenna, antenna).

        Blocks of the inverse of a block-tridiagonal matrix, from the last to the first (the smoother of Rauch,
        Tung & Striebel 1965, AIAA J. 3, 1445, in terms of precisions).
        """
        diagonal, below, _ = precision(self.time_s, process)
        antennas, order = self.pull.shape[1], process.order
        each = np.eye(antennas)
        seen = np.zeros((order, order))
        seen[0, 0] = process.std**2
        inverse, gain = [], []
        for k, information in enumerate(self.information):
            block = np.kron(each, diagonal[k]) + np.kron(information, seen)
            if k:
                block -= np.kron(each, below[k - 1]) @ gain[-1]
            inverse.append(np.linalg.inv(block))
            if k < len(below):
                gain.append(inverse[-1] @ np.kron(each, below[k].T))
        made = np.empty_like(self.information)
        full = inverse[-1]
        for k in reversed(range(len(made))):
            if k < len(gain):
                full = inverse[k] + gain[k] @ full @ gain[k].T
            made[k] = process.std**2 * full[::order, ::order]
        return made

    def _pull(self, process: Process) -> np.ndarray:
        pull = np.zeros((*self.pull.shape, process.order))
        pull[..., 0] = process.std * self.pull
        return pull.ravel()

    def _factor(self, process: Process) -> tuple[np.ndarray, float]:
        """Cholesky factor of the precision of x/std (lower bands), and its ln det over that of the prior.

        In units of std nothing diverges where std goes to 0, and evidences there can be told from none.
        """
        from scipy.linalg import cholesky_banded

        diagonal, below, log_det = precision(self.time_s, process)
        times, antennas = self.pull.shape
        order, block = process.order, antennas * process.order
        bands = np.zeros((block + order, times, antennas, order))
        for apart in range(antennas):
            bands[apart * order, :, : antennas - apart, 0] = process.std**2 * np.diagonal(
                self.information, -apart, axis1=1, axis2=2
            )
        for row in range(order):
            for column in range(order):
                if row >= column:
                    bands[row - column, :, :, column] += diagonal[:, None, row, column]
                bands[block + row - column, :-1, :, column] += below[:, None, row, column]
        factor = cholesky_banded(bands.reshape(block + order, -1), lower=True, check_finite=False)
        return factor, float(2 * np.log(factor[0]).sum() - antennas * log_det)


def precision(time_s: np.ndarray, process: Process) -> tuple[np.ndarray, np.ndarray, float]:
    """Precision of one antenna's states of unit variance: blocks on and below the diagonal, and ln det.

    Blocks (time, order, order) and (time - 1, order, order). The state of order 2 is (x, x'τ/√3).
    """
    from scipy.special import gammainc

    step = np.diff(np.asarray(time_s, float)) / process.correlation_s
    if process.order == 1:
        kept = np.exp(-step)[:, None, None]
        noise = -np.expm1(-2 * step)[:, None, None]
    else:
        step = np.sqrt(3) * step
        kept = np.array([[1 + step, step], [-step, 1 - step]]) * np.exp(-step)
        # 1 - exp(-2s)(1 + 2s + 2s²) and its like, without loss of digits where steps are short.
        noise = np.array([[gammainc(3, 2 * step), 2 * step**2 * np.exp(-2 * step)]] * 2)
        noise[1] = noise[0, 1], noise[0, 0] + 4 * step * np.exp(-2 * step)
        kept, noise = np.moveaxis(kept, -1, 0), np.moveaxis(noise, -1, 0)
    inverse = np.linalg.inv(noise)
    diagonal = np.zeros((len(step) + 1, process.order, process.order))
    diagonal[0] = np.eye(process.order)
    diagonal[1:] = inverse
    diagonal[:-1] += kept.swapaxes(1, 2) @ inverse @ kept
    return diagonal, -inverse @ kept, float(-np.linalg.slogdet(noise)[1].sum())


def prior_energy(state: np.ndarray, time_s: np.ndarray, process: Process) -> float:
    """-ln of the prior of states (time, antenna, order), less its norm."""
    diagonal, below, _ = precision(time_s, process)
    own = np.einsum("tai,tij,taj->", state, diagonal, state)
    across = np.einsum("tai,tij,taj->", state[1:], below, state[:-1])
    return float(own / 2 + across) / process.std**2


def learn(
    measured: Measured,
    start: Process | None,
    largest: float,
    interval_s: float,
    std: float | None = None,
    correlation_s: float | None = None,
) -> Process:
    """The process of the largest evidence, with what is given of it held.

    Standard deviations reach up to `largest`, correlation times from `interval_s` to three tracks. Both orders are
    tried from the best of a few places; with a `start` only its order, from there.
    """
    from scipy.optimize import minimize

    track = max(float(np.ptp(measured.time_s)), interval_s)
    bounds = np.log([[1e-4 * largest, largest], [interval_s, 3 * track]])
    if correlation_s is not None:  # beyond ten tracks a process is a constant, or a line, and digits are lost
        correlation_s = float(np.clip(correlation_s, interval_s / 10, 10 * track))
    for row, given in zip(bounds, (std, correlation_s)):
        row[:] = np.log(given) if given is not None else row
    free = np.flatnonzero(bounds[:, 0] < bounds[:, 1])

    def energy(logs, order):
        std, correlation = np.exp(np.clip(logs, *bounds.T))
        return -measured.log_evidence(Process(std, correlation, order))

    if start is None:
        std_tried = np.unique(np.clip(np.log(largest * np.array([0.003, 0.03, 0.2])), *bounds[0]))
        time_tried = np.unique(np.linspace(*bounds[1], 6)[1:5])
        places = [np.array([s, t]) for s in std_tried for t in time_tried]
        starts = [(min(places, key=lambda place: energy(place, order)), order) for order in ORDERS]
    else:
        starts = [(np.log([start.std, start.correlation_s]), start.order)]
    found = []
    for place, order in starts:

        def of_free(values, place=place, order=order):
            logs = place.copy()
            logs[free] = values
            return energy(logs, order)

        if len(free):
            simplex = place[free] + np.vstack([np.zeros(len(free)), _SIMPLEX_STEP * np.eye(len(free))])
            options = {"xatol": 0.03, "fatol": 0.02, "maxfev": 60, "initial_simplex": simplex}
            place[free] = minimize(of_free, place[free], method="Nelder-Mead", options=options).x
        place = np.clip(place, *bounds.T)
        found.append((energy(place, order), Process(*np.exp(place).tolist(), order)))
    return min(found, key=lambda item: item[0])[1]


def largest_std(measured: Measured, process: Process, largest: float, drop: float = 2.0) -> float:
    """The standard deviation above the best at which ln evidence has dropped by so much (about 95 %)."""
    wanted = measured.log_evidence(process) - drop
    low, high = process.std, largest
    for _ in range(14):
        middle = np.sqrt(low * high)
        seen = measured.log_evidence(Process(middle, process.correlation_s, process.order))
        low, high = (middle, high) if seen > wanted else (low, middle)
    return float(high)


def _solve(factor: np.ndarray, pull: np.ndarray) -> np.ndarray:
    from scipy.linalg import cho_solve_banded

    return cho_solve_banded((factor, True), pull, check_finite=False)
