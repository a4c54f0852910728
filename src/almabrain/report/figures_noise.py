"""Real noise beside simulated noise."""

import numpy as np

from almabrain.report.style import DIVERGING, PAGE_WIDTH_IN, SERIES, brightness_unit, new_figure


def pictures(real: np.ndarray, drawn: np.ndarray, mask: np.ndarray, cell_arcsec: float, rms_jy: float):
    """The reference (y, x; sources under `mask` greyed out) and one drawn field on one scale of ±4 rms."""
    from matplotlib.colors import ListedColormap

    factor, unit = brightness_unit(4 * rms_jy)
    n_y, n_x = real.shape
    extent = tuple(cell_arcsec * edge for edge in (n_x / 2, -n_x / 2, -n_y / 2, n_y / 2))
    figure = new_figure(PAGE_WIDTH_IN * 0.72, 3.9, "compressed")
    axes = figure.subplots(1, 2, sharey=True)
    reach = 4 * rms_jy * factor
    for axis, picture, title in zip(
        axes, (real, drawn), ("Reference (real)", "Drawn by the model"), strict=True
    ):
        shown = axis.imshow(picture * factor, extent=extent, cmap=DIVERGING, vmin=-reach, vmax=reach)
        axis.set(title=title, xlabel="RA offset [arcsec]")
    cover = np.where(mask, 1.0, np.nan)
    axes[0].imshow(cover, extent=extent, cmap=ListedColormap(["#9a9a9a"]), vmin=0, vmax=1)
    axes[0].set_ylabel("Dec offset [arcsec]")
    figure.colorbar(shown, ax=axes.tolist(), pad=0.01, aspect=30).set_label(f"{unit}/beam")
    return figure


def statistics(comparison: dict[str, np.ndarray]):
    """ACF, spectrum and pixel distribution of the reference against draws of its model (mean ± 1 sd).

    `comparison` has for acf, spectrum and histogram the abscissa `lag_arcsec`, `frequency_per_beam`,
    `value_sigma`, and `<name>_real`, `<name>_drawn`, `<name>_drawn_sd`.
    """
    figure = new_figure(PAGE_WIDTH_IN, 3.2)
    axes = figure.subplots(1, 3)
    for axis, (name, abscissa) in zip(
        axes,
        (("acf", "lag_arcsec"), ("spectrum", "frequency_per_beam"), ("histogram", "value_sigma")),
        strict=True,
    ):
        x, drawn, spread = comparison[abscissa], comparison[f"{name}_drawn"], comparison[f"{name}_drawn_sd"]
        low = np.maximum(drawn - spread, 1e-12) if name != "acf" else drawn - spread
        axis.fill_between(x, low, drawn + spread, color=SERIES[1], alpha=0.25, linewidth=0)
        axis.plot(x, drawn, color=SERIES[1], label="drawn (mean ± 1 sd of a draw)")
        axis.plot(x, comparison[f"{name}_real"], color=SERIES[0], linestyle="--", label="reference")
    axes[0].axhline(0, color="#999999", linewidth=0.6)
    axes[0].set(title="Autocorrelation", xlabel="lag [arcsec]", ylabel="correlation")
    axes[1].set(title="Power spectrum", xlabel="spatial frequency [cycles per beam]", yscale="log")
    axes[1].set_ylabel("power (mean 1)")
    axes[1].set_ylim(bottom=1e-4 * float(np.nanmax(comparison["spectrum_real"])))
    axes[2].set(title="Pixel distribution", xlabel="value / local rms", ylabel="density", yscale="log")
    axes[2].set_ylim(bottom=1e-5)
    axes[0].legend()
    return figure
