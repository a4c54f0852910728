"""The true sky as a perfect telescope with the restoring beam would show it."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from almabrain.data.coordinates import ARCSEC, lm_from_radec
from almabrain.response.beam import Beam, render_components
from almabrain.response.primary_beam import attenuate, dish


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
        for form in (_components(sky[name], grid), _pixels(sky[name])):
            if form is None:
                continue
            flux, *geometry = form
            response, *geometry = attenuate(frequency, dish(dish_m), *geometry)
            seen = (_continuum(sky[name], flux, frequency) * response) @ (weight / total)
            picture += render_components(grid["n_pix"], grid["cell_arcsec"], seen, *geometry, beam)
    return picture


def _continuum(window: xr.Dataset, flux: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Fluxes (component, channel) at other frequencies, from the line-free channels of the model."""
    free = np.flatnonzero(window["line_free"].values)
    known = window["frequency_hz"].values[free]
    order = np.argsort(known)
    return np.array([np.interp(frequency, known[order], row[free][order]) for row in flux])


def _components(window: xr.Dataset, grid: dict):
    if not window.sizes.get("component", 0):
        return None
    l, m = lm_from_radec(  # noqa: E741
        window["ra_deg"].values, window["dec_deg"].values, grid["ra_deg"], grid["dec_deg"]
    )
    shapes = (window[name].values for name in ("major_arcsec", "minor_arcsec", "pa_deg"))
    return window["component_flux_jy"].values, l, m, *shapes


def _pixels(window: xr.Dataset):
    if "pixel_model_jy" not in window:
        return None
    model = window["pixel_model_jy"]
    cell = model.attrs["pixel_cell_arcsec"] * ARCSEC
    y, x = np.nonzero(np.abs(model.values).max(axis=0))
    if not x.size:
        return None
    zero = np.zeros(x.size)
    l, m = -(x - model.shape[2] // 2) * cell, (y - model.shape[1] // 2) * cell  # noqa: E741
    return model.values[:, y, x].T, l, m, zero, zero, zero
