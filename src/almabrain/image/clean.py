"""CLEAN beside the Bayesian image, by one of several engines: same data, weights, pixels and restoring beam."""

import dataclasses
import logging
import time
from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.config.image import CleanSettings
from almabrain.console.errors import UserError
from almabrain.data.files import write_json
from almabrain.data.fits import write_image
from almabrain.data.statistics import robust_rms
from almabrain.image import spectral
from almabrain.image.dirty import Imager, dirty, thermal_rms
from almabrain.image.engines import SCALE_PER_FWHM, Deconvolved, Plan, Plane, casa, radler, wsclean
from almabrain.image.grid import SEEN_WELL, Grid, Windows, as_image
from almabrain.image.scales import largest_recoverable_scale_arcsec
from almabrain.response.beam import Beam, convolve

log = logging.getLogger(__name__)
ENGINES = {"radler": radler, "wsclean": wsclean, "casa": casa}
SCALES_BEAMS = (0, 2, 4, 6)
RESIDUAL_SIGMA = 6.0  # noise alone does not reach that in any image of this size
HOLE_SIGMA = 10.0  # bowls about what the shortest baselines miss: positive components cannot fill them
_SEEN_SCALE = 0.5  # a scale whose peak is below that part of what all baselines would give is not measured
_GROWTH = 1.1  # of the residual's rms over the dirty image's: more is divergence


def clean(windows: Windows, grid: Grid, settings: CleanSettings) -> dict:
    """CLEAN the data: `image`, `residual`, `model`, `dirty`, `psf`, what was done, and the verdict.

    Pictures are (y, x), of a cube (channel, y, x) with `frequency_hz` rising. `image` is the model convolved to
    the fitted beam plus residual [Jy/beam], not corrected for the primary beam; `model` is in Jy/pixel.
    Thresholds are in σ of the weights: sidelobes pass for noise in a residual image, and noise that is measured
    there would stop CLEAN early or, once it diverged, at once. Raises UserError for what the engine cannot do.
    """
    imager = Imager(windows, grid)
    if settings.engine == "wsclean" and imager.is_mosaic:
        raise UserError(
            "the data are a mosaic, whose pointings WSClean cannot join without beam models that it has not got; "
            "set clean.engine to radler or casa"
        )
    if settings.mode == "cube":
        windows, grid = _rising(windows, grid)
    planes = _planes(windows, grid, settings.mode)
    plan = Plan(windows, grid, planes, _widths(windows, grid, settings), settings)
    start = time.monotonic()
    done = ENGINES[settings.engine].deconvolve(plan)
    seconds = time.monotonic() - start
    pictures = _pictures(done, planes, grid)
    noise = np.array([plane.noise for plane in planes])
    pictures["primary_beam"] = imager.response
    verdict, reasons = _judge(pictures, noise, done.stopped, grid, settings)
    if settings.mode == "mfs":
        pictures = {name: np.squeeze(values) for name, values in pictures.items()}
    else:
        pictures["frequency_hz"] = np.array([plane.grid.frequency_hz for plane in planes])
    return pictures | {
        "noise": plan.noise,
        "iterations": done.iterations,
        "major_cycles": done.major_cycles,
        "engine": {
            "name": settings.engine,
            "version": done.version,
            "seconds": seconds,
            "iterations": done.iterations,
            "major_cycles": done.major_cycles,
        },
        "scales_arcsec": plan.scales_arcsec,
        "verdict": verdict,
        "reasons": reasons,
    }


def _rising(windows: Windows, grid: Grid) -> tuple[Windows, Grid]:
    """The windows of one set of evenly spaced channels, in the order of rising frequency."""
    order = spectral.rising(windows, "clean.mode", "mfs")
    sorted_windows = {name: window.isel(channel=order[name]) for name, window in windows.items()}
    weight = {name: values[:, order[name]] for name, values in grid.imaging_weight.items()}
    return sorted_windows, dataclasses.replace(grid, imaging_weight=weight)


def _planes(windows: Windows, grid: Grid, mode: str) -> list[Plane]:
    if mode == "mfs":
        return [Plane(windows, grid, thermal_rms(windows, grid))]
    planes = []
    for channel, frequency in enumerate(next(iter(windows.values())).frequency_hz.values):
        part = {name: window.isel(channel=[channel]) for name, window in windows.items()}
        weight = {name: values[:, [channel]] for name, values in grid.imaging_weight.items()}
        own = dataclasses.replace(grid, frequency_hz=float(frequency), imaging_weight=weight)
        imager = Imager(part, own)
        planes.append(Plane(part, dataclasses.replace(own, psf=imager.psf()), imager.noise))
    return planes


def _pictures(done: Deconvolved, planes: list[Plane], grid: Grid) -> dict[str, np.ndarray]:
    """The products (plane, y, x); planes without data are NaN."""
    restored = np.stack([convolve(model, grid.cell_arcsec, grid.beam) for model in done.model])
    made = {
        "image": restored + done.residual,
        "residual": done.residual,
        "model": done.model,
        "dirty": np.stack([dirty(plane.windows, plane.grid) for plane in planes]),
        "psf": np.stack([plane.grid.psf for plane in planes]),
    }
    empty = ~np.isfinite([plane.noise for plane in planes])
    return {name: np.where(empty[:, None, None], np.nan, values) for name, values in made.items()}


def _judge(
    pictures: dict, noise: np.ndarray, stopped: str | None, grid: Grid, settings: CleanSettings
) -> tuple[str, list[str]]:
    """The verdict `converged` or `not converged: reason; ...`, and the reasons one by one."""
    reasons = [stopped] if stopped else []
    used = np.isfinite(noise)
    residual, before = pictures["residual"][used], pictures["dirty"][used]
    if not np.isfinite(residual).all() or (residual.std((1, 2)) > _GROWTH * before.std((1, 2))).any():
        reasons.append("it diverged: the residual is larger than the dirty image")
    seen = residual[:, pictures["primary_beam"] >= SEEN_WELL] / noise[used, None]
    for value, limit, name in (
        (seen.max(), max(RESIDUAL_SIGMA, 1.5 * settings.mask_sigma), "highest peak"),
        (-seen.min(), HOLE_SIGMA, "deepest hole"),
    ):
        if not value <= limit:
            reasons.append(f"{name} of the residual image in sigma is {value:.2g}, more than {limit:g}")
    if grid.shortfall:
        reasons.append(grid.shortfall)
    return ("converged" if not reasons else f"not converged: {'; '.join(reasons)}"), reasons


def _widths(windows: Windows, grid: Grid, settings: CleanSettings) -> list[float]:
    """Widths (FWHM, arcsec) of the components; of those asked for, the ones that fit into the image."""
    if settings.algorithm == "hogbom":
        return [0.0]
    if settings.scales is None:
        return _scales(grid, largest_recoverable_scale_arcsec(windows))
    widths = np.sqrt(grid.beam.major_arcsec * grid.beam.minor_arcsec) * np.array(settings.scales, float)
    kept = [float(width) for width in widths if _fits(width, grid)]
    if len(kept) < len(widths):
        log.warning("clean.scales: the image holds %d of %d, the others are too wide", len(kept), len(widths))
    return kept or [0.0]


def _fits(width: float, grid: Grid) -> bool:
    return SCALE_PER_FWHM * width < grid.n_pix * grid.cell_arcsec / 2


def _scales(grid: Grid, recoverable_arcsec: float) -> list[float]:
    """Widths (FWHM, arcsec) of the scales that the data hold: what no baseline measures has no PSF to clean with."""
    beam = np.sqrt(grid.beam.major_arcsec * grid.beam.minor_arcsec)
    kept = [0.0]
    for beams in SCALES_BEAMS[1:]:
        width = beams * beam
        peak = convolve(grid.psf, grid.cell_arcsec, Beam(width, width, 0.0))[grid.n_pix // 2, grid.n_pix // 2]
        area = Beam(width, width, 0.0).area_pixels(grid.cell_arcsec)
        fits = width < recoverable_arcsec and _fits(width, grid)
        if fits and peak / area > _SEEN_SCALE / (1 + beams**2):
            kept.append(float(width))
    return kept


def write(folder: str | Path, made: dict, grid: Grid, settings: CleanSettings) -> dict:
    """Write CLEAN's images and clean.json into `folder`; returns what is in clean.json."""
    summary = {
        "engine": made["engine"],
        "settings": settings.model_dump(),
        **{key: made[key] for key in ("verdict", "reasons", "iterations", "major_cycles", "scales_arcsec")},
        "residual_rms_jy_beam": float(robust_rms(made["residual"])),
        "noise_jy_beam": made["noise"],
        "model_flux_jy": np.nansum(made["model"], axis=(-2, -1)).tolist(),
        "cell_arcsec": grid.cell_arcsec,
        "n_pix": grid.n_pix,
        "beam": dataclasses.asdict(grid.beam),
    }
    engine = made["engine"]
    cards = {
        "ROBUST": (settings.robust, "Briggs' robust parameter"),
        "NITER": made["iterations"],
        "ENGINE": (f"{engine['name']} {engine['version']}", "that cleaned"),
        "ALGORITH": settings.algorithm,
    }
    pictures = (
        ("clean", made["image"], "Jy/beam"),
        ("clean_residual", made["residual"], "Jy/beam"),
        ("clean_model", made["model"], "Jy/pixel"),
        ("dirty", made["dirty"], "Jy/beam"),
        ("psf", made["psf"], "Jy/beam"),
        ("pb", made["primary_beam"], ""),
    )
    for name, values, unit in pictures:
        write_image(Path(folder) / f"{name}.fits", _with_channels(values, grid, unit, made), cards)
    write_json(Path(folder) / "clean.json", summary)
    return summary


def _with_channels(values: np.ndarray, grid: Grid, unit: str, made: dict) -> xr.DataArray:
    """A picture with what its FITS header needs; that of a cube has its channels' frequencies."""
    if values.ndim == 2:
        return as_image(values, grid, unit)
    attrs = as_image(values[0], grid, unit).attrs
    del attrs["frequency_hz"]
    coords = {"frequency_hz": ("channel", made["frequency_hz"])}
    return xr.DataArray(values, dims=("channel", "y", "x"), coords=coords, attrs=attrs)
