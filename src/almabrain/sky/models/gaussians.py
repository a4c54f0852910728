"""Sources with an elliptical Gaussian profile."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.source import Source, component, count, gaussian_shape, place


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Source]:
    """Elliptical Gaussians of random sizes and angles at random places."""
    positions = place(field, count(settings, rng), settings, rng)
    return [
        component(field, position, gaussian_shape(field, settings, rng), settings, rng)
        for position in positions
    ]
