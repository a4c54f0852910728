"""Sources found, against the truth where there is one."""

import numpy as np
from astropy.table import Table

from almabrain.data import naming
from almabrain.data.coordinates import ARCSEC, lm_from_radec
from almabrain.data.tables import read_table
from almabrain.report import figures_image, figures_score, page
from almabrain.report.figures_image import Grid, Marks, Panel
from almabrain.report.numbers import floats, plain
from almabrain.report.pictures import robust_rms
from almabrain.report.products import Products
from almabrain.report.section_image import MOST_SHOWN
from almabrain.report.style import brightness_unit, drawing

_MOST_ROWS = 20


def section(products: Products) -> str:
    """Fluxes recovered, scores, and every data set with its detections."""
    catalogues = products.catalogues()
    if not catalogues:
        return page.paragraph("No catalogue was made in this run.", "missing")
    with drawing():
        html = _matches(products) + _scores(products)
        data_sets = list(dict.fromkeys(data for data, _, _ in catalogues))
        if len(data_sets) > MOST_SHOWN:
            html += page.paragraph(
                f"The first {MOST_SHOWN} of {len(data_sets)} data sets are shown.", "missing"
            )
        for data in data_sets[:MOST_SHOWN]:
            html += _data_set(products, data)
    return html


def _matches(products: Products) -> str:
    table = products.table("catalogue/matches.ecsv")
    if table is None:
        return page.paragraph("No truth is known for these data, so nothing can be scored.", "missing")
    table = table[np.isfinite(floats(table["true_flux"])) & np.isfinite(floats(table["flux"]))]
    if not len(table):
        return page.paragraph("No source was matched to the truth.", "missing")
    series = {name: table[_label(table) == name] for name in sorted(set(_label(table)))}
    columns = [
        {name: floats(rows[column]) for name, rows in series.items()}
        for column in ("true_flux", "flux", "flux_error")
    ]
    counts = ", ".join(f"{name}: {len(rows)}" for name, rows in series.items())
    return page.figure(
        figures_score.recovered_fluxes(*columns),
        "Measured against true fluxes of every finder, and how many differences lie below how many errors.",
        "Left: flux of the matched sources against the true flux, with one-sigma errors; the line is "
        f"equality ({counts}). Right: share of the sources whose difference, in units of the stated error, "
        "is below the abscissa; right errors follow the grey curve, a steep step means they are too large.",
    )


def _label(table: Table) -> np.ndarray:
    return np.array([f"{row['finder']} on {row['recipe']}" for row in table])


def _scores(products: Products) -> str:
    table = products.table("catalogue/scores.ecsv")
    if table is None:
        return ""
    header = [f"{name} [{table[name].unit}]" if table[name].unit else name for name in table.colnames]
    header = [name.replace("_", " ") for name in header]
    rows = [[_cell(row[name]) for name in table.colnames] for row in table]
    return page.table("Scores of every finder on every kind of image.", header, rows)


def _cell(value) -> str:
    if np.ma.is_masked(value):
        return "–"
    return plain(value) if isinstance(value, float | np.floating) else str(value)


def _data_set(products: Products, data: str) -> str:
    mine = {key: read_table(path) for key, path in products.catalogues().items() if key[0] == data}
    html = page.heading(f"Sources of {data}")
    shown = _picture(products, data, mine)
    if shown is not None:
        image, recipe = shown
        html += _marked(products, data, image, mine, recipe)
    for (_, recipe, finder), table in mine.items():
        html += _rows(f"{finder} on {recipe}", table)
    credit = products.credit(data)
    return html + (page.paragraph(f"Data: {credit}", "credit") if credit else "")


def _picture(products: Products, data: str, catalogues: dict):
    """The picture on which detections are shown: CLEAN of the first recipe, or the user's own FITS file."""
    for _, recipe, _ in catalogues:
        image = products.image(f"image/{data}/{recipe}/clean.fits")
        if image is not None:
            return image, recipe
    if not naming.is_simulation(data) and products.source(data):
        image = products.image(products.source(data))
        if image is not None:
            return image, "fits"
    return None


def _marked(products: Products, data: str, image, catalogues: dict, recipe: str) -> str:
    plane = image.values if image.ndim == 2 else np.nanmax(image.values, axis=0)
    attrs = image.attrs
    beam = (
        tuple(attrs[key] for key in ("bmaj_arcsec", "bmin_arcsec", "bpa_deg"))
        if "bmaj_arcsec" in attrs
        else None
    )
    grid = Grid(attrs["cell_arcsec"], beam)
    truth = products.truth() if naming.is_simulation(data) else None
    true = None
    if truth is not None:
        true = _marks("truth", truth[truth["simulation"] == data], attrs)
    found = [
        _marks(f"{finder} on {kind} ({len(table)})", table, attrs)
        for (_, kind, finder), table in catalogues.items()
    ]
    what = "CLEAN image" if recipe != "fits" else "the image"
    return page.figure(
        figures_image.marked_sky(Panel(data, plane), grid, robust_rms(plane), true, found),
        f"{what} of {data} with the sources found" + (" and the true ones" if true else ""),
        f"{what} of {data}, dark where it is bright"
        + (" (largest value of all channels)" if image.ndim == 3 else "")
        + (", true sources as circles" if true else "")
        + "; every finder has its own sign.",
    )


def _marks(name: str, table: Table, attrs: dict) -> Marks:
    l, m = lm_from_radec(  # noqa: E741
        floats(table["ra"]), floats(table["dec"]), attrs["ra_deg"], attrs["dec_deg"]
    )
    return Marks(name, l / ARCSEC, m / ARCSEC)


def _rows(name: str, table: Table) -> str:
    if not len(table):
        return page.paragraph(f"{name}: nothing found.", "missing")
    order = np.argsort(-np.nan_to_num(floats(table["snr"])))[:_MOST_ROWS]
    factor, unit = brightness_unit(float(np.nanmedian(np.abs(floats(table["flux"])))))
    rows = []
    for row in table[order]:
        error = plain(row["flux_error"] * factor, 2)
        rows.append([row["source"], f"{row['ra']:.6f}", f"{row['dec']:.6f}", plain(row["snr"]),
                     f"{plain(row['flux'] * factor)} ± {error}", plain(row["major"]), plain(row["minor"]),
                     plain(row["probability"], 2)])  # fmt: skip
    header = ["source", "RA [deg]", "Dec [deg]", "SNR", f"flux [{unit}]", "major [arcsec]", "minor [arcsec]",
              "probability"]  # fmt: skip
    more = f" The {_MOST_ROWS} with the highest SNR of {len(table)}." if len(table) > _MOST_ROWS else ""
    return page.table(f"Found by {name}.{more}", header, rows)
