"""The images of every data set, and how they fit their visibilities."""

import numpy as np

from almabrain.data import naming
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.report import figures_fit, figures_image, page, section_channels
from almabrain.report.figures_image import Grid, Panel
from almabrain.report.numbers import floats, plain, with_error
from almabrain.report.pictures import Pictures, Windows, load
from almabrain.report.products import Products
from almabrain.report.style import brightness_unit, drawing

MOST_SHOWN = 12
_TOLD = 0.1  # share of the data from which a resolution means anything
_CUT_BELOW = 0.8  # of the field: sources that fill more of it are shown with the whole field


def section(products: Products) -> str:
    """Pictures, verdict and fit of every data set imaged (of the first dozen in a large campaign)."""
    imaged = products.imaged()
    if not imaged:
        return page.paragraph(
            "Nothing was imaged: this run has no visibilities, or campaign.image is off.", "missing"
        )
    html = page.paragraph(
        "All pictures of a data set are at the resolution of its CLEAN beam (the ellipse in the corner), "
        "in Jy/beam and not corrected for the primary beam, so that they can be compared pixel by pixel. "
        "Up to 3 sigma of the noise the common scale is linear, above it logarithmic."
    )
    if len(imaged) > MOST_SHOWN:
        html += page.paragraph(f"The first {MOST_SHOWN} of {len(imaged)} image sets are shown.", "missing")
    return html + "".join(_one(products, data, recipe) for data, recipe in imaged[:MOST_SHOWN])


def _one(products: Products, data: str, recipe: str) -> str:
    summary = products.summary(data, recipe)
    html = page.heading(f"{data}, recipe {recipe}{_target(products, data)}")
    windows = products.groups(f"visibilities/{data}.zarr.zip")
    html += _verdict(summary) + _clean_verdict(products.clean_summary(data, recipe))
    if not naming.is_simulation(data) and windows:
        html += _noise_factors(windows, summary)
    pictures = load(products, data, recipe, windows)
    with drawing():
        html += _sky(data, pictures) if pictures else page.paragraph("There is no CLEAN image.", "missing")
        html += section_channels.section(products, data, recipe, pictures)
        html += _fluxes(products, data, recipe)
        html += _fit(products, data, recipe, summary, windows)
    credit = products.credit(data)
    return html + (page.paragraph(f"Data: {credit}", "credit") if credit else "")


def _target(products: Products, data: str) -> str:
    table = products.table("query/observations.ecsv")
    if table is None or not naming.is_simulation(data):
        return ""
    row = table[table["simulation"] == int(data.removeprefix("sim-"))][0]
    return f" — {row['target_name']}, band {row['band_list']}, {row['array']}"


def _verdict(summary: dict | None) -> str:
    if summary is None:
        return page.paragraph("There is no Bayesian image of this data set.", "missing")
    verdict = summary.get("verdict", "unknown")
    told = f"Verdict: {verdict}. Reduced χ² {plain(summary.get('reduced_chi2'), 4)}"
    if "samples" in summary:
        told += f", {summary['samples']} posterior samples"
    if summary.get("flux_jy") is not None:
        factor, unit = brightness_unit(summary["flux_jy"])
        flux = with_error(summary["flux_jy"] * factor, summary["flux_error_jy"] * factor)
        told += f". Total flux ({summary['flux_region']}): {flux} {unit}"
    html = page.paragraph(f"{told}.", "" if verdict == "converged" else "warning")
    return html + _unmeasured(summary)


def _clean_verdict(summary: dict | None) -> str:
    if summary is None:
        return ""
    verdict = summary["verdict"]
    return page.paragraph(f"CLEAN: {verdict}.", "" if verdict == "converged" else "warning")


def _unmeasured(summary: dict) -> str:
    """A warning where the flux rests on scales that no baseline measures; its error does not cover that."""
    wide, error, flux = (summary.get(f"flux_{key}jy") or 0.0 for key in ("wide_", "error_", ""))
    if not wide > max(error, 0.05 * flux):
        return ""
    factor, unit = brightness_unit(wide)
    text = (
        f"Of this flux, at least {plain(wide * factor)} {unit} lie in structures wider than "
        f"{plain(summary['largest_recoverable_scale_arcsec'])} arcsec, the largest scale that the shortest baseline "
        "measures. They are what the prior makes of the gap, not a measurement, and the error does not cover them."
    )
    return page.paragraph(text, "warning")


def _noise_factors(windows: Windows, summary: dict | None) -> str:
    """For observations: what the weights were off by, in words."""
    used = (summary or {}).get("noise_factors") or {}
    seen = {name: float(window.attrs.get("noise_factor", np.nan)) for name, window in windows.items()}
    told = ", ".join(f"{plain(factor)} in {name}" for name, factor in seen.items())
    text = (
        "What the weights were off by: the noise seen in these data is the noise that their weights claim "
        f"times {told} (1 would be right)."
    )
    html = page.paragraph(text, "warning" if any(abs(factor - 1) > 0.1 for factor in seen.values()) else "")
    rows = [
        [name, f"{_ghz(windows[name]):.3f}", plain(seen[name]), plain(used.get(name))] for name in windows
    ]
    header = ["window", "frequency [GHz]", "noise seen / claimed", "factor used in the image"]
    model = (summary or {}).get("noise_model", "")
    caption = f"Seen: from differences of neighbouring samples. Used: {model or 'none'}."
    return html + page.table(caption, header, rows)


def _sky(data: str, whole: Pictures) -> str:
    half, full = whole.half_width(), whole.clean.shape[-1] // 2
    pictures = whole.cut(half) if half < _CUT_BELOW * full else whole
    panels = [
        Panel(title, picture)
        for title, picture in (
            ("Truth", pictures.truth),
            ("Dirty", pictures.dirty),
            ("CLEAN", pictures.clean),
            ("Posterior mean", pictures.mean),
        )
        if picture is not None
    ]
    if pictures.std is not None:
        panels.append(Panel("Posterior std", pictures.std, "own"))
    if pictures.truth is None and pictures.residual is not None:
        panels.append(Panel("CLEAN residual", pictures.residual, "signed"))
    beam = pictures.beam
    grid = Grid(pictures.cell_arcsec, (beam.major_arcsec, beam.minor_arcsec, beam.pa_deg))
    names = ", ".join(_within_a_sentence(panel.title) for panel in panels)
    factor, unit = brightness_unit(pictures.noise_jy * 10)
    caption = (
        f"From left to right: {names}. Beam {plain(beam.major_arcsec)} × {plain(beam.minor_arcsec)} arcsec "
        f"at {beam.pa_deg:.0f}°, noise of the CLEAN residual {plain(pictures.noise_jy * factor)} "
        f"{unit}/beam. "
    )
    if pictures is not whole:
        size = 2 * full * whole.cell_arcsec
        what = "nothing" if pictures.truth is None else "no true source"
        caption += f"The middle of a field of {plain(size)} arcsec; {what} rises above 5 sigma outside. "
    if pictures.std is not None:
        caption += "The posterior standard deviation has its own scale, from 0. "
        if np.isnan(pictures.std).any():
            caption += "The Bayesian image ends where the primary beam falls below 0.1 (grey)."
    figure = figures_image.sky_row(panels, grid, pictures.noise_jy)
    html = page.figure(figure, f"Pictures of {data}: {names}.", caption)
    return html + _errors(data, pictures, grid) + _native(data, pictures)


def _within_a_sentence(title: str) -> str:
    return title if title.startswith("CLEAN") else title[0].lower() + title[1:]


def _errors(data: str, pictures: Pictures, grid: Grid) -> str:
    if pictures.truth is None:
        return ""
    panels = [Panel("CLEAN − truth", pictures.clean - pictures.truth, "signed")]
    if pictures.residual is not None:
        panels.insert(0, Panel("CLEAN residual", pictures.residual, "signed"))
    if pictures.mean is not None:
        panels.append(Panel("Posterior mean − truth", pictures.mean - pictures.truth, "signed"))
    caption = "What is left over, on one scale; white is zero."
    if pictures.mean is not None:
        caption += _comparison(pictures)
    names = ", ".join(panel.title for panel in panels)
    figure = figures_image.sky_row(panels, grid, pictures.noise_jy)
    return page.figure(figure, f"Residuals and errors of {data}: {names}.", caption)


def _comparison(pictures: Pictures) -> str:
    """Errors, fluxes and, with a standard deviation, coverage of the truth, over the pixels of the Bayesian image.

    Coverage is told for pixels with emission: the empty ones, many and easy, would hide errors that are
    too small.
    """
    seen = np.isfinite(pictures.mean)
    truth, clean, mean = pictures.truth[seen], pictures.clean[seen], pictures.mean[seen]
    errors = [float(np.sqrt(np.mean((picture - truth) ** 2))) for picture in (clean, mean)]
    factor, unit = brightness_unit(max(errors) * 10)
    told = (
        f" Root mean square error of CLEAN {plain(errors[0] * factor)}, of the posterior mean "
        f"{plain(errors[1] * factor)} {unit}/beam."
    )
    pixels = pictures.beam.area_pixels(pictures.cell_arcsec)
    fluxes = [float(picture.sum()) / pixels for picture in (truth, mean, clean)]
    factor, unit = brightness_unit(abs(fluxes[0]) or max(map(abs, fluxes)))
    true, posterior, cleaned = (plain(flux * factor) for flux in fluxes)
    told += (
        f" Flux in this picture, not corrected for the primary beam: truth {true}, posterior mean {posterior}, "
        f"CLEAN {cleaned} {unit}."
    )
    bright = truth > 3 * pictures.noise_jy
    if pictures.std is None or not bright.any():
        return told
    inside = np.mean(np.abs(mean - truth)[bright] <= pictures.std[seen][bright])
    return told + (
        f" Of the pixels with true emission above 3 sigma of the noise, {100 * inside:.0f} % have the truth within "
        "one posterior standard deviation; error bars that are right would have about 68 %."
    )


def _native(data: str, pictures: Pictures) -> str:
    """The posterior at its own resolution, which the data and not the beam limit."""
    if pictures.native_mean is None:
        return ""
    scale = "log" if np.nanmin(pictures.native_mean) >= 0 else "signed"
    panels = [Panel("Posterior mean", pictures.native_mean, scale, "arcsec²")]
    caption = (
        "The posterior at its own resolution, of the true sky (corrected for the primary beam), in Jy per "
        "square arcsecond"
    )
    if pictures.native_std is None:
        caption += ": the mean."
    else:
        panels += [
            Panel("Posterior std", pictures.native_std, "log", "arcsec²"),
            Panel("std / mean", pictures.native_std / np.abs(pictures.native_mean), "ratio"),
        ]
        caption += (
            ": mean, standard deviation, and their ratio. Where the ratio is above 1 the data say little."
        )
    if pictures.resolution is not None and np.isfinite(pictures.resolution[pictures.share >= _TOLD]).any():
        panels += [
            Panel("Resolution", np.where(pictures.share >= _TOLD, pictures.resolution, np.nan), "size"),
            Panel("Share of the data", pictures.share, "share"),
        ]
        caption += (
            " Resolution: FWHM of the answer to a faint point that is injected (mean of both axes), grey "
            "where less than a tenth of it arrives; that of the "
            f"CLEAN beam is {plain(np.sqrt(pictures.beam.major_arcsec * pictures.beam.minor_arcsec))} arcsec. "
            "Share of the data: how much of such a point's flux arrives within a beam; near 0 the prior decides."
        )
    figure = figures_image.sky_row(panels, Grid(pictures.cell_arcsec), pictures.noise_jy)
    names = ", ".join(_within_a_sentence(panel.title) for panel in panels)
    return page.figure(figure, f"The posterior of {data} at full resolution: {names}.", caption)


def _fit(products: Products, data: str, recipe: str, summary: dict | None, windows: Windows) -> str:
    html = ""
    if windows:
        tracks = {f"{name} ({_ghz(window):.1f} GHz)": _uv_klambda(window) for name, window in windows.items()}
        html += page.figure(
            figures_fit.uv_coverage(tracks),
            f"uv coverage of {data} and its baseline lengths.",
            "Left: the spatial frequencies measured, each with its conjugate. Right: how many visibilities "
            "there are at each baseline length. Long baselines see fine detail; what only baselines shorter "
            "than the shortest would see is not measured.",
        )
    bins = (summary or {}).get("chi2_by_baseline")
    if not bins:
        return html
    spectrum = _spectrum(products, data, recipe)
    caption = (
        "Left: reduced χ² of the posterior by baseline length; 1 is a perfect fit, the green band 0.9 to 1.1."
    )
    noise = (summary or {}).get("noise_by_baseline")
    if noise:
        noise = {name: np.array(values) for name, values in noise.items()}
        caption += " Learned noise: that of a baseline over its window's, with one standard error."
    if spectrum:
        caption += (
            " Right: power spectrum of the log brightness: of the samples (mean, and 16 to 84 %), and the "
            "law that was learned with them."
        )
    edges, chi2 = (np.array(bins[key], float) for key in ("edges_klambda", "reduced_chi2"))
    figure = figures_fit.fit(edges, chi2, spectrum, noise)
    alt = f"Reduced chi-squared of {data} by baseline length, and the learned power spectrum."
    return html + page.figure(figure, alt, caption) + _history(products, data, recipe)


def _history(products: Products, data: str, recipe: str) -> str:
    table = products.table(f"image/{data}/{recipe}/history.ecsv")
    if table is None or not len(table):
        return ""
    rounds = {name: floats(table[name]) for name in table.colnames}
    return page.figure(
        figures_fit.history(rounds),
        f"Energy, chi-squared, acceptance and disagreement of the chains of {data}, round by round.",
        "How the posterior was drawn. Grey: the warm-up, whose draws do not count. In the rounds after it the chains "
        "have to forget where they began, until they agree: R̂ of all fluxes watched, and of the worst twentieth.",
    )


def _fluxes(products: Products, data: str, recipe: str) -> str:
    table = products.table(f"image/{data}/{recipe}/fluxes.ecsv")
    if table is None or "channel" in table.colnames:  # those of a cube are drawn as spectra
        return ""
    factor, unit = brightness_unit(float(np.nanmax(np.abs(floats(table["flux_jy"])))))
    rows = [
        [
            row["region"],
            with_error(row["flux_jy"] * factor, row["error_jy"] * factor),
            f"{plain(row['p2.5'] * factor)} to {plain(row['p97.5'] * factor)}",
            plain(row["area_arcsec2"]),
        ]
        for row in table
    ]
    header = ["region", f"flux [{unit}]", f"95 % [{unit}]", "area [arcsec²]"]
    scale = table.meta.get("flux_scale_error", 0.0)
    told = f", with {100 * scale:g} % of the flux scale" if scale else ""
    caption = f"Fluxes in regions, corrected for the primary beam; errors are the posterior's{told}."
    return page.table(caption, header, rows)


def _ghz(window) -> float:
    return float(window["frequency_hz"].values.mean()) / 1e9


def _uv_klambda(window) -> np.ndarray:
    used = (window["weight"].values > 0).any(axis=1)
    return window["uvw_m"].values[used, :2] * (1e6 * _ghz(window) / SPEED_OF_LIGHT_M_S)


def _spectrum(products: Products, data: str, recipe: str) -> dict[str, np.ndarray] | None:
    table = products.table(f"image/{data}/{recipe}/power_spectrum.ecsv")
    if table is None:
        return None
    return {name: floats(table[name]) for name in ("k", "mean", "low", "high", "learned")}
