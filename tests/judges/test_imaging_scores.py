"""The judges of imagers are judged: what is known to be right passes, what is known to be wrong does not."""

import numpy as np
import pytest

from almabrain.response.beam import Beam, convolve
from almabrain.response.predict import predict_image
from almabrain.response.primary_beam import dish, image

from .imaging import imager, imaging_calibration, imaging_cases, imaging_scenes, imaging_scores

ARCSEC = np.pi / 648_000


@pytest.fixture(scope="module")
def battery(tmp_path_factory):
    """One scene of every kind."""
    folder = tmp_path_factory.mktemp("battery")
    return [imaging_scenes.load(folder, name) for name in imaging_scenes.battery(folder, 5, seed=7)]


def test_truth_is_what_was_observed(battery):
    for scene in battery:
        fine, cell = 3 * scene.n_pix, scene.cell_arcsec / 3
        sky = scene.truth.sky(fine, cell)
        sky = sky * image(fine, cell, scene.truth.frequency_hz, dish(scene.truth.dish_m))
        window = scene.windows["spw0"]
        predicted = predict_image(window.uvw_m.values, window.frequency_hz.values, sky, cell * ARCSEC)
        weight = window.weight.values
        chi2 = (weight * np.abs(window.visibility.values - predicted) ** 2).mean() / 2
        # Points lie up to half a fine pixel from where they are.
        assert chi2 == pytest.approx(1, abs=0.03), scene.name
        assert weight.size <= 30_000


def test_truth_at_a_beam_is_the_truth_convolved(battery):
    for scene in battery:
        n_pix, cell = scene.n_pix, scene.cell_arcsec
        beam = Beam(8 * cell, 6 * cell, 30.0)
        fine = scene.truth.sky(5 * n_pix, cell / 5)
        fine = fine * image(5 * n_pix, cell / 5, scene.truth.frequency_hz, dish(scene.truth.dish_m))
        slow = convolve(fine, cell / 5, beam)[::5, ::5]
        fast = scene.truth.at_beam(n_pix, cell, beam)
        # Points are up to a tenth of a pixel off in the slow one.
        assert np.abs(fast - slow).max() < (5e-3 if scene.truth.pixels is not None else 0.04) * fast.max(), (
            scene.name
        )
        assert fast.sum() == pytest.approx(slow.sum(), rel=2e-3), scene.name


def test_fields_are_of_every_kind_and_within_what_the_array_sees(battery):
    assert {scene.facts["kind"] for scene in battery} == set(imaging_scenes.KINDS)
    for scene in battery:
        sky = scene.truth.sky(scene.n_pix, scene.cell_arcsec)
        edge = scene.n_pix // 40
        assert sky[edge:-edge, edge:-edge].sum() == pytest.approx(sky.sum(), rel=1e-3)
        held = scene.truth.components[:, 0].sum()
        held += 0 if scene.truth.pixels is None else scene.truth.pixels.sum()
        assert sky.sum() == pytest.approx(held, rel=1e-3)


def _posterior(rng, fields, draws, width=1.0, shift=0.0, mirrored=False):
    """Gaussian truths and draws about a mean that is off by the posterior's own error, times `width`, plus `shift`."""
    mean = rng.standard_normal(fields)
    truth = mean + rng.standard_normal(fields)
    if mirrored:
        half = width * rng.standard_normal((draws // 2, fields))
        return truth, mean + shift + np.stack([half, -half], axis=1).reshape(draws, fields)
    return truth, mean + shift + width * rng.standard_normal((draws, fields))


@pytest.mark.parametrize("mirrored, count", [(False, 64), (True, 64), (False, 32), (True, 8)])
def test_calibrated_draws_are_covered_as_often_as_they_claim(mirrored, count):
    truth, draws = _posterior(np.random.default_rng(1), 40_000, count, mirrored=mirrored)
    found = imaging_scores.covered(draws, truth, mirrored)
    assert found["student68"].mean() == pytest.approx(0.68, abs=0.01)
    assert found["student95"].mean() == pytest.approx(0.95, abs=0.01)
    # Between the few ranks of four pairs the interval is interpolated.
    assert found["rank68"].mean() == pytest.approx(0.68, abs=0.015 if count > 8 else 0.03)
    if count > 39:
        assert found["rank95"].mean() == pytest.approx(0.95, abs=0.01)
    else:
        assert np.isnan(found["rank95"]).all()


def test_errors_too_small_are_seen():
    truth, draws = _posterior(np.random.default_rng(1), 20_000, 64, width=0.6)
    found = imaging_scores.covered(draws, truth, False)
    assert found["rank68"].mean() < 0.55 and found["student95"].mean() < 0.85


def test_ranks_of_calibrated_draws_are_uniform_and_of_others_not():
    rng = np.random.default_rng(2)
    passed = []
    for _ in range(200):
        truth, draws = _posterior(rng, 200, 31)
        passed.append(imaging_calibration.uniformity(imaging_calibration.ranks(truth, draws.T), 31))
    assert np.mean(np.array(passed) > 0.05) > 0.85 and 0.35 < np.mean(np.array(passed) > 0.5) < 0.65
    for wrong in ({"width": 0.6}, {"shift": 0.5}):
        truth, draws = _posterior(rng, 200, 31, **wrong)
        assert imaging_calibration.uniformity(imaging_calibration.ranks(truth, draws.T), 31) < 0.01


def test_tarp_passes_calibrated_vectors_and_fails_overconfident_ones():
    rng = np.random.default_rng(3)
    mean = rng.standard_normal((300, 6))
    truth = mean + rng.standard_normal((300, 6))
    for width, good in ((1.0, True), (0.5, False)):
        draws = mean[:, None] + width * rng.standard_normal((300, 31, 6))
        p = imaging_calibration.uniformity(imaging_calibration.tarp_ranks(truth, draws, rng), 31)
        assert (p > 0.01) is good


def test_regions_of_a_known_picture():
    n_pix, cell = 128, 0.1
    beam = Beam(0.6, 0.5, 20.0)
    flux = np.zeros((n_pix, n_pix))
    flux[40, 50], flux[80, 90] = 1.0, 0.5
    truth = convolve(flux, cell, beam)
    width = np.sqrt(0.6 * 0.5) / cell
    frame = imaging_scores.Frame(truth, 0.01, np.ones_like(truth), beam.area_pixels(cell), width)
    label = imaging_scores.outlines(frame)
    assert label.max() == 2
    assert imaging_scores.fluxes(truth, label, frame) == pytest.approx([1.0, 0.5], rel=0.01)
    for beams in imaging_scores.BOX_BEAMS:
        boxes = imaging_scores._boxes(frame, beams)
        side = np.sqrt(np.bincount(boxes.ravel())[1:])
        assert side.mean() == pytest.approx(beams * width, rel=0.1)
    errors = imaging_scores.rms_errors(frame, truth + 0.02)
    assert errors["bright"] == pytest.approx(2) and errors["empty"] == pytest.approx(2)


def test_two_points_are_found_split_in_their_own_truth_only(tmp_path):
    scene = imaging_cases.two_points(tmp_path, 3)
    cell, n_pix = scene.cell_arcsec, scene.n_pix
    sky = scene.truth.sky(n_pix, cell)
    assert imaging_cases.is_split(scene, sky)
    noise, beam = imager.noise_and_beam(scene, n_pix, cell)
    blurred = scene.truth.at_beam(n_pix, cell, beam)
    assert not imaging_cases.is_split(scene, blurred)
    assert imaging_cases.pair_fluxes(scene, blurred, beam) == pytest.approx([1, 1], rel=1e-3)
    # S/N 50 at the natural beam, which is what the imager has to work with.
    flux, l, m = scene.truth.points.T
    seen = flux * dish(12.0)(l, m, scene.truth.frequency_hz)
    assert seen / scene.facts["sensitivity_jy_beam"] == pytest.approx([50, 50], rel=0.01)
