"""CASA's tclean makes dirty images and PSFs of judge.ms, natural weights, first channel; and CASA's frames."""

import json

import numpy as np
from casatasks import tclean
from casatools import image, measures

settings = json.load(open("settings.json"))
made, found = image(), {}


def pixels(name):
    """Picture (y, x), x to the west."""
    made.open(name)
    values = made.getchunk().squeeze().T
    made.close()
    return values


tclean(
    vis="judge.ms",
    imagename="judge",
    spw="0:0",
    specmode="mfs",
    imsize=settings["n_pix"],
    cell=f"{settings['cell_arcsec']!r}arcsec",
    weighting="natural",
    gridder=settings["gridder"],
    niter=0,
)
for name in ("residual", "psf", "pb"):
    found[name] = pixels(f"judge.{name}")
made.open("judge.image")
beam = made.restoringbeam()
# Right ascension and declination [rad] of chosen pixels, as CASA's coordinates have them.
places = [made.toworld([*pixel, 0, 0], "n")["numeric"][:2] for pixel in settings["pixels"]]
made.close()
found["places"] = np.array(places)
found["beam"] = np.array([beam["major"]["value"], beam["minor"]["value"], beam["positionangle"]["value"]])
# What CASA makes of one hertz in the set's frame: it grids in wavelengths of LSRK frequencies.
tool = measures()
tool.doframe(tool.observatory("ALMA"))
tool.doframe(tool.epoch("UTC", f"{settings['time_s']!r}s"))
tool.doframe(tool.direction("ICRS", f"{settings['ra_deg']!r}deg", f"{settings['dec_deg']!r}deg"))
here = tool.frequency(settings["frame"], "1GHz")
found["lsrk_over_frame"] = np.array(tool.measure(here, "LSRK")["m0"]["value"] / 1e9)
np.savez("found.npz", **found)
