import numpy as np
import pytest

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.sky.inclined import Plane
from almabrain.sky.models.rotating_disc import disc, draw, motion
from almabrain.sky.particles import full_width_kms

from .conftest import make_field

BEAM_ARCSEC = 0.5
FIELD = make_field(beam_arcsec=BEAM_ARCSEC)


def drawn(seed=1, **section):
    settings = check(SkySettings, {"model": "rotating_disc", "rotating_disc": section}, "sky")
    return draw(FIELD, settings, np.random.default_rng(seed))[0]


def measured_width(shape, width_kms):
    """FWHM of the whole line, between the outermost channels at half of the peak, interpolated."""
    edges = np.linspace(-1.2, 1.2, 361) * width_kms
    line, at = shape.line_pixels(edges, width_kms).sum(axis=(1, 2), dtype=float), (edges[1:] + edges[:-1]) / 2
    above, half = np.flatnonzero(line >= line.max() / 2), line.max() / 2
    left = np.interp(half, line[above[0] - 1 : above[0] + 1], at[above[0] - 1 : above[0] + 1])
    right = np.interp(-half, -line[above[-1] : above[-1] + 2], at[above[-1] : above[-1] + 2])
    return right - left


@pytest.mark.parametrize("width_kms", [20, 57, 300, 2000])
@pytest.mark.parametrize("section", [{}, {"dispersion_kms": 40, "turnover": 2.0}, {"dispersion_kms": 2}])
def test_the_whole_line_has_the_stated_width(width_kms, section):
    assert measured_width(drawn(seed=width_kms, **section), width_kms) == pytest.approx(width_kms, rel=0.01)


def test_light_sums_to_one_in_continuum_and_line_and_the_two_are_alike():
    for seed in range(4):
        shape = drawn(seed)
        assert shape.pixels.sum() == pytest.approx(1, abs=1e-9) and shape.pixels.min() >= 0
        line = shape.line_pixels(np.linspace(-900, 900, 31), 300.0)
        assert line.shape == (30, *shape.pixels.shape) and line.sum(dtype=float) == pytest.approx(1, abs=1e-6)
        assert np.allclose(line.sum(axis=0), shape.pixels, atol=1e-8)


def test_gas_thins_out_exponentially_along_the_major_axis():
    # Face-on: the mean over a pixel at radius R far from the centre is close to exp(-R / scale).
    gas = disc(60, 0.1, Plane(0, 0, 0, 0), 0.8, 0.3)
    row = gas.pixels[60]
    assert np.log(row[60 + 8] / row[60 + 24]) == pytest.approx(16 * 0.1 / 0.8, rel=5e-3)
    l, m = lm_grid(120, 0.1)
    # <R²> of an exponential cut at six scale lengths, by its closed form.
    inside = 1 - 7 * np.exp(-6)
    expected = (6 - np.exp(-6) * (6**3 + 3 * 6**2 + 6 * 6 + 6)) / inside
    radius2 = (gas.pixels * (l**2 + m**2)).sum() / (0.8 * ARCSEC) ** 2
    assert radius2 == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("pa_deg", [0, 40, 130, 200, 330])
def test_the_receding_half_lies_at_the_position_angle(pa_deg):
    gas = disc(60, 0.1, Plane(0.2, -0.1, 50, pa_deg), 0.8, 0.3)
    l, m = lm_grid(120, 0.1)
    line = gas.line_pixels(np.array([-2, -0.2, 0.2, 2]), 0.05)
    receding, nearing = (
        np.array([(side * l).sum(), (side * m).sum()]) / side.sum() for side in (line[2], line[0])
    )
    east, north = receding - nearing
    angle = np.rad2deg(np.arctan2(east, north))
    assert (angle - pa_deg + 180) % 360 - 180 == pytest.approx(0, abs=1)


def test_velocity_along_the_major_axis_follows_the_curve_and_its_projection():
    scale, turnover, dispersion, cell = 2.0, 0.5, 0.05, 0.1
    gas = disc(125, cell, Plane(0, 0, 60, 90), scale, turnover)  # the major axis is a row, receding east
    edges = np.linspace(-1.1, 1.1, 56)
    line = gas.line_pixels(edges, dispersion)
    middle = (edges[1:] + edges[:-1]) / 2
    mean = (line * middle[:, None, None]).sum(axis=0) / np.maximum(line.sum(axis=0), 1e-12)
    for distance in (-60, -20, 10, 40, 90):  # pixels to the east
        radius = abs(distance) * cell / scale
        expected = np.sign(distance) * 2 / np.pi * np.arctan(radius / turnover)
        assert mean[125, 125 - distance] == pytest.approx(expected, abs=0.01)
    # Off the axis: v = curve(R) x / R with R in the plane of the disc.
    x, y = 30, 20
    radius = np.hypot(x, y / np.cos(np.deg2rad(60))) * cell / scale
    expected = 2 / np.pi * np.arctan(radius / turnover) * x * cell / scale / radius
    assert mean[125 + y, 125 - x] == pytest.approx(expected, abs=0.01)


def test_dispersion_is_the_stated_one_unless_it_leaves_no_room_for_rotation():
    gas = disc(30, 0.1, Plane(0, 0, 60, 90), 0.5, 0.3)
    speed, dispersion = motion(gas, 300.0, 10.0)
    assert dispersion == 10 and speed > 0.45 * 300
    narrow = motion(gas, 20.0, 10.0)[1]
    assert narrow * np.sqrt(8 * np.log(2)) == pytest.approx(10)
    assert motion(gas, 1000.0, 1.0)[1] == pytest.approx(5)
    # A pixel in the flat part has the dispersion and no more.
    flat = full_width_kms(np.array([-0.1, 0.1]), np.array([1.0]), dispersion)
    assert flat == pytest.approx(23.5, abs=0.1)


def test_the_disc_stays_in_the_field_and_near_its_centre():
    for seed in range(6):
        shape = drawn(seed, radius_beams=[30, 40])
        l, m = lm_grid(len(shape.pixels), shape.cell_arcsec)
        assert np.hypot(l, m)[shape.pixels > 0].max() < FIELD.radius_rad + shape.cell_arcsec * ARCSEC
        assert np.hypot(shape.l, shape.m) < 0.51 * BEAM_ARCSEC * ARCSEC


def test_the_same_seed_gives_the_same_disc():
    one, two = drawn(5), drawn(5)
    assert np.array_equal(one.pixels, two.pixels)
    edges = np.linspace(-200, 200, 11)
    assert np.array_equal(one.line_pixels(edges, 250.0), two.line_pixels(edges, 250.0))
