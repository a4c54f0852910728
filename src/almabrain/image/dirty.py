"""Dirty images and their noise, with the imaging weights."""

import numpy as np
import xarray as xr

from almabrain.data.constants import ARCSEC
from almabrain.image.grid import Grid, Windows
from almabrain.response import grid as gridder
from almabrain.response import predict


def dirty(windows: Windows, grid: Grid, model: np.ndarray | None = None) -> np.ndarray:
    """The dirty image (y, x) in Jy/beam of the data, minus a model (y, x) in Jy/pixel if there is one."""
    cell_rad = grid.cell_arcsec * ARCSEC
    picture, total = np.zeros((grid.n_pix, grid.n_pix)), 0.0
    for name, window in windows.items():
        uvw, frequency, visibility = window.uvw_m.values, window.frequency_hz.values, window.visibility.values
        if model is not None:
            visibility = visibility - predict.predict_image(uvw, frequency, model, cell_rad)
        weight = grid.imaging_weight[name]
        picture += weight.sum() * gridder.dirty_image(
            uvw, frequency, visibility, weight, grid.n_pix, cell_rad
        )
        total += weight.sum()
    return picture / total


def psf(windows: Windows, grid: Grid) -> np.ndarray:
    """The dirty image (y, x) of 1 Jy at the phase centre."""
    ones = {
        name: window.assign(visibility=xr.ones_like(window.visibility)) for name, window in windows.items()
    }
    return dirty(ones, grid)


def thermal_rms(windows: Windows, grid: Grid) -> float:
    """Noise [Jy/beam] of an image with the imaging weights, if the data's own weights are right."""
    squared = total = 0.0
    for name, window in windows.items():
        own, imaging = window.weight.values, grid.imaging_weight[name]
        used = own > 0
        squared += (imaging[used] ** 2 / own[used]).sum()
        total += imaging.sum()
    return float(np.sqrt(squared) / total)
