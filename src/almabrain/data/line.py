"""The light of a spectral line in channels of finite width: profiles, and their exact integrals."""

from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from almabrain.data.constants import SPEED_OF_LIGHT_KM_S

# Each profile is a sum of parts (share of the flux, half width of a box, offset, standard deviation): a
# Gaussian where the box has no width, else the box blurred by that Gaussian. Their integrals are closed
# forms. Units are arbitrary: `_scale` makes the FWHM of the whole one.
# double_horn: gas spread evenly over the velocities of a rotating disc, and 0.4 of the flux piled up at the two
# ends, where the rotation curve is flat, all blurred by its dispersion; the middle has 0.53 of the peak.
# wings: a core with 0.7 of the flux on a base four times as broad, as outflows have (Maiolino et al. 2012;
# Cicone et al. 2014).
PROFILES = {
    "gaussian": ((1.0, 0.0, 0.0, 1.0),),
    "double_horn": ((0.6, 1.0, 0.0, 0.2), (0.2, 0.0, -1.0, 0.2), (0.2, 0.0, 1.0, 0.2)),
    "wings": ((0.7, 0.0, 0.0, 1.0), (0.3, 0.0, 0.0, 4.0)),
}
# In the tables of the truth the profile of a line whose gas moves across a picture: see share_of_peak.
MOVING = "model"


def mean_flux_density(
    frequency_hz: np.ndarray,
    channel_width_hz: np.ndarray,
    line_hz: float,
    flux_jy_kms: float,
    width_kms: float,
    profile: str = "gaussian",
) -> np.ndarray:
    """Mean flux density [Jy] in every channel of a line at `line_hz`: its profile integrated over the channel.

    `width_kms` is the FWHM of the whole profile in radio velocity about `line_hz`, `flux_jy_kms` the integral,
    negative for absorption; `profile` is one of PROFILES. So a channel wider than the line dilutes it, and
    the sum over channels keeps the flux. Zero for a line without frequency or width.
    """
    if not (line_hz > 0 and width_kms > 0):
        return np.zeros(np.shape(frequency_hz))
    hz_per_kms = line_hz / SPEED_OF_LIGHT_KM_S
    width_hz = np.abs(channel_width_hz)
    upper, lower = (
        (frequency_hz + side * width_hz / 2 - line_hz) / (width_kms * hz_per_kms) for side in (1, -1)
    )
    return flux_jy_kms * hz_per_kms * (share_below(upper, profile) - share_below(lower, profile)) / width_hz


def share_of_peak(
    frequency_hz: np.ndarray, channel_width_hz: np.ndarray, line_hz: float, width_kms: float
) -> np.ndarray:
    """How much of its apparent peak (0-1) a line shows in every channel where its gas moves across a picture.

    The profile of the whole says nothing about one beam: gas of other velocities shines elsewhere, about as
    brightly, as far as the FWHM reaches. So the share is that of the channel within the FWHM, over the most
    that a channel so wide can have. Zero for a line without frequency or width.
    """
    if not (line_hz > 0 and width_kms > 0):
        return np.zeros(np.shape(frequency_hz))
    channel, line = np.abs(channel_width_hz), width_kms * line_hz / SPEED_OF_LIGHT_KM_S
    middle = np.asarray(frequency_hz) - line_hz
    inside = np.minimum(middle + channel / 2, line / 2) - np.maximum(middle - channel / 2, -line / 2)
    return np.maximum(inside, 0) / np.minimum(channel, line)


def peak_flux_density(flux_jy_kms: float, width_kms: float, profile: str = "gaussian") -> float:
    """Flux density [Jy] where the profile is highest, before any channel dilutes it (see mean_flux_density)."""
    return flux_jy_kms / width_kms * peak_density(profile)


@cache
def peak_density(profile: str) -> float:
    """Peak of a profile of unit flux and unit FWHM: 0.939 for a Gaussian."""
    parts = PROFILES[profile]
    return _highest(parts)[1] * _scale(profile)


def share_below(offset: np.ndarray, profile: str) -> np.ndarray:
    """Share (0-1) of a line's flux below `offset`, counted in FWHM of the profile from the line's centre."""
    x = np.asarray(offset) * _scale(profile)
    return sum(
        share * _part_below(x - centre, half, sigma) for share, half, centre, sigma in PROFILES[profile]
    )


def _part_below(x, half: float, sigma: float):
    if half == 0:
        return ndtr(x / sigma)

    def ramp(t):
        # Integral of the normal distribution: a step of the box, blurred.
        return t * ndtr(t / sigma) + sigma * _normal(t / sigma)

    # Far above the box both ramps are large and nearly equal: count from the nearer side instead.
    below = (ramp(-np.abs(x) + half) - ramp(-np.abs(x) - half)) / (2 * half)
    return np.where(x < 0, below, 1 - below)


def _density(x, parts):
    return sum(
        share * _normal((x - centre) / sigma) / sigma
        if half == 0
        else share * (ndtr((x + half) / sigma) - ndtr((x - half) / sigma)) / (2 * half)
        for share, half, centre, sigma in parts
    )


def _normal(x):
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def _highest(parts) -> tuple[float, float]:
    """Where, at or above the centre, the profile is highest, and how high. The grid's step costs 1e-8 of it."""
    x = np.linspace(0, 2, 20001)
    density = _density(x, parts)
    return float(x[density.argmax()]), float(density.max())


@cache
def _scale(profile: str) -> float:
    """FWHM of a profile in the units of PROFILES: between the outermost points at half of its peak."""
    parts = PROFILES[profile]
    at, peak = _highest(parts)
    return 2 * brentq(lambda x: _density(x, parts) - peak / 2, at, 20, xtol=1e-12)
