"""CASA's tclean makes a CLEAN image of one field: mfs, multiscale, Briggs' weights, a beam that is given."""

import json
import time

import numpy as np
from casatasks import tclean
from casatools import image

settings = json.load(open("settings.json"))
major, minor, angle = settings["beam"]
options = {"nsigma": settings["nsigma"]} if settings["nsigma"] else {}
begun = time.monotonic()
tclean(
    vis=settings["vis"],
    imagename="made",
    specmode="mfs",
    imsize=settings["n_pix"],
    cell=f"{settings['cell_arcsec']!r}arcsec",
    weighting="briggs",
    robust=settings["robust"],
    gridder="standard",
    pblimit=settings["pblimit"],
    deconvolver="multiscale",
    scales=settings["scales"],
    niter=settings["niter"],
    threshold=settings["threshold"],
    usemask=settings["usemask"],
    restoringbeam=[f"{major!r}arcsec", f"{minor!r}arcsec", f"{angle!r}deg"],
    **options,
)
found = {"wall_s": np.array(time.monotonic() - begun)}
for name in ("image", "residual"):
    tool = image()
    tool.open(f"made.{name}")
    found[name] = tool.getchunk().squeeze().T
    tool.close()
np.savez("found.npz", **found)
