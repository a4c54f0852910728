"""CASA's tclean joins the pointings of judge.ms: dirty mosaic and its primary beam, natural weights."""

import json

import numpy as np
from casatasks import tclean
from casatools import image

settings = json.load(open("settings.json"))
tclean(
    vis="judge.ms",
    imagename="mosaic",
    spw="0:0",
    specmode="mfs",
    gridder="mosaic",
    usepointing=False,
    phasecenter=f"ICRS {settings['ra_deg']!r}deg {settings['dec_deg']!r}deg",
    imsize=settings["n_pix"],
    cell=f"{settings['cell_arcsec']!r}arcsec",
    weighting="natural",
    pblimit=0.1,
    niter=0,
)
made, found = image(), {}
for name in ("residual", "pb"):
    made.open(f"mosaic.{name}")
    found[name] = made.getchunk().squeeze().T
    made.close()
np.savez("found.npz", **found)
