"""Where antennas stand (pads) and how large their dishes are."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from almabrain.console.errors import UserError, nearest
from almabrain.data import resources
from almabrain.data.tables import read_table

# The first two letters say who built the antenna: Vertex (DV), AEM (DA), Mitsubishi 12 m (PM) and 7 m (CM).
DISH_DIAMETER_M = {"DA": 12.0, "DV": 12.0, "PM": 12.0, "CM": 7.0}


@cache
def _positions() -> dict[str, np.ndarray]:
    table = read_table(resources.path("pads.ecsv"))
    xyz = np.column_stack([table["x"], table["y"], table["z"]])
    return dict(zip(table["pad"].tolist(), xyz))


def unknown(pads: Sequence[str]) -> list[str]:
    """Those of the named pads that the pad table does not hold, in their order."""
    return [pad for pad in pads if pad not in _positions()]


def itrf(pads: Sequence[str]) -> np.ndarray:
    """ITRF positions, metres, shape (pad, 3), of the named pads (`A001`); UserError for an unknown one.

    Source: resources/pads.ecsv.
    """
    for pad in unknown(pads):
        raise UserError(
            f"pad '{pad}' is not in the pad table{nearest(pad, _positions())}; "
            "correct the row's antenna_arrays or leave the row out"
        )
    return np.array([_positions()[pad] for pad in pads]).reshape(-1, 3)


def dish_diameter_m(antenna: str) -> float:
    """Dish diameter, metres, by an antenna's name (`DV10`: 12, `CM02`: 7); UserError for another name."""
    try:
        return DISH_DIAMETER_M[antenna[:2]]
    except KeyError:
        raise UserError(
            f"antenna '{antenna}' is of no known kind; names begin with {', '.join(DISH_DIAMETER_M)}"
        ) from None
