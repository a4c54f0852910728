"""Points and Gaussians in one field."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.models.points import POINT
from almabrain.sky.source import Source, component, count, gaussian_shape, place


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Source]:
    """Sources at random places, each a point or a Gaussian with equal chance."""
    made = []
    for position in place(field, count(settings, rng), settings, rng):
        shape = POINT if rng.random() < 0.5 else gaussian_shape(field, settings, rng)
        made.append(component(field, position, shape, settings, rng))
    return made
