"""A disc of gas whose line light follows its rotation curve."""

from dataclasses import replace
from functools import cache

import numpy as np
from scipy.optimize import brentq

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.inclined import CENTRING_BEAMS, Plane, draw_plane, room_arcsec
from almabrain.sky.particles import Particles, full_width_kms, particles
from almabrain.sky.pixels import FWHM_PER_SIGMA, half_side, picture
from almabrain.sky.place import log_uniform
from almabrain.sky.shape import Shape

# Where the disc ends, in scale lengths: 98 % of an exponential's gas lies within.
EXTENT = 6.0
# A line is never blurred by more than this share of its width: the rest must be left to the rotation.
LARGEST_BLUR = 0.5
# The least dispersion, in widths: below it the steps of velocity from point to point would show.
SMALLEST_DISPERSION = 1 / 200
_VELOCITY_BINS = 4000


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """One thin disc near the phase centre: exponential surface density, arctan rotation curve, one dispersion.

    The physics of KinMS (Davis et al. 2013, MNRAS 429, 534) with the arctan curve of Courteau (1997, AJ 114,
    2402), its integrals taken over the pixels instead of drawn clouds. The continuum follows the gas. The
    disc is smaller than asked for where the field has no room.
    """
    chosen = settings.rotating_disc
    scale = min(log_uniform(rng, chosen.radius_beams) * field.beam_arcsec, room_arcsec(field) / EXTENT)
    plane = draw_plane(field, chosen.inclination_deg, rng)
    plane = replace(plane, pa_deg=plane.pa_deg + 180 * int(rng.integers(2)))
    half, cell = half_side(field, EXTENT * scale + CENTRING_BEAMS * field.beam_arcsec)
    gas = disc(half, cell, plane, scale, chosen.turnover)

    @cache  # a line's channels are asked for in several parts
    def moving(width_kms: float) -> tuple[float, float]:
        return motion(gas, width_kms, chosen.dispersion_kms)

    def line_pixels(edges_kms, width_kms: float) -> np.ndarray:
        speed, dispersion = moving(float(width_kms))
        return gas.line_pixels(np.asarray(edges_kms) / speed, dispersion / speed)

    def extent(width_kms: float) -> tuple[float, float, float]:
        speed, dispersion = moving(float(width_kms))
        return tuple(speed * value for value in gas.extent_kms(dispersion / speed))

    return [picture("rotating_disc", gas.pixels, cell, line_pixels=line_pixels, line_extent_kms=extent)]


def disc(half: int, cell_arcsec: float, plane: Plane, scale_arcsec: float, turnover: float) -> Particles:
    """The gas on 2 * half pixels a side, moving along the line of sight in units of the curve's flat part.

    The half at the plane's position angle recedes. `turnover` is the curve's bend in scale lengths.
    """
    # The finest structure is the minor axis's scale length: at least 24 parts of a pixel over it.
    tilt = np.cos(np.deg2rad(plane.inclination_deg))
    parts = int(np.clip(np.ceil(24 * cell_arcsec / (scale_arcsec * tilt)), 4, 24))
    offset = ((np.arange(2 * half * parts) + 0.5) / parts - 0.5 - half) * cell_arcsec
    radius, azimuth = plane.polar(*np.meshgrid(-offset, offset))
    inside = radius < EXTENT * scale_arcsec
    row, column = (index // parts for index in np.nonzero(inside))
    radius, cosine, sine = radius[inside] / scale_arcsec, np.cos(azimuth[inside]), np.sin(azimuth[inside])
    curve = 2 / np.pi * np.arctan(radius / turnover)
    slope = 2 / np.pi * turnover / (turnover**2 + radius**2)
    turning = np.divide(curve, radius, out=slope.copy(), where=radius > 0)
    # Change of the velocity curve(r) cos(azimuth) along both axes on the sky, per scale length.
    along = slope * cosine**2 + turning * sine**2
    across = (slope - turning) * sine * cosine / tilt
    spread = np.hypot(along, across) * cell_arcsec / parts / scale_arcsec / np.sqrt(12)
    return particles(2 * half, row * 2 * half + column, curve * cosine, np.exp(-radius), spread)


def motion(gas: Particles, width_kms: float, dispersion_kms: float) -> tuple[float, float]:
    """Speed of rotation along the line of sight and dispersion, km/s, that give the whole line this FWHM.

    The dispersion is the stated one, or less where its own FWHM would be more than half of the width, or more
    where it would be less than a two-hundredth of it.
    """
    dispersion = np.clip(
        dispersion_kms, SMALLEST_DISPERSION * width_kms, LARGEST_BLUR * width_kms / FWHM_PER_SIGMA
    )
    light, edges = np.histogram(gas.velocity_kms, _VELOCITY_BINS, (-1, 1), weights=gas.light)

    def excess(speed: float) -> float:
        return full_width_kms(speed * edges, light, dispersion) - width_kms

    highest = width_kms
    while excess(highest) < 0:
        highest *= 2
    return brentq(excess, 0.01 * width_kms, highest, rtol=1e-5), float(dispersion)
