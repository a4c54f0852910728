"""CASA's simulator (the engine of simobserve) observes an empty sky: its times and UVW column."""

import json

import numpy as np
from casatools import measures, simulator, table

settings = json.load(open("settings.json"))
itrf_m = np.array(settings["itrf_m"])
tool, engine, ms = measures(), simulator(), "uvw.ms"
names = [f"A{number:02d}" for number in range(len(itrf_m))]
engine.open(ms)
engine.setconfig(
    telescopename="ALMA",
    x=itrf_m[:, 0],
    y=itrf_m[:, 1],
    z=itrf_m[:, 2],
    dishdiameter=np.full(len(itrf_m), 12.0),
    mount=["alt-az"],
    antname=names,
    padname=names,
    coordsystem="global",
    referencelocation=tool.observatory("ALMA"),
)
engine.setspwindow(
    spwname="spw0", freq="230GHz", deltafreq="1GHz", freqresolution="1GHz", nchannels=1, stokes="XX YY"
)
engine.setfeed("perfect X Y")
engine.setlimits(shadowlimit=0.0, elevationlimit="1deg")
engine.setauto(0.0)
ra, dec = (f"{settings[key]!r}deg" for key in ("ra_deg", "dec_deg"))
engine.setfield(sourcename="source", sourcedirection=tool.direction("ICRS", ra, dec))
engine.settimes(
    integrationtime=f"{settings['step_s']!r}s",
    usehourangle=False,
    referencetime=tool.epoch("UTC", f"{settings['start_s']!r}s"),
)
engine.observe("source", "spw0", starttime="0s", stoptime=f"{settings['length_s']!r}s")
engine.close()
main = table()
main.open(ms)
np.savez(
    "found.npz",
    uvw_m=main.getcol("UVW").T,
    time_s=main.getcol("TIME"),
    antenna1=main.getcol("ANTENNA1"),
    antenna2=main.getcol("ANTENNA2"),
)
main.close()
