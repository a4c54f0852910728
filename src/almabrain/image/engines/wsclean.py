"""Deconvolution by WSClean (Offringa et al. 2014, MNRAS 444, 606), a program of its own.

It grids our imaging weights as they are (natural weighting), so that its PSF is that of the other engines.
"""

import logging
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from almabrain.config.image import CleanSettings
from almabrain.console.errors import UserError
from almabrain.console.progress import Progress
from almabrain.image import engines, imaging_set
from almabrain.image.engines import SCALE_PER_FWHM, Deconvolved, Plan, Plane
from almabrain.response.beam import convolve

log = logging.getLogger(__name__)
_MAJOR_GAIN = 0.8
# Of the mask's depth: where the restored model is brighter, there is a source. All that wide components touch would be
# a mask in which positive components add up noise.
_FOUND = 0.5


def deconvolve(plan: Plan) -> Deconvolved:
    """Clean plane after plane; the thresholds follow each plane's own noise.

    Each is cleaned twice: down to `mask_sigma`, then, where that found something, to `threshold_sigma`. WSClean's own
    mask counts in the noise of the residual image, and ends too early where sidelobes fill that.
    """
    if shutil.which("wsclean") is None:
        raise UserError(
            "clean.engine is 'wsclean', but no program wsclean is on the PATH; install the Debian package wsclean, "
            "or run in containers (containers/build clean-wsclean)"
        )
    progress = Progress("clean", 2 * len(plan.planes))
    made = [_one(plane, plan, progress) for plane in plan.planes]
    return engines.joined(made, _version())


def _one(plane: Plane, plan: Plan, progress: Progress) -> engines.OnePlane:
    shape, settings = (plan.grid.n_pix,) * 2, plan.settings
    if not np.isfinite(plane.noise):  # a channel without data
        progress.step(steps=2)
        return np.zeros(shape), np.zeros(shape), 0, 0, None
    with tempfile.TemporaryDirectory(prefix="almabrain-wsclean-") as scratch:
        folder = Path(scratch)
        imaging_set.write(folder / "vis.ms", plane.windows, plane.grid.imaging_weight, "ALMA")
        level = max(settings.mask_sigma, settings.threshold_sigma) * plane.noise
        told = _run(_command(plan, settings.iterations, level), folder)
        iterations, cycles, stopped = _how_it_went(told, settings)
        progress.step("the mask is made")
        if settings.iterations == 0:
            return np.zeros(shape), _read(folder, "dirty"), 0, 0, None
        restored = convolve(_read(folder, "model"), plan.grid.cell_arcsec, plan.grid.beam)
        found = np.abs(restored) > _FOUND * level
        if found.any() and not stopped and settings.threshold_sigma < settings.mask_sigma:
            header = fits.getheader(folder / "made-model.fits")
            fits.writeto(folder / "mask.fits", found[None, None].astype(np.float32), header)
            level = settings.threshold_sigma * plane.noise
            command = _command(plan, settings.iterations - iterations, level)
            told = _run([*command, "-continue", "-fits-mask", "mask.fits"], folder)
            more, cycles_more, stopped = _how_it_went(told, settings)
            iterations, cycles = iterations + more, cycles + cycles_more
        progress.step(f"{iterations} components")
        return _read(folder, "model"), _read(folder, "residual"), iterations, cycles, stopped


def _command(plan: Plan, iterations: int, threshold_jy: float) -> list[str]:
    grid, settings = plan.grid, plan.settings
    size = str(grid.n_pix)
    made = ["wsclean", "-name", "made", "-j", "1", "-size", size, size]
    made += ["-scale", f"{float(grid.cell_arcsec)!r}asec", "-weight", "natural", "-field", "all"]
    made += ["-use-wgridder", "-wgridder-accuracy", "1e-6", "-no-small-inversion", "-no-fit-beam"]
    made += [
        "-niter",
        str(iterations),
        "-nmiter",
        str(engines.MAJOR_CYCLES),
        "-threshold",
        f"{threshold_jy:.6g}",
    ]
    made += ["-gain", f"{settings.gain:g}", "-mgain", f"{_MAJOR_GAIN:g}"]
    if not settings.negative:
        made.append("-no-negative")
    if settings.algorithm == "multiscale":
        scales = [round(SCALE_PER_FWHM * width / grid.cell_arcsec) for width in plan.scales_arcsec]
        made += ["-multiscale", "-multiscale-scales", ",".join(map(str, scales))]
    return made


def _run(command: list[str], folder: Path) -> str:
    # OpenBLAS would start threads of its own, which WSClean refuses.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    log.info("%s", " ".join(command))
    done = subprocess.run([*command, "vis.ms"], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"wsclean failed: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def _read(folder: Path, kind: str) -> np.ndarray:
    """A picture (y, x) of WSClean's."""
    return fits.getdata(folder / f"made-{kind}.fits").squeeze().astype(float)


def _how_it_went(told: str, settings: CleanSettings) -> tuple[int, int, str | None]:
    """Iterations, major cycles, and why the threshold was not met, out of what WSClean told."""
    iterations = max(map(int, re.findall(r"(?:Iteration|Performed) (\d+)", told)), default=0)
    cycles = max(map(int, re.findall(r"(\d+) major iterations were performed", told)), default=0)
    if "Maximum number of minor deconvolution iterations was reached" in told:
        return iterations, cycles, f"all {settings.iterations} iterations were used"
    if "Maximum number of major iterations was reached" in told:
        return iterations, cycles, f"the threshold was not met in {cycles} major cycles"
    return iterations, cycles, None


def _version() -> str:
    told = subprocess.run(["wsclean", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"WSClean version (\S+)", told)
    return found[1] if found else "unknown"
