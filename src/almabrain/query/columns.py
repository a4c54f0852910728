"""One table of archive rows, whatever names and units its source gave the columns."""

from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, Table

from almabrain.console.errors import UserError


class Number(NamedTuple):
    """A column of numbers: its unit here, that of a source that states none, and other names of the same thing."""

    unit: str
    unstated: str
    others: tuple[str, ...]


# Other names are those of ALMA's TAP service and of tables that people derive from it. They come first:
# both resolutions of the archive are arcsec, but only spatial_resolution is sure to say so.
NUMBERS = {
    "s_ra": Number("deg", "deg", ("RA",)),
    "s_dec": Number("deg", "deg", ("Dec",)),
    "s_resolution": Number("arcsec", "arcsec", ("spatial_resolution", "Ang.res.")),
    "s_fov": Number("arcsec", "deg", ("FOV",)),
    "t_exptime": Number("s", "s", ("Int.Time",)),
    "t_min": Number("d", "d", ("Total.Time",)),  # a begin in MJD, whatever its name says
    "pwv": Number("mm", "mm", ("PWV",)),
    "cont_sensitivity": Number("mJy/beam", "mJy/beam", ("cont_sensitivity_bandwidth", "Cont_sens_mJybeam")),
    "simulation": Number("", "", ()),
}
TEXTS = {
    "target_name": ("ALMA_source_name", "target"),
    "band_list": ("Band",),
    "frequency_support": ("Freq.sup.",),
    "antenna_arrays": (),
    "proposal_id": (),
    "member_ous_uid": (),
    "scientific_category": (),
    "science_keyword": (),
    "array": (),
    "pointings": (),
    "configuration": (),
    "schedule": (),
}
OPTIONAL = {
    "simulation",
    "array",
    "pointings",
    "configuration",
    "schedule",
    "s_fov",
    "cont_sensitivity",
    "proposal_id",
    "member_ous_uid",
    "scientific_category",
    "science_keyword",
}


def normalise(table: Table, source: str) -> Table:
    """A table with exactly the columns NUMBERS and TEXTS, in their units; what the source lacks is masked.

    `source` is named in the UserError that a missing or unreadable column raises. Rows that repeat an
    observation within a simulation (the archive lists one per spectral window) are dropped.
    """
    made = Table(masked=True)
    for name, (unit, unstated, others) in NUMBERS.items():
        found = _find(table, name, others, source)
        made[name] = _number(table[found], unit, unstated, source) if found else _nothing(table, float, unit)
    for name, others in TEXTS.items():
        found = _find(table, name, others, source)
        made[name] = _text(table[found]) if found else _nothing(table, "U1", None)
    return _without_repetition(made)


def _find(table: Table, name: str, others: tuple[str, ...], source: str) -> str | None:
    for candidate in (*others, name):
        if candidate in table.colnames:
            return candidate
    if name in OPTIONAL:
        return None
    raise UserError(
        f"{source} has no column '{name}'; its columns are {', '.join(table.colnames[:20])}; "
        "rename one or add it"
    )


def _number(column, unit: str, unstated: str, source: str) -> MaskedColumn:
    try:
        values = np.ma.asarray(np.ma.MaskedArray(column).astype(float))
        stated = u.Unit(str(column.unit)) if column.unit else u.Unit(unstated)
        values = values * stated.to(u.Unit(unit))
    except (ValueError, TypeError, u.UnitConversionError) as error:
        raise UserError(
            f"{source}: column '{column.name}' is not a number{f' in {unit}' if unit else ''} ({error})"
        ) from None
    return MaskedColumn(np.ma.masked_invalid(values), unit=unit)


def _text(column) -> MaskedColumn:
    values = np.ma.MaskedArray(column)
    missing = np.ma.getmaskarray(values)
    words = ["" if gone else _word(value) for value, gone in zip(values.data, missing)]
    return MaskedColumn(words, mask=[not word for word in words], dtype=str)


def _word(value) -> str:
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()


def _nothing(table: Table, dtype, unit: str | None) -> MaskedColumn:
    return MaskedColumn(np.zeros(len(table), dtype), mask=True, unit=unit)


def _without_repetition(table: Table) -> Table:
    seen, keep = set(), []
    for index, row in enumerate(table):
        key = tuple(
            str(row[name])
            for name in ("simulation", "target_name", "t_min", "frequency_support", "antenna_arrays")
        )
        if key not in seen:
            keep.append(index)
        seen.add(key)
    return table[keep]
