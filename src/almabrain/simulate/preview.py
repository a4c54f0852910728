"""One picture of a simulation, to see at a glance whether it is what was meant."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from almabrain.instrument import site
from almabrain.report import style

_MOST_UV_POINTS = 20_000
_SPEED_OF_LIGHT = 299_792_458.0


def preview(windows: Mapping[str, xr.Dataset], tables: Mapping[str, xr.Dataset]):
    """A matplotlib figure: images, PSF and primary beam of the brightest channel, uv cover, pads, spectrum.

    `windows` and `tables` as the stage simulate makes them; the two images share one scale.
    """
    name, channel = _brightest(windows)
    window = windows[name]
    with style.drawing():
        figure = style.new_figure(style.PAGE_WIDTH_IN, 5.8)
        axes = figure.subplots(2, 4, height_ratios=(1.15, 1))
        frequency = float(window["frequency_hz"][channel]) / 1e9
        figure.suptitle(
            f"{window.attrs['simulation']}: {window.attrs['target_name']}, {window.attrs['observation']}, "
            f"{name} at {frequency:.4f} GHz ({window.attrs['frame']})"
        )
        _pictures(figure, axes[0], window, channel)
        _uv_cover(axes[1, 0], window, frequency * 1e9)
        _pads(axes[1, 1], tables["antennas"])
        _spectrum(figure, axes[1, 2:], windows, name, channel)
    return figure


def _brightest(windows: Mapping[str, xr.Dataset]) -> tuple[str, int]:
    """Window and channel of the strongest noiseless light."""
    peaks = {
        name: np.abs(window["dirty_noiseless"]).max(("y", "x")).values for name, window in windows.items()
    }
    name = max(peaks, key=lambda key: peaks[key].max())
    return name, int(peaks[name].argmax())


def _pictures(figure, axes, window: xr.Dataset, channel: int) -> None:
    noiseless, noisy = (window[key].values[channel] for key in ("dirty_noiseless", "dirty"))
    low, high = min(noiseless.min(), noisy.min()), max(noiseless.max(), noisy.max())
    scale, unit = _readable(max(abs(low), abs(high)), "Jy/beam")
    limits = {"vmin": low * scale, "vmax": high * scale, "cmap": style.SEQUENTIAL}
    half = window.attrs["n_pix"] * window.attrs["cell_arcsec"] / 2
    panels = [
        (noiseless * scale, "dirty, no noise", unit, limits),
        (noisy * scale, "dirty, as observed", unit, limits),
        (window["psf"].values[channel], "PSF", "Jy/beam for 1 Jy", {"cmap": style.SEQUENTIAL}),
        (window["pb"].values[channel], "primary beam", "response", {"vmin": 0, "vmax": 1, "cmap": "viridis"}),
    ]
    for axis, (picture, title, label, options) in zip(axes, panels, strict=True):
        drawn = axis.imshow(picture, extent=(half, -half, -half, half), **options)
        axis.set(title=title, xlabel="east offset (arcsec)")
        figure.colorbar(drawn, ax=axis, label=label, shrink=0.8)
    axes[0].set_ylabel("north offset (arcsec)")


def _uv_cover(axis, window: xr.Dataset, frequency_hz: float) -> None:
    axis.set(title="uv cover", xlabel="u (kilowavelengths)", ylabel="v (kilowavelengths)", aspect="equal")
    if "uvw_m" not in window:
        axis.text(0.5, 0.5, "visibilities not kept", ha="center", transform=axis.transAxes)
        return
    good = window["uvw_m"].values[~window["flag"].values]
    u, v = good[:: max(1, len(good) // _MOST_UV_POINTS), :2].T * frequency_hz / _SPEED_OF_LIGHT / 1e3
    for sign in (1, -1):
        axis.plot(sign * u, sign * v, ",", color=style.SERIES[0], alpha=0.6)


def _pads(axis, antennas: xr.Dataset) -> None:
    east, north = site.ground_m(antennas["itrf_m"].values).T
    for number, diameter in enumerate(np.unique(antennas["diameter_m"].values)[::-1]):
        these = antennas["diameter_m"].values == diameter
        label = f"{these.sum()} of {diameter:g} m"
        axis.plot(east[these], north[these], "o^"[number], ms=3, color=style.SERIES[number], label=label)
    axis.set(title="antennas", xlabel="east (m)", ylabel="north (m)", aspect="equal")
    axis.set_adjustable("datalim")
    axis.legend(loc="best", handletextpad=0.1)


def _spectrum(figure, axes, windows, name: str, channel: int) -> None:
    """The spectrum of every window at the brightest pixel of one of them, with the predicted rms."""
    for axis in axes:
        axis.remove()
    axis = figure.add_subplot(axes[0].get_gridspec()[1, 2:])
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
    axis.legend(ncols=min(4, len(windows)), loc="best")


def _readable(largest: float, unit: str) -> tuple[float, str]:
    """A factor and its unit that bring a number between 1 and 1000."""
    for factor, prefix in ((1.0, ""), (1e3, "m"), (1e6, "u")):
        if largest * factor >= 1:
            return factor, prefix + unit
    return 1e9, f"n{unit}"
