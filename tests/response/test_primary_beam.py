"""The primary beam's picture against the power pattern it shows."""

import numpy as np
import pytest

from almabrain.instrument import primary_beam as pattern
from almabrain.response.beam import ARCSEC_RAD
from almabrain.response.primary_beam import attenuate, image


def test_pixels_show_the_pattern_at_their_offset():
    picture = image(64, 1.0, 230e9, 12.0)
    assert picture[32, 32] == picture.max() == 1
    half = pattern.half_power_width_rad(230e9, 12.0) / 2 / ARCSEC_RAD
    inside, outside = picture[32, 32 + int(half)], picture[32, 33 + int(half)]
    assert inside > 0.5 > outside
    expected = pattern.power(np.arcsin(np.hypot(10, 7) * ARCSEC_RAD), 230e9, 12.0)
    assert picture[22, 39] == pytest.approx(expected)


def test_beyond_the_celestial_sphere_is_no_nan():
    assert np.isfinite(image(32, 90000.0, 35e9, 7.0)).all()


def test_points_take_the_pattern_at_their_place_and_stay_there():
    offset = 8 * ARCSEC_RAD
    frequency = np.array([229e9, 231e9])
    seen = attenuate(frequency, 12.0, [offset, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0])
    expected = pattern.power(np.arcsin(offset), frequency, 12.0)
    np.testing.assert_allclose(seen.response, [expected, [1, 1]], rtol=1e-12)
    assert seen.l.tolist() == [offset, 0.0] and seen.major_arcsec.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("minor_arcsec", [0.0, 4.0])
def test_a_gaussian_moves_to_the_axis_and_shrinks_as_a_gaussian_behind_a_gaussian(minor_arcsec):
    """Along its major axis, which points to the axis of the beam; the product of two Gaussians is one."""
    width = pattern.half_power_width_rad(230e9, 12.0) / ARCSEC_RAD
    l0, major = 0.2 * width, 0.3 * width
    seen = attenuate([230e9], 12.0, [l0 * ARCSEC_RAD], [0.0], [major], [minor_arcsec], [90.0])
    share = width**2 / (width**2 + major**2)
    assert seen.l[0] / ARCSEC_RAD == pytest.approx(l0 * share, rel=0.01)
    assert seen.m[0] == pytest.approx(0, abs=1e-12)
    assert seen.major_arcsec[0] == pytest.approx(major * np.sqrt(share), rel=0.01)
    assert seen.minor_arcsec[0] == pytest.approx(minor_arcsec, rel=0.05, abs=1e-4)
    assert seen.pa_deg[0] % 180 == pytest.approx(90)
