"""Which rows a user wants, made usable, and the table that the other stages read."""

import logging
from collections.abc import Callable

import numpy as np
from astropy.table import MaskedColumn, Row, Table
from astropy.time import Time

from almabrain.config.query import QuerySettings
from almabrain.console.errors import UserError
from almabrain.instrument import frequency_support, mosaic, primary_beam, site
from almabrain.query.arrays import consistent_array, disjoint_windows, one_band
from almabrain.query.columns import NUMBERS

log = logging.getLogger(__name__)

NEEDED = (
    "target_name s_ra s_dec band_list s_resolution t_exptime t_min pwv frequency_support antenna_arrays"
).split()
MAY_BE_NULL = ("cont_sensitivity", "proposal_id", "member_ous_uid", "scientific_category")


def select(table: Table, settings: QuerySettings, source: str) -> list[dict]:
    """The executions that pass the selection, as dictionaries with the columns of `observations.ecsv`.

    UserError where the source lacks what is asked for, where a row cannot be used (unless
    `skip_unusable`), and where nothing is left, naming the key that left nothing.
    """
    for key, column in (("categories", "scientific_category"), ("keyword", "science_keyword")):
        if getattr(settings, key) and np.all(np.ma.getmaskarray(table[column])):
            raise UserError(
                f"query.{key} is given, but {source} has no {column}; remove it or use source: tap"
            )
    rows = list(table)
    for key, passes in _row_filters(settings):
        rows = _keep(rows, passes, key, settings, source)
    executions = _usable(rows, settings, source)
    for key, passes in _execution_filters(settings):
        executions = _keep(executions, passes, key, settings, source)
    return executions


def as_table(simulations: list[list[dict]]) -> Table:
    """The table `observations.ecsv`: a row per execution, units in the header, unknown values masked.

    `simulations` lists the executions of each; they are numbered from 0 in the column `simulation`.
    """
    executions = [row | {"simulation": number} for number, group in enumerate(simulations) for row in group]
    table = Table()
    for name in executions[0]:
        if name == "notes":
            continue
        values = [row[name] for row in executions]
        if name in MAY_BE_NULL:
            empty = 0.0 if name in NUMBERS else ""
            gone = [value is None for value in values]
            values = MaskedColumn([empty if value is None else value for value in values], mask=gone)
        table[name] = values
        if name in NUMBERS:
            table[name].unit = NUMBERS[name].unit or None
    table.meta["comment"] = (
        "Rows with one number in simulation are its executions. Names follow ObsCore as ALMA uses it; t_min is "
        "MJD (UTC); pointings are offsets east,north in arcsec, empty for a single field."
    )
    return table


def _keep(rows: list, passes: Callable, key: str, settings: QuerySettings, source: str) -> list:
    kept = [row for row in rows if passes(row)]
    if not kept:
        value = getattr(settings, key)
        value = list(value) if isinstance(value, tuple) else value
        raise UserError(f"query.{key} {value!r} leaves none of the {len(rows)} rows of {source}; widen it")
    return kept


def _row_filters(settings: QuerySettings):
    def within(column: str, limits: tuple[float, float]):
        return lambda row: row[column] is not np.ma.masked and limits[0] <= row[column] <= limits[1]

    if settings.bands:
        wanted = {str(band) for band in settings.bands}
        yield "bands", lambda row: bool(wanted & set(str(row["band_list"]).split()))
    if settings.targets:
        names = {name.lower() for name in settings.targets}
        yield "targets", lambda row: str(row["target_name"]).lower() in names
    if settings.resolution_arcsec:
        yield "resolution_arcsec", within("s_resolution", settings.resolution_arcsec)
    if settings.integration_s:
        yield "integration_s", within("t_exptime", settings.integration_s)
    if settings.categories:
        wanted_categories = {name.lower() for name in settings.categories}
        yield "categories", lambda row: str(row["scientific_category"]).lower() in wanted_categories
    if settings.keyword:
        yield "keyword", lambda row: settings.keyword.lower() in str(row["science_keyword"]).lower()


def _execution_filters(settings: QuerySettings):
    def overlaps(row: dict) -> bool:
        low, high = (limit * 1e9 for limit in settings.frequency_ghz)
        windows = frequency_support.parse(row["frequency_support"])
        return any(window.low_hz <= high and window.high_hz >= low for window in windows)

    # A row of bands '6 7' may have passed for band 6 and turned out to be of band 7.
    if settings.bands:
        yield "bands", lambda row: row["band_list"] in settings.bands
    yield "arrays", lambda row: set(row["array"].split("+")) <= set(settings.arrays)
    if settings.frequency_ghz:
        yield "frequency_ghz", overlaps


def _usable(rows: list[Row], settings: QuerySettings, source: str) -> list[dict]:
    executions, first = [], None
    for row in rows:
        try:
            executions.append(_execution(row, settings))
        except UserError as error:
            mistake = (
                f"the row '{row['target_name']}' (t_min {row['t_min']}) of {source} cannot be used: {error}"
            )
            if not settings.skip_unusable:
                raise UserError(f"{mistake}; correct it, or set query.skip_unusable: true") from None
            log.info("left out: %s", mistake)
            first = first or mistake
    if not executions:
        raise UserError(f"no usable row is left of {len(rows)}: {first}; choose other rows")
    return executions


def _execution(row: Row, settings: QuerySettings) -> dict:
    """One row made usable, with the notes on what was chosen; UserError where it cannot be used."""
    for name in NEEDED:
        if row[name] is np.ma.masked:
            raise UserError(
                "antenna_arrays lists no antennas" if name == "antenna_arrays" else f"it has no {name}"
            )
    for name in ("t_exptime", "s_resolution"):
        if not row[name] > 0:
            raise UserError(f"its {name} is {row[name]}, which is not positive")
    # A table that was saved with both dish sizes shall come back with them.
    together = settings.mixed_arrays == "together" or row["array"] == "12m+7m"
    pairs, array, array_notes = consistent_array(row["antenna_arrays"], together)
    band, support, band_notes = one_band(row["band_list"], row["frequency_support"])
    support, window_notes = disjoint_windows(support)
    elevation = site.middle_elevation_rad(row)
    if elevation < site.LOWEST_ELEVATION_RAD:
        raise UserError(f"at its t_min the target stands at {np.rad2deg(elevation):.0f} deg elevation")
    made = {"observation": f"{row['target_name']} {Time(row['t_min'], format='mjd').strftime('%Y-%m-%d')}"}
    made["target_name"] = str(row["target_name"])
    made |= {name: float(row[name]) for name in ("s_ra", "s_dec")} | {"band_list": band}
    made["s_resolution"] = float(row["s_resolution"])
    windows = frequency_support.parse(support)
    # The first size is the larger dish, whose beam is the narrower one.
    width_arcsec = primary_beam.half_power_width_arcsec(
        np.mean([window.centre_hz for window in windows]), float(array.split("m")[0])
    )
    made["s_fov"] = _value(row["s_fov"]) or width_arcsec
    made |= {name: float(row[name]) for name in ("t_exptime", "t_min", "pwv")}
    made["cont_sensitivity"] = _value(row["cont_sensitivity"])
    made |= {"frequency_support": support, "antenna_arrays": pairs, "array": array}
    made |= {name: _value(row[name]) for name in MAY_BE_NULL[1:]}
    offsets = mosaic.parse(row["pointings"])
    antennas = [pair.split(":")[1] for pair in pairs.split()]
    spans = [(window.low_hz, window.high_hz) for window in windows]
    mosaic.check(offsets, mosaic.reach_arcsec(spans, antennas))
    made["simulation"] = _number(row["simulation"])
    made["pointings"] = mosaic.text(offsets)
    made |= {name: _value(row[name]) or "" for name in ("configuration", "schedule")}
    return made | {"notes": array_notes + band_notes + window_notes}


def _number(value) -> int | None:
    if value is np.ma.masked:
        return None
    if value != int(value):
        raise UserError(f"its simulation is {value:g}, which is no whole number")
    return int(value)


def _value(value):
    if value is np.ma.masked:
        return None
    return str(value) if isinstance(value, str) else float(value)
