"""How an antenna's response falls off from its pointing direction."""

import numpy as np
from scipy.special import j1

from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S

# Illumination is tapered, so the pattern is that of a smaller, evenly lit dish with the secondary's
# shadow in its middle: (evenly lit diameter, shadow), metres, as CASA has it for ALMA.
EVENLY_LIT_M = {12.0: (10.7, 0.75), 7.0: (6.25, 0.75)}


def voltage(offset_rad, frequency_hz, diameter_m):
    """Voltage pattern of a dish, 1 on axis; broadcasts over offsets (radians) and frequencies (Hz).

    Airy pattern of a disc with a central shadow (Born & Wolf 1999, sect. 8.6.2), below 0 in every other ring.
    A baseline sees the product of its two dishes' patterns. For a `diameter_m` other than ALMA's 12 and 7:
    tapered as the 12 m dish, and without a shadow, of which nothing is known; good to some 10 % in width.
    UserError for a diameter that is not positive.
    """
    dish, shadow = _evenly_lit_m(diameter_m)
    x = np.pi * dish * np.sin(offset_rad) * frequency_hz / SPEED_OF_LIGHT_M_S
    ratio = shadow / dish
    return (_disc(x) - ratio**2 * _disc(ratio * x)) / (1 - ratio**2)


def power(offset_rad, frequency_hz, diameter_m):
    """Power pattern of a dish: its `voltage` squared."""
    return voltage(offset_rad, frequency_hz, diameter_m) ** 2


def half_power_width_rad(frequency_hz, diameter_m):
    """Full width at half power, radians, of `power` (1.02 wavelengths per evenly lit diameter)."""
    from scipy.optimize import brentq

    dish, _ = _evenly_lit_m(diameter_m)
    scale = SPEED_OF_LIGHT_M_S / (dish * 1e11)  # the shape in offset x frequency is the same for all
    half = brentq(lambda offset: power(offset, 1e11, diameter_m) - 0.5, 0.1 * scale, scale)
    return 2 * half * 1e11 / np.asarray(frequency_hz, float)


def half_power_width_arcsec(frequency_hz: float, diameter_m: float) -> float:
    """`half_power_width_rad` in arcsec."""
    return float(half_power_width_rad(frequency_hz, diameter_m) / ARCSEC)


def _evenly_lit_m(diameter_m) -> tuple[float, float]:
    """Evenly lit diameter and shadow, metres, of a dish."""
    diameter = float(diameter_m)
    if not 0 < diameter < np.inf:
        raise UserError(
            f"the dish diameter is {diameter:g} m; allowed: any above 0; correct the antenna table of the data"
        )
    return EVENLY_LIT_M.get(diameter, (diameter * EVENLY_LIT_M[12.0][0] / 12, 0.0))


def _disc(x):
    # 2 J1(x) / x, with its limit 1 on axis
    x = np.asarray(x, float)
    safe = np.where(np.abs(x) < 1e-6, 1.0, x)
    return np.where(np.abs(x) < 1e-6, 1.0, 2 * j1(safe) / safe)
