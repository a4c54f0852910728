"""Sources with an elliptical Gaussian profile."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky.field import Field
from almabrain.sky.place import gaussian, targets
from almabrain.sky.shape import Shape


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """Elliptical Gaussians of random sizes and angles at random places."""
    return [gaussian(position, field, settings, rng) for position in targets(field, settings, rng)]
