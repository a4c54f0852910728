"""One pixel grid for all windows of a simulation: fine enough for the baselines, wide enough for the sky."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy.optimize import brentq

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_from_radec
from almabrain.instrument import primary_beam
from almabrain.response import choose

LEAST_AUTO_N_PIX = 128  # a compact array's primary beam is a few beams wide; imagers need empty sky about it
AUTO_N_PIX = 1024  # larger ones only where sources need it, or where the user says so
_LARGEST_N_PIX = 8192
_COVERED_POWER = 0.2
_MARGIN_PIXELS = 4


def choose_grid(
    sky: Mapping[str, xr.Dataset],
    uvw_m: np.ndarray,
    pointings_lm: np.ndarray,
    diameter_m: float,
    settings: SimulateSettings,
    wanted_arcsec: float = 0.0,
) -> tuple[int, float]:
    """Image size and cell [arcsec] for the windows of one simulation, whose smallest dish is of `diameter_m`.

    Sizes of our choosing cover `wanted_arcsec`, like the primary beam, as far as 1024 pixels do.

    Raises UserError where the cell undersamples the longest baseline, or the field leaves out sources or the
    middle of a pointing.
    """
    frequency = np.concatenate([window["frequency_hz"].values for window in sky.values()])
    mosaic = 2 * float(np.abs(pointings_lm).max()) / ARCSEC
    sources = max(2 * extent_arcsec(window) for window in sky.values())
    held = max(sources, mosaic)
    cell = _cell(uvw_m, frequency, held, settings)
    needed = held + 2 * _MARGIN_PIXELS * cell
    if settings.n_pix == "auto":
        beam = mosaic + min(primary_beam_width_arcsec(frequency.min(), diameter_m), AUTO_N_PIX * cell)
        wanted = min(wanted_arcsec, AUTO_N_PIX * cell)
        n_pix = choose.image_size(max(beam, wanted, needed, LEAST_AUTO_N_PIX * cell), cell)
    else:
        n_pix = settings.n_pix
    if n_pix * cell < held or n_pix > _LARGEST_N_PIX:
        raise UserError(_too_small(settings, n_pix, cell, sources, mosaic, choose.image_size(needed, cell)))
    return n_pix, cell


def _too_small(settings, n_pix: int, cell: float, sources: float, mosaic: float, enough: int) -> str:
    """Why the field does not hold everything, and what to do."""
    larger = enough <= _LARGEST_N_PIX and settings.n_pix != "auto"
    closer = (
        "sky.max_offset_beams or raise sky.min_primary_beam" if sources >= mosaic else "the mosaic's extent"
    )
    return (
        f"simulate.n_pix = {settings.n_pix}, simulate.cell_arcsec = {settings.cell_arcsec}: the field is "
        f"{min(n_pix, _LARGEST_N_PIX) * cell:.4g} arcsec wide, but {'sources' if sources >= mosaic else 'pointings'} "
        f"lie up to {max(sources, mosaic) / 2:.4g} arcsec off its centre; "
        + (
            f"raise n_pix to {enough}, or "
            if larger
            else f"more than {_LARGEST_N_PIX} pixels are not allowed: "
        )
        + f"lower {closer}"
    )


def _cell(uvw_m, frequency, held, settings) -> float:
    coarsest = choose.coarsest_cell_arcsec(uvw_m, frequency)
    if settings.cell_arcsec != "auto":
        if settings.cell_arcsec > coarsest:
            raise UserError(
                f"simulate.cell_arcsec = {settings.cell_arcsec:g} is too coarse for baselines of "
                f"{choose.longest_baseline_wavelengths(uvw_m, frequency):.3g} wavelengths; allowed: at most "
                f"{coarsest:.3g}, or auto"
            )
        return settings.cell_arcsec
    cell = choose.cell_arcsec(uvw_m, frequency)
    n_pix = AUTO_N_PIX if settings.n_pix == "auto" else settings.n_pix
    fitting = held / (n_pix - 2 * _MARGIN_PIXELS)
    # Up to 0.8 of Nyquist's cell there are still about three pixels across a natural beam.
    return float(np.clip(fitting, cell, 0.8 * coarsest))


def extent_arcsec(window: xr.Dataset) -> float:
    """The largest offset from the phase centre, along l or m, of a sky model's light [arcsec]."""
    l, m, *_ = component_geometry(window)
    reach = np.concatenate([[0.0], np.abs(l), np.abs(m)]).max() / ARCSEC
    if "pixel_model_jy" not in window:
        return float(reach)
    return float(max(reach, _pixel_reach(window["pixel_model_jy"])))


def _pixel_reach(model: xr.DataArray) -> float:
    """Largest offset of a pixel with light in it, along x or y [arcsec]."""
    y, x = np.nonzero(np.abs(model.values).sum(axis=0))
    steps = np.concatenate([[0], np.abs(y - model.shape[1] // 2), np.abs(x - model.shape[2] // 2)])
    return float(steps.max() * model.attrs["pixel_cell_arcsec"])


def component_geometry(window: xr.Dataset) -> tuple[np.ndarray, ...]:
    """Direction cosines l, m, FWHM axes [arcsec] and position angle [deg] of a window's components."""
    l, m = lm_from_radec(
        window["ra_deg"].values, window["dec_deg"].values, window.attrs["ra_deg"], window.attrs["dec_deg"]
    )
    return l, m, *(window[name].values for name in ("major_arcsec", "minor_arcsec", "pa_deg"))


def primary_beam_width_arcsec(frequency_hz: float, diameter_m: float) -> float:
    """Full width [arcsec] of the primary beam where it has fallen to a fifth."""
    half = primary_beam.half_power_width_rad(frequency_hz, diameter_m) / 2
    edge = brentq(lambda r: primary_beam.power(r, frequency_hz, diameter_m) - _COVERED_POWER, half, 2 * half)
    return float(2 * edge / ARCSEC)
