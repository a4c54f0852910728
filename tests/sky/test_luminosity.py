"""Distances, line luminosities and the K-correction, against integrals and the literature's formulae."""

import numpy as np
import pytest
from scipy.integrate import quad

from almabrain.console.errors import UserError
from almabrain.sky import luminosity


@pytest.mark.parametrize("redshift", [0.01, 0.5, 2.0, 7.0])
def test_distance_is_the_integral_over_the_expansion(redshift):
    """Planck 2018 (H0 67.66, Omega_m 0.30966), flat, with photons and neutrinos left out: 0.1 %."""
    rate = 67.66 / 299_792.458
    comoving = quad(lambda z: 1 / np.sqrt(0.30966 * (1 + z) ** 3 + 0.69034), 0, redshift)[0] / rate
    assert luminosity.distance_mpc(redshift) == pytest.approx((1 + redshift) * comoving, rel=2e-3)


@pytest.mark.parametrize("redshift", [0.0, -0.1, 5e-5, np.nan])
def test_no_distance_is_told_in_one_sentence(redshift):
    with pytest.raises(UserError, match="sky.redshift of at least 0.0001, or sky.flux_jy") as told:
        luminosity.line_flux_jy_kms(1e7, redshift, 1e11)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("redshift", [0.05, 1.0, 6.0])
def test_line_luminosities_are_those_of_solomon_and_vanden_bout(redshift):
    """ARA&A 43, 677: L = 1.04e-3 S dv nu D^2 (solar, Jy km/s, GHz, Mpc); L' = 3.25e7 S dv nu^-2 D^2 (1+z)^-3."""
    ghz, distance = 345.796 / (1 + redshift), luminosity.distance_mpc(redshift)
    solar = luminosity.line_luminosity_lsun(2.5, redshift, ghz * 1e9)
    assert solar == pytest.approx(1.04e-3 * 2.5 * ghz * distance**2, rel=3e-3)
    assert luminosity.line_flux_jy_kms(solar, redshift, ghz * 1e9) == pytest.approx(2.5, rel=1e-12)
    kelvin = 3.25e7 * 2.5 / ghz**2 * distance**2 / (1 + redshift) ** 3
    # L = 3e-11 nu_rest^3 L' (their eq. 4, rounded by them): 8 pi k nu^3 / c^3.
    assert solar == pytest.approx(3.2e-11 * 345.796**3 * kelvin, rel=1e-2)


@pytest.mark.parametrize("redshift", [0.1, 3.0])
def test_all_light_sent_out_is_received(redshift):
    """4 pi D^2 times the integral of S over observed frequencies is the luminosity, whatever the spectrum."""
    rest = np.linspace(1e11, 1e13, 20001)
    sent = np.exp(-(((rest - 3e12) / 8e11) ** 2)) + (rest / 1e12) ** 1.3
    received = luminosity.flux_density_jy(sent, redshift) * 1e-26
    sphere = 4 * np.pi * (luminosity.distance_mpc(redshift) * 3.0856775814913673e22) ** 2
    assert sphere * np.trapezoid(received, rest / (1 + redshift)) == pytest.approx(np.trapezoid(sent, rest))
