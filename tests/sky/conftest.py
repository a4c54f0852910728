"""One archive row, its field, and skies drawn for it."""

import numpy as np
import pytest

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.sky import scene

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
