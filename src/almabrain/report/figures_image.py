"""Pictures of the sky beside each other: arrays in, a matplotlib figure out."""

from dataclasses import dataclass

import numpy as np

from almabrain.report.style import DIVERGING, PAGE_WIDTH_IN, SEQUENTIAL, SERIES, brightness_unit, new_figure

_LOG_RANGE = 1e4
CHANNELS_IN_A_ROW = 6
_TOGETHER = ("shared", "signed")
_LINEAR_SIGMA = 3.0  # below this many sigma the colour scale is linear, above it logarithmic


@dataclass(frozen=True)
class Panel:
    """A picture (y, x) in Jy per `per` with its title.

    `scale` is shared, own (from 0), log (of a positive picture), signed (about 0), ratio (0 to 1.5), share (0 to 1),
    size (logarithmic, of lengths in arcsec) or value (of numbers in the unit `per`).
    """

    title: str
    picture: np.ndarray
    scale: str = "shared"
    per: str = "beam"


@dataclass(frozen=True)
class Grid:
    """Cell [arcsec] and restoring beam (FWHM axes [arcsec], position angle [deg]) of the pictures."""

    cell_arcsec: float
    beam: tuple[float, float, float] | None = None

    def extent(self, shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """Offsets [arcsec] of the edges (east, west, south, north) about pixel n//2; east is positive."""
        n_y, n_x = shape
        x, y = n_x // 2 + 0.5, n_y // 2 + 0.5
        return tuple(self.cell_arcsec * edge for edge in (x, x - n_x, -y, n_y - y))


def sky_row(panels: list[Panel], grid: Grid, noise_jy: float):
    """Pictures in one row; `shared` and `signed` panels stand together and have one scale and bar each.

    The shared scale is linear up to 3 `noise_jy` [Jy/beam] and logarithmic above.
    """
    groups = [[panel] for panel in panels if panel.scale not in _TOGETHER]
    groups = [[panel for panel in panels if panel.scale == scale] for scale in _TOGETHER] + groups
    groups = [group for group in groups if group]
    width = PAGE_WIDTH_IN if len(panels) > 2 else PAGE_WIDTH_IN * (0.15 + 0.25 * len(panels))
    figure = new_figure(width, 0.86 * width / len(panels) + 0.55, "compressed")
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
    place = {id(panel): axis for panel, axis in zip(panels, axes, strict=True)}
    for group in groups:
        factor, unit = _unit(group)
        norm = _norm(group, factor, noise_jy)
        for panel in group:
            axis, extent = place[id(panel)], grid.extent(panel.picture.shape)
            drawn = axis.imshow(panel.picture * factor, extent=extent, cmap=_colours(panel.scale), norm=norm)
            axis.set(title=panel.title, xlabel="RA offset [arcsec]")
            _draw_beam(axis, grid, panel)
        _add_bar(figure, drawn, [place[id(panel)] for panel in group], unit, group[0].scale)
    axes[0].set_ylabel("Dec offset [arcsec]")
    return figure


def channel_maps(panels: list[Panel], grid: Grid, noise_jy: float):
    """Pictures of channels in rows of `CHANNELS_IN_A_ROW`, with one scale and one bar."""
    rows = -(-len(panels) // CHANNELS_IN_A_ROW)
    side = PAGE_WIDTH_IN / CHANNELS_IN_A_ROW
    columns = min(len(panels), CHANNELS_IN_A_ROW)
    figure = new_figure(side * columns + 0.9, (side + 0.25) * rows + 0.4, "compressed")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    factor, unit = _unit(panels)
    norm = _norm(panels, factor, noise_jy)
    for axis, panel in zip(axes.ravel(), panels, strict=False):
        extent = grid.extent(panel.picture.shape)
        drawn = axis.imshow(panel.picture * factor, extent=extent, cmap=_colours(panel.scale), norm=norm)
        axis.set_title(panel.title)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_visible(False)
    _draw_beam(axes[0, 0], grid, panels[0])
    _add_bar(figure, drawn, list(axes.ravel()), unit, panels[0].scale)
    axes[-1, 0].set(xlabel="RA offset [arcsec]", ylabel="Dec offset [arcsec]")
    return figure


def _colours(scale: str):
    import matplotlib

    name = {
        "signed": DIVERGING,
        "value": "viridis",
        "ratio": "viridis_r",
        "size": "viridis_r",
        "share": "viridis",
    }.get(scale, SEQUENTIAL)
    return matplotlib.colormaps[name].with_extremes(bad="#b9b9b9")


def _add_bar(figure, drawn, axes: list, unit: str, scale: str) -> None:
    ends = {"shared": "both", "signed": "both", "ratio": "max", "log": "min"}.get(scale, "neither")
    ticks = {"shared": _ticks, "size": _round_ticks}.get(scale, lambda _: None)(drawn.norm)
    bar = figure.colorbar(drawn, ax=axes, pad=0.01, aspect=22, extend=ends, ticks=ticks, format="{x:g}")
    bar.set_label(unit)
    bar.minorticks_off()


def _unit(group: list[Panel]) -> tuple[float, str]:
    if group[0].scale == "value":
        return 1.0, group[0].per
    if group[0].scale in ("ratio", "share", "size"):
        return 1.0, "arcsec" if group[0].scale == "size" else group[0].scale
    factor, name = brightness_unit(max(float(np.nanmax(np.abs(panel.picture))) for panel in group))
    return factor, f"{name}/{group[0].per}"


def _ticks(norm) -> list[float]:
    """Round values on the bar: 0 and the ends of the linear part, then one or two in each decade."""
    linear = norm.linear_width
    step = 10.0 ** np.floor(np.log10(linear))
    first = step * max(digit for digit in (1, 2, 5) if digit * step <= linear)
    decades = np.arange(np.floor(np.log10(first)), np.ceil(np.log10(norm.vmax)) + 1)
    digits = (1, 3) if len(decades) > 3 else (1, 2, 5)
    above = [digit * 10.0**decade for decade in decades for digit in digits]
    return [-first, 0.0, first, *(value for value in above if 1.9 * first < value <= norm.vmax)]


def _round_ticks(norm) -> list[float]:
    """1, 2, 3 and 5 times powers of ten within a logarithmic scale."""
    decades = np.arange(np.floor(np.log10(norm.vmin)), np.ceil(np.log10(norm.vmax)) + 1)
    every = [digit * 10.0**decade for decade in decades for digit in (1, 2, 3, 5)]
    return [value for value in every if norm.vmin <= value <= norm.vmax]


def _norm(group: list[Panel], factor: float, noise_jy: float):
    from matplotlib.colors import AsinhNorm, LogNorm, Normalize

    values = factor * np.concatenate([panel.picture[np.isfinite(panel.picture)] for panel in group])
    top = float(values.max()) or 1.0
    match group[0].scale:
        case "shared":
            linear = _LINEAR_SIGMA * factor * max(noise_jy, 1e-6 * top / factor)
            return AsinhNorm(linear, vmin=-linear, vmax=max(top, 2 * linear))
        case "signed":
            reach = float(np.percentile(np.abs(values), 99.9)) or 1.0
            return Normalize(-reach, reach)
        case "ratio":
            return Normalize(0, 1.5)
        case "share":
            return Normalize(0, 1)
        case "value":
            return Normalize(float(values.min()), float(values.max()))
        case "size":
            return LogNorm(0.95 * float(values.min()), 1.05 * top)
        case "log":
            return LogNorm(max(top / _LOG_RANGE, float(values[values > 0].min())), top)
        case _:
            return Normalize(0, top)


def _draw_beam(axis, grid: Grid, panel: Panel) -> None:
    from matplotlib.patches import Ellipse

    if grid.beam is None:
        return
    major, minor, pa_deg = grid.beam
    east, west, south, north = grid.extent(panel.picture.shape)
    inset = 0.03 * (north - south) + major / 2
    # Angles count from east to north in these coordinates (east positive), the PA from north to east.
    ellipse = Ellipse((east - inset, south + inset), major, minor, angle=90 - pa_deg)
    ellipse.set(facecolor="#888888" if panel.scale == "signed" else "none", linewidth=1.0)
    ellipse.set_edgecolor("black" if panel.scale == "signed" else "white")
    axis.add_patch(ellipse)


@dataclass(frozen=True)
class Marks:
    """Sources to mark on a picture: direction cosines as offsets [arcsec], east and north."""

    name: str
    east_arcsec: np.ndarray
    north_arcsec: np.ndarray


def marked_sky(panel: Panel, grid: Grid, noise_jy: float, truth: Marks | None, found: list[Marks]):
    """A picture with the true sources as circles and every finder's detections as crosses or squares."""
    from matplotlib.colors import LinearSegmentedColormap

    figure = new_figure(7.2, 6.0, "compressed")
    axis = figure.subplots()
    factor, unit = _unit([panel])
    extent = grid.extent(panel.picture.shape)
    # No darker than a mid grey, so that the signs stand out on bright sources.
    greys = LinearSegmentedColormap.from_list("greys", ["white", "#6e6e6e"])
    norm = _norm([panel], factor, noise_jy)
    drawn = axis.imshow(panel.picture * factor, extent=extent, cmap=greys, norm=norm)
    _add_bar(figure, drawn, [axis], unit, "shared")
    _draw_beam(axis, grid, Panel("", panel.picture, "signed"))
    if truth is not None:
        style = {"s": 220, "facecolors": "none", "edgecolors": SERIES[0], "linewidths": 1.4}
        axis.scatter(truth.east_arcsec, truth.north_arcsec, label=truth.name, **style)
    for number, (marks, sign) in enumerate(zip(found, ("+", "x", "1", "2", "3"), strict=False)):
        axis.scatter(
            marks.east_arcsec,
            marks.north_arcsec,
            s=90,
            marker=sign,
            color=SERIES[1 + number],
            label=marks.name,
        )
    axis.set(title=panel.title, xlabel="RA offset [arcsec]", ylabel="Dec offset [arcsec]")
    axis.set_xlim(extent[:2])
    axis.set_ylim(extent[2:])
    if truth is not None or found:
        figure.legend(loc="outside lower center", ncols=3)
    return figure
