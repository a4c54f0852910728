"""Flat things seen at an angle, and smooth brightness summed over pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.sky.field import Field

# A source's centre lies within this many beams of the phase centre, pointed at, but not to the pixel; and
# within this share of the field's radius.
CENTRING_BEAMS, CENTRING_SHARE = 0.5, 0.25
PARTS = 8


@dataclass(frozen=True)
class Plane:
    """A plane through a source's centre (arcsec east and north of the phase centre), tilted on the sky.

    `pa_deg`, north through east, is the direction of the line that the tilt leaves as long as it is.
    """

    east_arcsec: float
    north_arcsec: float
    inclination_deg: float
    pa_deg: float

    def polar(self, east_arcsec, north_arcsec) -> tuple[np.ndarray, np.ndarray]:
        """Radius, arcsec, and azimuth, radians from the position angle, in the plane of points on the sky."""
        east, north = east_arcsec - self.east_arcsec, north_arcsec - self.north_arcsec
        sine, cosine = np.sin(np.deg2rad(self.pa_deg)), np.cos(np.deg2rad(self.pa_deg))
        along = east * sine + north * cosine
        across = (east * cosine - north * sine) / np.cos(np.deg2rad(self.inclination_deg))
        return np.hypot(along, across), np.arctan2(across, along)

    def sky(self, radius_arcsec, azimuth) -> tuple[np.ndarray, np.ndarray]:
        """Offsets east and north of the phase centre, arcsec, of points in the plane; undoes `polar`."""
        sine, cosine = np.sin(np.deg2rad(self.pa_deg)), np.cos(np.deg2rad(self.pa_deg))
        along = radius_arcsec * np.cos(azimuth)
        across = radius_arcsec * np.sin(azimuth) * np.cos(np.deg2rad(self.inclination_deg))
        return (
            self.east_arcsec + along * sine + across * cosine,
            self.north_arcsec + along * cosine - across * sine,
        )


def draw_plane(field: Field, inclination_deg: tuple[float, float], rng: np.random.Generator) -> Plane:
    """A plane near the phase centre, turned any way: even in cos i between the inclinations, and in angle."""
    distance = centring_arcsec(field) * np.sqrt(rng.random())
    towards = 2 * np.pi * rng.random()
    cosine = rng.uniform(*np.cos(np.deg2rad(inclination_deg))[::-1])
    return Plane(
        east_arcsec=float(distance * np.sin(towards)),
        north_arcsec=float(distance * np.cos(towards)),
        inclination_deg=float(np.rad2deg(np.arccos(cosine))),
        pa_deg=float(rng.uniform(0.0, 180.0)),
    )


def centring_arcsec(field: Field) -> float:
    """How far from the phase centre, arcsec, a plane's centre may lie."""
    return min(CENTRING_BEAMS * field.beam_arcsec, CENTRING_SHARE * field.radius_rad / ARCSEC)


def room_arcsec(field: Field) -> float:
    """The largest radius, arcsec, of a source in a plane that stays within the field's radius."""
    return field.radius_rad / ARCSEC - centring_arcsec(field)


def offsets_arcsec(half: int, cell_arcsec: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets east and north, arcsec, of the pixels (y, x) of a picture of side 2 * half."""
    l, m = lm_grid(2 * half, cell_arcsec)
    return l / ARCSEC, m / ARCSEC


def over_pixels(
    brightness: Callable, east_arcsec, north_arcsec, cell_arcsec: float, parts: int = PARTS
) -> np.ndarray:
    """Mean of `brightness(east, north)` over pixels with these centres, at parts x parts points of each.

    The points are the middles of a pixel's parts, so that a ring thinner than the pixel keeps its light and
    radius: to 1e-5 and 0.2 % where the FWHM is at least two parts, as it is seen.
    """
    step = ((np.arange(parts) + 0.5) / parts - 0.5) * cell_arcsec
    east = np.asarray(east_arcsec)[..., None] + step
    rows = (brightness(east, (np.asarray(north_arcsec) + shift)[..., None]).mean(axis=-1) for shift in step)
    return sum(rows) / parts
