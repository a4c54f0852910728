"""Nothing: the field in which every detection is false."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.shape import Shape


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """No sources."""
    return []
