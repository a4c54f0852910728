"""Drawn scenes: sources where they are said to be, as bright, in noise of the dirty beam's colour."""

import numpy as np
import pytest
from scipy import fft

from almabrain.config.train import TrainSettings
from almabrain.train.scenes import SceneMaker


def maker(response, **changes):
    return SceneMaker(response, TrainSettings(**({"patch_pix": 32, "thinning": 0} | changes)))


def noise_of(scene_maker, rng, count=60):
    scene_maker.settings = scene_maker.settings.model_copy(update={"empty_fraction": 1.0})
    return np.array([scene_maker.draw(rng).maps[0] for _ in range(count)])


def test_noise_has_unit_rms_and_the_dirty_beam_as_autocorrelation(made_response):
    noise = noise_of(maker(made_response), np.random.default_rng(0))
    assert noise.std() == pytest.approx(1.0, abs=0.03)
    power = np.mean(np.abs(fft.fft2(noise)) ** 2, axis=0)
    acf = fft.fftshift(fft.ifft2(power).real)
    np.testing.assert_allclose(acf / acf.max(), made_response.psf, atol=0.05)


def test_sources_have_the_stated_position_and_signal_to_noise(made_response):
    made_response.pb[:] = 1
    scenes = maker(
        made_response, snr_min=15, snr_max=20, max_sources=1, empty_fraction=0, extended_fraction=0
    )
    rng = np.random.default_rng(1)
    for plane in [scenes.draw(rng) for _ in range(10)]:
        y, x = np.unravel_index(np.argmax(plane.maps[0]), plane.maps[0].shape)
        assert np.hypot(x - plane.position[0, 0], y - plane.position[0, 1]) < 1.0
        # Local noise is measured with the source's own sidelobes in it, so a bright one loses some.
        assert 0.6 < plane.maps[0].max() / plane.snr[0] < 1.2


def test_extended_sources_keep_their_peak(made_response):
    made_response.pb[:] = 1
    settings = {"snr_min": 30, "snr_max": 31, "max_sources": 1, "empty_fraction": 0, "extended_fraction": 1}
    scenes, rng = maker(made_response, **settings, largest_source_beams=1.0), np.random.default_rng(2)
    planes = [scenes.draw(rng) for _ in range(30)]
    # A Gaussian source loses to the missing short spacings; its peak may fall, never rise, but for noise.
    ratio = np.array([plane.maps[0].max() / plane.snr[0] for plane in planes])
    assert 0.5 < np.median(ratio) < 1.1


def test_thinned_beams_have_their_peak_and_higher_sidelobes(made_response):
    scenes, rng = maker(made_response, thinning=0.6), np.random.default_rng(0)
    whole = fft.irfft2(maker(made_response)._thinned(rng))
    thinned = [fft.irfft2(scenes._thinned(rng)) for _ in range(10)]
    assert [beam[0, 0] for beam in thinned] == pytest.approx([1.0] * 10)
    assert np.mean([beam[10:-10, 10:-10].std() for beam in thinned]) > whole[10:-10, 10:-10].std()


def test_a_fraction_of_scenes_is_empty(made_response):
    scenes, rng = maker(made_response, empty_fraction=0.5), np.random.default_rng(0)
    empty = np.mean([len(scenes.draw(rng).snr) == 0 for _ in range(200)])
    assert empty == pytest.approx(0.5, abs=0.12)
