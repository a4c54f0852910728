"""The pixel grid of a data set's images, its beam and its primary beam."""

import dataclasses
import logging
from dataclasses import dataclass

import numpy as np
import xarray as xr

from almabrain.config.image import Recipe
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.image import groups, spectral
from almabrain.response import choose, grid, primary_beam, weights
from almabrain.response.beam import Beam, fit_beam

Windows = dict[str, xr.Dataset]  # of the rule visibilities, by name
log = logging.getLogger(__name__)

# Pixels a side that are chosen without being asked for: up to PLENTY at a fifth of a fringe, more only at cells of
# a third of a fringe, where a point's picture is still exact.
SMALLEST, PLENTY, LARGEST = 128, 256, 1024
_COARSE_FRINGE = 3.0
# Pixels of inference, as a part of the finest fringe, and when they are worth it. Points are exact up to 0.4, but a
# positive field cannot draw a thin ring between pixels that coarse.
_WORKING_FRINGE, _WORTH_COARSENING = 0.3, 0.9
FIELD_FWHM = 2.0  # field in full widths of the primary beam: its edge is at 6 % of the centre
_FAR_TOO_WIDE = 4.0  # times what the telescope sees or was simulated
SEEN_WELL = 0.2  # of the primary beam: fluxes are summed and residuals judged there
SIGNAL_FLOOR = 0.1  # of the primary beam; products are NaN beyond


@dataclass(frozen=True)
class Approximation:
    """How the likelihood leaves out what does not matter; the defaults are the fastest.

    Primary beams are followed down to `least_beam` of their peak (one pointing's only beam everywhere), known at
    `nodes` frequencies (one: their mean's), and w is taken to `order` 0 or 1, or in full (2: the gridder).
    """

    least_beam: float = 0.01
    nodes: int = 1
    order: int = 0


@dataclass(frozen=True)
class Grid:
    """N pixels of `cell_arcsec`, `primary_beam` (N, N), imaging weights by window, PSF (N, N) and its beam.

    `primary_beam` is the response of the image in which the noise is flat, 1 at its peak. The attributes
    `ra_deg` and `dec_deg` are those of pixel N//2.
    """

    n_pix: int
    cell_arcsec: float
    frequency_hz: float
    primary_beam: np.ndarray
    imaging_weight: dict[str, np.ndarray]
    psf: np.ndarray
    beam: Beam
    natural_beam_arcsec2: float
    attrs: dict
    shortfall: str = ""  # what the field leaves out, if anything
    approximation: Approximation = Approximation()  # of ln L and its slope
    metric: Approximation = Approximation()  # of ln L's curvature: 2 % is good enough
    channels: spectral.Channels | None = None  # of the image; None: one, of all data

    @property
    def centre(self) -> tuple[float, float]:
        """Right ascension and declination [deg] of pixel N//2, where images touch the sky."""
        return self.attrs["ra_deg"], self.attrs["dec_deg"]


def choose_grid(windows: Windows, recipe: Recipe) -> Grid:
    """The grid that the data ask for, or the recipe demands.

    Cell: a fifth of the finest fringe or less, up to a third where the field needs it; field: all pointings and
    the widest primary beam about them, and all of the field that was simulated, in 128 to 1024 pixels. What is
    left out is the grid's `shortfall`. Raises UserError for a cell too coarse for the longest baseline, a field
    much wider than the telescope sees, and where no beam can be fitted.
    """
    attrs = next(iter(windows.values())).attrs
    weight = np.concatenate([window.weight.values.sum(0) for window in windows.values()])
    frequencies = np.concatenate([window.frequency_hz.values for window in windows.values()])
    if not weight.sum() > 0:
        raise UserError("all visibilities have weight zero; give data that are not flagged completely")
    frequency = float(np.average(frequencies, weights=weight))
    ra, dec = groups.centre(windows)
    views = groups.split(windows, ra, dec)
    smallest = min(view.dishes_m[0] for view in views)
    baselines = [(window.uvw_m.values, window.frequency_hz.values) for window in windows.values()]
    finest = min(choose.cell_arcsec(*baseline) for baseline in baselines)
    coarsest = min(choose.coarsest_cell_arcsec(*baseline) for baseline in baselines)
    seen = FIELD_FWHM * 1.13 * SPEED_OF_LIGHT_M_S / frequency / smallest / ARCSEC
    seen += np.ptp([view.pointing_lm for view in views], axis=0).max() / ARCSEC
    simulated = float(attrs.get("field_arcsec", 0.0))
    # Nothing lies outside the field that was simulated; what lies there in the sky nobody knows.
    needed = simulated or seen
    n_pix, cell = _size(recipe, finest, 2 / _COARSE_FRINGE * coarsest, max(seen, simulated), needed)
    if cell > coarsest:
        raise UserError(
            f"key 'cell_arcsec' is {cell:g}, too coarse for the longest baseline; give {finest:g} or less"
        )
    if n_pix * cell > _FAR_TOO_WIDE * max(seen, simulated):
        raise UserError(
            f"keys 'n_pix' and 'cell_arcsec' make a field of {n_pix * cell:.4g} arcsec, of which the telescope "
            f"sees {seen:.3g} arcsec; give n_pix {choose.image_size(max(seen, simulated), cell)} or leave it out"
        )
    shortfall = ""
    if n_pix * cell < 0.99 * needed:
        what = "were simulated" if simulated else "the telescope sees"
        shortfall = (
            f"the field of {n_pix * cell:.3g} arcsec is smaller than the {needed:.3g} arcsec that {what}"
        )
        log.warning("%s; sources outside would disturb it: raise n_pix or cell_arcsec", shortfall)
    attrs = dict(attrs) | {"ra_deg": ra, "dec_deg": dec}
    return dataclasses.replace(
        _assemble(windows, recipe, n_pix, cell, frequency, views),
        attrs=attrs,
        shortfall=shortfall,
        channels=spectral.channels(windows, recipe.spectral),
    )


def working(windows: Windows, grid: Grid) -> Grid:
    """The coarsest grid of the same field that holds what the data see: inference there takes a fraction of the time.

    Finer modes are the prior's: the data know nothing of them.
    """
    baselines = [(window.uvw_m.values, window.frequency_hz.values) for window in windows.values()]
    cell = 2 * _WORKING_FRINGE * min(choose.coarsest_cell_arcsec(*baseline) for baseline in baselines)
    n_pix = choose.image_size(grid.n_pix * grid.cell_arcsec, cell)
    if n_pix > _WORTH_COARSENING * grid.n_pix:
        return grid
    views = groups.split(windows, *grid.centre)
    cell = grid.cell_arcsec * grid.n_pix / n_pix
    return dataclasses.replace(
        grid, n_pix=n_pix, cell_arcsec=cell, primary_beam=_response(views, n_pix, cell)
    )


def _size(
    recipe: Recipe, finest_cell: float, coarse_cell: float, wanted_arcsec: float, needed_arcsec: float
) -> tuple[int, float]:
    """Pixels a side and cell [arcsec]; what the recipe does not say is chosen."""
    if recipe.n_pix and recipe.cell_arcsec:
        return recipe.n_pix, recipe.cell_arcsec
    if recipe.n_pix:
        fitting = np.clip(needed_arcsec / recipe.n_pix, finest_cell, max(finest_cell, coarse_cell))
        return recipe.n_pix, float(min(fitting, wanted_arcsec / recipe.n_pix))
    cell = recipe.cell_arcsec or finest_cell
    if choose.image_size(wanted_arcsec, cell) <= PLENTY:
        n_pix = max(choose.image_size(wanted_arcsec, cell), SMALLEST)
        return n_pix, recipe.cell_arcsec or min(cell, wanted_arcsec / n_pix)
    if not recipe.cell_arcsec:
        cell = float(np.clip(needed_arcsec / PLENTY, finest_cell, max(finest_cell, coarse_cell)))
    return int(np.clip(choose.image_size(0.999 * needed_arcsec, cell), PLENTY, LARGEST)), cell


def _assemble(windows, recipe, n_pix, cell, frequency, views) -> Grid:
    cell_rad = cell * ARCSEC
    natural, briggs = np.zeros((n_pix, n_pix)), np.zeros((n_pix, n_pix))
    imaging, total = {}, [0.0, 0.0]
    for name, window in windows.items():
        uvw, channels, weight = window.uvw_m.values, window.frequency_hz.values, window.weight.values
        imaging[name] = weights.briggs(uvw, channels, weight, n_pix, cell_rad, recipe.clean.robust)
        natural += weight.sum() * grid.psf(uvw, channels, weight, n_pix, cell_rad)
        briggs += imaging[name].sum() * grid.psf(uvw, channels, imaging[name], n_pix, cell_rad)
        total = [total[0] + weight.sum(), total[1] + imaging[name].sum()]
    psf = briggs / total[1]
    try:
        beam, natural_beam = fit_beam(psf, cell), fit_beam(natural / total[0], cell)
    except ValueError as error:
        raise UserError(f"the data make no image: {error}; give data of more baselines") from None
    return Grid(
        n_pix, cell, frequency, _response(views, n_pix, cell), imaging, psf, beam,
        natural_beam.area_sr / ARCSEC**2, {},
    )  # fmt: skip


def _response(views: list[groups.Group], n_pix: int, cell: float) -> np.ndarray:
    """What the dirty image (N, N) responds with: the beams' mean of one pointing, √Σ w A² of a mosaic.

    As `response.primary_beam.ArrayBeam`, with each pointing's own weight.
    """
    if groups.one_pointing(views):
        total = sum(
            view.weight * primary_beam.image(n_pix, cell, view.frequency_hz, view.power) for view in views
        )
        return total / sum(view.weight for view in views)
    total = sum(
        view.weight * primary_beam.image(n_pix, cell, view.frequency_hz, view.power) ** 2 for view in views
    )
    return np.sqrt(total / total.max())


def as_image(values: np.ndarray, grid: Grid, unit: str, at_beam: bool = False) -> xr.DataArray:
    """An image (y, x), or a cube (channel, y, x) of the grid's channels, with what its FITS header needs.

    That has the beam in it where the unit is Jy/beam, and of maps in other units that were made `at_beam`.
    """
    attrs = {
        key: grid.attrs[key]
        for key in ("ra_deg", "dec_deg", "frame", "telescope", "object")
        if key in grid.attrs
    }
    attrs |= {"cell_arcsec": grid.cell_arcsec, "bunit": unit, "frequency_hz": grid.frequency_hz}
    if at_beam or unit == "Jy/beam":
        attrs |= {
            "bmaj_arcsec": grid.beam.major_arcsec,
            "bmin_arcsec": grid.beam.minor_arcsec,
            "bpa_deg": grid.beam.pa_deg,
        }
    if values.ndim == 2:
        return xr.DataArray(values, dims=("y", "x"), attrs=attrs)
    del attrs["frequency_hz"]
    coords = {"frequency_hz": ("channel", grid.channels.frequency_hz)}
    return xr.DataArray(values, dims=("channel", "y", "x"), coords=coords, attrs=attrs)
