"""A small observation with known sky, as the rule visibilities makes it, and its posterior."""

import os
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

from almabrain.config.image import Recipe
from almabrain.data.constants import ARCSEC
from almabrain.image import inference
from almabrain.image.grid import choose_grid, working
from almabrain.response.predict import predict_components

# Most of a test's time is compilation: what was compiled once serves later runs, as in scripts/image.py.
CACHE = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
jax.config.update("jax_compilation_cache_dir", f"{CACHE}/almabrain/jax")
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

FREQUENCY_HZ = 230e9
# flux [Jy], l and m [arcsec], major, minor [arcsec], position angle [deg]
COMPONENTS = np.array(
    [
        [0.30, 1.2, -0.8, 0.0, 0.0, 0.0],
        [0.80, -1.6, 1.1, 1.6, 1.0, 30.0],
    ]
)


# East and north [m] of nine 7 m antennas packed as closely as such dishes are.
COMPACT = np.array(
    [[0, 0], [9, 1], [19, -2], [4, 10], [14, 9], [27, 6], [-8, 17], [10, 22], [31, 24]], dtype=float
)

# Antennas of `windows`: data of the same make one inference grid, and need no other compiled functions.
ARRAY = np.random.default_rng(0).normal(0, 60.0, (16, 2))


def observe(components, sigma_jy, seed=0, n_antenna=16, n_time=20, reach_m=150.0, place=None) -> xr.Dataset:
    """One channel of a random, slowly turning array, or of one at `place`.

    `components` as COMPONENTS, fluxes as the telescope sees them.
    """
    rng = np.random.default_rng(seed)
    if place is None:
        place = rng.normal(0, reach_m / 2.5, (n_antenna, 2))
    n_antenna = len(place)
    first, second = np.triu_indices(n_antenna, 1)
    baseline = place[second] - place[first]
    uvw, time = [], []
    for step, angle in enumerate(np.linspace(0, 1.2, n_time)):
        cos, sin = np.cos(angle), np.sin(angle)
        turned = np.stack(
            [cos * baseline[:, 0] - sin * baseline[:, 1], sin * baseline[:, 0] + cos * baseline[:, 1]], 1
        )
        uvw.append(np.column_stack([turned, 0.05 * turned[:, 0]]))
        time.append(np.full(len(first), 30.0 * step))
    uvw = np.concatenate(uvw)
    flux, l, m, major, minor, pa = np.asarray(components, float).reshape(-1, 6).T  # noqa: E741
    seen = predict_components(
        uvw, np.array([FREQUENCY_HZ]), flux[:, None], l * ARCSEC, m * ARCSEC, major * ARCSEC, minor * ARCSEC,
        np.radians(pa),
    )  # fmt: skip
    noise = sigma_jy * (rng.standard_normal(seen.shape) + 1j * rng.standard_normal(seen.shape))
    return xr.Dataset(
        {
            "uvw_m": (("row", "axis"), uvw),
            "time_mjd_s": ("row", np.concatenate(time)),
            "antenna1": ("row", np.tile(first, n_time)),
            "antenna2": ("row", np.tile(second, n_time)),
            "visibility": (("row", "channel"), seen + noise),
            "weight": (("row", "channel"), np.full(seen.shape, sigma_jy**-2.0)),
            "frequency_hz": ("channel", [FREQUENCY_HZ]),
            "channel_width_hz": ("channel", [2e9]),
        },
        attrs={
            "ra_deg": 10.0, "dec_deg": -30.0, "frame": "TOPO", "dishes_m": [12.0, 12.0], "telescope": "ALMA",
            "source": "test", "noise_factor": 1.0, "simulated": True, "field_arcsec": 12.0,
        },
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    """What a module compiled is dropped after it: a process may map so many pieces of code and no more."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def windows():
    return {"spw0": observe(COMPONENTS, sigma_jy=0.25)}


@pytest.fixture(scope="session")
def recipe():
    return Recipe(n_pix=64, cell_arcsec=0.25)


@pytest.fixture(scope="session")
def grid(windows, recipe):
    return choose_grid(windows, recipe)


# All of the simulated field and hardly more, so that inference runs on 36 x 36 pixels: functions compiled for
# these serve nearly all tests.
FIELD = Recipe(n_pix=64, cell_arcsec=0.19)


@pytest.fixture(scope="session")
def worked(windows):
    """The grid of inference."""
    made = working(windows, choose_grid(windows, FIELD))
    assert made.n_pix == 36, "tests of inference are made for another size"
    return made


@pytest.fixture(scope="session")
def state(windows, worked):
    """The posterior of `windows`. Tests must not change it."""
    return inference.infer(inference.Data(windows), worked, 24, seed=1, name="test")
