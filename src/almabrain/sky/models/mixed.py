"""Points and Gaussians in one field."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.place import gaussian, point, targets
from almabrain.sky.shape import Shape


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """Sources at random places, each a point or a Gaussian with equal chance."""
    return [
        point(position) if rng.random() < 0.5 else gaussian(position, field, settings, rng)
        for position in targets(field, settings, rng)
    ]
