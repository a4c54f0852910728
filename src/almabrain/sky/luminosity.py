"""From luminosities to flux densities and back, in the cosmology of Planck 2018 (astropy's Planck18)."""

from functools import lru_cache

import numpy as np
from astropy import constants, units

from almabrain.config.sky import LEAST_REDSHIFT
from almabrain.console.errors import UserError

LSUN_W = constants.L_sun.value
_MPC_M = (1 * units.Mpc).to_value("m")
_JY = 1e-26


@lru_cache(maxsize=256)
def distance_mpc(redshift: float) -> float:
    """Luminosity distance, Mpc; UserError for a redshift that gives none."""
    from astropy.cosmology import Planck18

    if not redshift >= LEAST_REDSHIFT:
        raise UserError(
            f"a source with a luminosity has redshift {redshift:g}, at which it has no distance; give "
            f"sky.redshift of at least {LEAST_REDSHIFT:g}, or sky.flux_jy in place of sky.luminosity_lsun"
        )
    return float(Planck18.luminosity_distance(redshift).to_value("Mpc"))


def _sphere_m2(redshift: float) -> float:
    """4 pi D_L^2, m^2."""
    return 4 * np.pi * (distance_mpc(redshift) * _MPC_M) ** 2


def line_flux_jy_kms(luminosity_lsun: float, redshift: float, observed_hz: float) -> float:
    """Integrated flux, Jy km/s (velocities about the observed frequency), of a line's luminosity, solar.

    L = 4 pi D_L^2 integral(S dnu_obs): Solomon & Vanden Bout 2005 (ARA&A 43, 677), eq. 1.
    """
    return luminosity_lsun / line_luminosity_lsun(1.0, redshift, observed_hz)


def line_luminosity_lsun(flux_jy_kms: float, redshift: float, observed_hz: float) -> float:
    """Luminosity, solar, of a line's integrated flux, Jy km/s: the inverse of line_flux_jy_kms."""
    hz_per_kms = observed_hz / (constants.c.value / 1e3)
    return flux_jy_kms * _JY * hz_per_kms * _sphere_m2(redshift) / LSUN_W


def flux_density_jy(luminosity_w_hz, redshift: float):
    """Flux density, Jy, at nu of a luminosity density, W/Hz, at nu (1+z) in the rest frame.

    S(nu) = (1+z) L_nu(nu (1+z)) / (4 pi D_L^2): the factor is the K-correction of a density in frequency.
    """
    return (1 + redshift) * np.asarray(luminosity_w_hz) / _sphere_m2(redshift) / _JY
