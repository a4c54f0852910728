"""Dirty images and their noise, with the imaging weights: of one pointing, and of a mosaic with flat noise.

A mosaic's pointings D, with beams A and summed weights W, join as Σ A W D / √(Σ W A²), over the largest
√(Σ W A²) (Sault et al. 1996, A&AS 120, 375). Its response, of which the largest is 1, is what a true flux shows as.
"""

import numpy as np
import xarray as xr

from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_from_radec
from almabrain.image import groups
from almabrain.image.grid import Grid, Windows
from almabrain.response import grid as gridder
from almabrain.response import predict, primary_beam

_LEAST_RESPONSE = 0.05  # of a mosaic; beyond, there is no image


class Imager:
    """Makes dirty images (y, x) of the same data again and again."""

    def __init__(self, windows: Windows, grid: Grid):
        self.windows, self.grid = windows, grid
        self._sum = {name: grid.imaging_weight[name].sum() for name in windows}
        views = groups.split(windows, grid.attrs["ra_deg"], grid.attrs["dec_deg"])
        self.is_mosaic = not groups.one_pointing(views)
        self._beam: dict[str, np.ndarray] = {}
        if self.is_mosaic:
            self._beam = {name: self._beam_of(window).astype(np.float32) for name, window in windows.items()}
            self._coverage = sum(
                self._sum[name] * np.square(beam, dtype=float) for name, beam in self._beam.items()
            )

    def _beam_of(self, window: xr.Dataset) -> np.ndarray:
        """The primary beam (y, x) of a window, at its mean frequency."""
        grid = self.grid
        pointing = lm_from_radec(*groups.place(window), grid.attrs["ra_deg"], grid.attrs["dec_deg"])
        power = primary_beam.baseline(*groups.dishes_m(window), pointing)
        return primary_beam.image(grid.n_pix, grid.cell_arcsec, float(window.frequency_hz.mean()), power)

    @property
    def response(self) -> np.ndarray:
        """What the dirty image shows of a true flux: the grid's primary beam, of a mosaic that of these weights."""
        return np.sqrt(self._coverage / self._coverage.max()) if self.is_mosaic else self.grid.primary_beam

    @property
    def noise(self) -> float:
        """Noise [Jy/beam] by the data's own weights, of a mosaic where it is covered best; NaN without data."""
        grid, squared = self.grid, {}
        for name, window in self.windows.items():
            own, imaging = window.weight.values, grid.imaging_weight[name]
            used = own > 0
            squared[name] = (imaging[used] ** 2 / own[used]).sum()
        total = sum(self._sum.values())
        if not total > 0:
            return float("nan")
        if not self.is_mosaic:
            return float(np.sqrt(sum(squared.values())) / total)
        best = np.unravel_index(self._coverage.argmax(), self._coverage.shape)
        variance = sum(squared[name] * float(beam[best]) ** 2 for name, beam in self._beam.items())
        return float(np.sqrt(variance) / self._coverage[best])

    def dirty(self, model: np.ndarray | None = None) -> np.ndarray:
        """The dirty image in Jy/beam, minus a model (y, x) in Jy/pixel, as seen behind `response`, if there is one.

        Zeros where no visibility has weight.
        """
        if self.is_mosaic:
            return self._mosaic(model)
        picture, total = np.zeros((self.grid.n_pix,) * 2), sum(self._sum.values())
        for name, window in self.windows.items():
            picture += self._part(name, window.uvw_m.values, window.visibility.values, model)
        return picture / total if total else picture

    def psf(self) -> np.ndarray:
        """The dirty image of 1 Jy at the phase centre of every pointing, without primary beams."""
        picture, total = np.zeros((self.grid.n_pix,) * 2), sum(self._sum.values())
        for name, window in self.windows.items():
            picture += self._part(name, window.uvw_m.values, np.ones(window.weight.shape, complex), None)
        return picture / total if total else picture

    def _mosaic(self, model: np.ndarray | None) -> np.ndarray:
        grid, inside = self.grid, self.response > _LEAST_RESPONSE
        picture, centre = np.zeros((grid.n_pix,) * 2), (grid.attrs["ra_deg"], grid.attrs["dec_deg"])
        sky = None if model is None else np.where(inside, model / np.where(inside, self.response, 1), 0)
        for name, window in self.windows.items():
            uvw, turn = groups.uvw_about(window, *centre), groups.turn_to(window, *centre)
            visibility = window.visibility.values * turn
            beam = self._beam[name].astype(float)
            picture += beam * self._part(name, uvw, visibility, None if sky is None else beam * sky)
        weight = np.sqrt(self._coverage * self._coverage.max())
        return np.where(inside, picture / np.where(inside, weight, 1), 0)

    def _part(
        self, name: str, uvw_m: np.ndarray, visibility: np.ndarray, model: np.ndarray | None
    ) -> np.ndarray:
        """Σ w (V − model) of one window, gridded."""
        grid, cell_rad = self.grid, self.grid.cell_arcsec * ARCSEC
        frequency = self.windows[name].frequency_hz.values
        if model is not None:
            visibility = visibility - predict.predict_image(uvw_m, frequency, model, cell_rad)
        weight = grid.imaging_weight[name]
        return self._sum[name] * gridder.dirty_image(
            uvw_m, frequency, visibility, weight, grid.n_pix, cell_rad
        )


def dirty(windows: Windows, grid: Grid, model: np.ndarray | None = None) -> np.ndarray:
    """The dirty image (y, x) in Jy/beam, minus a model (y, x) in Jy/pixel if there is one."""
    return Imager(windows, grid).dirty(model)


def thermal_rms(windows: Windows, grid: Grid) -> float:
    """Noise [Jy/beam] of an image with the imaging weights, if the data's own weights are right."""
    return Imager(windows, grid).noise
