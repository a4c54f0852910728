"""Where sources stand, and the shapes of the simplest of them."""

import math
from collections.abc import Iterator

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC
from almabrain.sky.field import Field
from almabrain.sky.shape import Shape

# After so many candidates in succession without room there is taken to be none.
_CANDIDATES = 256
# So many batches of candidates without one where the beam is strong enough, and there is no such place.
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

    Within `radius_rad` of the phase centre, and `apart_rad` from each other until there is no room for that:
    from then on anywhere. UserError that names `key` where the beam is nowhere so strong.
    """
    candidates = _candidates(field, number, rng, radius_rad, least_power, key)
    placed = _Apart(apart_rad)
    crowded, failed = apart_rad == 0, 0
    while len(placed.positions) < number:
        for position in next(candidates):
            if crowded or placed.has_room(position):
                placed.add(position)
                failed = 0
                if len(placed.positions) == number:
                    break
            else:
                failed += 1
                crowded = failed == _CANDIDATES
    return np.array(placed.positions).reshape(-1, 2)


class _Apart:
    """Positions that keep a distance, in square cells of that size: only neighbouring cells need a look."""

    def __init__(self, apart_rad: float):
        self.apart_rad = apart_rad
        self.positions: list[tuple[float, float]] = []
        self._cells: dict[tuple[int, int], list[tuple[float, float]]] = {}

    def add(self, position) -> None:
        self.positions.append(position)
        if self.apart_rad:
            self._cells.setdefault(self._cell(position), []).append(position)

    def has_room(self, position) -> bool:
        column, row = self._cell(position)
        near = [
            other
            for x in (column - 1, column, column + 1)
            for y in (row - 1, row, row + 1)
            for other in self._cells.get((x, y), ())
        ]
        return all(math.dist(position, other) >= self.apart_rad for other in near)

    def _cell(self, position) -> tuple[int, int]:
        return math.floor(position[0] / self.apart_rad), math.floor(position[1] / self.apart_rad)


def _candidates(
    field: Field, number: int, rng: np.random.Generator, radius_rad: float, least_power: float, key: str
) -> Iterator[list[tuple[float, float]]]:
    """Batches of positions even over the sky where the beam is strong enough; UserError where it never is."""
    size, missed = max(_CANDIDATES, number), 0
    while missed < _BATCHES:
        radius = np.sin(radius_rad) * np.sqrt(rng.random(size))
        angle = 2 * np.pi * rng.random(size)
        l, m = radius * np.sin(angle), radius * np.cos(angle)
        seen = field.primary_beam(l, m) >= least_power
        missed = 0 if seen.any() else missed + 1
        if seen.any():
            yield list(zip(l[seen].tolist(), m[seen].tolist()))
    raise UserError(
        f"{key} is {least_power:g}, but the primary beam within {radius_rad / ARCSEC:.4g} arcsec of "
        "the phase centre is nowhere so strong; lower it, or move the pointings to the target"
    )


def point(position) -> Shape:
    """A source too small to be resolved, at direction cosines `position`."""
    return Shape("point", *map(float, position))


def gaussian(position, field: Field, settings: SkySettings, rng: np.random.Generator) -> Shape:
    """A Gaussian at direction cosines `position`: an ellipse of random size, roundness and angle."""
    major = log_uniform(rng, settings.size_beams) * field.beam_arcsec
    axes = major, major * rng.uniform(0.4, 1.0), rng.uniform(0.0, 180.0)
    return Shape("gaussian", *map(float, position), *axes)
