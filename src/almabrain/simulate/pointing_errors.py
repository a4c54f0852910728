"""Dishes that look beside the pointing: slowly drifting offsets, and the visibilities behind such dishes."""

from collections.abc import Callable

import numpy as np

from almabrain.config.corruptions import PointingSettings
from almabrain.data.constants import ARCSEC
from almabrain.instrument import primary_beam
from almabrain.response.primary_beam import Power, baseline
from almabrain.simulate.drift import drift

_HEXAGON = np.array([(np.cos(angle), np.sin(angle)) for angle in np.arange(6) * np.pi / 3])
# Where the beams of the predictions lie, in rms of the offsets: near the typical offset of a baseline as a whole,
# and near the typical difference of its dishes.
_COMMON, _DIFFERENCE = 0.9 * _HEXAGON, 1.5 * _HEXAGON


def offsets_rad(
    settings: PointingSettings, time_mjd_s: np.ndarray, n_antennas: int, rng: np.random.Generator
) -> np.ndarray:
    """Offsets (time, antenna, 2) of the antennas, east and north, in radians.

    Each axis is a drift (`simulate.drift`) with 1/√2 of `settings.rms_arcsec`, the rms of both together.
    """
    rms_rad = settings.rms_arcsec * ARCSEC / np.sqrt(2)
    return rms_rad * drift(time_mjd_s, settings.correlation_s, (n_antennas, 2), rng)


def visibility(
    predict: Callable[[Power], np.ndarray],
    frequency_hz: np.ndarray,
    diameters_m: tuple[float, float],
    pointing_lm: tuple[float, float],
    offset1_rad: np.ndarray,
    offset2_rad: np.ndarray,
    rms_rad: float,
) -> np.ndarray:
    """Visibilities (row, channel) of baselines of one kind and pointing whose dishes look beside it.

    `predict(power)` gives the visibilities (row, channel) of the sky behind `power(l, m, frequency_hz)`, as
    in `response.primary_beam`; it is called 10 times, or 13 where `diameters_m` differ. `offset1_rad` (row, 2),
    east and north, are those of the dishes of `diameters_m[0]`, `offset2_rad` those of the others; `rms_rad`
    their rms, both axes together.

    Gaussian voltage patterns v = exp(-a|x|²), a = 2 ln 2 / FWHM², would make
    v₁(x - δ₁) v₂(x - δ₂) = v₁(x - δ) v₂(x - δ) exp(-a₁a₂/(a₁ + a₂) |Δ|²) with the difference Δ = δ₁ - δ₂ and
    the mean δ = (a₁δ₁ + a₂δ₂)/(a₁ + a₂). So what is left beside that exponential depends mostly on δ: it is
    interpolated to second order, and a part of the third, in δ and in Δ between predictions.
    """
    widths = [primary_beam.half_power_width_rad(frequency_hz, diameter) for diameter in diameters_m]
    # a₁/(a₁ + a₂) does not depend on frequency.
    share = float(np.mean(widths[1] ** 2 / (widths[0] ** 2 + widths[1] ** 2)))
    faintness = 2 * np.log(2) / (widths[0] ** 2 + widths[1] ** 2)
    difference = offset1_rad - offset2_rad
    common = share * offset1_rad + (1 - share) * offset2_rad
    nodes = np.zeros((1 + 2 * len(_HEXAGON), 4))
    nodes[1:7, :2], nodes[7:, 2:] = _COMMON, _DIFFERENCE
    weight = _terms(np.hstack([common, difference]) / rms_rad) @ np.linalg.pinv(_terms(nodes))
    if diameters_m[0] == diameters_m[1]:  # exchanging the dishes' offsets then changes nothing
        weight[:, 7:10] += weight[:, 10:]
        nodes = nodes[:10]
    total = 0.0
    for k, node in enumerate(nodes * rms_rad):
        first, second = node[:2] + (1 - share) * node[2:], node[:2] - share * node[2:]
        seen = predict(baseline(*diameters_m, pointing_lm + first, pointing_lm + second))
        total = total + weight[:, k, None] * (seen * np.exp(faintness * (node[2:] @ node[2:])))
    return total * np.exp(-np.multiply.outer((difference**2).sum(axis=1), faintness))


def _terms(place: np.ndarray) -> np.ndarray:
    """Polynomials of (x, y, p, q) that the 13 nodes tell apart, (row, 13)."""
    x, y, p, q = place.T

    def of_two(a, b):
        return [a, b, a**2, a * b, b**2, a**3 - 3 * a * b**2]

    return np.stack([np.ones(len(place)), *of_two(x, y), *of_two(p, q)], axis=1)
