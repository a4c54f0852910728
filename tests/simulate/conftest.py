"""A small execution and a small sky, as the other stages would hand them over."""

import numpy as np
import xarray as xr

from almabrain.data.coordinates import radec_from_lm

ARCSEC = np.pi / 648_000
SPEED_OF_LIGHT = 299_792_458.0
RA_DEG, DEC_DEG = 150.0, -35.0
PADS = "A001:DV07 A007:DV05 A015:DA64 A022:DV23 A033:DA53 A042:DV08 A058:DA43 A069:DV16 A075:DA52 A089:DA61"


def make_row(**changes):
    """A row of observations.ecsv: ten 12 m antennas, ten minutes near transit in band 6."""
    row = {
        "observation": "test 2020-01-01",
        "target_name": "test",
        "s_ra": RA_DEG,
        "s_dec": DEC_DEG,
        "band_list": 6,
        "t_exptime": 600.0,
        "t_min": 58849.31,
        "pwv": 1.0,
        "antenna_arrays": PADS,
        "array": "12m",
        "frequency_support": "[229.00..231.00GHz,1000.00kHz, XX YY]",
        "simulation": 0,
        "pointings": "",
        "schedule": "",
    }
    return row | changes


def make_sky(components, frequency_hz=(230e9, 230.1e9), width_hz=100e6, **attrs):
    """A window's sky model of (l_arcsec, m_arcsec, flux_jy[, major, minor, pa]) components."""
    ra_deg, dec_deg = attrs.get("ra_deg", RA_DEG), attrs.get("dec_deg", DEC_DEG)
    frequency = np.atleast_1d(np.asarray(frequency_hz, float))
    table = np.array([tuple(c) + (0.0,) * (6 - len(c)) for c in components]).reshape(-1, 6)
    ra, dec = radec_from_lm(table[:, 0] * ARCSEC, table[:, 1] * ARCSEC, ra_deg, dec_deg)
    flux = np.repeat(table[:, 2:3], len(frequency), axis=1)
    return xr.Dataset(
        {
            "frequency_hz": ("channel", frequency),
            "channel_width_hz": ("channel", np.full(len(frequency), width_hz)),
            "line_free": ("channel", np.ones(len(frequency), bool)),
            "ra_deg": ("component", ra),
            "dec_deg": ("component", dec),
            "component_flux_jy": (("component", "channel"), flux),
            "major_arcsec": ("component", table[:, 3]),
            "minor_arcsec": ("component", table[:, 4]),
            "pa_deg": ("component", table[:, 5]),
        },
        attrs={
            "simulation": "sim-000000",
            "ra_deg": ra_deg,
            "dec_deg": dec_deg,
            "frame": "LSRK",
            "dish_diameter_m": 12.0,
            "bandwidth_hz": width_hz * len(frequency),
        }
        | attrs,
    )
