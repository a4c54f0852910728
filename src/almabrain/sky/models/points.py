"""Sources too small to be resolved."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.place import point, targets
from almabrain.sky.shape import Shape


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """Point sources at random places."""
    return [point(position) for position in targets(field, settings, rng)]
