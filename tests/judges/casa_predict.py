"""CASA's task ft fills MODEL_DATA of judge.ms from a component list or from a picture; first channel, XX."""

import json

import numpy as np
from casatasks import ft
from casatools import componentlist, coordsys, image, measures, table

settings = json.load(open("settings.json"))


def components(name):
    made, tool = componentlist(), measures()
    for one in settings["components"]:
        shape = {"shape": "point"}
        if one["major_arcsec"] > 0:
            shape = {
                "shape": "Gaussian",
                "majoraxis": f"{one['major_arcsec']!r}arcsec",
                "minoraxis": f"{one['minor_arcsec']!r}arcsec",
                "positionangle": f"{one['pa_deg']!r}deg",
            }
        place = tool.direction("ICRS", f"{one['ra_deg']!r}deg", f"{one['dec_deg']!r}deg")
        made.addcomponent(flux=one["flux_jy"], fluxunit="Jy", dir=place, freq=["LSRK", "230GHz"], **shape)
    made.rename(name)
    made.done()


def picture(name):
    """Pixels (y, x) with x to the west, as CASA orders them: (x, y, Stokes, frequency)."""
    pixels = np.load("pixels.npy")
    side, cell = pixels.shape[-1], np.radians(settings["cell_arcsec"] / 3600)
    axes = coordsys().newcoordsys(direction=True, spectral=True, stokes=["I"])
    axes.setreferencecode("ICRS", "direction")
    axes.setunits(["rad", "rad", "", "Hz"])
    axes.setreferencevalue(list(np.radians([settings["ra_deg"], settings["dec_deg"]])), "direction")
    axes.setincrement([-cell, cell], "direction")
    axes.setreferencepixel([side // 2, side // 2], "direction")
    axes.setreferencecode("LSRK", "spectral")
    axes.setreferencevalue("230GHz", "spectral")
    axes.setincrement("100MHz", "spectral")
    axes.setreferencepixel([0], "spectral")
    made = image()
    made.fromarray(name, pixels=pixels.T.reshape(side, side, 1, 1).astype(float), csys=axes.torecord())
    made.setbrightnessunit("Jy/pixel")
    made.close()


if "components" in settings:
    components("model.cl")
    ft("judge.ms", complist="model.cl", usescratch=True)
else:
    picture("model.im")
    ft("judge.ms", model="model.im", usescratch=True)
main = table()
main.open("judge.ms")
np.savez("found.npz", visibility=main.getcol("MODEL_DATA")[0, 0])
main.close()
