"""CASA writes judge.ms as uvfits."""

import json

from casatasks import exportuvfits

exportuvfits(
    vis="judge.ms",
    fitsfile="judge.uvfits",
    datacolumn="data",
    padwithflags=True,
    **json.load(open("settings.json")),
)
