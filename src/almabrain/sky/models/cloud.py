"""A molecular cloud: structure on all scales, of a power-law spectrum with random phases."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.sky.field import Field
from almabrain.sky.inclined import draw_plane, offsets_arcsec
from almabrain.sky.pixels import edge_taper, half_side, picture, power_law_field
from almabrain.sky.place import log_uniform
from almabrain.sky.shape import Shape

# The region that is brightest when smoothed by this share of the radius (sigma) is put in the middle.
REGION = 0.25
# The level above which structure shines, in its standard deviations: in the middle, and its rise to the edge.
MIDDLE, RISE = -1.0, 2.5
# Least and greatest elongation, as the tilt of a round outline.
TILT_DEG = (0.0, 60.0)


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """One cloud in the middle of the field, on pixels; smaller than asked for where there is no room.

    What a Gaussian random field with P(k) ~ k^slope rises above a level is the brightness. The level grows
    with the square of the distance from the middle, so that the outline is ragged, as a contour of CO is,
    and nothing is negative. Level and cut hardly change the slope: between 4 cycles a side and 0.35 a pixel
    it was measured as -0.95, -1.96, -2.82, -3.59 and -4.72 where -1, -2, -2.8, -3.5 and -4.5 were asked for
    (mean of 20 clouds of 258 pixels a side; one scatters by 0.08). Clouds are of this kind, random phases and
    a power law (Stutzki et al. 1998, A&A 336, 697), with slopes of -2.5 to -2.8 in CO (Bensch, Stutzki &
    Ossenkopf 2001, A&A 366, 636).
    """
    chosen = settings.cloud
    radius = min(log_uniform(rng, chosen.radius_beams) * field.beam_arcsec, field.radius_rad / ARCSEC)
    half, cell = half_side(field, radius)
    structure = _brightest_in_the_middle(power_law_field(2 * half, chosen.slope, rng), radius / cell)
    outline = replace(draw_plane(field, TILT_DEG, rng), east_arcsec=0.0, north_arcsec=0.0)
    distance, _ = outline.polar(*offsets_arcsec(half, cell))
    level = MIDDLE + RISE * (distance / radius) ** 2
    taper = edge_taper(*lm_grid(2 * half, cell), radius * ARCSEC)
    return [picture("cloud", np.maximum(structure - level, 0) * taper, cell)]


def _brightest_in_the_middle(structure: np.ndarray, radius_pix: float) -> np.ndarray:
    """A periodic field, shifted; a shift changes no power."""
    region = gaussian_filter(structure, REGION * radius_pix, mode="wrap")
    y, x = np.unravel_index(np.argmax(region), region.shape)
    middle = structure.shape[0] // 2
    return np.roll(structure, (middle - y, middle - x), axis=(0, 1))
