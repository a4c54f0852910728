"""Which simulations a shard of sky models asks for, and the archive row that belongs to each."""

from pathlib import Path

from astropy.table import Row, Table

from almabrain.console.errors import UserError
from almabrain.data import store


def simulations(sky: str | Path, rows: Table, source: str | Path) -> dict[str, tuple[Row, list[str]]]:
    """Row and window names (`spw0`, ...) of every simulation in a sky shard, in their order.

    Simulation `sim-000012` belongs to row 12 of `rows`, which came from the file `source`. Raises UserError
    where the shard holds none or the table has no such row.
    """
    found: dict[str, tuple[Row, list[str]]] = {}
    for group in store.names(sky):
        name, _, window = group.partition("/")
        index = int(name.removeprefix("sim-"))
        if index >= len(rows):
            raise UserError(
                f"{source} has {len(rows)} rows, but {sky} holds {name}, which needs row {index}; make both "
                "by the same configuration"
            )
        found.setdefault(name, (rows[index], []))[1].append(window)
    if not found:
        raise UserError(f"{sky} holds no simulation; run the stage sky again")
    for _, windows in found.values():
        windows.sort(key=lambda window: int(window.removeprefix("spw")))
    return found
