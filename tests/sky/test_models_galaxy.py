"""Galaxies made by rule: shares of light as drawn, Sersic and exponential profiles, pitch of the arms, tilt."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import dblquad

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.sky.inclined import Plane, offsets_arcsec
from almabrain.sky.models import galaxy

from .conftest import visibilities

BEAM = 0.5
CELL = BEAM / 4
LARGE = {"radius_beams": [8, 8]}


def field(radius_beams=200.0):
    return SimpleNamespace(beam_arcsec=BEAM, radius_rad=radius_beams * BEAM * ARCSEC)


def settings(**galaxy_settings):
    return check(SkySettings, {"model": "galaxy", "galaxy": galaxy_settings}, "sky")


def rng(seed=1):
    return np.random.default_rng(seed)


def side_of(chosen):
    return int(galaxy.ENDS * chosen.scale_arcsec / CELL) + 4


def exponential(radius_arcsec, chosen):
    """The disc's profile as documented: exponential, from 3.5 to 4.5 scale lengths falling as cos²."""
    radius = radius_arcsec / chosen.scale_arcsec
    falling = np.where(radius < 3.5, 1.0, np.cos(np.pi / 2 * np.minimum(radius - 3.5, 1)) ** 2)
    return np.exp(-radius) * falling


def de_vaucouleurs(radius_arcsec, chosen):
    """The bulge's, with the steepness of index 4, 7.66925, and the taper of every picture's edge."""
    end = 4.5 * chosen.scale_arcsec
    falling = np.cos(np.pi / 2 * np.clip(2 * radius_arcsec / end - 1, 0, 1)) ** 2
    return np.exp(-7.66925 * (radius_arcsec / chosen.bulge_arcsec) ** 0.25) * falling


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_light_are_those_drawn_arms_or_not(seed):
    """Two profiles known by formula are fitted to means over circles, and their light is integrated."""
    wanted = settings(**LARGE, clumps=[0, 0], inclination_deg=[0, 0], bulge_share=[0.1, 0.5], arms=[2, 4])
    chosen = galaxy.choose(field(), wanted, rng(seed))
    (shape,) = galaxy.draw(field(), wanted, rng(seed))
    east, north = offsets_arcsec(shape.pixels.shape[0] // 2, shape.cell_arcsec)
    distance = np.hypot(east - chosen.plane.east_arcsec, north - chosen.plane.north_arcsec)
    rings = (distance / (2 * CELL)).astype(int)
    used = np.arange(4, int(4.4 * chosen.scale_arcsec / CELL / 2))

    def mean(values):
        return (np.bincount(rings.ravel(), values.ravel()) / np.bincount(rings.ravel()))[used]

    radius = np.linspace(0, 4.5, 400001)[1:] ** 2 / 4.5 * chosen.scale_arcsec  # fine near the cusp
    step = np.diff(radius, prepend=0)
    light = {
        form: (2 * np.pi * radius * form(radius, chosen) * step).sum()
        for form in (exponential, de_vaucouleurs)
    }
    profiles = np.array([mean(form(distance, chosen)) / light[form] for form in light]).T * CELL**2
    weight = 1 / mean(shape.pixels)
    found = np.linalg.lstsq(profiles * weight[:, None], mean(shape.pixels) * weight, rcond=None)[0]
    assert found[1] == pytest.approx(chosen.bulge_share, abs=0.0015)
    assert found.sum() == pytest.approx(1, abs=0.0015)


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.3, -0.2), (0.5, 0.5)])
def test_the_bulges_cusp_is_integrated_over_its_pixels(offset):
    """The middle pixels against adaptive quadrature; the whole against the formula's integral."""
    chosen = replace(
        galaxy.choose(field(), settings(), rng()),
        plane=Plane(offset[0] * CELL, offset[1] * CELL, 40.0, 0.0),
        scale_arcsec=6 * CELL,
        bulge_arcsec=1.1 * CELL,
    )
    half = side_of(chosen)
    light = galaxy.bulge(chosen, *offsets_arcsec(half, CELL), CELL)
    radius = np.linspace(0, 1, 400001)[1:] ** 3 * 4.5 * chosen.scale_arcsec
    whole = (2 * np.pi * radius * de_vaucouleurs(radius, chosen) * np.diff(radius, prepend=0)).sum()

    def brightness(north, east):
        return de_vaucouleurs(np.hypot(east - offset[0] * CELL, north - offset[1] * CELL), chosen)

    for x, y in [(0, 0), (1, 0), (-1, 1), (3, 0)]:
        # quadrature needs the cusp at a corner
        edges_east = sorted({(x - 0.5) * CELL, (x + 0.5) * CELL, offset[0] * CELL})
        edges_north = sorted({(y - 0.5) * CELL, (y + 0.5) * CELL, offset[1] * CELL})
        inside = [e for e in edges_east if abs(e - x * CELL) <= CELL / 2 + 1e-12]
        upright = [n for n in edges_north if abs(n - y * CELL) <= CELL / 2 + 1e-12]
        expected = sum(
            dblquad(brightness, e0, e1, n0, n1, epsrel=1e-6)[0]
            for e0, e1 in zip(inside, inside[1:])
            for n0, n1 in zip(upright, upright[1:])
        )
        assert light[half + y, half - x] == pytest.approx(expected / whole, rel=3e-3)


def test_arms_move_light_along_circles_only_and_wind_with_the_pitch_drawn():
    wanted = settings(**LARGE, clumps=[0, 0], inclination_deg=[0, 0], arms=[2, 2])
    for seed in range(4):
        chosen = replace(
            galaxy.choose(field(), wanted, rng(seed)), wander=(), patches=(), plane=Plane(0, 0, 0, 0)
        )
        half = side_of(chosen)
        east, north = offsets_arcsec(half, CELL)
        light = galaxy.disc(chosen, east, north, CELL)
        radius, azimuth = chosen.plane.polar(east, north)
        edges = chosen.scale_arcsec * np.linspace(0.3, 3, 14)
        rings = [(radius >= inner) & (radius < outer) for inner, outer in zip(edges, edges[1:])]
        waves = [
            2 * azimuth[ring] + chosen.winding * np.log(radius[ring] / chosen.scale_arcsec) for ring in rings
        ]
        turns = np.array([(light[ring] * np.exp(1j * wave)).sum() for ring, wave in zip(rings, waves)])
        assert np.abs(np.angle(turns)).max() < 0.05
        pitch = np.rad2deg(np.arctan(2 / abs(chosen.winding)))
        assert galaxy.PITCH_DEG[0] <= pitch <= galaxy.PITCH_DEG[1]
        mean = np.array([light[ring].mean() for ring in rings])
        smooth = np.array([exponential(radius[ring], chosen).mean() for ring in rings])
        assert np.ptp(np.log(mean / smooth)) < 0.006


@pytest.mark.parametrize("inclination", [30.0, 60.0, 75.0])
def test_the_disc_is_tilted_and_turned_as_drawn(inclination):
    wanted = settings(
        **LARGE, bulge_share=[0, 0], clumps=[0, 0], arms=[0, 0], inclination_deg=[inclination, inclination]
    )
    for seed in range(3):
        chosen = replace(galaxy.choose(field(), wanted, rng(seed)), patches=())
        east, north = offsets_arcsec(side_of(chosen), CELL)
        light = galaxy.disc(chosen, east, north, CELL)
        east, north = east - chosen.plane.east_arcsec, north - chosen.plane.north_arcsec
        ee, nn, en = ((light * a * b).sum() for a, b in [(east, east), (north, north), (east, north)])
        turn = np.rad2deg(np.arctan2(2 * en, nn - ee) / 2) % 180
        assert turn == pytest.approx(chosen.plane.pa_deg, abs=0.1)
        major, minor = ((ee + nn) / 2 + sign * np.hypot((ee - nn) / 2, en) for sign in (1, -1))
        assert np.sqrt(minor / major) == pytest.approx(np.cos(np.deg2rad(inclination)), rel=5e-3)


def test_clumps_lie_on_the_arms_and_hold_their_share():
    wanted = settings(radius_beams=[3, 3], clumps=[40, 40], arms=[2, 2], inclination_deg=[0, 50])
    near = []
    for seed in range(4):
        chosen = galaxy.choose(field(), wanted, rng(seed))
        bare = replace(chosen, clumps=(), bulge_share=0.0)
        assert len(chosen.clumps) == 40
        share = sum(clump.share for clump in chosen.clumps)
        assert 0.04 <= share / (1 - chosen.bulge_share) <= 0.2
        half = side_of(chosen)
        east, north = offsets_arcsec(half, CELL)
        whole = galaxy.render(chosen, half, CELL)
        smooth = (1 - chosen.bulge_share - share) * galaxy.render(bare, half, CELL)
        smooth += chosen.bulge_share * galaxy.bulge(chosen, east, north, CELL)
        assert (whole - smooth).sum() == pytest.approx(share, rel=1e-3)
        assert (whole - smooth).min() > -1e-12
        for clump in chosen.clumps:
            radius, azimuth = chosen.plane.polar(clump.east_arcsec, clump.north_arcsec)
            near.append(np.cos(chosen.arm_phase(np.log(radius / chosen.scale_arcsec), azimuth)))
    assert np.mean(near) > 0.9


def test_a_clumps_pixels_are_the_integrals_of_a_gaussian():
    clump = galaxy.Clump(0.31 * CELL, -0.2 * CELL, 0.8 * CELL, 0.1)
    light = galaxy.gaussian(clump, *offsets_arcsec(8, CELL), CELL)
    fine = (np.arange(16 * 51) + 0.5) / 51 * CELL - 8.5 * CELL
    north, east = np.meshgrid(fine, -fine, indexing="ij")
    offset = (north - clump.north_arcsec) ** 2 + (east - clump.east_arcsec) ** 2
    gauss = np.exp(-4 * np.log(2) * offset / clump.width_arcsec**2)
    pixels = gauss.reshape(16, 51, 16, 51).sum(axis=(1, 3)) / gauss.sum()
    assert np.allclose(light, pixels, atol=2e-4) and light.sum() == pytest.approx(1, abs=1e-9)


def test_the_light_is_one_and_lies_in_the_field():
    for seed in range(15):
        (shape,) = galaxy.draw(field(6), settings(), rng(seed))
        half = shape.pixels.shape[0] // 2
        assert shape.kind == "galaxy" and shape.cell_arcsec == CELL
        assert shape.pixels.min() >= 0 and shape.pixels.sum() == pytest.approx(1, rel=1e-12)
        y, x = np.mgrid[-half:half, -half:half] * shape.cell_arcsec
        outside = np.hypot(x, y) > 6 * BEAM + CELL
        assert shape.pixels[outside].sum() < 1e-4
        assert np.hypot(shape.l, shape.m) / ARCSEC < 2 * BEAM


def test_quarter_beam_pixels_hold_what_the_longest_baselines_see():
    """Against pixels three times finer, on spacings up to one over the beam, and the pixel's own response."""
    wanted = settings(radius_beams=[2, 2], inclination_deg=[60, 60])
    for seed in range(4):
        chosen = galaxy.choose(field(), wanted, rng(seed))
        half = side_of(chosen)
        coarse, fine = (
            visibilities(galaxy.render(chosen, half * n, CELL / n), CELL / n, BEAM) for n in (1, 3)
        )
        # of the total flux; the bulge's cusp, which no pixel resolves, has nearly all of it
        assert np.abs(coarse - fine).max() < 0.002 + 0.045 * chosen.bulge_share


def test_the_same_seed_draws_the_same_bytes():
    first, again, other = (galaxy.draw(field(), settings(), rng(seed))[0].pixels for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() and first.tobytes() != other.tobytes()
