"""A disc of dust around a young star: flat, inclined, with gaps and the rings between them."""

from dataclasses import dataclass

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.inclined import (
    Plane,
    centring_arcsec,
    draw_plane,
    offsets_arcsec,
    over_pixels,
    room_arcsec,
)
from almabrain.sky.pixels import half_side, picture
from almabrain.sky.place import count, log_uniform
from almabrain.sky.shape import Shape

# The outer radius is where the taper has fallen to this.
EDGE = 1e-3
# Within this share of the outer radius the power law is flat: dust there is opaque.
CORE = 0.03
POWER_LAW = (0.3, 1.0)
TAPER = (2.0, 6.0)
# Gaps lie between these shares of the outer radius, and are so wide (FWHM) for their radius.
GAP_RADIUS = (0.18, 0.75)
GAP_WIDTH = (0.15, 0.4)
# A gap's FWHM is at most this share of the distance, in ln r, from one gap's slot to the next.
GAP_CROWDING = 0.4
# Points along a pixel's side: gaps may be thinner than a pixel.
PARTS = 16
_RADII = 4096
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))


@dataclass(frozen=True)
class Gap:
    """A dip in brightness: radius and FWHM in arcsec; `depth` is the share of light missing there."""

    radius_arcsec: float
    width_arcsec: float
    depth: float


@dataclass(frozen=True)
class Disc:
    """A disc: brightness (r² + core²)^(-power_law/2) exp(-(r/taper radius)^taper), times its gaps.

    A power law with an exponential taper is what viscous discs have (Lynden-Bell & Pringle 1974), with free
    exponents as fitted to ALMA's discs (Long et al. 2018, ApJ 869, 17; 2019, ApJ 882, 49). The gaps are
    Gaussian; places, widths and depths are of the kind that DSHARP found (Huang et al. 2018, ApJ 869, L42).
    """

    plane: Plane
    radius_arcsec: float
    power_law: float
    taper: float
    gaps: tuple[Gap, ...]

    def smooth(self, radius_arcsec) -> np.ndarray:
        """Brightness, without unit, at radii in arcsec, as it were without gaps; 0 beyond the outer radius."""
        share = np.asarray(radius_arcsec) / self.radius_arcsec
        taper = EDGE ** (share**self.taper)
        return np.where(share < 1, (share**2 + CORE**2) ** (-self.power_law / 2) * taper, 0.0)

    def brightness(self, radius_arcsec) -> np.ndarray:
        """Brightness, without unit, at radii in arcsec."""
        left = self.smooth(radius_arcsec)
        for gap in self.gaps:
            offset = (np.asarray(radius_arcsec) - gap.radius_arcsec) / (gap.width_arcsec / FWHM_PER_SIGMA)
            left = left * (1 - gap.depth * np.exp(-(offset**2) / 2))
        return left


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """One disc near the phase centre, on pixels; smaller than asked for where the field has no room."""
    disc = choose(field, settings, rng)
    half, cell = half_side(field, disc.radius_arcsec + centring_arcsec(field))
    return [picture("disc", render(disc, half, cell), cell)]


def choose(field: Field, settings: SkySettings, rng: np.random.Generator) -> Disc:
    """The disc that `draw` puts on pixels."""
    chosen = settings.disc
    radius = min(log_uniform(rng, chosen.radius_beams) * field.beam_arcsec, room_arcsec(field))
    return Disc(
        plane=draw_plane(field, chosen.inclination_deg, rng),
        radius_arcsec=radius,
        power_law=rng.uniform(*POWER_LAW),
        taper=rng.uniform(*TAPER),
        gaps=_gaps(radius, count(chosen.gaps, rng), chosen.gap_depth, rng),
    )


def render(disc: Disc, half: int, cell_arcsec: float) -> np.ndarray:
    """Mean brightness of the disc over the pixels (y, x) of a picture of side 2 * half."""
    radii = np.linspace(0, disc.radius_arcsec, _RADII)
    profile = disc.brightness(radii)

    def brightness(east, north):
        return np.interp(disc.plane.polar(east, north)[0], radii, profile)

    return over_pixels(brightness, *offsets_arcsec(half, cell_arcsec), cell_arcsec, PARTS)


def _gaps(radius_arcsec: float, number: int, depth, rng: np.random.Generator) -> tuple[Gap, ...]:
    """Gaps with a ring between any two: one in each of equal slots in ln r, too narrow to touch the next."""
    inner, outer = np.log(GAP_RADIUS)
    slot = (outer - inner) / max(number, 1)
    gaps = []
    for index in range(number):
        place = radius_arcsec * np.exp(inner + slot * (index + rng.uniform(0.3, 0.7)))
        width = place * min(rng.uniform(*GAP_WIDTH), GAP_CROWDING * slot)
        gaps.append(Gap(float(place), float(width), float(rng.uniform(*depth))))
    return tuple(gaps)
