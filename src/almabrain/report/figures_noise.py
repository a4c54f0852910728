"""Real noise beside simulated noise."""

import numpy as np

from almabrain.report.style import DIVERGING, PAGE_WIDTH_IN, SERIES, brightness_unit, new_figure


def pictures(
    real: np.ndarray | None, drawn: np.ndarray, mask: np.ndarray | None, cell_arcsec: float, rms_jy: float
):
    """The reference (y, x; None where it is not at hand; what is under `mask` in grey) and one drawn field.

    Both on one scale of ±4 `rms_jy` [Jy/beam].
    """

    import matplotlib

    factor, unit = brightness_unit(4 * rms_jy)
    shown = {"Reference (real)": real, "Drawn by the model": drawn}
    shown = {title: picture for title, picture in shown.items() if picture is not None}
    figure = new_figure(PAGE_WIDTH_IN * (0.06 + 0.33 * len(shown)), 3.9, "compressed")
    axes = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
    colours = matplotlib.colormaps[DIVERGING].with_extremes(bad="#9a9a9a")
    reach = 4 * rms_jy * factor
    for axis, (title, picture) in zip(axes, shown.items(), strict=True):
        n_y, n_x = picture.shape
        extent = tuple(cell_arcsec * edge for edge in (n_x / 2, -n_x / 2, -n_y / 2, n_y / 2))
        values = np.where(mask, np.nan, picture) if picture is real else picture
        drawing = axis.imshow(values * factor, extent=extent, cmap=colours, vmin=-reach, vmax=reach)
        axis.set(title=title, xlabel="RA offset [arcsec]")
    axes[0].set_ylabel("Dec offset [arcsec]")
    figure.colorbar(drawing, ax=axes.tolist(), pad=0.01, aspect=30).set_label(f"{unit}/beam")
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
