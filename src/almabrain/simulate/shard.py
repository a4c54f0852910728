"""Which simulations a shard of sky models asks for, and the executions that belong to each."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from almabrain.console.errors import UserError
from almabrain.data import store


def simulations(sky: str | Path, rows: Table, source: str | Path) -> dict[str, tuple[Table, list[str]]]:
    """Rows and window names (`spw0`, ...) of every simulation in a sky shard, in their order.

    To simulation `sim-000012` belong those of `rows`, which came from the file `source`, whose `simulation`
    is 12. Raises UserError where the shard holds none or the table has no such row.
    """
    found: dict[str, tuple[Table, list[str]]] = {}
    for group in store.names(sky):
        name, _, window = group.partition("/")
        number = int(name.removeprefix("sim-"))
        executions = np.flatnonzero(rows["simulation"] == number)
        if not executions.size:
            raise UserError(
                f"{source} has no row of simulation {number}, but {sky} holds {name}; make both by the same "
                "configuration"
            )
        found.setdefault(name, (rows[executions], []))[1].append(window)
    if not found:
        raise UserError(f"{sky} holds no simulation; run the stage sky again")
    for _, windows in found.values():
        windows.sort(key=lambda window: int(window.removeprefix("spw")))
    return found
