"""How an image fits its visibilities: uv coverage, χ² by baseline, learned spectrum, and how it came about."""

import numpy as np

from almabrain.report.style import PAGE_WIDTH_IN, SERIES, new_figure, plain_ticks

_MOST_POINTS = 40_000


def uv_coverage(tracks: dict[str, np.ndarray]):
    """Spatial frequencies (row, 2) [kλ] that every window samples, with conjugates, and their lengths."""
    figure = new_figure(PAGE_WIDTH_IN * 0.72, 4.1)
    plane, lengths = figure.subplots(1, 2, width_ratios=(1, 1.15))
    colours = [SERIES[number % len(SERIES)] for number in range(len(tracks))]
    size = np.clip(160 / np.sqrt(max(map(len, tracks.values()))), 1.6, 5)
    for uv, colour in zip(tracks.values(), colours, strict=True):
        step = max(1, len(uv) // _MOST_POINTS)
        both = np.concatenate([uv[::step], -uv[::step]])
        plane.plot(*both.T, ".", color=colour, markersize=size, markeredgewidth=0, alpha=0.7)
    reach = 1.05 * max(float(np.abs(uv).max()) for uv in tracks.values())
    plane.set(aspect="equal", xlim=(reach, -reach), ylim=(-reach, reach), xlabel="u [kλ]", ylabel="v [kλ]")
    plane.set_title("uv coverage")
    values = [np.hypot(*uv.T) for uv in tracks.values()]
    lengths.hist(values, bins=50, histtype="barstacked", color=colours, label=list(tracks))
    lengths.set(
        title="Baseline lengths", xlabel="baseline length [kλ]", ylabel="visibilities", xlim=(0, None)
    )
    figure.legend(*lengths.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def fit(
    chi2_edges_klambda: np.ndarray,
    chi2: np.ndarray,
    spectrum: dict[str, np.ndarray] | None,
    noise: dict[str, np.ndarray] | None = None,
):
    """Reduced χ² (bin,) between baseline edges (bin + 1,) [kλ], the noise learned, and the posterior power spectrum.

    `noise` has klambda, factor and its relative error; `spectrum` has k [1/arcsec], and of the log brightness' spectrum
    mean, low, high, and the law learned. Either may be None.
    """
    count = 1 + (noise is not None) + (spectrum is not None)
    figure = new_figure(PAGE_WIDTH_IN * (1 if count == 3 else 0.72), 3.2)
    panels = iter(np.atleast_1d(figure.subplots(1, count)))
    _draw_chi2(next(panels), chi2_edges_klambda, chi2)
    if noise is not None:
        _draw_noise(next(panels), noise)
    if spectrum is not None:
        _draw_spectrum(next(panels), spectrum)
    return figure


def _draw_noise(axis, noise: dict[str, np.ndarray]) -> None:
    length, factor, error = noise["klambda"], noise["factor"], noise["error"]
    axis.axhline(1, color="#777777", linewidth=0.8)
    axis.plot(length, factor, color=SERIES[0])
    axis.fill_between(
        length, factor * (1 - error), factor * (1 + error), color=SERIES[0], alpha=0.25, linewidth=0
    )
    axis.set(xlabel="baseline length [kλ]", ylabel="noise / that of the window", title="Learned noise")
    axis.set_ylim(0, 1.1 * float(np.max(factor * (1 + error))))


def _draw_chi2(axis, edges: np.ndarray, chi2: np.ndarray) -> None:
    axis.axhspan(0.9, 1.1, color="#e8efe8", zorder=0)
    axis.axhline(1, color="#777777", linewidth=0.8)
    axis.stairs(chi2, edges, color=SERIES[0], linewidth=1.8, baseline=None)
    axis.plot((edges[1:] + edges[:-1]) / 2, chi2, "o", color=SERIES[0], markersize=3.5)
    spread = max(0.15, 1.2 * float(np.abs(np.nan_to_num(np.asarray(chi2) - 1)).max()))
    axis.set(xlabel="baseline length [kλ]", ylabel="reduced χ²", title="Misfit by baseline")
    axis.set_ylim(max(0, 1 - spread), 1 + spread)


def _draw_spectrum(axis, spectrum: dict[str, np.ndarray]) -> None:
    k, mean = spectrum["k"], spectrum["mean"]
    good = (k > 0) & (mean > 0)
    axis.plot(k[good], mean[good], color=SERIES[0], label="samples")
    axis.fill_between(
        k[good], spectrum["low"][good], spectrum["high"][good], color=SERIES[0], alpha=0.25, linewidth=0
    )
    axis.set(
        xscale="log", yscale="log", xlabel="spatial frequency [1/arcsec]", title="Learned power spectrum"
    )
    axis.plot(k[good], spectrum["learned"][good], color=SERIES[1], linestyle="--", label="learned law")
    axis.set_ylabel("variance of ln brightness per mode")
    plain_ticks(axis.xaxis)
    axis.legend()


def spectra(fluxes: dict[str, list[np.ndarray]], unit: str):
    """Spectra of regions with 68 and 95 % bands, `unit` against GHz.

    `fluxes` has by region: frequency, median, and the ends of the 68 % and of the 95 % interval, each (channel,).
    """
    figure = new_figure(PAGE_WIDTH_IN, 2.9)
    panels = figure.subplots(1, len(fluxes), squeeze=False)[0]
    for axis, (name, (frequency, median, low, high, lowest, highest)) in zip(
        panels, fluxes.items(), strict=True
    ):
        axis.fill_between(frequency, lowest, highest, step="mid", color=SERIES[0], alpha=0.15, linewidth=0)
        axis.fill_between(frequency, low, high, step="mid", color=SERIES[0], alpha=0.3, linewidth=0)
        axis.step(frequency, median, where="mid", color=SERIES[0])
        axis.axhline(0, color="#777777", linewidth=0.8)
        axis.set(title=name, xlabel="frequency [GHz]", ylabel=f"flux [{unit}]")
        axis.locator_params(axis="x", nbins=4)
        axis.xaxis.get_major_formatter().set_useOffset(False)
    return figure


def history(rounds: dict[str, np.ndarray]):
    """The rounds of inference: energy, χ², acceptance and how far the chains are from one another.

    `rounds` are columns of the table of rounds: round, warming, energy, chi2, acceptance, disagreement, slowest, and,
    of the worst chain, worst_acceptance.
    """
    figure = new_figure(PAGE_WIDTH_IN, 2.7)
    panels = figure.subplots(1, 4, sharex=True)
    names = {"acceptance": "all chains", "disagreement": "all"}
    number, warming = rounds["round"], rounds["warming"].astype(bool)
    for axis, name, title in zip(
        panels,
        ("energy", "chi2", "acceptance", "disagreement"),
        ("Energy (−ln posterior)", "Reduced χ²", "Steps accepted", "Disagreement of chains (R̂)"),
        strict=True,
    ):
        if warming.any():
            axis.axvspan(0.5, number[warming].max() + 0.5, color="#eeeeee", zorder=0)
        _draw_rounds(axis, number, rounds[name], warming, SERIES[0], names.get(name))
        axis.set(title=title, xlabel="round")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.yaxis.get_major_formatter().set_useOffset(False)
    _draw_rounds(panels[2], number, rounds["worst_acceptance"], warming, SERIES[1], "worst chain")
    _draw_rounds(panels[3], number, rounds["slowest"], warming, SERIES[1], "worst twentieth")
    panels[1].axhline(1, color="#777777", linewidth=0.8)
    panels[2].set_ylim(0, 1)
    panels[3].axhline(1, color="#777777", linewidth=0.8)
    for axis in panels[2:]:
        if axis.get_legend_handles_labels()[0]:
            axis.legend()
    return figure


def _draw_rounds(axis, number, values, warming, colour, label) -> None:
    """A line for the warm-up and one for the rounds that count, which start anew."""
    for part, name in ((warming, None), (~warming, label)):
        good = part & np.isfinite(values)
        axis.plot(
            number[good], values[good], "o-", color=colour, markersize=3, label=name if good.any() else None
        )
