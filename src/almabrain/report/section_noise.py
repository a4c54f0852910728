"""Real noise beside simulated noise."""

import json

from almabrain.report import figures_noise, page
from almabrain.report.numbers import plain
from almabrain.report.products import Products
from almabrain.report.style import drawing

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
    attrs = model.attrs
    card = json.loads(attrs.get("card", "{}"))
    html = page.heading(f"Reference {name}")
    html += page.paragraph(_source(card))
    if comparison is None:
        return html + page.paragraph(
            "This model comes from a table of measured numbers; the reference picture itself is not here to "
            "compare with.",
            "missing",
        )
    with drawing():
        html += page.figure(
            figures_noise.pictures(
                comparison["real"].values,
                comparison["drawn"].values,
                comparison["mask"].values.astype(bool),
                attrs["cell_arcsec"],
                attrs["rms"],
            ),
            f"Two pictures of noise side by side: the reference {name} and a drawn field.",
            "Left: the reference, with what was taken for sources in grey. Right: a field drawn from its "
            f"model, on the same scale of ±4 rms (rms {plain(attrs['rms'] * 1e6)} µJy/beam). The two should "
            "look alike in grain and contrast, and share no blob.",
        )
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


def _source(card: dict) -> str:
    told = [
        f"{key.replace('_', ' ')}: {value}"
        for key, value in card.items()
        if isinstance(value, str | int | float)
    ]
    return "; ".join(told) + "." if told else ""
