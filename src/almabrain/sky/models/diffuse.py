"""A smooth, positive random structure on pixels, as of dust."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.sky.field import Field
from almabrain.sky.pixels import edge_taper, half_side, picture, power_law_field
from almabrain.sky.shape import Shape


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """One log-normal field that fills the field's radius; its logarithm has a power-law spectrum.

    The default slope of -3 is near what dust maps show (Miville-Deschênes et al. 2016, A&A 593, A4).
    """
    chosen = settings.diffuse
    half, cell = half_side(field, field.radius_rad / ARCSEC)
    flat_above = chosen.correlation_beams and chosen.correlation_beams * field.beam_arcsec / cell
    logarithm = chosen.log_scatter * power_law_field(2 * half, chosen.slope, rng, flat_above)
    taper = edge_taper(*lm_grid(2 * half, cell), field.radius_rad)
    return [picture("diffuse", np.exp(logarithm) * taper, cell)]
