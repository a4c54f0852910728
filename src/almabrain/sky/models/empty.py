"""Nothing: the field in which every detection is false."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.source import Source


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Source]:
    """No sources."""
    return []
