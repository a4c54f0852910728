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
from almabrain.image import engines, imaging_set
from almabrain.image.engines import SCALE_PER_FWHM, Deconvolved, Plan

log = logging.getLogger(__name__)
_MAJOR_GAIN = 0.8
# Without a threshold in sigmas WSClean 3.1 never goes below the mask's; this one is always below the one in Jy.
_HARDLY_ANY_SIGMA = 1e-3


def deconvolve(plan: Plan) -> Deconvolved:
    """Clean all planes in one call; the mask follows the noise that WSClean sees in each residual image."""
    if shutil.which("wsclean") is None:
        raise UserError(
            "clean.engine is 'wsclean', but no program wsclean is on the PATH; install the Debian package wsclean, "
            "or run in containers (containers/build clean-wsclean)"
        )
    with tempfile.TemporaryDirectory(prefix="almabrain-wsclean-") as scratch:
        folder = Path(scratch)
        imaging_set.write(folder / "vis.ms", plan.windows, plan.grid.imaging_weight, "ALMA")
        told = _run([*_command(plan), "vis.ms"], folder)
        model, residual = (_read(folder, kind, len(plan.planes)) for kind in ("model", "residual"))
    iterations, cycles, stopped = _how_it_went(told, plan.settings)
    return Deconvolved(model, residual, iterations, cycles, stopped, _version())


def _command(plan: Plan) -> list[str]:
    grid, settings = plan.grid, plan.settings
    size = str(grid.n_pix)
    made = ["wsclean", "-name", "made", "-j", "1", "-size", size, size]
    made += [
        "-scale",
        f"{grid.cell_arcsec!r}asec",
        "-weight",
        "natural",
        "-channels-out",
        str(len(plan.planes)),
    ]
    made += [
        "-use-wgridder",
        "-wgridder-accuracy",
        "1e-6",
        "-no-small-inversion",
        "-no-update-model-required",
    ]
    made += ["-field", "all", "-niter", str(settings.iterations), "-nmiter", str(engines.MAJOR_CYCLES)]
    made += ["-gain", repr(settings.gain), "-mgain", repr(_MAJOR_GAIN), "-no-fit-beam"]
    made += ["-auto-mask", repr(settings.mask_sigma), "-auto-threshold", repr(_HARDLY_ANY_SIGMA)]
    made += ["-threshold", repr(settings.threshold_sigma * plan.noise)]
    if not settings.negative:
        made.append("-no-negative")
    if settings.algorithm == "multiscale":
        scales = [round(SCALE_PER_FWHM * width / grid.cell_arcsec) for width in plan.scales_arcsec]
        made += ["-multiscale", "-multiscale-scales", ",".join(map(str, scales))]
    return made


def _run(command: list[str], folder: Path) -> str:
    log.info("%s", " ".join(command))
    # OpenBLAS would start threads of its own, which WSClean refuses.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"wsclean failed: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def _read(folder: Path, kind: str, planes: int) -> np.ndarray:
    """WSClean's pictures (plane, y, x)."""
    names = [f"made-{number:04d}-{kind}.fits" for number in range(planes)]
    if planes == 1:
        names = [f"made-{kind}.fits"]
    return np.stack([fits.getdata(folder / name).squeeze().astype(float) for name in names])


def _how_it_went(told: str, settings: CleanSettings) -> tuple[int, int, str | None]:
    """Iterations of all planes, most major cycles of one, and why a threshold was not met: out of what was told."""
    counts = [int(count) for count in re.findall(r"(?:Iteration|Performed) (\d+)", told)]
    # Each plane counts from the beginning.
    last = [count for count, after in zip(counts, [*counts[1:], 0]) if after < count]
    cycles = max(map(int, re.findall(r"(\d+) major iterations were performed", told)), default=0)
    if "Maximum number of minor deconvolution iterations was reached" in told:
        return sum(last), cycles, f"all {settings.iterations} iterations were used"
    if "Maximum number of major iterations was reached" in told:
        return sum(last), cycles, f"the threshold was not met in {cycles} major cycles"
    return sum(last), cycles, None


def _version() -> str:
    told = subprocess.run(["wsclean", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"WSClean version (\S+)", told)
    return found[1] if found else "unknown"
