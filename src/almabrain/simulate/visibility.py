"""Noiseless visibilities of a sky model behind the primary beams of an array."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from almabrain.response import primary_beam, uneven
from almabrain.response.beam import ARCSEC_RAD
from almabrain.response.predict import predict_components, predict_image
from almabrain.simulate.coverage import Coverage
from almabrain.simulate.field import component_geometry

# In single precision this is as near to the exact sum, 1e-6 of the flux, as 1e-6 is in double precision.
EPSILON = 2e-6


def model_visibility(
    window: xr.Dataset, coverage: Coverage, planar: bool = False, threads: int = 1
) -> np.ndarray:
    """Noiseless Stokes I visibilities (row, chan) in Jy of a sky model, phased to the target.

    Every kind of baseline sees each pointing through its own beam.
    """
    visibility = np.empty((window.sizes["channel"], len(coverage.uvw_m)), np.complex64).T
    for aim, sizes, rows in kinds_of_rows(coverage):
        power = primary_beam.baseline(*sizes, aim)
        seen = predict(window, coverage.uvw_m[rows], power, planar, threads)
        if len(seen) == len(visibility):
            return seen
        visibility[rows] = seen
    return visibility


def kinds_of_rows(coverage: Coverage) -> Iterator[tuple[np.ndarray, tuple[float, float], np.ndarray | slice]]:
    """Pointing (l, m), dish diameters [m] and rows of all that see through one beam."""
    for pointing, aim in enumerate(coverage.pointings_lm):
        for kind, sizes in enumerate(coverage.kinds):
            rows = np.flatnonzero((coverage.pointing == pointing) & (coverage.kind == kind))
            yield aim, sizes, slice(None) if len(rows) == len(coverage.kind) else rows


def predict(
    window: xr.Dataset,
    uvw_m: np.ndarray,
    power: primary_beam.Power,
    planar: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """Visibilities (row, chan) in Jy, at `uvw_m` (row, 3) about the target, of a sky model seen through `power`.

    The beam acts on the whole of each component (`response.uneven`) and on each pixel. `planar` leaves w out
    for the pixels.
    """
    frequency = window["frequency_hz"].values
    # Channel by channel in memory, as the gridder takes them.
    visibility = np.zeros((len(frequency), len(uvw_m)), np.complex64).T
    if window.sizes["component"]:
        visibility += _components(window, uvw_m, power)
    if "pixel_model_jy" in window and len(uvw_m):
        model = window["pixel_model_jy"]
        cell, n_pix = model.attrs["pixel_cell_arcsec"], model.shape[-1]
        beams = primary_beam.images(n_pix, cell, frequency, power)
        for k, (plane, beam) in enumerate(zip(model.values, beams, strict=True)):
            seen, channel = (plane * beam).astype(np.float32), slice(k, k + 1)
            visibility[:, channel] += predict_image(
                uvw_m, frequency[channel], seen, cell * ARCSEC_RAD, EPSILON, planar, threads
            )
    return visibility


def _components(window: xr.Dataset, uvw_m: np.ndarray, power: primary_beam.Power) -> np.ndarray:
    """Visibilities (row, chan) of a model's points and Gaussians behind `power`."""
    frequency = window["frequency_hz"].values
    sky = component_geometry(window)
    behind = primary_beam.attenuate(frequency, power, *sky)
    columns, extended = np.array(sky, float), {}
    for k in np.flatnonzero(columns[2] > 0):
        apparent = [column[k] for column in behind[1:]]
        columns[:, k], extended[k] = uneven.expand(frequency, power, columns[:, k], apparent)
    points = (columns[2] == 0)[:, None]
    flux = window["component_flux_jy"].values * np.where(points, behind.response, 1.0)
    l, m, major, minor, pa = columns
    axes = major * ARCSEC_RAD, minor * ARCSEC_RAD, np.radians(pa)
    return predict_components(uvw_m, frequency, flux, l, m, *axes, extended)
