"""CASA's listobs and the tool msmetadata read judge.ms; everything that they say goes to the log."""

import json

import numpy as np
from casatasks import listobs
from casatools import msmetadata

settings = json.load(open("settings.json"))
listobs("judge.ms", listfile="listobs.txt", overwrite=True)
tool = msmetadata()
tool.open("judge.ms")
spectral = (
    "bandwidths chanavgspws chaneffbws chanfreqs chanres chanwidths corrbit fdmspws meanfreq namesforspws nchan "
    "reffreq sideband spwfordatadesc tdmspws timesforspws wvrspws baseband fieldsforspw scansforspw"
).split()
of_spw = "chaneffbws chanfreqs chanres chanwidths corrbit meanfreq nchan reffreq sideband timesforspws baseband".split()
of_spw += ["fieldsforspw", "scansforspw"]
for name in spectral:
    for number in range(tool.nspw()) if name in of_spw else [None]:
        getattr(tool, name)(*([] if number is None else [number]))
for name in (
    "almaspws antennadiameter antennaids antennanames antennaoffset antennaposition antennastations baselines "
    "datadescids fieldnames intents nantennas narrays nbaselines nfields nobservations nscans "
    "nsources nspw nstates observatorynames observers phasecenter polidfordatadesc projects propermotions refdir "
    "sourcedirs sourcenames sourcetimes summary nrows"
).split():
    getattr(tool, name)()
for scan in tool.scannumbers():
    for name in "antennas fields intents spws states times".split():
        getattr(tool, f"{name}forscan")(scan)
    tool.exposuretime(scan)
for field in range(tool.nfields()):
    for (
        name
    ) in "intentsforfield namesforfields phasecenter refdir scansforfield spwsforfield timesforfield".split():
        getattr(tool, name)(field)
for intent in tool.intents():
    for name in "fieldsforintent scansforintent spwsforintent timesforintent".split():
        getattr(tool, name)(intent)
for observation in range(tool.nobservations()):
    for name in "timerangeforobs schedule".split():
        getattr(tool, name)(observation)
for row in (0, 1):
    tool.pointingdirection(row)
for spw in range(tool.nspw()):
    for name in ("transitions", "restfreqs"):
        getattr(tool, name)(0, spw)
tool.corrtypesforpol(0), tool.corrprodsforpol(0), tool.ncorrforpol(0)
found = {
    "n_antennas": tool.nantennas(),
    "fields": tool.fieldnames(),
    "scans": tool.scannumbers(),
    "intents": tool.intents(),
    "rest_hz": [tool.restfreqs(0, spw)["0"]["m0"]["value"] for spw in range(tool.nspw())],
    "listobs": np.array(open("listobs.txt").read()),
}  # fmt: skip
tool.done()
np.savez("found.npz", **found)
