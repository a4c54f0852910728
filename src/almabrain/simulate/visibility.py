"""Noiseless visibilities of a sky model behind the primary beams of an array."""

import numpy as np
import xarray as xr

from almabrain.response import primary_beam
from almabrain.response.beam import ARCSEC_RAD
from almabrain.response.predict import predict_components, predict_image
from almabrain.simulate.coverage import Coverage
from almabrain.simulate.field import component_geometry

EPSILON = 1e-6


def model_visibility(
    window: xr.Dataset, coverage: Coverage, planar: bool = False, threads: int = 1
) -> np.ndarray:
    """Noiseless Stokes I visibilities (row, chan) in Jy of a sky model, phased to the target.

    Every kind of baseline sees each pointing through its own beam.
    """
    visibility = np.empty((len(coverage.uvw_m), window.sizes["channel"]), complex)
    for pointing, aim in enumerate(coverage.pointings_lm):
        for kind, sizes in enumerate(coverage.kinds):
            rows = (coverage.pointing == pointing) & (coverage.kind == kind)
            if rows.all():
                rows = slice(None)
            power = primary_beam.baseline(*sizes, aim)
            visibility[rows] = predict(window, coverage.uvw_m[rows], power, planar, threads)
    return visibility


def predict(
    window: xr.Dataset,
    uvw_m: np.ndarray,
    power: primary_beam.Power,
    planar: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """Visibilities (row, chan) in Jy, at `uvw_m` (row, 3) about the target, of a sky model seen through `power`.

    The beam acts on the whole of each component (`response.primary_beam.attenuate`) and on each pixel. `planar`
    leaves w out for the pixels.
    """
    frequency = window["frequency_hz"].values
    response, l, m, major, minor, pa = primary_beam.attenuate(frequency, power, *component_geometry(window))
    flux = window["component_flux_jy"].values * response
    axes = major * ARCSEC_RAD, minor * ARCSEC_RAD, np.radians(pa)
    visibility = predict_components(uvw_m, frequency, flux, l, m, *axes)
    if "pixel_model_jy" in window and len(uvw_m):
        model = window["pixel_model_jy"]
        cell, n_pix = model.attrs["pixel_cell_arcsec"], model.shape[-1]
        for k, plane in enumerate(model.values):
            seen = plane * primary_beam.image(n_pix, cell, frequency[k], power)
            channel = slice(k, k + 1)
            visibility[:, channel] += predict_image(
                uvw_m, frequency[channel], seen, cell * ARCSEC_RAD, EPSILON, planar, threads
            )
    return visibility
