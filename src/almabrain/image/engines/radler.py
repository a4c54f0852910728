"""Deconvolution by radler, in this process, with major cycles by our gridder.

Radler is WSClean's deconvolution (Offringa & Smirnov 2017, MNRAS 471, 301). It subtracts PSFs from an image;
after each of its rounds the model is predicted at the visibilities and subtracted there.
"""

import importlib.metadata
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from almabrain.config.image import CleanSettings
from almabrain.console.progress import Progress
from almabrain.data.constants import ARCSEC
from almabrain.image import engines
from almabrain.image.dirty import Imager
from almabrain.image.engines import SCALE_PER_FWHM, Deconvolved, Plan, Plane
from almabrain.image.grid import Grid

# Part of the peak that radler may remove between two major cycles: where sidelobes reach half of the peak, and
# the PSF is known within the field only, its images are wrong after a longer step.
_MAJOR_GAIN = 0.3
_GROWTH = 1.1  # of the residual's rms or peak from one major cycle to the next: more is divergence


def deconvolve(plan: Plan) -> Deconvolved:
    """Clean plane after plane; the thresholds follow each plane's own noise.

    Free cleaning goes down to `mask_sigma`, then, within what was found by then, to `threshold_sigma`.
    """
    progress = Progress("clean", engines.MAJOR_CYCLES * len(plan.planes))
    made = [_one(plane, plan, progress) for plane in plan.planes]
    return engines.joined(made, importlib.metadata.version("radler"))


def _one(plane: Plane, plan: Plan, progress: Progress) -> engines.OnePlane:
    """Radler's minor cycles and our major ones until its threshold is met: model, residual and how it went.

    Where the threshold is not met, the model is the last good one.
    """
    import radler

    grid, settings, imager = plane.grid, plan.settings, Imager(plane.windows, plane.grid)
    first = imager.dirty()
    if not np.isfinite(plane.noise):  # a channel without data
        progress.step(steps=engines.MAJOR_CYCLES)
        return np.zeros(first.shape), first, 0, 0, None
    engine_settings = _settings(grid, settings, plan.scales_arcsec)
    engine_settings.absolute_auto_mask_threshold = settings.mask_sigma * plane.noise
    engine_settings.absolute_threshold = settings.threshold_sigma * plane.noise
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
    cycles, stopped = 0, None
    kept, left, more = np.zeros(first.shape), first, settings.iterations > 0
    while more and not stopped:
        cycles += 1
        with _silence():
            more = engine.perform(cycles)
        new = imager.dirty(model.astype(float))
        progress.step(f"{engine.iteration_number} components, peak residual {np.abs(new).max():.3g} Jy/beam")
        if _diverged(left, new, settings.mask_sigma * plane.noise):
            stopped = f"the residual grew in major cycle {cycles}, and what came before it is kept"
            break
        kept, left = model.astype(float), new
        residual[:] = left
        if engine.iteration_number >= settings.iterations:
            stopped = f"all {engine.iteration_number} iterations were used"
        elif more and cycles == engines.MAJOR_CYCLES:
            stopped = f"the threshold was not met in {cycles} major cycles"
    progress.step("finished", steps=engines.MAJOR_CYCLES - cycles)
    iterations = int(engine.iteration_number)
    with _silence():
        del engine  # tells its summary as it goes
    return kept, left, iterations, cycles, stopped


def _diverged(before: np.ndarray, after: np.ndarray, mask_level: float) -> bool:
    """Whether a major cycle made the residual worse; a peak that grows below `mask_level` [Jy/beam] is noise."""
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


def _settings(grid: Grid, settings: CleanSettings, scales_arcsec: list[float]):
    import radler

    made = radler.Settings()
    made.trimmed_image_width = made.trimmed_image_height = grid.n_pix
    made.pixel_scale.x = made.pixel_scale.y = grid.cell_arcsec * ARCSEC
    made.minor_iteration_count, made.minor_loop_gain = settings.iterations, settings.gain
    # One more than we make, or radler would call the last one finished.
    made.major_loop_gain, made.major_iteration_count = _MAJOR_GAIN, engines.MAJOR_CYCLES + 1
    # Högbom's CLEAN is that with points only: the mask of radler's own is never enlarged after its first cycle.
    made.algorithm_type = radler.AlgorithmType.multiscale
    scales = [SCALE_PER_FWHM * width / grid.cell_arcsec for width in scales_arcsec]
    made.multiscale.scale_list = [round(float(scale)) for scale in scales]
    made.allow_negative_components = settings.negative
    made.thread_count = 1
    return made
