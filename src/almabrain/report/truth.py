"""The true sky as a perfect telescope with the restoring beam would show it."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy.ndimage import map_coordinates

from almabrain.data.coordinates import lm_from_radec
from almabrain.response.beam import Beam, convolve, render_components
from almabrain.response.primary_beam import attenuate, dish, image

PIXELS_PER_BEAM = 4


def apparent_sky(
    sky: Mapping[str, xr.Dataset],
    channels: Mapping[str, tuple[np.ndarray, np.ndarray]],
    dish_m: float,
    grid: dict,
    beam: Beam,
) -> np.ndarray:
    """The true continuum (y, x) in Jy/beam, attenuated by the primary beam, at `beam`.

    `sky` is a window's model under every `spw<k>`, `channels` the frequencies [Hz] imaged of each with what
    they weigh in the image (both (channel,)); `grid` has n_pix, cell_arcsec and the phase centre ra_deg,
    dec_deg. Components stand where they are, not on pixels; the pixels of a pixel model are points.
    """
    total = sum(float(np.sum(weight)) for _, weight in channels.values())
    picture = np.zeros((grid["n_pix"], grid["n_pix"]))
    for name, (frequency, weight) in channels.items():
        if form := _components(sky[name], grid):
            flux, *geometry = form
            response, *geometry = attenuate(frequency, dish(dish_m), *geometry)
            seen = (_continuum(sky[name], flux, frequency) * response) @ (weight / total)
            picture += render_components(grid["n_pix"], grid["cell_arcsec"], seen, *geometry, beam)
        if "pixel_model_jy" in sky[name]:
            picture += _pixels(sky[name], frequency, weight / total, dish(dish_m), grid, beam)
    return picture


def _continuum(window: xr.Dataset, flux: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Fluxes (component, channel) at other frequencies, from the line-free channels of the model."""
    return flux @ _interpolation(window, frequency)


def _interpolation(window: xr.Dataset, frequency: np.ndarray) -> np.ndarray:
    """How much each channel of the model counts (channel, frequency) for the continuum at other frequencies."""
    free = np.flatnonzero(window["line_free"].values)
    known = window["frequency_hz"].values[free]
    order = np.argsort(known)
    made = np.zeros((window.sizes["channel"], len(frequency)))
    for index, channel in enumerate(free[order]):
        made[channel] = np.interp(frequency, known[order], np.arange(free.size) == index)
    return made


def _components(window: xr.Dataset, grid: dict):
    if not window.sizes.get("component", 0):
        return None
    l, m = lm_from_radec(  # noqa: E741
        window["ra_deg"].values, window["dec_deg"].values, grid["ra_deg"], grid["dec_deg"]
    )
    shapes = (window[name].values for name in ("major_arcsec", "minor_arcsec", "pa_deg"))
    return window["component_flux_jy"].values, l, m, *shapes


def _pixels(window: xr.Dataset, frequency, weight, power, grid: dict, beam: Beam) -> np.ndarray:
    """The pixels of a model behind the primary beam as the picture (y, x) shows them, each a point."""
    model = window["pixel_model_jy"]
    side, cell = model.shape[-1], model.attrs["pixel_cell_arcsec"]
    share = _interpolation(window, frequency)
    seen = np.zeros((side, side))
    for index, hertz in enumerate(frequency):
        used = np.flatnonzero(share[:, index])
        light = np.tensordot(share[used, index], model.values[used], axes=1)
        seen += weight[index] * light * image(side, cell, hertz, power)
    # Light is known between the pixels once the beam has smoothed it over several; finer pixels where they
    # are coarse. Zeros all around keep what the Fourier transform makes periodic away.
    finer = int(np.ceil(PIXELS_PER_BEAM * cell / beam.minor_arcsec))
    padding = int(np.ceil(2 * beam.major_arcsec / cell))
    fine = np.zeros((finer * (side + 2 * padding),) * 2)
    inner = slice(finer * padding, finer * (padding + side), finer)
    fine[inner, inner] = seen
    smooth = convolve(fine, cell / finer, beam)
    # Both pictures have the phase centre on pixel N // 2 and x to the west.
    offset = (np.arange(grid["n_pix"]) - grid["n_pix"] // 2) * grid["cell_arcsec"] * finer / cell
    at = np.meshgrid(*[offset + finer * (padding + side // 2)] * 2, indexing="ij")
    return map_coordinates(smooth, at, order=5)
