"""Tables with units, as ECSV."""

from pathlib import Path

from astropy.table import Table

from almabrain.console.errors import UserError
from almabrain.data.files import atomic


def write_table(path: str | Path, table: Table) -> None:
    """Write a table as ECSV (units and masks kept), whole or not at all."""
    with atomic(path) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)


def read_table(path: str | Path) -> Table:
    """Read an ECSV table; UserError where there is none at `path`."""
    try:
        return Table.read(path, format="ascii.ecsv")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run the stage that makes it first") from None
    except (ValueError, OSError) as error:
        raise UserError(
            f"{path} is not an ECSV table ({str(error).splitlines()[0]}); give a valid one"
        ) from None
