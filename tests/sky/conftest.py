"""One archive row, its field, and skies drawn for it."""

import numpy as np
import pytest

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.response.primary_beam import ArrayBeam
from almabrain.sky import scene
from almabrain.sky.field import Field, cut_window

BAND7 = ((342.0, 344.0), (344.0, 346.0), (354.0, 356.0), (356.0, 358.0))


def row(spans=BAND7, **columns) -> dict:
    """A row of observations.ecsv with windows over these spans, GHz."""
    support = " U ".join(
        f"[{low:.6f}..{high:.6f}GHz,31250.00kHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"
        for low, high in spans
    )
    return {
        "observation": "Alpha 2018-03-23",
        "target_name": "Alpha",
        "s_ra": 187.5,
        "s_dec": -40.0,
        "band_list": 7,
        "s_resolution": 0.8,
        "s_fov": 17.0,
        "t_exptime": 900.0,
        "t_min": 58200.2,
        "pwv": 0.7,
        "cont_sensitivity": 0.05,
        "frequency_support": support,
        "antenna_arrays": " ".join(f"A{i:03d}:DV{i:02d}" for i in range(1, 41)),
        "array": "12m",
        "simulation": 0,
        "pointings": "",
        "configuration": "",
    } | columns


def make_field(**changes) -> Field:
    """A field of one 12 m pointing at 230 GHz with a beam of 0.5 arcsec and room for 12 arcsec about its centre."""
    whole = {
        "ra_deg": 10.0,
        "dec_deg": -30.0,
        "windows": (cut_window(229e9, 231e9, 4),),
        "reference_frequency_hz": 230e9,
        "beam_arcsec": 0.5,
        "sensitivity_jy": 1e-4,
        "radius_rad": 12 * ARCSEC,
        "array": ArrayBeam(np.zeros((1, 2)), ((12.0, 12.0, 1.0),)),
    }
    return Field(**whole | changes)


def visibilities(pixels, cell_arcsec, beam_arcsec):
    """Of unit flux, on spacings along four directions, undone by the pixel's response."""
    half = pixels.shape[0] // 2
    y, x = np.mgrid[-half:half, -half:half] * cell_arcsec
    pixels = pixels / pixels.sum()
    seen = []
    for turn in np.deg2rad([10, 55, 100, 145]):
        for spacing in np.linspace(0.1, 1, 10) / beam_arcsec:
            u, v = spacing * np.sin(turn), spacing * np.cos(turn)
            response = np.sinc(u * cell_arcsec) * np.sinc(v * cell_arcsec)
            seen.append((pixels * np.exp(2j * np.pi * (u * x + v * y))).sum() / response)
    return np.array(seen)


@pytest.fixture(name="row")
def _row():
    return row


@pytest.fixture
def draw():
    """`draw(seed, rows, **settings)`: a scene of one simulation."""

    def drawn(seed=1, rows=None, **settings) -> scene.Scene:
        rng = np.random.default_rng(seed)
        return scene.draw(rows or [row()], check(SkySettings, settings, "sky"), rng, "sim-000000")

    return drawn
