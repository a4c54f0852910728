"""How the network learned."""

import numpy as np

from almabrain.report import figures_score, page
from almabrain.report.products import Products
from almabrain.report.style import drawing


def section(products: Products) -> str:
    """The training curve of every model of the run."""
    histories = products.histories()
    if not histories:
        return page.paragraph("No network was trained: this run has no campaign.", "missing")
    return "".join(_model(name, history) for name, history in histories.items())


def _model(name: str, history: dict[str, np.ndarray]) -> str:
    last = {key: values[-1] for key, values in history.items()}
    told = [f"{len(history['epoch'])} epochs"]
    told += [
        f"{key.replace('_', ' ')} {last[key]:.3g}"
        for key in ("validation_loss", "purity", "completeness")
        if key in last
    ]
    with drawing():
        figure = figures_score.training(history)
    return page.heading(f"Network {name}") + page.figure(
        figure,
        f"Loss of the network {name} by epoch, and purity and completeness on the validation set.",
        f"Left: loss on the training and on the validation set. Right: share of the validation sources found "
        f"(completeness) and of the detections that are sources (purity). At the end: {', '.join(told)}.",
    )
