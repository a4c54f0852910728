"""Rows from the snapshot, from a file, from a TAP service, or from a plan."""

from pathlib import Path

from astropy.table import Table

from almabrain.config.query import QuerySettings
from almabrain.console.errors import UserError
from almabrain.data import resources
from almabrain.query import plan, tap
from almabrain.query.columns import normalise

FORMATS = {
    ".ecsv": "ascii.ecsv",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".csv": "ascii.csv",
}


def rows(settings: QuerySettings) -> tuple[Table, str]:
    """All rows of the chosen source in the columns of `columns.normalise`, and the source's name."""
    match settings.source:
        case "snapshot":
            name, table = "the snapshot", _read(resources.path("observations.ecsv"))
        case "file":
            name, table = settings.file, _read(Path(settings.file))
        case "tap":
            name = tap.url(settings.service)
            table = tap.fetch(settings)
        case "plan":
            name, table = "query.plan", plan.rows(settings.plan)
    if not len(table):
        raise UserError(
            f"{name} holds no rows for this selection; widen the section query or choose another source"
        )
    return normalise(table, name), name


def _read(path: Path) -> Table:
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"query.file {path} ends in '{path.suffix}'; allowed: {', '.join(FORMATS)}")
    if not path.is_file():
        raise UserError(f"query.file {path} does not exist; give the path of an ECSV, VOTable or CSV file")
    try:
        # VOTables carry names and ids; the archive's column names are the names.
        extra = {"use_names_over_ids": True} if kind == "votable" else {}
        return Table.read(path, format=kind, **extra)
    except Exception as error:  # readers raise anything from ValueError to expat errors
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(
            f"query.file {path} is not a valid {path.suffix} table ({reason}); correct it"
        ) from None
