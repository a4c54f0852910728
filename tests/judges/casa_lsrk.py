"""CASA's mstransform brings judge.ms onto the LSRK grid that the settings name."""

import json

from casatasks import mstransform

settings = json.load(open("settings.json"))
mstransform(
    vis="judge.ms", outputvis="lsrk.ms", datacolumn="data", regridms=True, mode="frequency", outframe="LSRK",
    interpolation="linear", nchan=settings["count"], start=f"{settings['start_hz']!r}Hz",
    width=f"{settings['width_hz']!r}Hz",
)  # fmt: skip
