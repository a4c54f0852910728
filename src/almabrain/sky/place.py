"""Where sources stand, and the shapes of the simplest of them."""

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC
from almabrain.sky.field import Field
from almabrain.sky.shape import Shape

_CANDIDATES = 256
_BATCHES = 40


def count(limits: tuple[int, int], rng: np.random.Generator) -> int:
    """A number between two limits, both included."""
    return int(rng.integers(limits[0], limits[1] + 1))


def log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """A number even in its logarithm between two positive limits."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def targets(field: Field, settings: SkySettings, rng: np.random.Generator) -> np.ndarray:
    """Direction cosines (source, [l, m]) of as many sources as the settings ask for, in the field's radius."""
    apart = settings.separation_beams * field.beam_arcsec * ARCSEC
    limits = field.radius_rad, settings.min_primary_beam, "sky.min_primary_beam"
    return spread(field, count(settings.sources, rng), rng, *limits, apart)


def spread(
    field: Field,
    number: int,
    rng: np.random.Generator,
    radius_rad: float,
    least_power: float,
    key: str,
    apart_rad: float = 0.0,
) -> np.ndarray:
    """Direction cosines (source, [l, m]) even over the sky where the primary beam is at least `least_power`.

    Within `radius_rad` of the phase centre, and `apart_rad` from each other where there is room. UserError
    that names `key` where the beam is nowhere so strong.
    """
    placed = np.empty((0, 2))
    for _ in range(number):
        for _ in range(_BATCHES):
            radius = np.sin(radius_rad) * np.sqrt(rng.random(_CANDIDATES))
            angle = 2 * np.pi * rng.random(_CANDIDATES)
            candidates = radius[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
            candidates = candidates[field.primary_beam(*candidates.T) >= least_power]
            if len(candidates):
                break
        else:
            raise UserError(
                f"{key} is {least_power:g}, but the primary beam within {radius_rad / ARCSEC:.4g} arcsec of "
                "the phase centre is nowhere so strong; lower it, or move the pointings to the target"
            )
        distance = np.hypot(*(candidates[:, None] - placed[None]).transpose(2, 0, 1))
        free = np.flatnonzero((distance >= apart_rad).all(axis=1))
        placed = np.vstack([placed, candidates[free[0] if free.size else 0]])
    return placed


def point(position) -> Shape:
    """A source too small to be resolved, at direction cosines `position`."""
    return Shape("point", *map(float, position))


def gaussian(position, field: Field, settings: SkySettings, rng: np.random.Generator) -> Shape:
    """A Gaussian at direction cosines `position`: an ellipse of random size, roundness and angle."""
    major = log_uniform(rng, settings.size_beams) * field.beam_arcsec
    axes = major, major * rng.uniform(0.4, 1.0), rng.uniform(0.0, 180.0)
    return Shape("gaussian", *map(float, position), *axes)
