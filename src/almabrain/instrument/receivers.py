"""ALMA's receiver bands and how much of the incoming signal survives to the correlator's output."""

from functools import cache
from typing import NamedTuple

import numpy as np

from almabrain.console.errors import UserError
from almabrain.data import resources
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.tables import read_table

# ALMA Technical Handbook, chapter on sensitivity: 3-bit quantisation, correlator, forward efficiency.
QUANTISATION_EFFICIENCY = 0.96
CORRELATOR_EFFICIENCY = 0.88
FORWARD_EFFICIENCY = 0.95
# The same chapter: aperture efficiency of a perfect surface, and the surface rms of 12 m and 7 m dishes.
PERFECT_APERTURE_EFFICIENCY = 0.72
SURFACE_RMS_M = {12.0: 25e-6, 7.0: 20e-6}


class Band(NamedTuple):
    """A receiver band; `image_gain` is 1 where both sidebands fall on each other (DSB), else 0."""

    number: int
    low_hz: float
    high_hz: float
    receiver_temperature_k: float
    sidebands: str
    image_gain: float


@cache
def bands() -> dict[int, Band]:
    """All receiver bands by number. Source: resources/bands.ecsv."""
    table = read_table(resources.path("bands.ecsv"))
    rows = [Band(int(row[0]), row[1] * 1e9, row[2] * 1e9, float(row[3]), str(row[4]), float(row[5]))
            for row in table.iterrows()]  # fmt: skip
    return {band.number: band for band in rows}


def band_of(*frequencies_hz: float) -> Band:
    """The band that holds all these frequencies, of two the one with the nearer centre; UserError for none."""
    low, high = min(frequencies_hz), max(frequencies_hz)
    holding = [band for band in bands().values() if band.low_hz <= low and high <= band.high_hz]
    if not holding:
        ranges = ", ".join(f"{b.number}: {b.low_hz / 1e9:g}-{b.high_hz / 1e9:g}" for b in bands().values())
        found = f"{low / 1e9:.3f} GHz lies" if low == high else f"{low / 1e9:g} to {high / 1e9:g} GHz lies"
        raise UserError(f"{found} in no ALMA band (GHz: {ranges}); choose what does")
    return min(holding, key=lambda band: abs(band.low_hz + band.high_hz - low - high))


def aperture_efficiency(frequency_hz, diameter_m):
    """Aperture efficiency of a dish of 12 or 7 m: a perfect surface's, lowered by roughness (Ruze 1966)."""
    phase_rms = 4 * np.pi * SURFACE_RMS_M[float(diameter_m)] * np.asarray(frequency_hz) / SPEED_OF_LIGHT_M_S
    return PERFECT_APERTURE_EFFICIENCY * np.exp(-(phase_rms**2))


def effective_area_m2(frequency_hz, diameter_m):
    """Effective collecting area of a dish, m²: its geometric area times the aperture efficiency."""
    return aperture_efficiency(frequency_hz, diameter_m) * np.pi * diameter_m**2 / 4
