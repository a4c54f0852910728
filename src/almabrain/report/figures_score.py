"""How well training went and how well sources are found and measured."""

from math import erf, sqrt

import numpy as np

from almabrain.report.style import PAGE_WIDTH_IN, SERIES, brightness_unit, new_figure, plain_ticks

_PULL_EDGE = 5.0


def training(history: dict[str, np.ndarray]):
    """Losses, and purity and completeness on the validation set, against the epoch."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(PAGE_WIDTH_IN * 0.72, 3.1)
    losses, scores = figure.subplots(1, 2)
    epoch = history["epoch"]
    for axis, names in ((losses, ("train_loss", "validation_loss")), (scores, ("completeness", "purity"))):
        for number, name in enumerate(item for item in names if item in history):
            label = name.replace("_loss", "").replace("train", "training")
            axis.plot(epoch, history[name], marker="o", markersize=3, color=SERIES[number], label=label)
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.legend()
    losses.set(ylabel="cross-entropy per pixel", yscale="log", title="Loss")
    plain_ticks(losses.yaxis)
    scores.set(ylabel="fraction", ylim=(-0.03, 1.03), title="Validation sources")
    return figure


def recovered_fluxes(
    true_jy: dict[str, np.ndarray], flux_jy: dict[str, np.ndarray], error_jy: dict[str, np.ndarray]
):
    """Measured against true flux [Jy] of every finder's matched sources, and how their pulls accumulate."""
    figure = new_figure(PAGE_WIDTH_IN * 0.8, 4.1)
    fluxes, pulls = figure.subplots(1, 2, width_ratios=(1.2, 1))
    everything = np.concatenate([*true_jy.values(), *flux_jy.values()])
    positive = everything[everything > 0]
    factor, unit = brightness_unit(float(np.median(positive)) if positive.size else 1e-3)
    ends = (
        factor * np.array([positive.min() / 1.5, positive.max() * 1.5])
        if positive.size
        else np.array([0.1, 1])
    )
    fluxes.plot(ends, ends, color="#777777", linewidth=0.9, zorder=0)
    for number, name in enumerate(true_jy):
        colour = SERIES[(1 + number) % len(SERIES)]
        style = {"fmt": "os^dv"[number % 5], "markersize": 4.5, "capsize": 2, "linewidth": 1, "color": colour}
        fluxes.errorbar(
            true_jy[name] * factor,
            flux_jy[name] * factor,
            error_jy[name] * factor,
            label=name,
            alpha=0.85,
            **style,
        )
        pull = (flux_jy[name] - true_jy[name]) / error_jy[name]
        _draw_pulls(pulls, np.sort(pull[np.isfinite(pull)]), name, colour)
    fluxes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, title="Flux recovered")
    fluxes.set(xlabel=f"true flux [{unit}]", ylabel=f"measured flux [{unit}]")
    for axis in (fluxes.xaxis, fluxes.yaxis):
        plain_ticks(axis)
    fluxes.legend(loc="upper left")
    x = np.linspace(-_PULL_EDGE, _PULL_EDGE, 201)
    pulls.plot(
        x,
        [0.5 * (1 + erf(value / sqrt(2))) for value in x],
        color="#777777",
        linewidth=0.9,
        label="right errors",
    )
    pulls.set(
        title="Are the errors right?", xlabel="(measured − true) / error", ylabel="fraction of sources below"
    )
    pulls.set(xlim=(-_PULL_EDGE, _PULL_EDGE), ylim=(-0.02, 1.02))
    pulls.legend(loc="lower right")
    return figure


def _draw_pulls(axis, pull: np.ndarray, name: str, colour: str) -> None:
    if pull.size:
        # A cumulative curve: unlike a histogram it does not depend on bins, and few sources suffice.
        steps = np.arange(pull.size + 1) / pull.size
        axis.stairs(steps, [-1e9, *pull, 1e9], baseline=None, color=colour, label=name)


def by_snr(edges: np.ndarray, completeness: dict[str, np.ndarray], purity: dict[str, np.ndarray]):
    """Completeness and purity of every finder in bins of signal-to-noise ratio with edges (bin + 1,).

    Each is (3, bin): value, lower and upper end of its interval; bins without a value are left out.
    """
    figure = new_figure(PAGE_WIDTH_IN * 0.72, 3.4)
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    centres = np.sqrt(edges[1:] * edges[:-1])
    for axis, title, series in zip(axes, ("Completeness", "Purity"), (completeness, purity), strict=True):
        for number, (name, (value, low, high)) in enumerate(series.items()):
            known = np.isfinite(value)
            # Side by side, so that equal values do not hide each other.
            x = (centres * 1.06 ** (number - (len(series) - 1) / 2))[known]
            error = np.clip([(value - low)[known], (high - value)[known]], 0, None)
            style = {"fmt": "os^dv"[number % 5] + "-", "markersize": 4.5, "capsize": 2, "linewidth": 1}
            axis.errorbar(
                x, value[known], error, label=name, color=SERIES[(1 + number) % len(SERIES)], **style
            )
        axis.set(title=title, xlabel="signal-to-noise ratio", xscale="log", ylim=(-0.03, 1.05))
        axis.set_xlim(edges[0] / 1.1, edges[-1])
        plain_ticks(axis.xaxis)
    axes[0].set_ylabel("fraction")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
