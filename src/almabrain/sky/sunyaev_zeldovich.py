"""The thermal Sunyaev-Zel'dovich effect: its spectrum, and profiles of the Compton parameter on the sky."""

import numpy as np
from scipy.constants import c, h, k

T_CMB_K = 2.7255  # Fixsen 2009, ApJ 707, 916
ELECTRON_REST_KEV = 510.99895
# Universal pressure profile: Arnaud et al. 2010, A&A 517, A92, eqs. 11 and 12.
C500, GAMMA, ALPHA, BETA = 1.177, 0.3081, 1.0510, 5.4905
# Pressure beyond this radius, in r500, is left out: the accretion shock (Arnaud et al. 2010, section 6).
OUTER_R500 = 5.0
_RADII, _DEPTHS = 400, 2000


def intensity_jy_sr(frequency_hz, temperature_kev: float = 0.0):
    """Change of the sky's intensity [Jy/sr] per unit of y at a frequency: negative below 217.5 GHz.

    Sunyaev & Zel'dovich (1980, ARA&A 18, 537); with the electrons' temperature also the relativistic
    correction of first order (Itoh, Kohyama & Nozawa 1998, ApJ 502, 7, section 2: Y0 and Y1).
    """
    x = h * np.asarray(frequency_hz, float) / (k * T_CMB_K)
    wide = x / np.tanh(x / 2)
    narrow = x / np.sinh(np.minimum(x, 1000) / 2)  # beyond that it is 0, and sinh would overflow
    shape = wide - 4
    theta = temperature_kev / ELECTRON_REST_KEV
    first = -10 + 23.5 * wide - 8.4 * wide**2 + 0.7 * wide**3 + narrow**2 * (-4.2 + 1.4 * wide)
    planck = x**2 * narrow**2 / 4  # x^4 e^x / (e^x - 1)^2
    return 2 * (k * T_CMB_K) ** 3 / (h * c) ** 2 * planck * (shape + theta * first) / 1e-26


def beta_profile(radius, core: float, beta: float):
    """y over its central value at projected radii, in the units of `core`: an isothermal beta model.

    Cavaliere & Fusco-Femiano (1976, A&A 49, 137): pressure ~ (1 + r²/core²)^(-3 beta / 2).
    """
    return (1 + (np.asarray(radius) / core) ** 2) ** (0.5 - 1.5 * beta)


def universal_profile(radius, r500: float):
    """y over its central value at projected radii, in the units of `r500`: the generalised NFW pressure.

    Arnaud et al. (2010) projected along the line of sight by quadrature, in steps even in the radius's
    logarithm; 0 beyond 5 r500.
    """
    share = np.asarray(radius) / r500
    nodes = np.append(0.0, np.geomspace(1e-4, OUTER_R500, _RADII))
    projected = np.array([_projected(node) for node in nodes])
    return np.interp(share, nodes, projected / projected[0], right=0.0)


def pressure(radius_r500):
    """The universal pressure profile, without its amplitude, at radii in r500."""
    x = C500 * np.asarray(radius_r500)
    return x**-GAMMA * (1 + x**ALPHA) ** ((GAMMA - BETA) / ALPHA)


def _projected(radius: float) -> float:
    """Integral of the pressure along the half line of sight that passes at `radius` [r500]."""
    if radius >= OUTER_R500:
        return 0.0
    # Substitute depth = e^t: the pressure's cusp at the centre becomes smooth.
    t = np.linspace(np.log(1e-9), np.log(np.sqrt(OUTER_R500**2 - radius**2)), _DEPTHS)
    depth = np.exp(t)
    return float(np.trapezoid(pressure(np.hypot(radius, depth)) * depth, t))
