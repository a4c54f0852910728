"""The command lines of noise_model.py and noise.py on tiny files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.table import Table

from almabrain.data import store
from almabrain.data.tables import read_table, write_table
from almabrain.noise.model import load

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def call(script, *arguments):
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def shard(tmp_path, rng):
    """Two simulations of one window each, and their truth."""
    axes = ("channel", "y", "x")
    groups = {}
    for name in ("sim-000000", "sim-000001"):
        noiseless = np.zeros((2, 64, 64), np.float32)
        data = {
            "frequency_hz": ("channel", [1e11, 1.001e11]),
            "channel_width_hz": ("channel", [1e8, 1e8]),
            "line_free": ("channel", [True, True]),
            "dirty_noiseless": (axes, noiseless),
            "dirty": (axes, rng.standard_normal(noiseless.shape).astype(np.float32)),
            "psf": (axes, noiseless),
            "pb": (axes, noiseless + 1),
            "rms_jy_beam": ("channel", np.ones(2)),
            "bmaj_arcsec": ("channel", np.full(2, 0.5)),
            "bmin_arcsec": ("channel", np.full(2, 0.4)),
            "bpa_deg": ("channel", np.full(2, 30.0)),
        }
        groups[f"{name}/spw0"] = xr.Dataset(data, attrs={"simulation": name, "cell_arcsec": 0.1})
        groups[f"{name}/antennas"] = xr.Dataset({"diameter_m": ("antenna", np.full(3, 12.0))})
    store.write(tmp_path / "simulated.zarr.zip", groups)
    truth = Table(
        {
            "simulation": ["sim-000000", "sim-000001"],
            "kind": ["point", "point"],
            "flux": [10.0, 20.0],
            "major": [0.0, 0.0],
            "minor": [0.0, 0.0],
            "reference_frequency": [1e11, 1e11],
            "spectral_index": [0.0, 0.0],
            "line_frequency": [np.nan, np.nan],
            "line_flux": [np.nan, np.nan],
            "line_width": [np.nan, np.nan],
            "line_profile": ["", ""],
            "pb": [1.0, 1.0],
        }
    )
    write_table(tmp_path / "sky.truth.ecsv", truth)
    return tmp_path


def noise_arguments(folder, settings, *more):
    return (
        *("--settings", json.dumps(settings), "--seed", 3),
        *("--simulated", folder / "simulated.zarr.zip", "--truth", folder / "sky.truth.ecsv"),
        *("--output", folder / "draws.zarr.zip", "--output-truth", folder / "draws.truth.ecsv", *more),
    )


def test_a_model_is_measured_and_drawn_from(shard):
    model, card = shard / "model.zarr.zip", shard / "model.json"
    done = call("noise_model.py", "--reference", "pisco_band6", "--output", model, "--card", card)
    assert done.returncode == 0, done.stderr
    assert json.loads(card.read_text())["reference"] == "pisco_band6" == load(model).name
    done = call("noise.py", *noise_arguments(shard, {"mode": "empirical"}, "--model", model))
    assert done.returncode == 0, done.stderr
    drawn = store.read(shard / "draws.zarr.zip", "sim-000001/spw0")
    assert store.names(shard / "draws.zarr.zip") == ["sim-000000/spw0", "sim-000001/spw0"]
    assert drawn["noise_rms"].values == pytest.approx([1, 1], rel=0.4)
    truth = read_table(shard / "draws.truth.ecsv")
    assert truth["measured_snr"][1] == pytest.approx(20 / drawn.attrs["continuum_rms"])


def test_theoretical_noise_needs_no_model(shard):
    done = call("noise.py", *noise_arguments(shard, {"mode": "theoretical"}))
    assert done.returncode == 0, done.stderr
    before = store.read(shard / "simulated.zarr.zip", "sim-000000/spw0")
    after = store.read(shard / "draws.zarr.zip", "sim-000000/spw0")
    assert np.array_equal(before["dirty"], after["dirty"])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mode": "empirical"}, "noise.mode is empirical, which needs a noise model; give --model"),
        ({"mode": "empiric"}, "did you mean 'empirical'"),
        ({"mod": "empirical"}, "key 'noise.mod' is unknown; did you mean 'mode'"),
        ({"empirical_fraction": 1.5}, "key 'noise.empirical_fraction' is 1.5"),
        ({"reference_beam": [1, 2, 0]}, "noise.reference_beam: the beam is [1.0, 2.0, 0.0]"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(shard, settings, sentence):
    done = call("noise.py", *noise_arguments(shard, settings))
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
    assert not list(shard.glob("*draws*"))


def test_a_bad_reference_leaves_no_model(tmp_path):
    (tmp_path / "bad.fits").write_text("nothing")
    done = call(
        *("noise_model.py", "--reference", tmp_path / "bad.fits"),
        *("--output", tmp_path / "m.zarr.zip", "--card", tmp_path / "m.json"),
    )
    assert done.returncode == 2 and "bad.fits" in done.stderr.splitlines()[-1]
    assert [file.name for file in tmp_path.iterdir()] == ["bad.fits"]
