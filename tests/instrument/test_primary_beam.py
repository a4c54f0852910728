import numpy as np
import pytest

from almabrain.console.errors import UserError
from almabrain.instrument import primary_beam


@pytest.mark.parametrize("diameter_m", [12.0, 7.0])
@pytest.mark.parametrize("frequency_hz", [9.1e10, 3.45e11, 8.5e11])
def test_half_power_width_agrees_with_an_integral_over_the_aperture(diameter_m, frequency_hz):
    from scipy.integrate import quad
    from scipy.optimize import brentq
    from scipy.special import j0

    dish, shadow = primary_beam.EVENLY_LIT_M[diameter_m]
    wavelength = 299792458.0 / frequency_hz

    def voltage(offset):
        return quad(lambda r: r * j0(2 * np.pi * r * np.sin(offset) / wavelength), shadow / 2, dish / 2)[0]

    guess = wavelength / dish
    half = brentq(lambda offset: (voltage(offset) / voltage(0)) ** 2 - 0.5, 0.1 * guess, guess)
    assert primary_beam.half_power_width_rad(frequency_hz, diameter_m) == pytest.approx(2 * half, rel=1e-4)
    for offset in np.array([0.2, 0.7, 1.9]) * guess:
        expected = (voltage(offset) / voltage(0)) ** 2
        assert primary_beam.power(offset, frequency_hz, diameter_m) == pytest.approx(expected, abs=1e-9)
        signed = primary_beam.voltage(offset, frequency_hz, diameter_m)
        assert signed == pytest.approx(voltage(offset) / voltage(0), abs=1e-9)


def test_width_of_a_12_m_dish_is_the_handbooks():
    # ALMA Technical Handbook: about 1.13 wavelengths per 12 m, that is 19.4 arcsec at 300 GHz
    width = np.rad2deg(primary_beam.half_power_width_rad(3e11, 12)) * 3600
    assert width == pytest.approx(1.13 * 299792458 / 3e11 / 12 * 206265, rel=0.025)


def test_shadow_narrows_the_beam_of_an_even_disc():
    width = primary_beam.half_power_width_rad(3e11, 12) * 10.7 / (299792458 / 3e11)
    assert 1.02 < width < 1.0290  # 1.0290 wavelengths per diameter without a shadow


def test_power_is_one_on_axis_and_broadcasts():
    pattern = primary_beam.power(np.array([0.0, 1e-9, 1e-5])[:, None], np.array([1e11, 3e11]), 12)
    assert pattern.shape == (3, 2)
    assert np.allclose(pattern[:2], 1)
    assert pattern[2, 1] < pattern[2, 0] < 1


def test_dishes_of_other_telescopes_scale_from_the_12_m_dish():
    # VLA, 25 m: half power at 42 arcmin / (frequency in GHz), EVLA memo 195, within a few percent
    width = np.rad2deg(primary_beam.half_power_width_rad(3e9, 25.0)) * 60
    assert width == pytest.approx(42 / 3, rel=0.15)
    even = 1.02899 * 299792458 / 3e9 / (25 * 10.7 / 12)
    assert np.deg2rad(width / 60) == pytest.approx(even, rel=1e-3)
    assert primary_beam.power(np.deg2rad(width / 120), 3e9, 25.0) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("diameter_m", [0.0, -7.0, np.nan])
def test_a_dish_without_size_is_refused(diameter_m):
    with pytest.raises(UserError, match="dish diameter"):
        primary_beam.power(0.0, 3e11, diameter_m)
