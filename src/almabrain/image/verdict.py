"""Whether a posterior may be published: the convergence gate.

A χ² near 1 is not enough: runs that had not converged have passed that with errors several times too small. So the
chains must agree, with one another and with themselves earlier on.
"""

import numpy as np

from almabrain.image.inference import (
    DISAGREEMENT,
    LEAST_ACCEPTANCE,
    LEAST_ROUNDS,
    WORST_DISAGREEMENT,
    Round,
)

CHI2_TOLERANCE = 0.1
RESIDUAL_SIGMA = 6.0  # noise alone does not reach that in any image of this size
LIKELIHOOD_ERROR = 1.0  # a parameter that is off by one standard deviation costs 0.5
_SCATTER = 4.0  # of χ² itself, for data too few to hold the tolerance


def judge(
    history: list[Round],
    octiles: np.ndarray,
    residual_sigma: float,
    likelihood_error: float,
    n_data: float,
    shortfall: str = "",
    by_channel: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[str, list[str]]:
    """The verdict `converged` or `not converged: reason; ...`, and the reasons one by one.

    `octiles` are reduced χ² by baseline length, `residual_sigma` is the highest peak of the residual image in
    units of its noise, `likelihood_error` by how much the FFT likelihood misses the gridder's (ln L), `n_data` the
    number of real data, `shortfall` what the grid's field leaves out, `by_channel` reduced χ² of an image's channels
    and the number of real data in each.
    """
    if not history:
        return "not converged: no round was run", ["no round was run"]
    last, reasons = history[-1], []
    if not np.isfinite([last.energy, last.chi2]).all():
        reasons.append("a sample diverged")
    counted = sum(not each.warming for each in history)
    if counted < LEAST_ROUNDS:
        where = "in the warm-up" if last.warming else f"{counted} rounds after the warm-up"
        reasons.append(f"stopped {where}; raise max_iterations")
    if not _near_one(last.chi2, n_data):
        reasons.append(f"reduced chi2 is {last.chi2:.3f}")
    outside = [f"{value:.2f}" for value in octiles if not _near_one(value, n_data / len(octiles))]
    if outside:
        reasons.append(f"reduced chi2 of baseline bins is {', '.join(outside)}")
    if by_channel is not None:
        found = [
            (k, chi2) for k, (chi2, n) in enumerate(np.transpose(by_channel)) if n and not _near_one(chi2, n)
        ]
        if found:
            worst, chi2 = max(found, key=lambda each: abs(each[1] - 1))
            reasons.append(f"reduced chi2 of channel {worst} is {chi2:.2f}, and {len(found)} are off")
    if last.worst_acceptance < LEAST_ACCEPTANCE:
        reasons.append(f"a chain is stuck: {last.worst_acceptance:.0%} of its trajectories were accepted")
    for value, limit, name in (
        (last.disagreement, DISAGREEMENT, "disagreement of the chains (R-hat)"),
        (last.slowest, WORST_DISAGREEMENT, "R-hat of the worst twentieth"),
        (residual_sigma, RESIDUAL_SIGMA, "highest peak of the residual image in sigma"),
        (abs(likelihood_error), LIKELIHOOD_ERROR, "error of the FFT's ln L against the gridder's"),
    ):
        if not value <= limit:
            reasons.append(f"{name} is {value:.2g}, more than {limit:g}")
    if shortfall:
        reasons.append(shortfall)
    return ("converged" if not reasons else f"not converged: {'; '.join(reasons)}"), reasons


def _near_one(chi2: float, n_data: float) -> bool:
    return abs(chi2 - 1) <= max(CHI2_TOLERANCE, _SCATTER * np.sqrt(2 / n_data))
