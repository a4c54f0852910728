"""One picture of a simulation, to see at a glance whether it is what was meant."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.instrument import site
from almabrain.report import style

_MOST_UV_POINTS = 20_000
_FAINT = 0.1  # of the noise's scale: then the noiseless image gets its own
_ROOM = 24  # pixels around the light


def preview(windows: Mapping[str, xr.Dataset], tables: Mapping[str, xr.Dataset]):
    """A matplotlib figure: images, PSF and primary beam of the brightest channel, uv cover, pads, spectrum.

    `windows` and `tables` as the stage simulate makes them. The two images share one scale, unless the light
    would not be seen on it, and show where the light is; where single dishes took part, so does their map.
    """
    name, channel = _brightest(windows)
    window = windows[name]
    number = 5 if "total_power" in window else 4
    with style.drawing():
        figure = style.new_figure(style.PAGE_WIDTH_IN * number / 4, 5.8)
        grid = figure.add_gridspec(2, number, height_ratios=(1.15, 1))
        frequency = float(window["frequency_hz"][channel]) / 1e9
        figure.suptitle(
            f"{window.attrs['simulation']}: {window.attrs['observation']}, "
            f"{name} at {frequency:.4f} GHz ({window.attrs['frame']})"
        )
        _pictures(figure, [figure.add_subplot(grid[0, k]) for k in range(number)], window, channel)
        _uv_cover(figure.add_subplot(grid[1, 0]), window, frequency * 1e9)
        _pads(figure.add_subplot(grid[1, 1]), tables["antennas"])
        _spectrum(figure.add_subplot(grid[1, 2:]), windows, name, channel)
    return figure


def _brightest(windows: Mapping[str, xr.Dataset]) -> tuple[str, int]:
    """Window and channel of the strongest noiseless light."""
    peaks = {
        name: np.abs(window["dirty_noiseless"]).max(("y", "x")).values for name, window in windows.items()
    }
    name = max(peaks, key=lambda key: peaks[key].max())
    return name, int(peaks[name].argmax())


def _pictures(figure, axes, window: xr.Dataset, channel: int) -> None:
    """Both dirty images where the light is, PSF, primary beam, and the single dishes' map where there is one."""
    noiseless, noisy = (window[key].values[channel] for key in ("dirty_noiseless", "dirty"))
    largest = np.abs(noisy).max()
    faint = np.abs(noiseless).max() < _FAINT * largest
    low, high = min(noiseless.min(), noisy.min()), max(noiseless.max(), noisy.max())
    place, core = _box_of_light(noiseless), _box_about(noiseless.shape[0] // 2, noiseless.shape[0] // 2, 32)
    limits = {"vmin": low, "vmax": high}
    title = "dirty, no noise" + (" (own scale)" if faint else "")
    _picture(figure, axes[0], window, noiseless, place, title, {} if faint else limits)
    _picture(figure, axes[1], window, noisy, place, "dirty, as observed", limits)
    _picture(figure, axes[2], window, window["psf"].values[channel], core, "PSF of 1 Jy", {})
    beam = {"vmin": 0, "vmax": 1, "cmap": "viridis"}
    whole = (slice(None), slice(None))
    _picture(figure, axes[3], window, window["pb"].values[channel], whole, "primary beam", beam, "response")
    if len(axes) > 4:
        total_power = window["total_power"].values[channel]
        _picture(figure, axes[4], window, total_power, whole, "total power", {})
    axes[0].set_ylabel("north offset (arcsec)")


def _picture(figure, axis, window, picture, box, title, options, label="") -> None:
    """One panel: the part of a picture (y, x) in Jy/beam, or in units of `label`, that `box` tells."""
    n_pix, cell = window.attrs["n_pix"], window.attrs["cell_arcsec"]
    edges = (np.arange(n_pix + 1) - n_pix // 2 - 0.5) * cell
    rows, columns = (edges[slice(*side.indices(n_pix)[:2])] for side in box)
    extent = (-columns[0], -columns[-1] - cell, rows[0], rows[-1] + cell)
    scale, unit = (1.0, label) if label else _readable(np.abs(picture).max(), "Jy/beam")
    if not label and "vmin" in options:
        scale, unit = _readable(max(abs(options["vmin"]), abs(options["vmax"])), "Jy/beam")
    limits = {key: options[key] * scale for key in ("vmin", "vmax") if key in options}
    colours = options.get("cmap", style.SEQUENTIAL)
    drawn = axis.imshow(picture[box] * scale, extent=extent, cmap=colours, **limits)
    axis.set(title=title, xlabel="east offset (arcsec)")
    figure.colorbar(drawn, ax=axis, label=unit, shrink=0.8)


def _box_of_light(picture: np.ndarray) -> tuple[slice, slice]:
    """The part of an image that holds what is brighter than a fifth of its peak, with room around."""
    y, x = np.nonzero(np.abs(picture) > 0.2 * np.abs(picture).max())
    if not y.size:
        return slice(None), slice(None)
    half = 0.75 * max(np.ptp(y), np.ptp(x)) + _ROOM
    if half > 0.35 * len(picture):
        return slice(None), slice(None)
    middle = (y.min() + y.max()) // 2, (x.min() + x.max()) // 2
    return _box_about(*middle, int(half), len(picture))


def _box_about(y: int, x: int, half: int, size: int = 10**6) -> tuple[slice, slice]:
    return tuple(slice(max(0, middle - half), min(size, middle + half)) for middle in (y, x))


def _uv_cover(axis, window: xr.Dataset, frequency_hz: float) -> None:
    """Both ends of every baseline, each execution in a colour of its own; u grows to the east, left."""
    axis.set(title="uv cover", xlabel="u (kilowavelengths)", ylabel="v (kilowavelengths)", aspect="equal")
    axis.invert_xaxis()
    if "uvw_m" not in window:
        axis.text(0.5, 0.5, "visibilities not kept", ha="center", transform=axis.transAxes)
        return
    execution = window["execution"].values
    for number in np.unique(execution):
        good = window["uvw_m"].values[(execution == number) & ~window["flag"].values]
        u, v = good[:: max(1, len(good) // _MOST_UV_POINTS), :2].T * frequency_hz / SPEED_OF_LIGHT_M_S / 1e3
        colour = style.SERIES[number % len(style.SERIES)]
        for sign in (1, -1):
            axis.plot(sign * u, sign * v, ",", color=colour, alpha=0.6)


def _pads(axis, antennas: xr.Dataset) -> None:
    east, north = site.ground_m(antennas["itrf_m"].values).T
    for number, diameter in enumerate(np.unique(antennas["diameter_m"].values)[::-1]):
        these = antennas["diameter_m"].values == diameter
        label = f"{these.sum()} of {diameter:g} m"
        axis.plot(east[these], north[these], "o^"[number], ms=3, color=style.SERIES[number], label=label)
    axis.set(title="antennas", xlabel="east (m)", ylabel="north (m)", aspect="equal")
    axis.set_adjustable("datalim")
    axis.legend(loc="upper left", bbox_to_anchor=(0, -0.22), handletextpad=0.1, ncols=2)


def _spectrum(axis, windows, name: str, channel: int) -> None:
    """The spectrum of every window at the brightest pixel of one of them, with the predicted rms."""
    picture = windows[name]["dirty_noiseless"].values[channel]
    y, x = np.unravel_index(np.abs(picture).argmax(), picture.shape)
    highest = max(np.abs(window["dirty"].values[:, y, x]).max() for window in windows.values())
    scale, unit = _readable(highest, "Jy/beam")
    for number, (key, window) in enumerate(windows.items()):
        order = np.argsort(window["frequency_hz"].values)
        frequency = window["frequency_hz"].values[order] / 1e9
        colour = style.SERIES[number % len(style.SERIES)]
        noiseless = window["dirty_noiseless"].values[order, y, x] * scale
        rms = window["rms_jy_beam"].values[order] * scale
        axis.plot(frequency, noiseless, color=colour, label=key, drawstyle="steps-mid")
        axis.plot(frequency, window["dirty"].values[order, y, x] * scale, ".", ms=3, color=colour)
        axis.fill_between(frequency, noiseless - rms, noiseless + rms, color=colour, alpha=0.2, lw=0)
    axis.set(title="spectrum at the brightest pixel: line noiseless, dots as observed, band 1 rms")
    axis.set(xlabel=f"frequency (GHz, {windows[name].attrs['frame']})", ylabel=unit)
    axis.legend(ncols=min(8, len(windows)), loc="upper left", bbox_to_anchor=(0, -0.16))


def _readable(largest: float, unit: str) -> tuple[float, str]:
    """A factor and its unit that bring a number between 1 and 1000."""
    for factor, prefix in ((1.0, ""), (1e3, "m"), (1e6, "µ")):
        if largest * factor >= 1:
            return factor, prefix + unit
    return 1e9, f"n{unit}"
