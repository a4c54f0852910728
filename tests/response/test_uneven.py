"""Gaussians behind a beam, with w, against the sum over fine pixels that are each behind it."""

import numpy as np
import pytest

from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import n_minus_one
from almabrain.instrument import primary_beam as pattern
from almabrain.response.predict import predict_components
from almabrain.response.primary_beam import attenuate, baseline
from almabrain.response.uneven import expand

from .conftest import C

FREQUENCY = np.array([226e9, 234e9])
PA_DEG = 35.0


def pixel_sum(uvw, l0, m0, major, minor, power):
    """Visibilities (row, channel) of 1 Jy spread over pixels 60 times smaller than the source."""
    step = np.linspace(-2.6, 2.6, 241) * major
    east, north = (offset.ravel() for offset in np.meshgrid(step, step))
    sin, cos = np.sin(np.radians(PA_DEG)), np.cos(np.radians(PA_DEG))
    flux = np.exp(
        -4
        * np.log(2)
        * (((east * sin + north * cos) / major) ** 2 + ((east * cos - north * sin) / minor) ** 2)
    )
    l, m = (east + l0) * ARCSEC, (north + m0) * ARCSEC
    path = uvw @ np.stack([l, m, n_minus_one(l, m)])
    seen = [flux / flux.sum() * power(l, m, f) for f in FREQUENCY]
    return np.stack([np.exp(2j * np.pi * path * f / C) @ s for f, s in zip(FREQUENCY, seen, strict=True)], 1)


@pytest.mark.parametrize(("size", "error"), [(0.05, 1e-6), (0.25, 1e-6), (0.5, 2e-5), (1.0, 4e-3)])
@pytest.mark.parametrize("offset", [0.0, 0.3, 0.6, 1.2])
@pytest.mark.parametrize("dishes", [(12.0, 12.0), (12.0, 7.0)])
def test_a_gaussian_behind_a_beam_is_the_sum_of_its_pixels(size, error, offset, dishes):
    """Size and offset in widths of the 12 m beam: on axis, on its flank, beside its first null."""
    width = pattern.half_power_width_rad(230e9, 12.0) / ARCSEC
    l0, m0, major, minor = 0.8 * offset * width, -0.6 * offset * width, size * width, 0.7 * size * width
    power = baseline(*dishes)
    longest = 0.35 / (minor * ARCSEC) * C / 230e9
    uvw = np.random.default_rng(3).normal(size=(60, 3)) * longest
    sky = np.array([l0 * ARCSEC, m0 * ARCSEC, major, minor, PA_DEG])
    apparent = [column[0] for column in attenuate(FREQUENCY, power, *sky)[1:]]
    (l, m, *axes, pa), terms = expand(FREQUENCY, power, sky, apparent)
    got = predict_components(
        uvw,
        FREQUENCY,
        [[1.0, 1.0]],
        l,
        m,
        axes[0] * ARCSEC,
        axes[1] * ARCSEC,
        np.radians(pa),
        {0: terms},
    )
    np.testing.assert_allclose(got, pixel_sum(uvw, l0, m0, major, minor, power), atol=error)


def test_w_acts_over_the_extent_of_a_component_far_out():
    """Half a degree off, a plane's tilt: without it the envelope would be that of other u and v."""
    uvw = np.random.default_rng(3).normal(size=(60, 3)) * [90.0, 90.0, 300.0]
    l0, m0 = 1500.0, -900.0
    got = predict_components(
        uvw, FREQUENCY, [[1.0, 1.0]], l0 * ARCSEC, m0 * ARCSEC, 2 * ARCSEC, 1 * ARCSEC,
        np.radians(PA_DEG),
    )  # fmt: skip
    expected = pixel_sum(uvw, l0, m0, 2.0, 1.0, lambda l, m, f: np.ones_like(l))
    np.testing.assert_allclose(got, expected, atol=3e-5)
