"""The scene that the judges look at: 43 real pads, two hours near transit, sources off the centre."""

from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.config.simulate import SimulateSettings
from almabrain.data.coordinates import radec_from_lm
from almabrain.data.measurement_set import write_measurement_set
from almabrain.simulate.observe import observe

ARCSEC = np.pi / 648_000
RA_DEG, DEC_DEG = 150.0, -35.0
START_MJD = 58849.29
# The 12 m antennas of an execution of 2019 in the archive, with their pads; 1.3 km across.
PADS = (
    "A001:DV07 A007:DV05 A008:DA42 A015:DA64 A016:DA44 A022:DV23 A023:DA41 A024:DA49 A027:DV06 A033:DA53 "
    "A035:DA47 A042:DV08 A043:DA60 A044:DV11 A045:DV01 A058:DA43 A060:DV17 A062:DV10 A069:DV16 A070:DV22 "
    "A072:DV20 A074:DV09 A075:DA52 A076:DA59 A082:DV24 A083:DA48 A085:DA63 A086:DV12 A087:DV25 A088:DV04 "
    "A089:DA61 A091:DA58 A092:DV14 A093:DA57 A094:DV19 A096:DA55 A101:DA62 A104:DA51 A105:DV02 A108:DA50 "
    "A111:DA46 A134:DV03 A135:DA45"
)


def row(**changes):
    """A row of observations.ecsv."""
    made = {
        "observation": "judge",
        "target_name": "scene",
        "s_ra": RA_DEG,
        "s_dec": DEC_DEG,
        "band_list": 6,
        "t_exptime": 7200.0,
        "t_min": START_MJD,
        "pwv": 1.0,
        "antenna_arrays": PADS,
        "array": "12m",
        "frequency_support": "[229.00..231.00GHz,1000.00kHz, XX YY]",
        "simulation": 0,
        "pointings": "",
        "schedule": "",
    }
    return made | changes


def sky(components, frame="LSRK", pixels=None, cell_arcsec=None) -> xr.Dataset:
    """One window of two channels, of components (l, m [arcsec], flux [Jy][, major, minor [arcsec], PA])."""
    table = np.array([tuple(c) + (0.0,) * (6 - len(c)) for c in components]).reshape(-1, 6)
    ra, dec = radec_from_lm(table[:, 0] * ARCSEC, table[:, 1] * ARCSEC, RA_DEG, DEC_DEG)
    made = xr.Dataset(
        {
            "frequency_hz": ("channel", [230e9, 230.1e9]),
            "channel_width_hz": ("channel", [1e8, 1e8]),
            "line_free": ("channel", [True, True]),
            "ra_deg": ("component", ra),
            "dec_deg": ("component", dec),
            "component_flux_jy": (("component", "channel"), np.repeat(table[:, 2:3], 2, axis=1)),
            "major_arcsec": ("component", table[:, 3]),
            "minor_arcsec": ("component", table[:, 4]),
            "pa_deg": ("component", table[:, 5]),
        },
        attrs={"simulation": "sim-000000", "ra_deg": RA_DEG, "dec_deg": DEC_DEG, "frame": frame,
               "bandwidth_hz": 2e8},
    )  # fmt: skip
    if pixels is not None:
        made["pixel_model_jy"] = ("channel", "y", "x"), np.repeat(pixels[None], 2, axis=0).astype(np.float32)
        made["pixel_model_jy"].attrs["pixel_cell_arcsec"] = cell_arcsec
    return made


def noiseless_set(path: Path, model: xr.Dataset, n_pix: int, cell_arcsec: float, **changes) -> xr.Dataset:
    """Observe `model`, write a Measurement Set whose DATA have no noise, and give back our own window."""
    settings = SimulateSettings(n_pix=n_pix, cell_arcsec=cell_arcsec, integration_s=60)
    made = dict(observe([row(**changes)], {"spw0": model}, settings, np.random.default_rng(1)))
    window = made["spw0"]
    window["visibility"] = window["visibility_noiseless"].expand_dims(polarisation=2, axis=-1).copy()
    write_measurement_set(path, {"spw0": window}, made["antennas"], made["pointings"], "judge")
    return window
