"""The pointings of a mosaic: offsets east and north of the target, arcsec, written as `l,m l,m ...`."""

from collections.abc import Sequence

import numpy as np

from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.instrument import pads, primary_beam

MOST_POINTINGS = 1000  # ALMA itself allows 150


def parse(text: str) -> np.ndarray:
    """Offsets, arcsec, shape (pointing, 2), of a `pointings` text; UserError for one that is no two numbers.

    Tables give an empty text back as a masked one: no pointing is listed in either.
    """
    offsets = []
    for number, item in enumerate("" if text is np.ma.masked else text.split(), 1):
        try:
            east, north = (float(part) for part in item.split(","))
        except ValueError:
            east = north = np.nan
        if not np.isfinite([east, north]).all():
            raise UserError(
                f"pointing {number} of its pointings is '{item}'; write each as two offsets in arcsec, east and "
                "north, as in '0,0 12.5,-3'"
            )
        offsets.append((east, north))
    return np.array(offsets).reshape(-1, 2)


def text(offsets_arcsec) -> str:
    """The `pointings` text of offsets, shape (pointing, 2)."""
    return " ".join(f"{east:.9g},{north:.9g}" for east, north in np.asarray(offsets_arcsec, float) + 0.0)


def directions(text: str) -> np.ndarray:
    """Direction cosines (pointing, 2) of a `pointings` text; of an empty one the target's alone."""
    offsets = parse(text)
    return offsets * ARCSEC if len(offsets) else np.zeros((1, 2))


def reach_arcsec(spans_hz: Sequence[tuple[float, float]], antennas: Sequence[str]) -> float:
    """How far a pointing may be from the next: the half-power width of the widest primary beam.

    That of the smallest of the named antennas' dishes at the lowest frequency. Nyquist's distance is half of
    it, and some leave a little more.
    """
    smallest_m = min(map(pads.dish_diameter_m, antennas))
    return primary_beam.half_power_width_arcsec(min(low for low, _ in spans_hz), smallest_m)


def check(offsets_arcsec: np.ndarray, reach_arcsec: float) -> None:
    """UserError for a pointing that does not hang together with the target and the rest of its mosaic.

    Pointings hang together that are at most `reach_arcsec` apart.
    """
    offsets = np.asarray(offsets_arcsec, float).reshape(-1, 2)
    if len(offsets) > MOST_POINTINGS:
        raise UserError(
            f"the mosaic has {len(offsets)} pointings; allowed: {MOST_POINTINGS}; make it smaller or "
            "its spacing wider"
        )
    reached, left = [np.zeros(2)], list(range(len(offsets)))
    while reached:
        place = reached.pop()
        near = [k for k in left if np.hypot(*(offsets[k] - place)) <= reach_arcsec]
        left = [k for k in left if k not in near]
        reached += [offsets[k] for k in near]
    if left:
        raise UserError(
            f"pointing {left[0] + 1} of the mosaic, at {offsets[left[0], 0]:g}, {offsets[left[0], 1]:g} arcsec, "
            f"overlaps neither the target nor pointings that hang together with it; allowed: at most "
            f"{reach_arcsec:.3g} arcsec, the primary beam's width, from the next; move it nearer or remove it"
        )


def hexagonal(width_arcsec: float, height_arcsec: float, spacing_arcsec: float) -> np.ndarray:
    """Offsets, shape (pointing, 2), of a hexagonal pattern about the target that covers a rectangle.

    Neighbours are `spacing_arcsec` apart; centres lie up to half of that beyond the edges, so that no place
    within is farther from a pointing than in the middle of the pattern. UserError for more than MOST_POINTINGS.
    """
    step = spacing_arcsec * np.sqrt(3) / 2
    expected = (width_arcsec / spacing_arcsec + 1) * (height_arcsec / step + 1)
    if expected > 2 * MOST_POINTINGS:
        raise UserError(
            f"the mosaic needs about {expected:.2g} pointings; allowed: {MOST_POINTINGS}; make it smaller or "
            "its spacing wider"
        )
    rows, columns = int(height_arcsec / 2 / step) + 1, int(width_arcsec / 2 / spacing_arcsec) + 2
    offsets = np.array(
        [
            ((column + 0.5 * (row % 2)) * spacing_arcsec, row * step)
            for row in range(-rows, rows + 1)
            for column in range(-columns, columns + 1)
        ]
    )
    beyond = np.maximum(np.abs(offsets) - [width_arcsec / 2, height_arcsec / 2], 0)
    return offsets[np.hypot(*beyond.T) <= (0.5 + 1e-9) * spacing_arcsec]
