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
from almabrain.data.constants import ARCSEC
from almabrain.data.files import atomic
from almabrain.data.fits import write_image
from almabrain.data.statistics import robust_rms
from almabrain.image.grid import SEEN_WELL, Grid, Windows, as_image
from almabrain.image.scales import largest_recoverable_scale_arcsec
from almabrain.response import grid as gridder
from almabrain.response import predict
from almabrain.response.beam import Beam, convolve

log = logging.getLogger(__name__)
MAJOR_CYCLES = 60
SCALES_BEAMS = (0, 2, 4, 6)
RESIDUAL_SIGMA = 6.0  # noise alone does not reach that in any image of this size
HOLE_SIGMA = 10.0  # bowls about what the shortest baselines miss: positive components cannot fill them
_SCALE_PER_FWHM = 2.2  # radler counts a scale by the support of its tapered quadratic, not by its width
# Part of the peak that radler may remove between two major cycles: where sidelobes reach half of the peak, and
# the PSF is known within the field only, its images are wrong after a longer step.
_MAJOR_GAIN = 0.3
_SEEN_SCALE = 0.5  # a scale whose peak is below that part of what all baselines would give is not measured
_GROWTH = 1.1  # of the residual's rms or peak from one major cycle to the next: more is divergence


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
    """CLEAN the data: `image`, `residual`, `model`, `dirty`, `psf` (y, x), what was done, and the verdict.

    `image` is the model convolved to the fitted beam plus residual [Jy/beam], not corrected for the primary
    beam; `model` is in Jy/pixel. Free cleaning goes down to `mask_sigma`, then, within what was found by then, to
    `threshold_sigma`. σ comes from the weights: sidelobes pass for noise in a residual image, and noise that is
    measured there would stop CLEAN early or, once it diverged, at once.
    """
    first, noise = dirty(windows, grid), thermal_rms(windows, grid)
    engine = _radler_settings(grid, settings, largest_recoverable_scale_arcsec(windows))
    engine.absolute_auto_mask_threshold = settings.mask_sigma * noise
    engine.absolute_threshold = settings.threshold_sigma * noise
    made = _deconvolve(windows, grid, first, engine, settings.mask_sigma * noise)
    restored = convolve(made["model"], grid.cell_arcsec, grid.beam) + made["residual"]
    made |= {"image": restored, "dirty": first, "psf": grid.psf, "noise": noise}
    return made | dict(zip(("verdict", "reasons"), _judge(made, grid, settings), strict=True))


def _judge(made: dict, grid: Grid, settings: CleanSettings) -> tuple[str, list[str]]:
    """The verdict `converged` or `not converged: reason; ...`, and the reasons one by one."""
    reasons = [made["stopped"]] if made["stopped"] else []
    seen = made["residual"][grid.primary_beam >= SEEN_WELL] / made["noise"]
    for value, limit, name in (
        (seen.max(), max(RESIDUAL_SIGMA, 1.5 * settings.mask_sigma), "highest peak"),
        (-seen.min(), HOLE_SIGMA, "deepest hole"),
    ):
        if not value <= limit:
            reasons.append(f"{name} of the residual image in sigma is {value:.2g}, more than {limit:g}")
    if grid.shortfall:
        reasons.append(grid.shortfall)
    return ("converged" if not reasons else f"not converged: {'; '.join(reasons)}"), reasons


def _deconvolve(windows: Windows, grid: Grid, first: np.ndarray, engine_settings, mask_level: float) -> dict:
    """Radler's minor cycles and our major ones until its threshold is met: `model`, `residual` and how it went.

    `stopped` says why the threshold was not met; then the model is the last good one. A peak that grows below
    `mask_level` [Jy/beam] is noise, not divergence.
    """
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
    engine = radler.Radler(engine_settings, table, grid.beam.major_arcsec * ARCSEC)
    progress, cycles, stopped = Progress("clean", MAJOR_CYCLES), 0, None
    kept, left, more = np.zeros(first.shape), first, engine_settings.minor_iteration_count > 0
    while more and not stopped:
        cycles += 1
        with _silence():
            more = engine.perform(cycles)
        new = dirty(windows, grid, model.astype(float))
        progress.step(f"{engine.iteration_number} components, peak residual {np.abs(new).max():.3g} Jy/beam")
        if _diverged(left, new, mask_level):
            stopped = f"the residual grew in major cycle {cycles}, and what came before it is kept"
            break
        kept, left = model.astype(float), new
        residual[:] = left
        if engine.iteration_number >= engine_settings.minor_iteration_count:
            stopped = f"all {engine.iteration_number} iterations were used"
        elif more and cycles == MAJOR_CYCLES:
            stopped = f"the threshold was not met in {cycles} major cycles"
    progress.step("finished", steps=progress.total - progress.done)
    iterations = int(engine.iteration_number)
    with _silence():
        del engine  # tells its summary as it goes
    return {
        "model": kept,
        "residual": left,
        "iterations": iterations,
        "major_cycles": cycles,
        "stopped": stopped,
    }


def _diverged(before: np.ndarray, after: np.ndarray, mask_level: float) -> bool:
    peak = np.abs(after).max()
    grown = peak > max(_GROWTH * np.abs(before).max(), _GROWTH * mask_level)
    return not np.isfinite(peak) or grown or after.std() > _GROWTH * before.std()


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


def _radler_settings(grid: Grid, settings: CleanSettings, recoverable_arcsec: float):
    import radler

    made = radler.Settings()
    made.trimmed_image_width = made.trimmed_image_height = grid.n_pix
    made.pixel_scale.x = made.pixel_scale.y = grid.cell_arcsec * ARCSEC
    made.algorithm_type = radler.AlgorithmType.multiscale
    made.minor_iteration_count, made.minor_loop_gain = settings.iterations, settings.gain
    # One more than we make, or radler would call the last one finished.
    made.major_loop_gain, made.major_iteration_count = _MAJOR_GAIN, MAJOR_CYCLES + 1
    scales = [_SCALE_PER_FWHM * width / grid.cell_arcsec for width in _scales(grid, recoverable_arcsec)]
    made.multiscale.scale_list = [round(float(scale)) for scale in scales]
    # Negative components would fill the bowls about a source that the shortest baselines cut into.
    made.allow_negative_components = False
    made.thread_count = 1
    return made


def _scales(grid: Grid, recoverable_arcsec: float) -> list[float]:
    """Widths (FWHM, arcsec) of the scales that the data hold: what no baseline measures has no PSF to clean with."""
    beam = np.sqrt(grid.beam.major_arcsec * grid.beam.minor_arcsec)
    kept = [0.0]
    for beams in SCALES_BEAMS[1:]:
        width = beams * beam
        peak = convolve(grid.psf, grid.cell_arcsec, Beam(width, width, 0.0))[grid.n_pix // 2, grid.n_pix // 2]
        area = Beam(width, width, 0.0).area_pixels(grid.cell_arcsec)
        fits = width < recoverable_arcsec and _SCALE_PER_FWHM * width < grid.n_pix * grid.cell_arcsec / 2
        if fits and peak / area > _SEEN_SCALE / (1 + beams**2):
            kept.append(width)
    return kept


def write(folder: str | Path, made: dict, grid: Grid, settings: CleanSettings) -> dict:
    """Write CLEAN's images and clean.json into `folder`; returns what is in clean.json."""
    summary = {
        "engine": "radler, multiscale",
        "settings": settings.model_dump(),
        **{key: made[key] for key in ("verdict", "reasons", "iterations", "major_cycles")},
        "residual_rms_jy_beam": robust_rms(made["residual"]),
        "noise_jy_beam": made["noise"],
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
