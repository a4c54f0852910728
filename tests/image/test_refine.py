"""What was inferred on coarse pixels stays true on fine ones."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from almabrain.image import field, points, refine
from almabrain.image import likelihood as likelihoods
from almabrain.image import model as sky_model
from almabrain.image.refine import Samples

COARSE, FINE = 36, 72


@pytest.fixture(scope="module")
def samples(state):
    return Samples(state.model, refine.thinned(state.draws, 6))


@pytest.fixture(scope="module")
def finer(samples):
    return refine.refine(samples, FINE, seed=1, name="test")


def log_sky(samples, vector):
    diffuse, _ = sky_model.field_sky(samples.model, vector)
    return np.log(np.asarray(diffuse / samples.model.pixel_area))


def test_the_field_of_the_old_modes_stands_at_the_old_pixels(samples):
    """Without new modes τ interpolates: at the coarse pixels' centres it is what it was."""
    quiet = [vector.at[-field.EXCITATIONS :].set(jnp.array([0.0, 0.0, -200.0])) for vector in samples.vectors]
    smooth = refine.refine(Samples(samples.model, quiet), FINE, seed=1, name="test")
    for before, after in zip(samples.vectors, smooth.vectors, strict=True):
        assert log_sky(smooth, after)[::2, ::2] == pytest.approx(log_sky(samples, before), abs=1e-6)


def test_old_modes_are_kept_among_the_new(samples, finer):
    inner = np.fft.fftfreq(COARSE, 1 / COARSE).astype(int)
    inner = inner[np.abs(inner) < COARSE // 2]
    for before, after in zip(samples.vectors, finer.vectors, strict=True):
        coarse, fine = np.fft.fft2(log_sky(samples, before)), np.fft.fft2(log_sky(finer, after))
        kept = coarse[np.ix_(inner, inner)] / COARSE**2, fine[np.ix_(inner, inner)] / FINE**2
        assert kept[0] == pytest.approx(kept[1], abs=1e-9)


def test_new_modes_have_each_samples_own_spectrum(samples, finer):
    old, new = field.modes(COARSE), field.modes(FINE)
    fresh = np.asarray(new.length) > 0.75 * COARSE
    for vector in finer.vectors:
        modes, _, spectrum = sky_model.split(vector, FINE)
        law = np.exp(2 * field.log_amplitude(field.parameters(spectrum), old, new.length))
        power = field.radial_mean(np.asarray(modes) ** 2, new)
        share, count = power[fresh] / law[fresh], np.asarray(new.count)[fresh]
        assert np.average(share, weights=count) == pytest.approx(1, abs=5 * np.sqrt(2 / count.sum()))


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
    """Model visibilities of both skies: the finer modes carry light that no baseline sees well."""
    wide = replace(worked, n_pix=FINE, cell_arcsec=worked.cell_arcsec / 2)
    sky = np.asarray(sky_model.sky(samples.model, samples.vectors[0]))
    same = np.asarray(sky_model.sky(finer.model, finer.vectors[0]))
    one = likelihoods.model_visibilities(windows, sky, worked)["spw0"]
    two = likelihoods.model_visibilities(windows, same, wide)["spw0"]
    # 0.25 Jy is the noise of one visibility, 5 mJy that of all.
    assert np.sqrt(np.mean(np.abs(one - two) ** 2)) < 0.02


def test_refining_depends_on_seed_and_name_only(samples, finer):
    again = refine.refine(samples, FINE, seed=1, name="test")
    other = refine.refine(samples, FINE, seed=2, name="test")
    assert np.array_equal(again.vectors[0], finer.vectors[0])
    assert not np.array_equal(other.vectors[0], finer.vectors[0])
    assert refine.refine(samples, COARSE, seed=1, name="test") is samples


def test_exact_skies_and_those_for_the_eye_hold_the_same_light(finer):
    exact, shown = refine.skies(finer)
    assert exact.shape == shown.shape == (6, FINE, FINE)
    assert exact.sum((1, 2)) == pytest.approx(shown.sum((1, 2)), rel=2e-3)
    assert shown.min() > 0


def test_thinned_draws_lie_far_apart():
    assert refine.thinned(list(range(101)), 5) == [0, 25, 50, 75, 100]
    assert refine.thinned([1, 2, 3], 8) == [1, 2, 3]
