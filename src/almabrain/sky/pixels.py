"""Pictures of sources on pixels: how large, how fine, and random structure to fill them with."""

import logging

import numpy as np
from scipy import fft

from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.sky.field import Field
from almabrain.sky.shape import Shape

log = logging.getLogger(__name__)

PIXELS_PER_BEAM = 4
LARGEST_SIDE = 512
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))


def half_side(field: Field, radius_arcsec: float) -> tuple[int, float]:
    """Half the side (pixels) and the cell (arcsec) of a square picture that holds a circle of this radius.

    A quarter of the beam, coarser only where more than LARGEST_SIDE pixels would be needed.
    """
    cell = field.beam_arcsec / PIXELS_PER_BEAM
    half = int(np.ceil(radius_arcsec / cell)) + 1
    if 2 * half <= LARGEST_SIDE:
        return half, cell
    half = LARGEST_SIDE // 2
    coarser = radius_arcsec / (half - 1)
    log.info(
        "a picture of radius %.4g arcsec does not fit into %d pixels of a quarter beam: cell %.4g, not %.4g",
        *(radius_arcsec, LARGEST_SIDE, coarser, cell),
    )
    return half, coarser


def edge_taper(l, m, radius_rad: float, begin: float = 0.5) -> np.ndarray:
    """1 within `begin` of the radius, falling as cos² to 0 at it: an abrupt edge would ring on all baselines."""
    outer = np.clip((np.hypot(l, m) / radius_rad - begin) / (1 - begin), 0, 1)
    return np.where(outer < 1, np.cos(np.pi / 2 * outer) ** 2, 0.0)


def power_law_field(
    side: int, slope: float, rng: np.random.Generator, flat_above: float | None = None
) -> np.ndarray:
    """A Gaussian random field (y, x) of zero mean and unit variance whose power falls as k^slope.

    On scales above `flat_above` (a wavelength in pixels) the power is constant.
    """
    k = np.hypot(*np.meshgrid(fft.fftfreq(side), fft.rfftfreq(side), indexing="ij"))
    if flat_above:
        k = np.maximum(k, 1 / flat_above)
    k[0, 0] = 1.0
    spectrum = fft.rfft2(rng.standard_normal((side, side))) * k ** (slope / 2)
    spectrum[0, 0] = 0.0
    field = fft.irfft2(spectrum, s=(side, side))
    return field / field.std()


def picture(kind: str, pixels: np.ndarray, cell_arcsec: float, **more) -> Shape:
    """The shape of one unit of flux (minus one where the sum is negative) with the light of `pixels` (y, x).

    Place and size are those of the light's first and second moments; `more` are further values of the shape.
    """
    total = float(np.sum(pixels, dtype=float))
    (l, m), (major, minor, pa) = moments(pixels / total, *lm_grid(pixels.shape[0], cell_arcsec))
    return Shape(kind, l, m, major, minor, pa, pixels / abs(total), cell_arcsec, **more)


def moments(weight: np.ndarray, l, m) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Centroid (l, m), and FWHM (arcsec) and angle (deg) of the Gaussian with the same second moments.

    `weight` (y, x) sums to 1. Light of both signs may have no width along an axis: 0 there.
    """
    centre = float((weight * l).sum()), float((weight * m).sum())
    dl, dm = l - centre[0], m - centre[1]
    cross = (weight * dl * dm).sum()
    values, vectors = np.linalg.eigh([[(weight * dl**2).sum(), cross], [cross, (weight * dm**2).sum()]])
    minor, major = FWHM_PER_SIGMA * np.sqrt(np.maximum(values, 0)) / ARCSEC
    east, north = vectors[:, 1]
    return centre, (float(major), float(minor), float(np.rad2deg(np.arctan2(east, north)) % 180))
