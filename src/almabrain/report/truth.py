"""The true sky as a perfect telescope with the restoring beam would show it."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from almabrain.data.coordinates import ARCSEC, lm_from_radec
from almabrain.instrument import primary_beam
from almabrain.response.beam import Beam, render_components


def apparent_sky(
    sky: Mapping[str, xr.Dataset], weights: Mapping[str, np.ndarray], dish_m: float, grid: dict, beam: Beam
) -> np.ndarray:
    """The true continuum (y, x) in Jy/beam, attenuated by the primary beam, at `beam`.

    `sky` is a window's model under every `spw<k>`, `weights` (line-free channel,) what each channel weighs in
    the image; `grid` has n_pix, cell_arcsec and the phase centre ra_deg, dec_deg. Components stand where they
    are, not on pixels; the pixels of a pixel model are points.
    """
    total = sum(float(np.sum(weight)) for weight in weights.values())
    picture = np.zeros((grid["n_pix"], grid["n_pix"]))
    for name, weight in weights.items():
        window = sky[name]
        free = window["line_free"].values.astype(bool)
        share = np.zeros(free.size)
        share[free] = np.asarray(weight) / total
        for form in (_components(window, grid), _pixels(window)):
            if form is None:
                continue
            flux, l, m, major, minor, pa = form  # noqa: E741
            attenuation = primary_beam.power(
                np.arcsin(np.hypot(l, m))[:, None], window["frequency_hz"].values, dish_m
            )
            seen = (flux * attenuation) @ share
            picture += render_components(
                grid["n_pix"], grid["cell_arcsec"], seen, l, m, major, minor, pa, beam
            )
    return picture


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
