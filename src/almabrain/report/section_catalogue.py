"""Sources found, against the truth where there is one."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from almabrain.data import naming
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_from_radec
from almabrain.data.fits import read_image
from almabrain.data.statistics import robust_rms
from almabrain.data.tables import read_table
from almabrain.data.text import sexagesimal
from almabrain.report import figures_image, figures_score, page
from almabrain.report.figures_image import Grid, Marks, Panel
from almabrain.report.numbers import floats, plain, with_error
from almabrain.report.products import Products
from almabrain.report.section_image import MOST_SHOWN
from almabrain.report.style import brightness_unit, drawing

_MOST_ROWS = 20
_FLAGS = "Flags of a source add up: 1 unresolved, 2 blended, 4 at an edge, 8 not fitted, 16 no primary beam."


def section(products: Products) -> str:
    """Fluxes recovered, scores, and every data set with its detections."""
    catalogues = products.catalogues()
    if not catalogues:
        return page.paragraph("No catalogue was made in this run.", "missing")
    with drawing():
        html = _matches(products) + _scores(products) + page.paragraph(_FLAGS)
        data_sets = list(dict.fromkeys(data for data, _, _ in catalogues))
        if len(data_sets) > MOST_SHOWN:
            html += page.paragraph(
                f"The first {MOST_SHOWN} of {len(data_sets)} data sets are shown.", "missing"
            )
        for data in data_sets[:MOST_SHOWN]:
            html += _data_set(products, data)
    return html


def image_name(recipe: str) -> str:
    """What the recipe of a catalogue says of the picture that was searched."""
    return {"dirty": "dirty image", "fits": "FITS image"}.get(recipe, f"CLEAN, {recipe}")


def finder_label(finder: str, recipe: str) -> str:
    """What a finder is called on the pictures of one recipe."""
    return f"{finder} on {image_name(recipe)}"


def _labels(products: Products) -> list[str]:
    """Every finder on every kind of picture of the campaign, in the order that gives each its colour."""
    keys = [key for key in products.catalogues() if naming.is_simulation(key[0])]
    return sorted({finder_label(finder, recipe) for _, recipe, finder in keys})


def _matches(products: Products) -> str:
    table = products.table("catalogue/matches.ecsv")
    if table is None:
        return page.paragraph("No truth is known for these data, so nothing can be scored.", "missing")
    # How a network measures what it was trained on says nothing.
    table = table[np.asarray(table["held_out"], bool)]
    if not len(table):
        return page.paragraph(
            "No source was matched to the truth where its finder was not trained.", "missing"
        )
    labels = np.array([finder_label(row["finder"], row["recipe"]) for row in table])
    columns = [
        {name: floats(table[column])[labels == name] for name in _labels(products)}
        for column in ("true_flux", "flux", "flux_error")
    ]
    counts = ", ".join(f"{name}: {len(values)}" for name, values in columns[0].items())
    return page.figure(
        figures_score.recovered_fluxes(*columns),
        "Measured against true fluxes of every finder, and how many differences lie below how many errors.",
        "Left: flux of the matched sources against the true flux, with one-sigma errors; the line is "
        f"equality ({counts}). The network only on simulations that it was not trained on. Right: share "
        "of the sources whose difference, in units of the stated error, is below the abscissa; right errors "
        "follow the grey curve.",
    )


def _scores(products: Products) -> str:
    table = products.table("catalogue/scores.ecsv")
    if table is None or not len(table):
        return ""
    note = page.paragraph(
        "Finders are compared fairly only on the same noise: the column realisation says whose noise a "
        "picture has. CLEAN images hold the radiometer noise of the visibilities, dirty images the noise "
        "that the campaign drew. Each is scored by the true signal-to-noise ratio in its own noise."
    )
    html = _by_snr(table[table["data"] == "all"], _labels(products)) + note + _held_out(table)
    return html + _score_table(table[table["snr_bin"] == "total"])


def _held_out(scores: Table) -> str:
    """Which simulations the network was not trained on."""
    single = [naming.is_simulation(name) for name in scores["data"]]
    mine = scores[np.asarray(single, bool) & (scores["finder"] == "network")]
    if not len(mine):
        return ""
    names = sorted(set(mine["data"]))
    new = sorted(set(mine["data"][np.asarray(mine["held_out"], bool)]))
    if not new:
        return page.paragraph(
            "The network was trained on every simulation of this campaign, so it has no score on new ones."
        )
    shown = ", ".join(new[:_MOST_ROWS]) + (" and more" if len(new) > _MOST_ROWS else "")
    return page.paragraph(
        f"Held out from the network's training: {shown} ({len(new)} of {len(names)} simulations). The figures "
        "show the network on these only, other finders on all simulations."
    )


def _score_table(table: Table) -> str:
    header = ["finder", "image", "realisation", "simulations", "true", "found", "completeness", "detections",
              "false", "purity", "flux ratio", "rms of flux pulls"]  # fmt: skip
    split = "held out" in table["data"]
    rows = [
        [row["finder"], image_name(row["recipe"]), row["realisation"], _pool(row), row["true"], row["found"],
         _interval(row, "completeness"), row["detections"], row["false"], _interval(row, "purity"),
         with_error(row["flux_ratio_median"], row["flux_ratio_scatter"]),
         plain(row["flux_pull_rms"])]
        for row in table
        # All that counts for a network is what is held out, which has its own row.
        if not naming.is_simulation(row["data"])
        and not (split and row["data"] == "all" and row["finder"] == "network")
    ]  # fmt: skip
    caption = "Scores over simulations, with 68 % intervals. "
    if split:
        caption += (
            "Compare the network with other finders on the held-out simulations; the row of those that it was "
            "trained on is no measure of how well it finds. "
        )
    return page.table(caption + "Flux ratio: median of measured / true ± scatter.", header, rows)


def _pool(row) -> str:
    """How many simulations a row is over, and of which kind."""
    return f"{'' if row['data'] == 'all' else row['data'] + ': '}{row['images']}"


def _interval(row, name: str) -> str:
    if not np.isfinite(row[name]):
        return "–"
    return f"{plain(row[name])} ({plain(row[f'{name}_low'], 2)} – {plain(row[f'{name}_high'], 2)})"


def _by_snr(table: Table, labels: list[str]) -> str:
    binned = table[table["snr_bin"] != "total"]
    if not len(binned):
        return ""
    bins = sorted({tuple(map(float, name.split("-"))) for name in binned["snr_bin"]})
    edges = np.array([bins[0][0], *(high for _, high in bins)])
    series = {name: {} for name in ("completeness", "purity")}
    for name, values in series.items():
        for label in labels:
            mine = [row for row in binned if finder_label(row["finder"], row["recipe"]) == label]
            mine.sort(key=lambda row: float(row["snr_bin"].split("-")[0]))
            values[label] = np.array(
                [[row[f"{name}{end}"] for row in mine] for end in ("", "_low", "_high")], float
            )
    return page.figure(
        figures_score.by_snr(edges, series["completeness"], series["purity"]),
        "Completeness and purity of every finder against the signal-to-noise ratio.",
        "Completeness by true, purity by detected signal-to-noise ratio of the peak, with 68 % intervals; "
        "bins without a source are left out. The network only on simulations that it was not trained on.",
    )


def _data_set(products: Products, data: str) -> str:
    catalogues = {
        finder_label(finder, recipe): read_table(path)
        for (name, recipe, finder), path in products.catalogues().items()
        if name == data
    }
    catalogues = dict(sorted(catalogues.items()))
    html = page.heading(f"Sources of {data}") + _marked(products, data, catalogues)
    html += "".join(_rows(label, table) for label, table in catalogues.items())
    credit = products.credit(data)
    return html + (page.paragraph(f"Data: {credit}", "credit") if credit else "")


def _picture(products: Products, data: str):
    """The picture on which detections are shown, and its name: CLEAN's, or the user's own FITS file."""
    for name, recipe in products.imaged():
        image = products.image(f"image/{name}/{recipe}/clean.fits") if name == data else None
        if image is not None:
            return image, "CLEAN image"
    source = products.source(data)
    return (read_image(source), "Image") if Path(source).is_file() else (None, "")


def _marked(products: Products, data: str, catalogues: dict[str, Table]) -> str:
    image, what = _picture(products, data)
    if image is None:
        return page.paragraph("There is no picture to show the sources on.", "missing")
    plane, attrs = image.values if image.ndim == 2 else np.fmax.reduce(image.values), image.attrs
    beam = ("bmaj_arcsec", "bmin_arcsec", "bpa_deg")
    grid = Grid(attrs["cell_arcsec"], tuple(attrs[key] for key in beam) if beam[0] in attrs else None)
    truth, true = products.truth() if naming.is_simulation(data) else None, None
    if truth is not None:
        true = _marks("truth", truth[truth["simulation"] == data], attrs)
    found = [_marks(f"{label} ({len(table)})", table, attrs) for label, table in catalogues.items()]
    return page.figure(
        figures_image.marked_sky(Panel(data, plane), grid, robust_rms(plane), true, found),
        f"{what} of {data} with the sources found" + (" and the true ones" if true else ""),
        f"{what} of {data}, dark where it is bright"
        + (" (largest value of all channels)" if image.ndim == 3 else "")
        + (", true sources as circles" if true else "")
        + "; every finder has its own sign. Detections on other pictures of the same field are shown too.",
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
    rows = [
        [row["source"], *_position(row), plain(row["snr"]), _with_error(row, "flux", factor),
         _with_error(row, "peak_flux", factor), f"{plain(row['major'])} × {plain(row['minor'])}",
         _size(row), plain(row["probability"], 2), row["flags"]]
        for row in table[order]
    ]  # fmt: skip
    header = ["source", "RA", "Dec", "SNR", f"flux [{unit}]", f"peak [{unit}/beam]", "size seen [arcsec]",
              "deconvolved [arcsec]", "probability", "flags"]  # fmt: skip
    more = f" The {_MOST_ROWS} with the highest SNR of {len(table)}." if len(table) > _MOST_ROWS else ""
    seen = "" if np.all(table["held_out"]) else " It was trained on this simulation."
    return page.table(f"Found by {name}.{more}{seen}", header, rows)


def _position(row) -> list[str]:
    ra, dec = sexagesimal(row["ra"], row["dec"]).split()
    return [ra, dec]


def _with_error(row, name: str, factor: float) -> str:
    return with_error(row[name] * factor, row[f"{name}_error"] * factor)


def _size(row) -> str:
    if not row["deconvolved_major"] > 0:
        return "unresolved"
    return f"{plain(row['deconvolved_major'])} × {plain(row['deconvolved_minor'])}"
