"""CLEAN beside the Bayesian image: multiscale deconvolution by radler, major cycles by the gridder.

Radler is WSClean's deconvolution (Offringa & Smirnov 2017, MNRAS 471, 301). It subtracts PSFs from an image;
after each of its rounds the model is predicted at the visibilities and subtracted there.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from almabrain.config.image import CleanSettings
from almabrain.console.progress import Progress
from almabrain.data.files import atomic
from almabrain.data.fits import write_image
from almabrain.data.statistics import robust_rms
from almabrain.image.grid import Grid, Windows, as_image
from almabrain.response import grid as gridder
from almabrain.response import predict
from almabrain.response.beam import ARCSEC_RAD, convolve

log = logging.getLogger(__name__)
MAJOR_CYCLES = 12
NOISE_PASSES = 5
SCALES_BEAMS = (0, 1, 3, 6)
_SCALE_PER_FWHM = 2.2  # radler counts a scale by the support of its tapered quadratic, not by its width
_MAJOR_GAIN = 0.8  # part of the peak that radler may remove between two major cycles


def dirty(windows: Windows, grid: Grid, model: np.ndarray | None = None) -> np.ndarray:
    """The dirty image (y, x) in Jy/beam of the data, minus a model (y, x) in Jy/pixel if there is one."""
    cell_rad = grid.cell_arcsec * ARCSEC_RAD
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


def thermal_rms(windows: Windows, grid: Grid) -> float:
    """Noise [Jy/beam] of an image with the imaging weights, if the data's own weights are right."""
    squared = total = 0.0
    for name, window in windows.items():
        own, imaging = window.weight.values, grid.imaging_weight[name]
        used = own > 0
        squared += (imaging[used] ** 2 / own[used]).sum()
        total += imaging.sum()
    return float(np.sqrt(squared) / total)


def clean(windows: Windows, grid: Grid, settings: CleanSettings) -> dict:
    """CLEAN the data: `image`, `residual`, `model`, `dirty`, `psf` (y, x) and what was done.

    `image` is the model convolved to the fitted beam plus residual [Jy/beam], not corrected for the primary
    beam; `model` is in Jy/pixel. Free cleaning goes down to `mask_sigma`, then, within what was found by then, to
    `threshold_sigma`.
    """
    first = dirty(windows, grid)
    # Sidelobes of a bright source pass for noise in the dirty image, and a mask made then would be too small:
    # the noise is what is left once cleaning to a few times the noise no longer changes it. Few baselines can be
    # cleaned below their noise, hence the floor.
    floor = thermal_rms(windows, grid)
    noise, before = robust_rms(first), np.inf
    for _ in range(NOISE_PASSES):
        if noise > 0.9 * before:
            break
        shallow = _radler_settings(grid, settings)
        shallow.absolute_threshold = settings.mask_sigma * noise
        made = _deconvolve(windows, grid, first, shallow, "clean, measuring the noise")
        noise, before = max(robust_rms(made["residual"]), floor), noise
    deep = _radler_settings(grid, settings)
    deep.absolute_auto_mask_threshold = settings.mask_sigma * noise
    deep.absolute_threshold = settings.threshold_sigma * noise
    made = _deconvolve(windows, grid, first, deep, "clean")
    restored = convolve(made["model"], grid.cell_arcsec, grid.beam) + made["residual"]
    return made | {"image": restored, "dirty": first, "psf": grid.psf}


def _deconvolve(windows: Windows, grid: Grid, first: np.ndarray, engine_settings, label: str) -> dict:
    """Radler's minor cycles and our major ones until a threshold is met: `model`, `residual` and how it went."""
    import radler

    # Radler keeps views of these arrays and works in them: they must live, and in float32.
    psf, residual = np.ascontiguousarray(grid.psf, np.float32), np.ascontiguousarray(first, np.float32)
    model = np.zeros(first.shape, np.float32)
    table = radler.WorkTable(np.zeros((0, 2), np.uint64), 1, 1)
    entry = radler.WorkTableEntry()
    entry.index, entry.image_weight, entry.polarization = 0, 1.0, radler.Polarization.stokes_i
    entry.band_start_frequency = entry.band_end_frequency = grid.frequency_hz
    entry.psfs.append(psf)
    entry.residual, entry.model = residual, model
    table.add_entry(entry)
    engine = radler.Radler(engine_settings, table, grid.beam.major_arcsec * ARCSEC_RAD)
    progress, cycles, more = Progress(label, MAJOR_CYCLES), 0, engine_settings.minor_iteration_count > 0
    left = first
    while more and cycles < MAJOR_CYCLES:
        cycles += 1
        with _silence():
            more = engine.perform(cycles)
        left = dirty(windows, grid, model.astype(float))
        residual[:] = left
        progress.step(f"{engine.iteration_number} components, peak residual {np.abs(left).max():.3g} Jy/beam")
    return {
        "model": model.astype(float),
        "residual": left,
        "iterations": int(engine.iteration_number),
        "major_cycles": cycles,
        "finished": not more,
    }


@contextmanager
def _silence() -> Iterator[None]:
    """Radler tells every component on the process's standard output, from C++: send that nowhere."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _radler_settings(grid: Grid, settings: CleanSettings):
    import radler

    made = radler.Settings()
    made.trimmed_image_width = made.trimmed_image_height = grid.n_pix
    made.pixel_scale.x = made.pixel_scale.y = grid.cell_arcsec * ARCSEC_RAD
    made.algorithm_type = radler.AlgorithmType.multiscale
    made.minor_iteration_count, made.minor_loop_gain = settings.iterations, settings.gain
    made.major_loop_gain, made.major_iteration_count = _MAJOR_GAIN, MAJOR_CYCLES
    beam_pixels = np.sqrt(grid.beam.major_arcsec * grid.beam.minor_arcsec) / grid.cell_arcsec
    scales = [round(float(_SCALE_PER_FWHM * beams * beam_pixels)) for beams in SCALES_BEAMS]
    made.multiscale.scale_list = [scale for scale in scales if scale < grid.n_pix / 2]
    made.thread_count = 1
    return made


def write(folder: str | Path, made: dict, grid: Grid, settings: CleanSettings) -> dict:
    """Write CLEAN's images and clean.json into `folder`; returns what is in clean.json."""
    summary = {
        "engine": "radler, multiscale",
        "settings": settings.model_dump(),
        **{key: made[key] for key in ("iterations", "major_cycles", "finished")},
        "residual_rms_jy_beam": robust_rms(made["residual"]),
        "model_flux_jy": float(made["model"].sum()),
        "cell_arcsec": grid.cell_arcsec,
        "n_pix": grid.n_pix,
        "beam": asdict(grid.beam),
    }
    cards = {"ROBUST": (settings.robust, "Briggs' robust parameter"), "NITER": made["iterations"]}
    pictures = (
        ("clean", made["image"], "Jy/beam"),
        ("clean_residual", made["residual"], "Jy/beam"),
        ("clean_model", made["model"], "Jy/pixel"),
        ("dirty", made["dirty"], "Jy/beam"),
        ("psf", made["psf"], "Jy/beam"),
        ("pb", grid.primary_beam, ""),
    )
    for name, values, unit in pictures:
        write_image(Path(folder) / f"{name}.fits", as_image(values, grid, unit), cards)
    with atomic(Path(folder) / "clean.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1))
    return summary
