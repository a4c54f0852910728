"""The primary beam's picture against the power pattern it shows, and beams of arrays and mosaics."""

import numpy as np
import pytest

from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_from_radec, radec_from_lm
from almabrain.instrument import primary_beam as pattern
from almabrain.instrument.receivers import effective_area_m2
from almabrain.response.primary_beam import ArrayBeam, attenuate, baseline, dish, image, images

ROW = {
    "observation": "night", "s_ra": 150.0, "s_dec": -35.0, "t_min": 58849.31, "t_exptime": 600.0, "pwv": 1.0,
    "band_list": 6, "frequency_support": "[229.00..231.00GHz,1000.00kHz, XX YY]", "pointings": "",
}  # fmt: skip


def test_pixels_show_the_pattern_at_their_offset():
    picture = image(64, 1.0, 230e9, dish(12.0))
    assert picture[32, 32] == picture.max() == 1
    half = pattern.half_power_width_rad(230e9, 12.0) / 2 / ARCSEC
    inside, outside = picture[32, 32 + int(half)], picture[32, 33 + int(half)]
    assert inside > 0.5 > outside
    expected = pattern.power(np.arcsin(np.hypot(10, 7) * ARCSEC), 230e9, 12.0)
    assert picture[22, 39] == pytest.approx(expected)


def test_beyond_the_celestial_sphere_is_no_nan():
    assert np.isfinite(image(32, 90000.0, 35e9, dish(7.0))).all()


@pytest.mark.parametrize(("east", "north"), [(12.0, -5.0), (-300.0, 700.0)])
def test_a_pointing_sees_by_the_angle_from_itself(east, north):
    """The angle by spherical trigonometry from right ascension and declination."""
    aim, place = np.array([east, north]) * ARCSEC, np.array([east + 9.0, north + 4.0]) * ARCSEC
    l, m = lm_from_radec(*radec_from_lm(*place, 150.0, -35.0), *radec_from_lm(*aim, 150.0, -35.0))
    seen = baseline(12.0, 7.0, aim)(*place, 230e9)
    offset = np.arcsin(np.hypot(l, m))
    expected = pattern.voltage(offset, 230e9, 12.0) * pattern.voltage(offset, 230e9, 7.0)
    assert seen == pytest.approx(expected, rel=1e-8)
    # A picture has east on the left.
    picture = image(64, 1.0, 230e9, baseline(12.0, 12.0, np.array([10.0, 20.0]) * ARCSEC))
    assert np.unravel_index(picture.argmax(), picture.shape) == (52, 22)


def test_two_dishes_may_point_at_two_places():
    first, second = np.array([[3.0, -4.0], [-2.0, 6.0]]) * ARCSEC
    place = 8.0 * ARCSEC, 1.0 * ARCSEC
    offsets = [np.hypot(*(place - aim)) for aim in (first, second)]
    for sizes in ((12.0, 12.0), (12.0, 7.0)):
        seen = baseline(*sizes, first, second)(*place, 230e9)
        expected = np.prod([pattern.voltage(*pair) for pair in zip(offsets, [230e9] * 2, sizes)])
        assert seen == pytest.approx(expected, rel=1e-6)
        np.testing.assert_array_equal(
            baseline(*sizes, first, first)(*place, 230e9), baseline(*sizes, first)(*place, 230e9)
        )
    assert np.isfinite(image(32, 90000.0, 35e9, baseline(7.0, 7.0, first, second))).all()


def test_the_beam_of_unlike_dishes_lies_between_theirs():
    half = pattern.half_power_width_rad(230e9, 12.0) / 2
    both = baseline(12.0, 7.0)(half, 0.0, 230e9)
    assert both == pytest.approx(np.sqrt(0.5 * dish(7.0)(half, 0.0, 230e9)), rel=1e-6)
    assert 0.5 < both < dish(7.0)(half, 0.0, 230e9)


def test_a_single_pointing_is_the_dish_itself():
    l, frequency = np.linspace(0, 60, 9)[:, None] * ARCSEC, np.array([220e9, 240e9])
    single = ArrayBeam(np.zeros((1, 2)), ((7.0, 7.0, 1.0),))
    np.testing.assert_array_equal(single.power(l, 0.0, frequency), dish(7.0)(l, 0.0, frequency))


def names(kind, count):
    return [f"P{k}:{kind}{k:02d}" for k in range(count)]


def test_a_mixed_array_weighs_its_three_beams_by_pairs_and_areas():
    rows = [ROW | {"antenna_arrays": " ".join(names("DV", 4) + names("CM", 3))}]
    shares = {sizes: share for *sizes, share in ArrayBeam.of_rows(rows).kinds for sizes in [tuple(sizes)]}
    # Weights 1/(SEFD SEFD) go as the effective areas.
    large, small = (effective_area_m2(230e9, diameter) for diameter in (12.0, 7.0))
    parts = np.array([6 * large**2, 12 * large * small, 3 * small**2])
    assert [shares[12, 12], shares[12, 7], shares[7, 7]] == pytest.approx(parts / parts.sum(), rel=1e-6)
    assert sum(shares.values()) == pytest.approx(1)
    beam = ArrayBeam.of_rows(rows).power(15 * ARCSEC, 0.0, 230e9)
    expected = sum(share * baseline(*sizes)(15 * ARCSEC, 0.0, 230e9) for sizes, share in shares.items())
    assert beam == pytest.approx(expected)


def test_executions_count_by_their_time():
    rows = [
        ROW | {"antenna_arrays": " ".join(names("DV", 3)), "t_exptime": 100.0},
        ROW | {"antenna_arrays": " ".join(names("CM", 3)), "t_exptime": 300.0},
    ]
    (*_, large), (*_, small) = ArrayBeam.of_rows(rows).kinds
    areas = effective_area_m2(230e9, 12.0) / effective_area_m2(230e9, 7.0)
    assert large / small == pytest.approx(areas**2 / 3, rel=0.01)  # the later one is a little lower


def test_a_mosaic_responds_as_the_root_of_squares():
    width = pattern.half_power_width_rad(230e9, 12.0)
    beam = ArrayBeam(np.array([[0, 0], [width / 2, 0], [width, 0]]), ((12.0, 12.0, 1.0),))
    where = np.array([-0.3, 0.2, 0.5, 0.8]) * width
    alone = np.array([dish(12.0)(where - k * width / 2, 0.0, 230e9) for k in range(3)])
    seen = beam.power(where, 0.0, 230e9)
    assert seen / seen[2] == pytest.approx(
        np.linalg.norm(alone, axis=0) / np.linalg.norm(alone[:, 2]), rel=1e-6
    )
    assert seen[2] == pytest.approx(1) == seen.max()  # the middle one is covered best
    picture = image(128, width / 60 / ARCSEC, 230e9, beam.power)
    assert picture.max() == pytest.approx(1, abs=1e-6)
    spectrum = beam.power(where[:, None], 0.0, np.array([200e9, 230e9]))
    assert spectrum.shape == (4, 2) and spectrum[:, 1] == pytest.approx(seen)


@pytest.mark.parametrize(
    "shape",
    [
        [(0, 0), (0, 0.4)],
        [(0, 0), (0, 0.9)],
        [(0, 0), (0.5, 0), (0.25, 0.43), (-0.25, 0.43)],
        [(0.3, 0.3)] * 2,
    ],
)
def test_a_mosaic_is_one_where_it_is_covered_best(shape):
    """In units of the beam's width: close pairs are strongest between them, and so are three in a triangle."""
    width = pattern.half_power_width_rad(230e9, 12.0)
    beam = ArrayBeam(np.array(shape) * width, ((12.0, 12.0, 1.0),))
    assert image(192, width / 64 / ARCSEC, 230e9, beam.power).max() == pytest.approx(1, abs=1e-3)


def test_points_take_the_pattern_at_their_place_and_stay_there():
    offset = 8 * ARCSEC
    frequency = np.array([229e9, 231e9])
    seen = attenuate(frequency, dish(12.0), [offset, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0])
    expected = pattern.power(np.arcsin(offset), frequency, 12.0)
    np.testing.assert_allclose(seen.response, [expected, [1, 1]], rtol=1e-12)
    assert seen.l.tolist() == [offset, 0.0] and seen.major_arcsec.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("minor_arcsec", [0.0, 4.0])
def test_a_gaussian_moves_to_the_axis_and_shrinks_as_a_gaussian_behind_a_gaussian(minor_arcsec):
    """Along its major axis, which points to the axis of the beam; the product of two Gaussians is one."""
    width = pattern.half_power_width_rad(230e9, 12.0) / ARCSEC
    l0, major = 0.2 * width, 0.3 * width
    seen = attenuate([230e9], dish(12.0), [l0 * ARCSEC], [0.0], [major], [minor_arcsec], [90.0])
    share = width**2 / (width**2 + major**2)
    assert seen.l[0] / ARCSEC == pytest.approx(l0 * share, rel=0.01)
    assert seen.m[0] == pytest.approx(0, abs=1e-12)
    assert seen.major_arcsec[0] == pytest.approx(major * np.sqrt(share), rel=0.01)
    assert seen.minor_arcsec[0] == pytest.approx(minor_arcsec, rel=0.05, abs=1e-4)
    assert seen.pa_deg[0] % 180 == pytest.approx(90)


@pytest.mark.parametrize("power", [dish(12.0), baseline(12.0, 7.0, (3e-4, 1e-4))])
def test_beams_of_many_channels_are_those_of_each(power):
    frequency = np.linspace(100e9, 110e9, 40)
    for channel, beam in enumerate(images(64, 3.0, frequency, power)):
        np.testing.assert_allclose(beam, image(64, 3.0, frequency[channel], power), atol=1e-6)
