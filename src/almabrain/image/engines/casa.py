"""Deconvolution by CASA's tclean (CASA Team 2022, PASP 134, 114501), in a Python of its own.

It grids our imaging weights as they are (natural weighting), so that its PSF is that of the other engines.
Mosaics are joined by its gridder `mosaic` (Sault et al. 1996, A&AS 120, 375): flat noise, and a model behind `pb`.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.image import groups, imaging_set
from almabrain.image.dirty import Imager
from almabrain.image.engines import Deconvolved, Plan
from almabrain.response.grid import largest_w_phase

log = logging.getLogger(__name__)
_NOT_INSTALLED = 3  # exit code of casa_tclean.py
_LARGEST_PLANAR_PHASE = 0.1  # rad: with more, w is kept
_USED_UP, _DIVERGED = {1, 9}, {5, 6}  # stop codes of tclean
# CASA looks for its tables where this file in its home folder says, and would fetch newer ones.
_CONFIGURATION = """
import casadata
measurespath = casadata.datapath
measures_auto_update = data_auto_update = False
nologger = nogui = True
logfile = "casa.log"
"""
# auto-multithresh (Kepley et al. 2020, PASP 132, 024505) as ALMA's pipeline sets it, by the dishes.
_MASK_12M = {"sidelobethreshold": 2.0, "lownoisethreshold": 1.5, "minbeamfrac": 0.3}
_MASK_7M = {"sidelobethreshold": 1.25, "lownoisethreshold": 2.0, "minbeamfrac": 0.1}


def python() -> str:
    """The Python that has casatasks: $ALMABRAIN_CASA_PYTHON, or this one."""
    return os.environ.get("ALMABRAIN_CASA_PYTHON") or sys.executable


def deconvolve(plan: Plan) -> Deconvolved:
    """Clean all planes in one call; the mask follows the noise that CASA sees in each residual image."""
    joined = Imager(plan.windows, plan.grid).is_mosaic
    # Only its mosaics look at the telescope's beam; of one pointing it must not be one that CASA does not know.
    telescope = str(plan.grid.attrs.get("telescope", "ALMA")) if joined else "ALMA"
    with tempfile.TemporaryDirectory(prefix="almabrain-casa-") as scratch:
        folder = Path(scratch)
        imaging_set.write(folder / "vis.ms", plan.windows, plan.grid.imaging_weight, telescope)
        (folder / "settings.json").write_text(json.dumps(_arguments(plan, joined)))
        _run(folder)
        how = json.loads((folder / "made.json").read_text())
        with np.load(folder / "made.npz") as file:
            made = {name: file[name].astype(float) for name in file.files}
    return Deconvolved(
        made["model"],
        made["residual"],
        how["iterations"],
        how["major_cycles"],
        _stopped(how),
        how["version"],
    )


def _arguments(plan: Plan, joined: bool) -> dict:
    """The arguments of tclean."""
    grid, settings = plan.grid, plan.settings
    small = min(min(groups.dishes_m(window)) for window in plan.windows.values()) < 10
    made = {
        "vis": "vis.ms",
        "imagename": "made",
        "datacolumn": "data",
        "imsize": grid.n_pix,
        "cell": f"{float(grid.cell_arcsec)!r}arcsec",
        "phasecenter": f"ICRS {float(grid.attrs['ra_deg'])!r}deg {float(grid.attrs['dec_deg'])!r}deg",
        "specmode": "mfs",
        "weighting": "natural",
        "pblimit": -0.01,  # blanks nothing
        "niter": settings.iterations,
        "gain": settings.gain,
        "threshold": f"{settings.threshold_sigma * plan.noise!r}Jy",
        "deconvolver": settings.algorithm,
        "usemask": "auto-multithresh",
        "noisethreshold": settings.mask_sigma,
        "negativethreshold": settings.mask_sigma if settings.negative else 0.0,
        "restoration": False,
        "pbcor": False,
        **(_MASK_7M if small else _MASK_12M),
        **_gridder(plan, joined),
    }
    if settings.algorithm == "multiscale":
        made["scales"] = sorted({round(width / grid.cell_arcsec) for width in plan.scales_arcsec})
    if settings.mode == "cube":
        made |= {"specmode": "cubedata", "start": 0, "width": 1, "nchan": len(plan.planes)}
    return made


def _gridder(plan: Plan, joined: bool) -> dict:
    if joined:
        return {"gridder": "mosaic", "usepointing": False, "pblimit": 0.1}
    field = plan.grid.n_pix * plan.grid.cell_arcsec * ARCSEC
    windows = plan.windows.values()
    phase = max(largest_w_phase(window.uvw_m.values, window.frequency_hz.values, field) for window in windows)
    if phase < _LARGEST_PLANAR_PHASE:
        return {"gridder": "standard"}
    return {"gridder": "wproject", "wprojplanes": -1}


def _run(folder: Path) -> None:
    (folder / ".casa").mkdir()
    (folder / ".casa" / "config.py").write_text(_CONFIGURATION)
    environment = os.environ | {"HOME": str(folder)}
    environment.pop("PYTHONPATH", None)
    script = Path(__file__).with_name("casa_tclean.py")
    try:
        done = subprocess.run([python(), script], cwd=folder, env=environment, capture_output=True, text=True)
    except OSError:
        done = None
    if done is None or done.returncode == _NOT_INSTALLED:
        raise UserError(
            f"clean.engine is 'casa', but {python()} has no casatasks; install containers/clean-casa/casa.txt into "
            "an environment and name its Python in ALMABRAIN_CASA_PYTHON, or run in containers (containers/build "
            "clean-casa)"
        )
    if done.returncode:
        log_file = folder / "casa.log"
        told = log_file.read_text() if log_file.exists() else ""
        raise RuntimeError(f"tclean failed: {told[-2000:]}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")


def _stopped(how: dict) -> str | None:
    """Why the threshold was not met, if it was not."""
    if how["stopcode"] in _USED_UP:
        return f"all {how['iterations']} iterations were used"
    if how["stopcode"] in _DIVERGED:
        return f"tclean stopped itself: {how['said']}"
    return None
