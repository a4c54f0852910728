"""How many faint sources there are on the sky, and how bright: counts at 1.2 mm."""

import numpy as np
from scipy.constants import Boltzmann, Planck, speed_of_light
from scipy.integrate import quad

# Schechter function of Fujimoto et al. (2016, ApJS 222, 1), fitted to ALMA's blind and serendipitous sources.
PER_DEGREE2 = 1.54e3
FLUX_JY = 2.35e-3
SLOPE = -2.12
FREQUENCY_HZ = speed_of_light / 1.2e-3
# Dust typical of the galaxies that make up the counts.
DUST_TEMPERATURE_K, DUST_BETA = 35.0, 1.8
# Redshifts: log(1 + z) is normal, a law of our own between the medians of ALMA's sources at 1.2 mm (1.8: Aravena
# et al. 2020, ApJ 901, 79) and of brighter ones at 870 um (2.6, with 68 % at 1.8-3.4: Dudzeviciute et al. 2020,
# MNRAS 494, 3828). None is nearer than z = 0.1: 1e-5 of them would be.
MEDIAN_REDSHIFT, LOG_SPREAD, NEAREST_REDSHIFT = 2.2, 0.25, 0.1
_GRID = 4001


def density_per_sr(flux_jy):
    """Sources per steradian and Jy at 1.2 mm: dN/dS = φ/S* (S/S*)^α exp(-S/S*), with α = -2.12 (Fujimoto et al.)."""
    ratio = np.asarray(flux_jy) / FLUX_JY
    return PER_DEGREE2 / np.deg2rad(1) ** 2 / FLUX_JY * ratio**SLOPE * np.exp(-ratio)


def number_per_sr(faintest_jy: float, brightest_jy: float) -> float:
    """Sources per steradian between two flux densities at 1.2 mm."""
    # In ln S the integrand is smooth over decades.
    value, _ = quad(
        lambda log: density_per_sr(np.exp(log)) * np.exp(log), np.log(faintest_jy), np.log(brightest_jy)
    )
    return float(value)


def draw(solid_angle_sr: float, limits_jy: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Flux densities, Jy at 1.2 mm, of the sources in an area: Poisson in number, with the counts' own spread."""
    number = rng.poisson(number_per_sr(*limits_jy) * solid_angle_sr)
    log = np.linspace(*np.log(limits_jy), _GRID)
    height = density_per_sr(np.exp(log)) * np.exp(log)
    below = np.concatenate([[0.0], np.cumsum((height[1:] + height[:-1]) / 2)])
    return np.exp(np.interp(rng.random(number), below / below[-1], log))


def draw_redshift(rng: np.random.Generator) -> float:
    """A redshift of such a galaxy, whatever windows look at it: log-normal in 1 + z with a median of 2.2."""
    redshift = (1 + MEDIAN_REDSHIFT) * np.exp(LOG_SPREAD * rng.standard_normal()) - 1
    return float(max(redshift, NEAREST_REDSHIFT))


def dust_spectrum(frequency_hz, redshift: float):
    """Flux density, over that at 1.2 mm, of such a galaxy: a modified blackbody at its redshift, optically thin."""

    def glow(hz):
        rest = np.asarray(hz) * (1 + redshift)
        return rest ** (3 + DUST_BETA) / np.expm1(Planck * rest / (Boltzmann * DUST_TEMPERATURE_K))

    return glow(frequency_hz) / glow(FREQUENCY_HZ)
