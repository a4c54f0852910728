"""The Bayesian images on fields of known sky: coverage, errors and fluxes beside WSClean and CASA's tclean.

The fields are of seed 2 and later; those of seed 1 are there to tune with. Fields and images stay in the folder that
ALMABRAIN_IMAGING_RUNS names, so that a second run looks at them only.
"""

import numpy as np
import pytest

from .imaging import folder, imager, imaging_calibration, imaging_scenes, imaging_scores, options

pytestmark = pytest.mark.judge
SEED, FIELDS, SAMPLES = 2, 60, 64  # 60 hold 500 beams and more of every decade of S/N, and 160 sources
DRAWS = f'{{"samples": {SAMPLES}}}'  # 32 independent ones
PIXELS = {"68": (0.64, 0.72), "95": (0.92, 0.97)}
REGIONS = {"68": (0.60, 0.76), "95": (0.90, 0.98)}
ENOUGH = 500


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    chosen = options(folder() / f"seed{SEED}", "run", "--name", "blind", "--settings", DRAWS, "--jobs", 2)
    imaging_scenes.battery(chosen.folder, FIELDS, SEED)
    imager.run(chosen)
    imager.clean(chosen)
    imager.score(chosen)
    return imager.collect(chosen)


@pytest.mark.parametrize("low, high", list(zip(imaging_scores.DECADES[:-1], imaging_scores.DECADES[1:])))
@pytest.mark.parametrize("level", PIXELS)
def test_pixels_are_covered(found, low, high, level):
    value, error, beams = imaging_scores.share(found.pixels, f"rank{level}", low, high)
    if beams < ENOUGH:
        pytest.skip(
            f"{beams:.0f} independent beams with S/N {low:g} to {high:g}, of {ENOUGH} that are needed"
        )
    assert PIXELS[level][0] <= value <= PIXELS[level][1], f"{value:.3f} ± {error:.3f} in {beams:.0f} beams"


@pytest.mark.parametrize("kind", [*(f"box {beams:g}" for beams in imaging_scores.BOX_BEAMS), "source"])
@pytest.mark.parametrize("level", REGIONS)
def test_region_fluxes_are_covered(found, kind, level):
    value, error, number = imaging_scores.share([part[kind] for part in found.regions], f"rank{level}")
    assert REGIONS[level][0] <= value <= REGIONS[level][1], (
        f"{value:.3f} ± {error:.3f} of {number:.0f} regions"
    )


@pytest.mark.parametrize("extended, bar", [(True, 0.4), (False, 1.05)])
def test_errors_against_the_better_clean(found, extended, bar):
    ratios = [one["ratio"] for one in found.errors if one["extended"] is extended]
    assert np.isfinite(ratios).all() and np.median(ratios) <= bar


def test_integrated_fluxes_are_unbiased(found):
    errors = np.concatenate(found.biases["ours"])
    bias, error = imaging_scores.median_bias(errors)
    assert len(errors) >= 100
    assert abs(bias) <= max(0.02, 2 * error), f"{bias:.4f} ± {error:.4f}"


def test_finished_runs_pass_the_gate(found):
    passed = [row[1] == "converged" for row in found.rows]
    assert len(passed) == FIELDS and np.mean(passed) >= 0.95


def test_stopped_runs_do_not():
    chosen = options(folder() / f"seed{SEED}", "stopped", "--only", f"s{SEED}-00", "--jobs", 2)
    caught = imager.stopped(chosen)
    assert len(caught) >= 40 and np.mean(caught) >= 0.95


def test_five_gaussians():
    truth, mean, error = imager.five(options(folder() / "cases", "five"))
    ratio, off = (mean / truth)[:3], ((mean - truth) / error)[:3]
    assert np.abs(ratio - 1).max() <= 0.05 and np.abs(off).max() <= 2


def test_two_points_in_one_beam():
    split, errors = imager.pairs(options(folder() / "cases", "pairs", "--count", 20))
    bias, error = imaging_scores.median_bias(errors.ravel())
    assert np.mean(split) >= 0.7 and abs(bias) <= max(0.02, 2 * error)


def test_empty_fields_stay_empty():
    for bar in imager.empty(options(folder() / "cases", "empty", "--count", 9)):
        assert bar["low95"] <= 1 and bar["mean"] <= 1


def test_posteriors_of_the_models_own_prior_are_calibrated():
    chosen = options(folder() / "cases", "calibrate", "--count", 200)
    imager.calibrate(chosen)
    report = imaging_calibration.report(chosen.folder / "calibration" / chosen.name)
    assert all(found["fields"] >= 200 for found in report.values())
    # One test of all statistics at 1 % in all.
    assert min(found["p"] for found in report.values()) > 0.01 / len(report)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["hd142527_band9_continuum"])
def test_noise_and_held_out_data_of_a_real_set(real_data, name):
    path = real_data / "visibilities" / f"{name}.ms"
    rows = imager.real(options(folder() / "real", "real", "--data", path))
    for window, learned, neighbours, ratio, chi2, expected, by_mad, number in rows:
        assert ratio == pytest.approx(1, abs=0.1), (window, learned, neighbours)
        assert by_mad == pytest.approx(1, abs=0.05), (window, chi2, expected, number)
