"""The continuum of a galaxy from its infrared luminosity L_IR, which is all light of 8-1000 um in its rest frame."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.constants import c as SPEED_OF_LIGHT
from scipy.constants import h, k

from almabrain.config.sky import SedSettings
from almabrain.console.errors import UserError
from almabrain.sky.luminosity import LSUN_W
from almabrain.sky.luminosity import flux_density_jy as seen_jy

INFRARED_UM = (8.0, 1000.0)
# Points over the infrared for integrals: those of smooth spectra are good to 1e-6.
_GRID = 4096

# Dust of general opacity, thick at wavelengths shorter than this (Casey 2012, MNRAS 425, 3094).
OPAQUE_UM = 200.0
# Free-free emission is flat, synchrotron steep; shares at 1 GHz as 1 to 10 (Condon 1992, ARA&A 30, 575).
FREE_FREE_INDEX, SYNCHROTRON_INDEX = -0.1, -0.8
FREE_FREE_PER_SYNCHROTRON = 0.1
RADIO_HZ = 1.4e9
# L_IR [W] over this and over L(1.4 GHz) [W/Hz] is 10^q.
_Q_HZ = 3.75e12


@dataclass(frozen=True)
class Preset:
    """Dust temperature and emissivity index; slope of the mid-infrared power law S ~ wavelength^a; how far q,
    the ratio of infrared to radio light, lies below that of galaxies that only form stars, dex."""

    temperature_k: float
    emissivity: float
    mid_infrared_slope: float
    radio_excess_dex: float


# The temperature of star_forming puts the peak at 93 um, where that of galaxies of 5e12-1e13 L_sun lies (Casey
# et al. 2018, ApJ 862, 77); emissivity and slope are typical (Casey 2012). Dust heated by a nucleus is warmer
# and has more mid-infrared light, which is a smaller slope; radio nuclei stand out by 0.6 dex and more (Del
# Moro et al. 2013, A&A 549, A59).
PRESETS = {
    "star_forming": Preset(50.0, 1.8, 2.0, 0.0),
    "agn": Preset(60.0, 1.8, 1.2, 0.7),
}


def flux_density_jy(
    frequency_hz: np.ndarray, luminosity_lsun: float, redshift: float, settings: SedSettings
) -> np.ndarray:
    """Flux density, Jy, at observed frequencies, Hz, of a galaxy of L_IR (solar) at a redshift.

    UserError for a redshift without distance (see luminosity.distance_mpc), or a bad table.
    """
    rest_hz = np.asarray(frequency_hz) * (1 + redshift)
    return seen_jy(luminosity_w_hz(rest_hz, luminosity_lsun, redshift, settings), redshift)


def luminosity_w_hz(
    rest_hz: np.ndarray, luminosity_lsun: float, redshift: float, settings: SedSettings
) -> np.ndarray:
    """Luminosity density, W/Hz, at rest frequencies, Hz; its integral over 8-1000 um is `luminosity_lsun`.

    Dust and mid-infrared power law (Casey 2012), free-free and synchrotron emission (Condon 1992), of which
    the sum at 1.4 GHz follows from q, which falls with redshift (Delhaize et al. 2017, A&A 602, A4). Or the
    user's table, which is taken as the whole spectrum.
    """
    infrared_w = luminosity_lsun * LSUN_W
    if settings.table:
        wavelength_um, density = _table(settings.table)
        return infrared_w * _power_laws(SPEED_OF_LIGHT * 1e6 / np.asarray(rest_hz), wavelength_um, density)
    preset = PRESETS[settings.preset]
    radio, radio_infrared = (
        _radio_per_watt(np.asarray(rest_hz), redshift, preset),
        _radio_share(redshift, preset),
    )
    dust = _dust(np.asarray(rest_hz), preset) / _dust_integral(preset)
    return infrared_w * ((1 - radio_infrared) * dust + radio)


def check(settings: SedSettings) -> None:
    """UserError where sky.sed.table is not a table that gives a spectrum."""
    if settings.table:
        _table(settings.table)


def infrared_hz() -> np.ndarray:
    """Rest frequencies, Hz, ascending, evenly spaced in their logarithm over 8-1000 um."""
    return np.geomspace(*(SPEED_OF_LIGHT * 1e6 / np.array(INFRARED_UM[::-1])), _GRID)


def integral(rest_hz: np.ndarray, density: np.ndarray) -> float:
    """Integral of a density over frequency, by trapezia in the logarithm of the frequency."""
    return float(np.trapezoid(density * rest_hz, np.log(rest_hz)))


def _dust(rest_hz: np.ndarray, preset: Preset) -> np.ndarray:
    """Thermal dust and the power law of warmer dust, any unit: Casey 2012, table 1."""
    slope, temperature = preset.mid_infrared_slope, preset.temperature_k
    wavelength_um = SPEED_OF_LIGHT * 1e6 / rest_hz
    # Where the power law gives way to the thermal bump.
    turnover_um = 0.75 / ((26.68 + 6.246 * slope) ** -2 + (1.905e-4 + 7.243e-5 * slope) * temperature)
    height = _thermal(turnover_um, preset)
    power_law = (
        height * (wavelength_um / turnover_um) ** slope * np.exp(-((wavelength_um / turnover_um) ** 2))
    )
    return _thermal(wavelength_um, preset) + power_law


def _thermal(wavelength_um, preset: Preset):
    """Dust of one temperature and general opacity, W/Hz in any unit."""
    opacity = (OPAQUE_UM / wavelength_um) ** preset.emissivity
    photons = h * SPEED_OF_LIGHT * 1e6 / (wavelength_um * k * preset.temperature_k)
    # Few photons at short wavelengths: their exponential would overflow.
    return -np.expm1(-opacity) * wavelength_um**-3.0 / np.expm1(np.minimum(photons, 700))


@cache
def _dust_integral(preset: Preset) -> float:
    return integral(infrared_hz(), _dust(infrared_hz(), preset))


def q_infrared(redshift: float) -> float:
    """log10 of L_IR / 3.75e12 Hz / L(1.4 GHz) of galaxies that form stars (Delhaize et al. 2017)."""
    return 2.88 * (1 + redshift) ** -0.19


def _radio_per_watt(rest_hz: np.ndarray, redshift: float, preset: Preset) -> np.ndarray:
    """Free-free and synchrotron emission, W/Hz for every watt of L_IR. A nucleus adds synchrotron only."""
    at_radio = 10 ** -q_infrared(redshift) / _Q_HZ
    free_free = FREE_FREE_PER_SYNCHROTRON * (RADIO_HZ / 1e9) ** (FREE_FREE_INDEX - SYNCHROTRON_INDEX)
    thermal = at_radio * free_free / (1 + free_free)
    synchrotron = at_radio * 10**preset.radio_excess_dex - thermal
    ratio = rest_hz / RADIO_HZ
    return thermal * ratio**FREE_FREE_INDEX + synchrotron * ratio**SYNCHROTRON_INDEX


def _radio_share(redshift: float, preset: Preset) -> float:
    """Share of L_IR that is free-free and synchrotron emission at 8-1000 um; of the order of 1e-3."""
    return integral(infrared_hz(), _radio_per_watt(infrared_hz(), redshift, preset))


def _power_laws(at_um, wavelength_um: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Between rows of a table, and beyond its ends, power laws through the two nearest rows."""
    x, y = np.log(wavelength_um), np.log(density)
    at = np.log(at_um)
    low = np.clip(np.searchsorted(x, at) - 1, 0, x.size - 2)
    slope = np.diff(y) / np.diff(x)
    return np.exp(y[low] + slope[low] * (at - x[low]))


@cache
def _table(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths, um, rising, and L_nu per watt of L_IR of a user's table; UserError for a bad one."""
    from astropy import units
    from astropy.table import Table

    where = f"sky.sed.table is '{path}'"
    if not Path(path).is_file():
        raise UserError(f"{where}, which is no file; give the path of an ECSV or CSV table")
    try:
        table = Table.read(path, format="ascii.ecsv" if path.endswith(".ecsv") else "ascii.csv")
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{where}, which is no ECSV or CSV table ({reason}); give a valid one") from None
    missing = [name for name in ("wavelength", "luminosity") if name not in table.colnames]
    if missing:
        raise UserError(
            f"{where}, which has columns {', '.join(table.colnames)} but no column '{missing[0]}'; give "
            "wavelength (rest, um) and luminosity (L_nu)"
        )
    try:
        wavelength_um = units.Quantity(table["wavelength"], table["wavelength"].unit or "um").to_value("um")
        density = np.ma.filled(np.ma.asarray(table["luminosity"].data, float), np.nan)
    except (units.UnitsError, TypeError, ValueError):
        raise UserError(
            f"{where}, whose columns wavelength and luminosity are no wavelengths and numbers; give rest "
            "wavelengths in um and luminosities L_nu"
        ) from None
    order = np.argsort(wavelength_um)
    wavelength_um, density = np.asarray(wavelength_um, float)[order], density[order]
    if not (np.all(np.isfinite(density)) and np.all(density > 0) and np.all(wavelength_um > 0)):
        raise UserError(f"{where}, which holds values that are not positive numbers; give positive ones only")
    low, high = INFRARED_UM
    if wavelength_um.size < 2 or wavelength_um[0] > low or wavelength_um[-1] < high:
        found = f"{wavelength_um[0]:g}-{wavelength_um[-1]:g} um" if wavelength_um.size else "no wavelength"
        raise UserError(f"{where}, which covers {found}; give a table that covers {low:g}-{high:g} um")
    if np.any(np.diff(wavelength_um) == 0):
        raise UserError(f"{where}, which holds a wavelength twice; give every wavelength once")
    nodes = SPEED_OF_LIGHT * 1e6 / wavelength_um
    grid = np.union1d(infrared_hz(), nodes[(wavelength_um >= low) & (wavelength_um <= high)])
    whole = integral(grid, _power_laws(SPEED_OF_LIGHT * 1e6 / grid, wavelength_um, density))
    return wavelength_um, density / whole
