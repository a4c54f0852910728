"""What was run: summary, rule graph, observations, software and settings."""

import json

import numpy as np
from astropy.table import Table

from almabrain.data import naming
from almabrain.data.provenance import versions
from almabrain.data.tables import read_table
from almabrain.report import dag, page
from almabrain.report.numbers import plain
from almabrain.report.products import Products
from almabrain.report.section_catalogue import finder_label

_MOST_ROWS = 50


def summary(products: Products) -> str:
    """A paragraph on what was done, cards with what counts, and what went wrong."""
    found = {pair: products.summary(*pair) for pair in products.imaged()}
    found = {pair: item for pair, item in found.items() if item}
    html = page.paragraph(_what_was_done(products.settings))
    html += page.cards([*_imaging(list(found.values())), *_finding(products)])
    failed = [
        f"{data} ({recipe})" for (data, recipe), item in found.items() if item.get("verdict") != "converged"
    ]
    if failed:
        html += page.paragraph(f"Not converged, so not to be used: {', '.join(failed)}.", "warning")
    return html


def _what_was_done(settings: dict) -> str:
    campaign, observations = settings.get("campaign"), settings.get("observations") or {}
    parts = []
    if campaign:
        noise = settings.get("noise", {}).get("mode", "theoretical")
        parts.append(
            f"{campaign['simulations']} archive observations were simulated with known skies and {noise} "
            "noise"
            + (", imaged with posterior uncertainties and with CLEAN" if campaign.get("image", True) else "")
            + ", searched for sources, and compared with the truth."
        )
    if observations:
        names = ", ".join(observations)
        parts.append(f"Observations of one's own were processed: {names}. For these no truth is known.")
    return " ".join(parts)


def _imaging(found: list[dict]) -> list[tuple[str, str, str]]:
    if not found:
        return []
    good = sum(item.get("verdict") == "converged" for item in found)
    facts = [
        (f"{good} of {len(found)}", "Bayesian images converged", "good" if good == len(found) else "bad")
    ]
    chi2 = [item["reduced_chi2"] for item in found if item.get("reduced_chi2") is not None]
    if chi2:
        inside = all(0.9 <= value <= 1.1 for value in chi2)
        span = f"{min(chi2):.3f}" + (f" – {max(chi2):.3f}" if len(chi2) > 1 else "")
        facts.append((span, "reduced χ² of the posterior", "good" if inside else "bad"))
    return facts


def _finding(products: Products) -> list[tuple[str, str, str]]:
    facts = []
    truth = products.truth()
    if truth is not None:
        facts.append((str(len({(row["simulation"], row["source"]) for row in truth})), "true sources", ""))
    scores = products.table("catalogue/scores.ecsv")
    if scores is not None and len(scores):
        for row in scores[(scores["data"] == "all") & (scores["snr_bin"] == "total")]:
            pair = f"{plain(row['completeness'], 2)} / {plain(row['purity'], 2)}"
            which = finder_label(row["finder"], row["recipe"])
            which += ", held out" if row["finder"] == "network" else ""
            facts.append((pair, f"completeness / purity, {which}", ""))
    own = [path for (data, _, _), path in products.catalogues().items() if not naming.is_simulation(data)]
    if own:
        facts.append((str(sum(len(read_table(path)) for path in own)), "sources found in own data", ""))
    return facts


def rule_graph(dot: str) -> str:
    """The rule graph of the workflow."""
    caption = (
        "The rules of this run from left to right; an arrow leads from a product to the rule that needs it. "
        "Needs that follow from others are left out."
    )
    return page.drawing(dag.svg(dot), caption)


def observations(products: Products) -> str:
    """The archive rows that the campaign simulated, and the user's own data."""
    table = products.table("query/observations.ecsv")
    html = page.paragraph("This run simulates no archive observations: it has no campaign.", "missing")
    if table is not None:
        html = _archive_rows(table)
    own = products.settings.get("observations") or {}
    rows = [
        [f"obs-{name}", products.source(f"obs-{name}"), item.get("credit", "")] for name, item in own.items()
    ]
    return html + (page.table("Data of one's own.", ["data set", "path", "credit"], rows) if rows else "")


def _archive_rows(table: Table) -> str:
    header = ["simulation", "target", "RA [deg]", "Dec [deg]", "band", "array", "windows", "pointings",
              "resolution [arcsec]", "time [s]", "PWV [mm]", "sensitivity [mJy/beam]"]  # fmt: skip
    rows = []
    for row in table[:_MOST_ROWS]:
        antennas = len(str(row["antenna_arrays"]).split())
        pointings = 1 if row["pointings"] is np.ma.masked else max(1, len(row["pointings"].split()))
        rows.append(
            [
                naming.simulation(int(row["simulation"])),
                row["target_name"],
                f"{row['s_ra']:.5f}",
                f"{row['s_dec']:.5f}",
                row["band_list"],
                f"{antennas} × {row['array']}",
                str(row["frequency_support"]).count("["),
                pointings,
                *(plain(row[name]) for name in ("s_resolution", "t_exptime", "pwv", "cont_sensitivity")),
            ]
        )
    caption = (
        "The executions that the campaign simulates, each with its array, time and weather; those with one "
        "number observe one sky."
    )
    if len(table) > _MOST_ROWS:
        caption += f" The first {_MOST_ROWS} of {len(table)}."
    return page.table(caption, header, rows)


def software() -> str:
    """Versions of the software, as installed where this report was written."""
    rows = [[name, version] for name, version in versions().items()]
    return page.table("Software with which this report was written.", ["package", "version"], rows)


def configuration(settings: dict) -> str:
    """The whole configuration, defaults included."""
    note = "The whole configuration of this run, defaults included."
    return page.paragraph(note) + page.preformatted(json.dumps(settings, indent=2, ensure_ascii=False))
