"""The primary beam's picture against the power pattern it shows."""

import numpy as np
import pytest

from almabrain.instrument import primary_beam as pattern
from almabrain.response.beam import ARCSEC_RAD
from almabrain.response.primary_beam import image


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
