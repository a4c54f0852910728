"""Every reason for distrust is told, one by one, and none where there is none."""

import dataclasses

import numpy as np
import pytest

from almabrain.image.inference import Round
from almabrain.image.verdict import judge

GOOD = Round(
    warming=False, draws=64, energy=-10.0, chi2=1.0, acceptance=0.7, worst_acceptance=0.5, step=0.2, disagreement=1.05,
    slowest=1.2, seconds=1.0,
)  # fmt: skip
WARM = dataclasses.replace(GOOD, warming=True)
HISTORY = [WARM] * 5 + [GOOD] * 8
FINE = {"octiles": np.ones(8), "residual_sigma": 3.0, "likelihood_error": 0.1, "n_data": 1e5}


def last(**changes):
    return [*HISTORY[:-1], dataclasses.replace(GOOD, **changes)]


def test_a_good_run_converges():
    assert judge(HISTORY, **FINE) == ("converged", [])


@pytest.mark.parametrize(
    "history, changes, reason",
    [
        ([], {}, "no round was run"),
        ([WARM] * 5, {}, "stopped in the warm-up; raise max_iterations"),
        ([WARM] * 5 + [GOOD] * 7, {}, "stopped 7 rounds after the warm-up; raise max_iterations"),
        (last(energy=np.nan), {}, "a sample diverged"),
        (last(chi2=1.2), {}, "reduced chi2 is 1.200"),
        (last(chi2=0.8), {}, "reduced chi2 is 0.800"),
        (HISTORY, {"octiles": np.array([1.0] * 6 + [1.4, 0.7])}, "reduced chi2 of baseline bins is 1.40, 0.70"),
        (
            HISTORY,
            {"by_channel": (np.array([1.0, 1.2, 0.7, np.nan]), np.array([1e4, 1e4, 1e4, 0]))},
            "reduced chi2 of channel 2 is 0.70, and 2 are off",
        ),
        (last(worst_acceptance=0.1), {}, "a chain is stuck: 10% of its trajectories were accepted"),
        (last(disagreement=1.6), {}, "disagreement of the chains (R-hat) is 1.6, more than 1.2"),
        (last(slowest=2.5), {}, "R-hat of the worst twentieth is 2.5, more than 1.6"),
        (HISTORY, {"residual_sigma": 8.0}, "highest peak of the residual image in sigma is 8, more than 6"),
        (HISTORY, {"likelihood_error": -2.0}, "error of the FFT's ln L against the gridder's is 2, more than 1"),
        (HISTORY, {"shortfall": "the field is too small"}, "the field is too small"),
    ],
)  # fmt: skip
def test_reasons_one_by_one(history, changes, reason):
    verdict, reasons = judge(history, **FINE | changes)
    assert reasons == [reason]
    assert verdict == f"not converged: {reason}"


def test_nothing_is_trusted_that_is_not_a_number():
    nan = float("nan")
    _, reasons = judge(
        last(energy=nan, chi2=nan, disagreement=nan, slowest=nan), np.full(8, nan), nan, nan, 1e5
    )
    assert len(reasons) == 7


def test_few_data_scatter_more():
    """Four standard deviations of χ² of 200 data are 0.4: no reason for distrust."""
    assert judge(last(chi2=1.3), **FINE | {"n_data": 200})[0] == "converged"
    assert judge(last(chi2=1.5), **FINE | {"n_data": 200})[0] != "converged"
    channels = np.array([1.3, 1.0])
    for n, fine in ((200, True), (2000, False)):
        assert (judge(HISTORY, **FINE, by_channel=(channels, np.array([n, 1e5])))[0] == "converged") == fine


def test_all_reasons_are_told_at_once():
    verdict, reasons = judge(last(chi2=2.0, worst_acceptance=0.0), **FINE | {"residual_sigma": 20.0})
    assert len(reasons) == 3 and verdict == f"not converged: {'; '.join(reasons)}"
