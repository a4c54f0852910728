"""Real noise beside simulated noise."""

import json

from almabrain.report import figures_noise, page
from almabrain.report.numbers import plain
from almabrain.report.products import Products
from almabrain.report.style import brightness_unit, drawing

_VERDICTS = (
    ("acf_difference", "largest difference of the autocorrelations", 0.03),
    ("ks", "Kolmogorov-Smirnov distance of the pixel distributions", 0.02),
    ("spectrum_bad_rings", "share of spectral rings off by more than 10 % and 2 sd", 0.1),
)


def section(products: Products) -> str:
    """Every noise model of the run against its reference."""
    models = products.noise_models()
    if not models:
        mode = products.settings.get("noise", {}).get("mode", "theoretical")
        reason = (
            "the campaign's noise is radiometer noise on the visibilities (noise.mode: theoretical)"
            if products.settings.get("campaign") and mode == "theoretical"
            else "this run draws no empirical noise"
        )
        return page.paragraph(f"No noise model was measured: {reason}.", "missing")
    return "".join(_model(products, name) for name in models)


def _model(products: Products, name: str) -> str:
    store = f"noise/models/{name}.zarr.zip"
    model, comparison = products.group(store, "model"), products.group(store, "comparison")
    html = page.heading(f"Reference {name}") + page.paragraph(_source(json.loads(model.attrs["card"])))
    if comparison is None:
        return html + page.paragraph("It was not compared with draws of its model.", "missing")
    with drawing():
        html += _pictures(name, model.attrs, comparison)
        arrays = {key: comparison[key].values for key in comparison.variables}
        html += page.figure(
            figures_noise.statistics(arrays),
            f"Curves of {name}: autocorrelation, power spectrum and pixel distribution, real and drawn.",
            "Blue dashes: the reference; red: draws of the model through the same mask and estimators, "
            "with the scatter of a single draw. Where they agree, drawn noise has the texture and tails of "
            "the real.",
        )
    rows = [
        [text, plain(comparison.attrs[key]), f"≤ {limit}"]
        for key, text, limit in _VERDICTS
        if key in comparison.attrs
    ]
    if "correlation" in comparison.attrs:
        limit = plain(comparison.attrs["correlation_limit"])
        rows.append(
            [
                "largest correlation of a draw with the reference",
                plain(comparison.attrs["correlation"]),
                f"≤ {limit}",
            ]
        )
    return html + page.table(
        "How far drawn noise is from the reference.", ["measure", "found", "wanted"], rows
    )


def _pictures(name: str, attrs: dict, comparison) -> str:
    real = comparison["picture_real"].values if "picture_real" in comparison else None
    mask = comparison["mask"].values.astype(bool) if real is not None else None
    figure = figures_noise.pictures(
        real, comparison["picture_drawn"].values, mask, attrs["cell_arcsec"], attrs["rms"]
    )
    factor, unit = brightness_unit(10 * attrs["rms"])
    scale = f"±4 rms (rms {plain(attrs['rms'] * factor)} {unit}/beam)"
    if real is None:
        caption = (
            f"A field drawn from the model, on a scale of {scale}. The model comes from a table of measured "
            "numbers; the picture they were measured on is not at hand."
        )
        return page.figure(figure, f"A picture of noise drawn from {name}.", caption)
    caption = (
        "Left: the reference, with what was left out (sources, blank pixels) in grey. Right: a field drawn "
        f"from its model, on the same scale of {scale}. The two should look alike in grain and contrast, "
        "and share no blob."
    )
    return page.figure(figure, f"Two pictures of noise: the reference {name} and a drawn field.", caption)


def _source(card: dict) -> str:
    """Where the reference comes from and what was measured."""
    told = f"Source: {card.get('source') or card.get('file') or card.get('reference', '')}"
    told += f" (object {card['object']})" if card.get("object") else ""
    numbers = {"masked_fraction": "masked fraction", "skewness": "skewness", "kurtosis": "excess kurtosis"}
    facts = [f"{text} {plain(card[key])}" for key, text in numbers.items() if key in card]
    facts += [f"sha256 {card['sha256'][:16]}"] if "sha256" in card else []
    return f"{told}. Measured: {', '.join(facts)}." if facts else f"{told}."
