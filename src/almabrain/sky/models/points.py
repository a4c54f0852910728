"""Sources too small to be resolved."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.source import Source, component, count, place

POINT = (0.0, 0.0, 0.0)


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Source]:
    """Point sources at random places."""
    positions = place(field, count(settings, rng), settings, rng)
    return [component(field, position, POINT, settings, rng) for position in positions]
