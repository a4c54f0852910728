"""Discs of dust: profile, gaps and tilt as drawn; thin rings keep their light on coarse pixels."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.sky.inclined import Plane, offsets_arcsec, over_pixels
from almabrain.sky.models import disc

from .conftest import visibilities

BEAM = 0.5


def field(radius_beams=200.0):
    return SimpleNamespace(beam_arcsec=BEAM, radius_rad=radius_beams * BEAM * ARCSEC)


def settings(**disc_settings):
    return check(SkySettings, {"model": "disc", "disc": disc_settings}, "sky")


def rng(seed=1):
    return np.random.default_rng(seed)


def deprojected(shape, chosen):
    """Radius in the disc's plane, arcsec, of every pixel; written out again from its definition."""
    half = shape.pixels.shape[0] // 2
    y, x = np.mgrid[-half:half, -half:half] * shape.cell_arcsec
    east, north = -x - chosen.plane.east_arcsec, y - chosen.plane.north_arcsec
    turn = np.deg2rad(chosen.plane.pa_deg)
    along, across = np.sin(turn) * east + np.cos(turn) * north, np.cos(turn) * east - np.sin(turn) * north
    return np.sqrt(along**2 + (across / np.cos(np.deg2rad(chosen.plane.inclination_deg))) ** 2)


@pytest.mark.parametrize("seed", range(6))
def test_the_deprojected_profile_has_the_gap_where_and_as_deep_as_drawn(seed):
    wanted = settings(radius_beams=[50, 50], gaps=[1, 1], gap_depth=[0.3, 0.9], inclination_deg=[20, 60])
    chosen = disc.choose(field(), wanted, rng(seed))
    (shape,) = disc.draw(field(), wanted, rng(seed))
    (gap,) = chosen.gaps
    radius = deprojected(shape, chosen)
    edges = gap.radius_arcsec + gap.width_arcsec * np.arange(-2.05, 2.06, 0.1)
    middle = (edges[1:] + edges[:-1]) / 2
    mean = np.array([shape.pixels[(radius >= a) & (radius < b)].mean() for a, b in zip(edges, edges[1:])])
    # the smooth disc, from both sides of the gap over it
    outside = np.abs(middle - gap.radius_arcsec) > 1.5 * gap.width_arcsec
    smooth = np.exp(np.polyval(np.polyfit(middle[outside], np.log(mean[outside]), 2), middle))
    missing = 1 - mean / smooth
    assert missing.max() == pytest.approx(gap.depth, abs=0.015)
    half_deep = middle[missing > missing.max() / 2]
    assert (half_deep[0] + half_deep[-1]) / 2 == pytest.approx(gap.radius_arcsec, abs=0.06 * gap.width_arcsec)
    assert np.ptp(half_deep) == pytest.approx(gap.width_arcsec, rel=0.12)


def test_a_thin_ring_keeps_its_light_its_radius_and_its_centre():
    """A ring of sigma 0.06 pixel in its plane: light 2 pi r sigma sqrt(2 pi) cos i."""
    cell, half, radius, sigma = 0.2, 32, 4.13, 0.012
    plane = Plane(0.07, -0.031, 50.0, 25.0)

    def ring(east, north):
        return np.exp(-(((plane.polar(east, north)[0] - radius) / sigma) ** 2) / 2)

    east, north = offsets_arcsec(half, cell)
    light = over_pixels(ring, east, north, cell, disc.PARTS) * cell**2
    whole = 2 * np.pi * radius * sigma * np.sqrt(2 * np.pi) * np.cos(np.deg2rad(50))
    assert light.sum() == pytest.approx(whole, rel=1e-5)
    light /= light.sum()
    assert (light * east).sum() == pytest.approx(0.07, abs=0.03 * cell)
    assert (light * north).sum() == pytest.approx(-0.031, abs=0.03 * cell)
    assert np.sqrt((light * plane.polar(east, north)[0] ** 2).sum()) == pytest.approx(radius, rel=2e-3)


def test_gaps_thinner_than_a_pixel_are_summed_over_it():
    """A disc of 8 pixels' radius with five gaps, steeply tilted, against 61 x 61 points a pixel."""
    wanted = settings(radius_beams=[2, 2], gaps=[5, 5], inclination_deg=[70, 70])
    for seed in range(3):
        chosen = disc.choose(field(), wanted, rng(seed))

        def brightness(east, north, chosen=chosen):
            return chosen.brightness(chosen.plane.polar(east, north)[0])

        fine = over_pixels(brightness, *offsets_arcsec(12, BEAM / 4), BEAM / 4, parts=61)
        assert np.abs(disc.render(chosen, 12, BEAM / 4) - fine).max() < 2e-3 * fine.max()


@pytest.mark.parametrize("inclination", [0.0, 35.0, 70.0])
def test_the_axis_ratio_is_the_cosine_of_the_inclination(inclination):
    wanted = settings(radius_beams=[30, 30], inclination_deg=[inclination, inclination])
    for seed in range(3):
        (shape,) = disc.draw(field(), wanted, rng(seed))
        chosen = disc.choose(field(), wanted, rng(seed))
        ratio = shape.minor_arcsec / shape.major_arcsec
        assert ratio == pytest.approx(np.cos(np.deg2rad(inclination)), rel=3e-3)
        assert shape.l / ARCSEC == pytest.approx(chosen.plane.east_arcsec, abs=0.01 * BEAM)
        assert shape.m / ARCSEC == pytest.approx(chosen.plane.north_arcsec, abs=0.01 * BEAM)
        if inclination:
            assert shape.pa_deg == pytest.approx(chosen.plane.pa_deg, abs=0.1)


def test_the_position_angle_turns_from_north_to_east():
    wanted = settings(radius_beams=[10, 10])
    chosen = disc.choose(field(), wanted, rng())
    pixels = disc.render(replace(chosen, plane=Plane(0, 0, 70.0, 30.0)), 60, BEAM / 4)
    # y grows to the north, x to the west: at 30 degrees lies north by a little east, so x falls
    along = pixels[60 + 17, 60 - 10]
    assert along > 5 * pixels[60 + 17, 60 + 10] and along > 5 * pixels[60 + 10, 60 - 17]


def test_the_light_is_one_and_lies_in_the_field():
    for seed in range(20):
        (shape,) = disc.draw(field(5), settings(), rng(seed))
        half = shape.pixels.shape[0] // 2
        assert shape.kind == "disc" and shape.cell_arcsec == BEAM / 4
        assert shape.pixels.min() >= 0 and shape.pixels.sum() == pytest.approx(1, rel=1e-12)
        y, x = np.mgrid[-half:half, -half:half] * shape.cell_arcsec
        assert np.hypot(x, y)[shape.pixels > 0].max() <= 5 * BEAM + shape.cell_arcsec


def test_a_field_smaller_than_a_beam_has_a_disc_too():
    (shape,) = disc.draw(field(0.3), settings(), rng())
    assert np.isfinite(shape.pixels).all() and shape.pixels.sum() == pytest.approx(1)


def test_gaps_are_as_many_as_wanted_and_leave_rings_between():
    for seed in range(30):
        chosen = disc.choose(field(), settings(gaps=[4, 4]), rng(seed))
        assert len(chosen.gaps) == 4
        between = [(a.radius_arcsec + b.radius_arcsec) / 2 for a, b in zip(chosen.gaps, chosen.gaps[1:])]
        for radius, inner, outer in zip(between, chosen.gaps, chosen.gaps[1:]):
            of_smooth = chosen.brightness(np.array([radius])) / chosen.smooth(np.array([radius]))
            assert of_smooth > 0.5 + (1 - max(inner.depth, outer.depth)) / 2


def test_quarter_beam_pixels_hold_what_the_longest_baselines_see():
    """Against pixels five times finer, on spacings up to one over the beam, and the pixel's own response."""
    wanted = settings(radius_beams=[4, 4], gaps=[3, 3], inclination_deg=[60, 60])
    for seed in range(10):
        chosen = disc.choose(field(), wanted, rng(seed))
        coarse, fine = (
            visibilities(disc.render(chosen, 24 * n, BEAM / 4 / n), BEAM / 4 / n, BEAM) for n in (1, 5)
        )
        assert np.abs(coarse - fine).max() < 0.015  # of the total flux


def test_the_same_seed_draws_the_same_bytes():
    first, again, other = (disc.draw(field(), settings(), rng(seed))[0].pixels for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() and first.tobytes() != other.tobytes()
