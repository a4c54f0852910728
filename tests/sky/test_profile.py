"""Lines of pictures with velocities of their own: all light in the profile, peaks and depths as asked for."""

import numpy as np
import pytest

from almabrain.data.coordinates import lm_grid
from almabrain.data.line import SPEED_OF_LIGHT_KM_S
from almabrain.response.beam import Beam, convolve
from almabrain.sky.channels import line_light, spectrum
from almabrain.sky.models.tng import DISPERSION_KMS
from almabrain.sky.particles import particles
from almabrain.sky.pixels import picture
from almabrain.sky.profile import profile_of

MOVING = {"model": "rotating_disc", "channels": 300}


def excess(made):
    """Line light (channel, y, x) of the first source in every window, with frequencies and widths."""
    source = made.sources[0]
    for (_, window), own in zip(made.windows(), made.field.windows):
        model = window["pixel_model_jy"].values.astype(float)
        unit = source.shape.pixels / source.shape.pixels.sum()
        continuum = source.continuum_jy(own.frequency_hz)[:, None, None] * unit
        yield own, model, continuum


@pytest.mark.parametrize("seed", range(4))
def test_absorption_takes_no_more_than_the_continuum_of_any_pixel(draw, seed):
    made = draw(seed, **MOVING, lines={"absorption": 1.0, "width_kms": [60.0, 400.0]})
    (line,) = made.lines
    assert line["flux"] < 0
    lowest, total = 1.0, 0.0
    for window, model, continuum in excess(made):
        bright = continuum > 1e-4 * continuum.max()
        lowest = min(lowest, (model[bright] / continuum[bright]).min())
        total += ((model - continuum).sum(axis=(1, 2)) * window.channel_width_hz).sum()
    # A pixel's deepest channel has the depth drawn, 0.1 to 0.9, or somewhat less where channels are broad.
    assert 0.09 < lowest < 0.95
    assert total / line["frequency"] * SPEED_OF_LIGHT_KM_S == pytest.approx(line["flux"], rel=5e-3)


def test_the_peak_over_the_continuum_is_the_one_asked_for(draw):
    """Of the whole source; its profile is flatter or has horns, so that a Gaussian's peak is not its own."""
    for seed in range(4):
        made = draw(seed, **MOVING, lines={"to_continuum": [4, 4], "width_kms": [250, 400]})
        source = made.sources[0]
        fine = [line_light(source, window).max() for window in made.field.windows]
        peak = max(fine) / source.continuum_jy(made.lines["frequency"][0])
        assert peak == pytest.approx(4, rel=0.02)


def test_a_broad_minority_of_the_gas_is_line_light_too():
    """A tenth of the gas 20 times as broad as the rest: three FWHM either side would lose most of that tenth."""
    rng = np.random.default_rng(1)
    velocity = np.concatenate([rng.normal(0, 20, 9000), rng.normal(0, 400, 1000)])
    bits = particles(16, rng.integers(0, 256, 10000), velocity, np.ones(10000), np.zeros(10000))
    shape = picture(
        "tng",
        bits.pixels,
        0.1,
        line_pixels=lambda edges, width: bits.line_pixels(edges, DISPERSION_KMS),
        line_extent_kms=lambda width: bits.extent_kms(DISPERSION_KMS),
    )
    profile = profile_of(shape, 55.0)
    at = np.array([-600.0, -300.0, -60.0, 0.0, 60.0, 300.0, 600.0])
    below = [np.mean(velocity < edge) for edge in at]
    assert np.interp(at, profile.edges_kms, profile.below) == pytest.approx(below, abs=0.02)
    assert profile.below[0] == 0 and profile.below[-1] == pytest.approx(1)
    assert profile.edges_kms[0] < velocity.min() and profile.edges_kms[-1] > velocity.max()


def test_the_apparent_peak_is_that_of_the_brightest_channel(draw):
    """The cube of a turning disc behind the primary beam and through the beam, channel by channel."""
    for seed, size in ((1, 1.0), (2, 4.0)):
        settings = {"rotating_disc": {"radius_beams": [size, size]}, "lines": {"width_kms": [300.0, 300.0]}}
        made = draw(seed, **MOVING | {"channels": 80} | settings)
        (line,), beam = made.lines, made.field.beam_arcsec
        cell = made.sources[0].shape.cell_arcsec
        l, m = lm_grid(made.sources[0].shape.pixels.shape[0], cell)
        peak = 0.0
        for window, model, continuum in excess(made):
            for channel in np.flatnonzero(np.abs(window.frequency_hz / line["frequency"] - 1) < 6e-4):
                power = made.field.primary_beam(l, m, window.frequency_hz[channel])
                light = (model[channel] - continuum[channel]) * power
                peak = max(peak, convolve(light, cell, Beam(beam, beam, 0.0)).max())
        assert line["apparent_peak"] == pytest.approx(peak, rel=0.05)
        assert made.truth["line_peak"][0] == line["apparent_peak"]


def test_the_apparent_peak_of_a_point_and_of_a_still_picture(draw):
    for model in ("points", "gaussians", "disc"):
        made = draw(3, model=model, sources=[1, 1], channels=80, lines={"names": ["CO(3-2)"]})
        (own,), (line,), source = made.truth[:1], made.lines, made.sources[0]
        light = max(line_light(source, window).max() for window in made.field.windows)
        ratio = line["apparent_peak"] / light
        assert ratio == pytest.approx(own["peak_flux"] / own["flux"], rel=0.06)


def test_spectrum_of_a_moving_picture_is_the_sum_of_its_pixels(draw):
    """Within 2 % of the peak, what looking up the profile between bins of a thirty-second of the FWHM costs."""
    made = draw(5, **MOVING | {"channels": 60})
    for (_, window), own in zip(made.windows(), made.field.windows):
        summed = window["pixel_model_jy"].values.sum(axis=(1, 2), dtype=float)
        assert summed == pytest.approx(spectrum(made.sources[0], own), abs=0.02 * summed.max())
