"""Which fields of a data set make one image: the only one, a mosaic, or those that the user names."""

from collections.abc import Sequence

import numpy as np

from almabrain.console.errors import UserError, nearest
from almabrain.data.constants import ARCSEC
from almabrain.image.raw import Source

_LONGEST_STEP_BEAMS = 2.0  # from a pointing to the next; mosaics are sampled about every half beam
_SAME_PLACE_ARCSEC = 1e-3


def choose(source: Source, asked: Sequence[str | int], window: int) -> list[int]:
    """Numbers of the fields asked for by name or number, or of all that hang together as one mosaic.

    A name stands for every field of that name. `window` is the one whose primary beam says what hangs
    together. Raises UserError for a field that is not there, and for fields too far apart for one image.
    """
    present = source.fields()
    chosen = sorted({number for item in asked for number in _matching(source, present, item)})
    chosen = chosen or sorted(present)
    places = [source.direction(number) for number in chosen] if len(chosen) > 1 else []
    if len(chosen) > 1 and not hang_together(places, source.beam_arcsec(window)):
        what = "key 'fields' names" if asked else f"{source.path} has"
        raise UserError(
            f"{what} {len(chosen)} fields with data that are no mosaic, as they lie more than "
            f"{_LONGEST_STEP_BEAMS:g} primary beams apart: {_listed(present, chosen)}; name those of one image "
            "with the key 'fields'"
        )
    return chosen


def pointings(source: Source, chosen: Sequence[int]) -> dict[int, int]:
    """The first field with the same phase centre (to a mas) for each of the chosen ones."""
    found: dict[int, int] = {}
    places = {number: source.direction(number) for number in chosen}
    for number in chosen:
        same = [
            first
            for first in dict.fromkeys(found.values())
            if separation_arcsec(places[first], places[number]) < _SAME_PLACE_ARCSEC
        ]
        found[number] = same[0] if same else number
    return found


def separation_arcsec(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Angle between two directions (RA, Dec in degrees)."""
    (ra1, dec1), (ra2, dec2) = np.radians(first), np.radians(second)
    half = np.sin((dec2 - dec1) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra2 - ra1) / 2) ** 2
    return float(2 * np.arcsin(np.sqrt(half)) / ARCSEC)


def hang_together(places: Sequence[tuple[float, float]], beam_arcsec: float) -> bool:
    """Whether every place (RA, Dec in degrees) is reached from the first by steps of at most a few primary beams."""
    step = _LONGEST_STEP_BEAMS * beam_arcsec
    waiting, reached = list(places[1:]), list(places[:1])
    while reached:
        here = reached.pop()
        near = [place for place in waiting if separation_arcsec(here, place) <= step]
        waiting = [place for place in waiting if place not in near]
        reached += near
    return not waiting


def _matching(source: Source, present: dict[int, str], asked: str | int) -> list[int]:
    matches = [number for number, name in present.items() if asked == name]
    matches = matches or [number for number in present if str(asked) == str(number)]
    if not matches:
        hint = nearest(str(asked), present.values())
        raise UserError(
            f"key 'fields' has '{asked}', but {source.path} has {_listed(present, sorted(present))}{hint}"
        )
    return matches


def _listed(present: dict[int, str], numbers: Sequence[int]) -> str:
    known = ", ".join(f"{number} ({present[number]})" for number in numbers[:10])
    return known + (", ..." if len(numbers) > 10 else "")
