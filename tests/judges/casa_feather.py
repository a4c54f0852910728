"""CASA makes a mosaic of two arrays' dishes by tclean and feathers it with a map by single dishes."""

import json

import numpy as np
from casatasks import feather, tclean
from casatools import image

settings = json.load(open("settings.json"))
tool = image()


def pixels(name):
    """Picture (y, x), x to the west."""
    tool.open(name)
    values = tool.getchunk().squeeze().T
    tool.close()
    return values


tclean(
    vis=settings["vis"],
    imagename="made",
    specmode="mfs",
    phasecenter=settings["centre"],
    imsize=settings["n_pix"],
    cell=f"{settings['cell_arcsec']!r}arcsec",
    weighting="briggs",
    robust=0.5,
    gridder="mosaic",
    deconvolver="multiscale",
    scales=settings["scales"],
    niter=settings["niter"],
    nsigma=2.0,
    usemask="pb",
    pbmask=0.3,
    pblimit=0.1,
)
pb = pixels("made.pb")
tool.open("made.image")
system, beam = tool.coordsys(), tool.restoringbeam()
shape = tool.shape()
tool.close()
width = settings["total_power_beam_arcsec"]
dish, seen = np.array(settings["total_power"]), pb > 0.2


def write(name, values, axes):
    """A picture (y, x) as an image with a beam of these axes [arcsec] and angle [deg]."""
    tool.fromarray(name, values.T.reshape(shape), system.torecord())
    tool.setbrightnessunit("Jy/beam")
    major, minor, angle = axes
    tool.setrestoringbeam(major=f"{major!r}arcsec", minor=f"{minor!r}arcsec", pa=f"{angle!r}deg")
    tool.close()


axes = [beam["major"]["value"], beam["minor"]["value"], beam["positionangle"]["value"]]
clean = np.nan_to_num(pixels("made.image"))
corrected = np.where(seen, clean / np.maximum(pb, 0.2), 0.0)
# Two ways that are in use: both as the mosaic sees them, flat in noise; or both corrected for the primary beam.
for name, high, low in (("flat", clean, dish * pb), ("corrected", corrected, dish)):
    write(f"{name}.high", high, axes)
    write(f"{name}.low", np.nan_to_num(low), [width, width, 0.0])
    feather(imagename=f"{name}.image", highres=f"{name}.high", lowres=f"{name}.low")
found = {
    "pb": pb,
    "beam": np.array(axes),
    "clean": np.where(seen, corrected, np.nan),
    "flat": np.where(seen, pixels("flat.image") / np.maximum(pb, 0.2), np.nan),
    "corrected": np.where(seen, pixels("corrected.image"), np.nan),
}
np.savez("found.npz", **found)
