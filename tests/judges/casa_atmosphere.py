"""CASA's atmosphere tool: opacity and sky brightness at the zenith in fine steps, for some columns of water."""

import json

import numpy as np
from casatools import atmosphere, quanta

settings = json.load(open("settings.json"))
quantity = quanta().quantity
found = {}
for number, (low, high) in enumerate(settings["ranges_ghz"]):
    for pwv in settings["pwv_mm"]:
        air = atmosphere()
        air.initAtmProfile(
            altitude=quantity(5059, "m"),
            temperature=quantity(270, "K"),
            pressure=quantity(560, "mbar"),
            maxAltitude=quantity(48, "km"),
            humidity=20,
            dTem_dh=quantity(-5.6, "K/km"),
            dP=quantity(10, "mbar"),
            dPm=1.2,
            h0=quantity(2, "km"),
            atmType=1,
        )
        centre, width = (low + high) / 2, high - low
        air.initSpectralWindow(
            1, quantity(centre, "GHz"), quantity(width, "GHz"), quantity(settings["step_ghz"], "GHz")
        )
        air.setUserWH2O(quantity(pwv, "mm"))
        found[f"frequency_{number}"] = np.array(air.getSpectralWindow(0)["value"])
        dry = np.array(air.getDryOpacitySpec(0)[1])
        found[f"opacity_{number}_{pwv}"] = dry + np.array(air.getWetOpacitySpec(0)[1]["value"])
        found[f"sky_{number}_{pwv}"] = np.array(air.getTrjSkySpec(0)[1]["value"])
np.savez("found.npz", **found)
