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
    told = [
        f"{key.replace('_', ' ')} {last[key]:.3g}"
        for key in ("validation_loss", "purity", "completeness")
        if key in last
    ]
    with drawing():
        return page.heading(f"Network {name}") + page.figure(
            figures_score.training(history),
            f"Loss of the network {name} by epoch, and purity and completeness on the validation set.",
            "Left: loss on the training and on the validation set. Right: share of the validation sources "
            "found (completeness) and of the detections that are sources (purity). At the end, after "
            f"{len(history['epoch'])} epochs: {', '.join(told)}.",
        )
