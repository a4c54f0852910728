"""The pointings of a mosaic: offsets east and north of the target, arcsec, written as `l,m l,m ...`."""

import numpy as np

from almabrain.console.errors import UserError

MOST_POINTINGS = 1000  # ALMA itself allows 150


def parse(text: str) -> np.ndarray:
    """Offsets, arcsec, shape (pointing, 2), of a `pointings` text; UserError for one that is no two numbers."""
    offsets = []
    for number, item in enumerate(text.split(), 1):
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


def check(offsets_arcsec: np.ndarray, width_arcsec: float) -> None:
    """UserError for a pointing a half-power width of the primary beam or more from every other.

    Then not even the rims of the two beams meet. A single pointing must overlap one at the target.
    """
    offsets = np.asarray(offsets_arcsec, float).reshape(-1, 2)
    if len(offsets) > MOST_POINTINGS:
        raise UserError(
            f"the mosaic has {len(offsets)} pointings; allowed: {MOST_POINTINGS}; make it smaller or "
            "its spacing wider"
        )
    others = offsets if len(offsets) > 1 else np.vstack([offsets, [0, 0]])
    nearest = np.array(
        [np.delete(np.hypot(*(others - offset).T), i).min() for i, offset in enumerate(offsets)]
    )
    apart = np.flatnonzero(nearest >= width_arcsec)
    if len(apart):
        # Of two that lie apart the one farther from the target is the likelier mistake.
        worst = apart[np.hypot(*offsets[apart].T).argmax()]
        near = "any other" if len(offsets) > 1 else "the target"
        raise UserError(
            f"pointing {worst + 1} of the mosaic, at {offsets[worst, 0]:g}, {offsets[worst, 1]:g} arcsec, lies "
            f"{nearest[worst]:.3g} arcsec from {near}, but the primary beam is {width_arcsec:.3g} arcsec wide; "
            "move it nearer or remove it"
        )


def hexagonal(width_arcsec: float, height_arcsec: float, spacing_arcsec: float) -> np.ndarray:
    """Offsets, shape (pointing, 2), of a hexagonal pattern about the target with its centres in a rectangle.

    Neighbours are `spacing_arcsec` apart. UserError for more than MOST_POINTINGS.
    """
    step = spacing_arcsec * np.sqrt(3) / 2
    expected = (width_arcsec / spacing_arcsec + 1) * (height_arcsec / step + 1)
    if expected > 2 * MOST_POINTINGS:
        raise UserError(
            f"the mosaic needs about {expected:.2g} pointings; allowed: {MOST_POINTINGS}; make it smaller or "
            "its spacing wider"
        )
    rows = int(height_arcsec / 2 / step + 1e-9)
    columns = int(width_arcsec / spacing_arcsec) + 1
    offsets = [
        ((column + 0.5 * (row % 2)) * spacing_arcsec, row * step)
        for row in range(-rows, rows + 1)
        for column in range(-columns, columns + 1)
    ]
    return np.array([item for item in offsets if abs(item[0]) <= width_arcsec / 2 + 1e-9 * spacing_arcsec])
