"""A cluster of galaxies by the hole, or the bump, that its hot gas makes in the microwave background."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.sky.field import Field
from almabrain.sky.inclined import offsets_arcsec, over_pixels
from almabrain.sky.pixels import edge_taper, half_side, picture
from almabrain.sky.place import log_uniform
from almabrain.sky.shape import Shape
from almabrain.sky.sunyaev_zeldovich import beta_profile, intensity_jy_sr, universal_profile

R500_PER_CORE = 10.0
# Of the field's radius: from here on the decrement fades.
WHOLE = 0.8


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """One round cluster at the phase centre, as bright as its central Compton parameter makes it.

    The profile is whole within half of the field's radius and fades as cos² to nothing at it: its wings go
    on for degrees, where no interferometer sees them. The flux is that of the pixels drawn.
    """
    chosen = settings.cluster
    core = log_uniform(rng, chosen.core_beams) * field.beam_arcsec
    central_y = log_uniform(rng, chosen.compton_y)
    half, cell = half_side(field, field.radius_rad / ARCSEC)

    def profile(east, north):
        radius = np.hypot(east, north)
        if chosen.profile == "beta":
            return beta_profile(radius, core, chosen.beta)
        return universal_profile(radius, R500_PER_CORE * core)

    taper = edge_taper(*lm_grid(2 * half, cell), field.radius_rad, WHOLE)
    y = central_y * taper * over_pixels(profile, *offsets_arcsec(half, cell), cell)
    y_sr = y.sum() * (cell * ARCSEC) ** 2

    def continuum_jy(frequency_hz):
        return y_sr * intensity_jy_sr(frequency_hz, chosen.electron_temperature_kev)

    return [picture("cluster", y, cell, continuum_jy=continuum_jy)]
