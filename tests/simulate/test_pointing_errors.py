"""Interpolated pointing errors against the exact sum, baseline by baseline, of points behind shifted beams."""

import numpy as np
import pytest

from almabrain.config.corruptions import PointingSettings
from almabrain.data.constants import ARCSEC
from almabrain.instrument import primary_beam
from almabrain.response.predict import predict_components, predict_image
from almabrain.simulate.pointing_errors import offsets_rad, visibility
from almabrain.simulate.visibility import predict

from .conftest import make_sky

C = 299_792_458.0
BAND6 = np.array([228e9, 232e9])
FWHM = primary_beam.half_power_width_rad(230e9, 12.0)
ROWS = 1500


def pair(rms_arcsec, seed=0):
    """Offsets of the two dishes of every row, as `offsets_rad` spreads them."""
    shape = (2, ROWS, 2)
    return np.random.default_rng(seed).normal(size=shape) * rms_arcsec * ARCSEC / np.sqrt(2)


def exact(uvw, frequency, flux, l, m, offset1, offset2, diameters, pointing):
    total = 0
    for jansky, east, north in zip(flux, l, m):
        angle = [
            np.hypot(east - pointing[0] - offset[:, 0], north - pointing[1] - offset[:, 1])[:, None]
            for offset in (offset1, offset2)
        ]
        beam = np.prod([primary_beam.voltage(a, frequency, d) for a, d in zip(angle, diameters)], axis=0)
        path = uvw @ (east, north, np.sqrt(1 - east**2 - north**2) - 1)
        total = total + jansky * beam * np.exp(2j * np.pi * np.outer(path, frequency / C))
    return total


def compare(points, rms_arcsec, diameters=(12.0, 12.0), pointing=(0.0, 0.0), frequency=BAND6):
    """Rms error in units of the rms effect of the errors; `points` (flux, l, m) in FWHM of the pointing."""
    flux, l, m = np.array(points, float).T
    l, m = l * FWHM + pointing[0], m * FWHM + pointing[1]
    uvw = np.random.default_rng(5).normal(size=(ROWS, 3)) * (150, 150, 20)
    offset1, offset2 = pair(rms_arcsec)
    zero = np.zeros_like(flux)

    def predict(power):
        seen = flux[:, None] * power(l[:, None], m[:, None], frequency)
        return predict_components(uvw, frequency, seen, l, m, zero, zero, zero)

    made = visibility(predict, frequency, diameters, pointing, offset1, offset2, rms_arcsec * ARCSEC)
    truth = exact(uvw, frequency, flux, l, m, offset1, offset2, diameters, pointing)
    perfect = exact(uvw, frequency, flux, l, m, 0 * offset1, 0 * offset2, diameters, pointing)
    effect = np.sqrt(np.mean(np.abs(truth - perfect) ** 2))
    return np.sqrt(np.mean(np.abs(made - truth) ** 2)) / effect, effect


PLACES = {
    "centre": [(1, 0, 0)],
    "quarter": [(1, 0.18, -0.17)],
    "half": [(1, -0.35, 0.36)],
    "beyond": [(1, 0.7, 0)],
    "several": [(1, 0, 0), (0.7, 0.3, 0.1), (0.5, -0.2, 0.45), (0.3, -0.5, -0.3), (0.2, 0.1, -0.7)],
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rms_arcsec, bar", [(0.6, 0.0015), (2.0, 0.01), (4.0, 0.04), (6.0, 0.08)])
def test_errors_of_like_dishes_are_exact_to_a_small_part_of_their_effect(place, rms_arcsec, bar):
    error, effect = compare(PLACES[place], rms_arcsec)
    assert error < bar
    assert effect > 1e-4


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rms_arcsec, bar", [(0.6, 0.005), (2.0, 0.015)])
def test_errors_of_unlike_dishes(place, rms_arcsec, bar):
    assert compare(PLACES[place], rms_arcsec, (12.0, 7.0))[0] < bar
    assert compare(PLACES[place], rms_arcsec, (7.0, 12.0))[0] < bar


def test_errors_are_those_of_the_mosaic_s_pointing():
    pointing = np.array([40.0, -25.0]) * ARCSEC
    assert compare(PLACES["several"], 2.0, pointing=pointing)[0] < 0.01


def test_no_offsets_leave_the_sky_as_it_is():
    uvw = np.random.default_rng(5).normal(size=(20, 3)) * 150
    l, m = np.array([5.0]) * ARCSEC, np.array([-3.0]) * ARCSEC
    zero = np.zeros(1)

    def predict(power):
        return predict_components(uvw, BAND6, power(l[:, None], m[:, None], BAND6), l, m, zero, zero, zero)

    made = visibility(predict, BAND6, (12.0, 12.0), (0, 0), np.zeros((20, 2)), np.zeros((20, 2)), 2 * ARCSEC)
    power = primary_beam.power(np.hypot(l, m)[0], BAND6, 12.0)
    np.testing.assert_allclose(np.abs(made), np.broadcast_to(power, made.shape), rtol=1e-9)


def test_dishes_that_look_towards_a_source_see_more_of_it():
    """The sign: offsets to the east and north of a source in the north-east raise its visibilities."""
    l = m = np.array([8.0]) * ARCSEC
    zero, uvw = np.zeros(1), np.zeros((3, 3))

    def predict(power):
        return predict_components(uvw, BAND6, power(l[:, None], m[:, None], BAND6), l, m, zero, zero, zero)

    offset = np.array([(2.0, 2.0), (0.0, 0.0), (-2.0, -2.0)]) * ARCSEC
    towards, none, away = visibility(
        predict, BAND6, (12.0, 12.0), (0.0, 0.0), offset, offset, 2 * ARCSEC
    ).real[:, 0]
    assert towards > 1.15 * none and away < 0.85 * none
    assert towards == pytest.approx(primary_beam.power(np.sqrt(2) * 6 * ARCSEC, BAND6[0], 12.0), rel=0.01)


def test_pixel_models_go_the_same_way():
    cell = 2.0 * ARCSEC
    image = np.zeros((32, 32))
    image[20, 9], image[13, 18] = 1.0, 0.4
    l, m = -(np.array([9, 18]) - 16) * cell, (np.array([20, 13]) - 16) * cell
    uvw = np.random.default_rng(5).normal(size=(ROWS, 3)) * (150, 150, 0)
    offset1, offset2 = pair(2.0)
    axis = (np.arange(32) - 16) * cell

    def predict(power):
        seen = [image * power(-axis[None, :], axis[:, None], f) for f in BAND6]
        return predict_image(uvw, BAND6, np.stack(seen), cell, 1e-8, True)

    made = visibility(predict, BAND6, (12.0, 12.0), (0.0, 0.0), offset1, offset2, 2 * ARCSEC)
    flat = uvw * (1, 1, 0)
    truth = exact(flat, BAND6, (1.0, 0.4), l, m, offset1, offset2, (12.0, 12.0), (0, 0))
    perfect = exact(flat, BAND6, (1.0, 0.4), l, m, 0 * offset1, 0 * offset2, (12.0, 12.0), (0, 0))
    assert np.std(made - truth) < 0.01 * np.std(truth - perfect)


@pytest.mark.parametrize("shape", [(4.0, 0.0, 0.0), (10.0, 6.0, 4.0), (12.0, -8.0, 7.0)])
def test_extended_components_go_the_same_way(shape):
    """The project's own prediction of a Gaussian, against the sum over fine pixels behind shifted beams."""
    major, l0, m0 = shape
    uvw = np.random.default_rng(5).normal(size=(300, 3)) * (12, 12, 0)
    offset1, offset2 = (offset[:300] for offset in pair(2.0))
    sky = make_sky([(l0, m0, 1.0, major, 0.7 * major, 35.0)], BAND6)
    made = visibility(
        lambda power: predict(sky, uvw, power, True), BAND6, (12.0, 12.0), (0.0, 0.0), offset1, offset2,
        2 * ARCSEC,
    )  # fmt: skip
    step = np.linspace(-2.2, 2.2, 41) * major
    east, north = (offset.ravel() for offset in np.meshgrid(step, step))
    sin, cos = np.sin(np.radians(35)), np.cos(np.radians(35))
    radius2 = ((east * sin + north * cos) / major) ** 2 + ((east * cos - north * sin) / (0.7 * major)) ** 2
    flux = np.exp(-4 * np.log(2) * radius2)
    points = flux / flux.sum(), (east + l0) * ARCSEC, (north + m0) * ARCSEC
    truth = exact(uvw, BAND6, *points, offset1, offset2, (12.0, 12.0), (0, 0))
    perfect = exact(uvw, BAND6, *points, 0 * offset1, 0 * offset2, (12.0, 12.0), (0, 0))
    assert np.std(made - truth) < 0.01 * np.std(truth - perfect)


def test_offsets_have_their_rms_over_both_axes_and_drift():
    settings = PointingSettings(rms_arcsec=0.6, correlation_s=300)
    drawn = offsets_rad(settings, np.arange(4) * 300.0, 20000, np.random.default_rng(0)) / ARCSEC
    assert np.sqrt((drawn**2).sum(axis=-1).mean()) == pytest.approx(0.6, rel=0.01)
    assert abs(drawn[..., 0].std() / drawn[..., 1].std() - 1) < 0.02
    correlation = np.corrcoef(drawn[..., 0])
    assert correlation[0, 1] == pytest.approx(np.exp(-1), abs=0.02)
    assert abs(np.corrcoef(drawn[0].T)[0, 1]) < 0.03
