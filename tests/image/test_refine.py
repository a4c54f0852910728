"""What was inferred on coarse pixels stays true on fine ones."""

from dataclasses import replace

import numpy as np
import pytest

from almabrain.image import likelihood as likelihoods
from almabrain.image import model as sky_model
from almabrain.image import points, refine
from almabrain.image.refine import Samples

COARSE, FINE = 36, 72


@pytest.fixture(scope="module")
def samples(state):
    return Samples(state.model, refine.thinned(state.draws, 6))


@pytest.fixture(scope="module")
def finer(samples):
    return refine.refine(samples, FINE)


def log_sky(samples, vector):
    diffuse, _ = sky_model.field_sky(samples.model, vector)
    return np.log(np.asarray(diffuse / samples.model.pixel_area))


def test_log_brightness_stands_at_the_old_pixels(samples, finer):
    """τ interpolates: at the coarse pixels' centres it is what it was."""
    for before, after in zip(samples.vectors, finer.vectors, strict=True):
        assert log_sky(finer, after)[::2, ::2] == pytest.approx(log_sky(samples, before), abs=1e-6)


def test_old_modes_are_kept_among_the_new(samples, finer):
    inner = np.fft.fftfreq(COARSE, 1 / COARSE).astype(int)
    inner = inner[np.abs(inner) < COARSE // 2]
    for before, after in zip(samples.vectors, finer.vectors, strict=True):
        coarse, fine = np.fft.fft2(log_sky(samples, before)), np.fft.fft2(log_sky(finer, after))
        kept = coarse[np.ix_(inner, inner)] / COARSE**2, fine[np.ix_(inner, inner)] / FINE**2
        assert kept[0] == pytest.approx(kept[1], abs=1e-9)


def test_there_are_no_finer_modes(finer):
    length = np.fft.fftfreq(FINE, 1 / FINE)
    beyond = np.maximum(np.abs(length)[:, None], np.abs(length)) > COARSE // 2
    for vector in finer.vectors:
        assert np.all(np.asarray(sky_model.split(vector, FINE)[0])[beyond] == 0)


def test_points_keep_flux_and_place(samples, finer):
    for before, after in zip(samples.vectors, finer.vectors, strict=True):
        old, new = (sky_model.split(vector, n)[1] for vector, n in ((before, COARSE), (after, FINE)))
        assert np.allclose(
            points.flux(samples.model.points, old), points.flux(finer.model.points, new), rtol=1e-12
        )
        places = points.positions(samples.model.points, old), points.positions(finer.model.points, new)
        for coarse, fine in zip(*places, strict=True):
            assert np.asarray(fine) == pytest.approx(2 * np.asarray(coarse))


def test_what_the_data_see_is_the_same(samples, finer, windows, worked):
    wide = replace(worked, n_pix=FINE, cell_arcsec=worked.cell_arcsec / 2)
    sky, same = refine.skies(samples)[0][0], refine.skies(finer)[0][0]
    one = likelihoods.model_visibilities(windows, sky, worked)["spw0"]
    two = likelihoods.model_visibilities(windows, same, wide)["spw0"]
    # 0.25 Jy is the noise of one visibility, 5 mJy that of all.
    assert np.sqrt(np.mean(np.abs(one - two) ** 2)) < 0.01
    assert same.sum() == pytest.approx(sky.sum(), rel=0.01)


@pytest.mark.parametrize("roughness", [0.3, 1.0])
def test_rough_fields_keep_their_flux(samples, roughness):
    """Of a τ without correlation from pixel to pixel: e^τ between pixels would hold more or less than at them."""
    white = np.random.default_rng(1).standard_normal(COARSE**2)
    modes = roughness / COARSE * white / np.asarray(samples.model.amplitude).ravel()
    vector = samples.vectors[0].at[: COARSE**2].set(modes)
    quiet = samples.model._replace(points=points.none(COARSE))
    rough = Samples(quiet, [vector])
    wanted, found = (refine.skies(each)[0][0] for each in (rough, refine.refine(rough, FINE)))
    assert found.sum() == pytest.approx(wanted.sum(), rel=0.01)
    seen = [
        np.fft.fft2(image)[:9, :9] for image in (wanted, found)
    ]  # up to a quarter of the coarse pixels' band
    error = np.linalg.norm(seen[1] - seen[0]) / np.linalg.norm(seen[0].ravel()[1:])
    assert error < 0.1


def test_the_same_grid_is_left_alone(samples):
    assert refine.refine(samples, COARSE) is samples


def test_exact_skies_and_those_for_the_eye_hold_the_same_light(finer):
    exact, shown = refine.skies(finer)
    assert exact.shape == shown.shape == (6, FINE, FINE)
    assert exact.sum((1, 2)) == pytest.approx(shown.sum((1, 2)), rel=2e-3)
    assert shown.min() > 0


def test_thinned_draws_lie_far_apart():
    assert refine.thinned(list(range(101)), 5) == [0, 25, 50, 75, 100]
    assert refine.thinned([1, 2, 3], 8) == [1, 2, 3]
