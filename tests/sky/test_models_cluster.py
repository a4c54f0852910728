from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling.physical_models import BlackBody
from scipy.integrate import quad
from scipy.optimize import brentq

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.sky.field import cut_window
from almabrain.sky.models.cluster import draw
from almabrain.sky.sunyaev_zeldovich import (
    T_CMB_K,
    beta_profile,
    intensity_jy_sr,
    pressure,
    universal_profile,
)

from .conftest import make_field

FIELD = make_field(
    windows=(cut_window(91e9, 93e9, 4),),
    reference_frequency_hz=92e9,
    beam_arcsec=4.0,
    radius_rad=60 * ARCSEC,
)
HZ_PER_X = 1.380649e-23 * T_CMB_K / 6.62607015e-34


def drawn(seed=1, field=FIELD, **section):
    settings = check(SkySettings, {"model": "cluster", "cluster": section}, "sky")
    return draw(field, settings, np.random.default_rng(seed))[0]


def test_the_null_lies_at_217_5_ghz_with_a_hole_below_and_a_bump_above():
    null = brentq(intensity_jy_sr, 200e9, 240e9)
    assert null == pytest.approx(217.5e9, rel=1e-4) and null / HZ_PER_X == pytest.approx(3.830, abs=1e-3)
    assert np.all(intensity_jy_sr(np.array([1e9, 90e9, 150e9, 217e9])) < 0)
    assert np.all(intensity_jy_sr(np.array([218e9, 345e9, 900e9, 5e12])) > 0)
    assert np.isfinite(intensity_jy_sr(np.array([1e6, 1e15]))).all()


def test_at_long_waves_the_background_is_2y_colder():
    frequency = 1e9
    warm, warmer = (
        BlackBody(T_CMB_K * (1 + more) * u.K)(frequency * u.Hz).to_value(u.Jy / u.sr) for more in (0, 1e-6)
    )
    assert intensity_jy_sr(frequency) == pytest.approx(-2 * (warmer - warm) / 1e-6, rel=1e-4)


def test_spectrum_is_kompaneets_diffusion_of_photons():
    # dn/dy = x^-2 d/dx (x^4 dn/dx) for the black body's occupation n, by differences.
    def occupation(x):
        return 1 / np.expm1(x)

    for x in (0.5, 2.0, 5.0, 9.0):
        step = 1e-3
        flow = [
            at**4 * (occupation(at + step) - occupation(at - step)) / (2 * step)
            for at in (x - step, x + step)
        ]
        change = (flow[1] - flow[0]) / (2 * step) / x**2
        expected = 2 * 6.62607015e-34 * (x * HZ_PER_X) ** 3 / 299792458.0**2 * change / 1e-26
        assert intensity_jy_sr(x * HZ_PER_X) == pytest.approx(expected, rel=1e-4)


def test_hot_electrons_weaken_the_hole_and_move_the_null():
    # -2y (1 - 17/10 theta) at long waves, the null at 3.83 (1 + 1.13 theta) (Challinor & Lasenby 1998, ApJ 499, 1).
    theta = 0.001
    ratio = intensity_jy_sr(1e9, theta * 510.99895) / intensity_jy_sr(1e9)
    assert ratio == pytest.approx(1 - 1.7 * theta, abs=1e-5)
    null = brentq(lambda x: intensity_jy_sr(x * HZ_PER_X, theta * 510.99895), 3.5, 4.2)
    assert null / 3.830016 - 1 == pytest.approx(1.13 * theta, rel=0.01)


def test_beta_profile_is_its_pressure_along_the_line_of_sight():
    def along(radius, core=2.0, beta=0.7):
        return quad(lambda z: (1 + (radius**2 + z**2) / core**2) ** (-1.5 * beta), 0, np.inf)[0]

    for radius in (0.5, 2.0, 9.0):
        assert beta_profile(radius, 2.0, 0.7) == pytest.approx(along(radius) / along(0.0), rel=1e-6)


def test_universal_profile_is_its_pressure_along_the_line_of_sight():
    # By a pocket calculator: x = 1.177, 0.9510 * 2.1868^-4.9309; x = 0.5885, 1.1775 * 1.5728^-4.9309.
    assert pressure(1.0) / pressure(0.5) == pytest.approx(0.02008 / 0.12623, rel=1e-3)

    def along(radius):
        depth = np.sqrt(25 - radius**2)
        points = [1e-4, 1e-3, 1e-2, 0.1]
        return quad(lambda z: pressure(np.hypot(radius, z)), 0, depth, points=points, limit=500)[0]

    centre = along(0.0)
    for radius in (1e-3, 0.03, 0.3, 1.0, 4.0):
        assert universal_profile(3.0 * radius, 3.0) == pytest.approx(along(radius) / centre, rel=2e-3)
    assert universal_profile(0.0, 3.0) == 1 and universal_profile(15.1, 3.0) == 0


@pytest.mark.parametrize("profile", ["gnfw", "beta"])
def test_flux_is_that_of_the_pixels_drawn(profile):
    shape = drawn(profile=profile, compton_y=[1e-4, 1e-4], core_beams=[2, 2])
    assert shape.pixels.sum() == pytest.approx(1) and shape.pixels.min() >= 0
    flux = shape.continuum_jy(np.array([92e9, 345e9]))
    assert flux[0] < 0 < flux[1]
    # Per solid angle the brightest pixel shows the central y times the spectrum, but for its finite size.
    middle = len(shape.pixels) // 2
    solid_angle = (shape.cell_arcsec * ARCSEC) ** 2
    central = flux[0] * shape.pixels[middle, middle] / solid_angle
    expected = 1e-4 * intensity_jy_sr(92e9)
    assert central == pytest.approx(expected, rel=0.04) and abs(central) < abs(expected)


def test_profile_on_the_pixels_and_its_fading_at_the_edge():
    shape = drawn(profile="beta", core_beams=[2, 2], beta=0.8, compton_y=[2e-4, 2e-4])
    l, m = lm_grid(len(shape.pixels), shape.cell_arcsec)
    radius = np.hypot(l, m) / ARCSEC
    whole = (radius > 5) & (radius < 47)
    expected = beta_profile(radius, 8.0, 0.8)
    ratio = shape.pixels[whole] / expected[whole]
    assert ratio.std() / ratio.mean() < 2e-3
    # In Jy/pixel: the central y times the spectrum times the pixel's solid angle.
    solid_angle = (shape.cell_arcsec * ARCSEC) ** 2
    expected_jy = 2e-4 * intensity_jy_sr(92e9) * solid_angle
    assert ratio.mean() * shape.continuum_jy(92e9) == pytest.approx(expected_jy, rel=2e-3)
    assert shape.pixels[radius >= 60].max() == 0
    # From 0.8 of the field's radius on it fades as cos², and nothing else happens to it.
    fading = (radius > 48.5) & (radius < 59.5)
    fade = np.cos(np.pi / 2 * (radius[fading] / 60 - 0.8) / 0.2) ** 2
    np.testing.assert_allclose(
        shape.pixels[fading],
        ratio.mean() * expected[fading] * fade,
        rtol=5e-3,
        atol=1e-4 * ratio.mean() * 0.06,
    )
    assert np.hypot(shape.l, shape.m) < 0.01 * ARCSEC


def test_the_flux_does_not_depend_on_the_pixels():
    settings = {"profile": "gnfw", "compton_y": [1e-4, 1e-4]}
    fluxes = []
    for beam in (2.0, 4.0, 8.0):
        field = replace(FIELD, beam_arcsec=beam)
        shape = drawn(field=field, core_beams=[8 / beam, 8 / beam], **settings)
        fluxes.append(shape.continuum_jy(92e9))
    assert np.ptp(fluxes) / abs(np.mean(fluxes)) < 2e-3
