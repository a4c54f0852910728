"""The command lines of scripts/simulate.py and scripts/export.py on tiny files."""

import json
import runpy
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from astropy.table import Table

from almabrain.config.simulate import SimulateSettings
from almabrain.console.script import run
from almabrain.data import store
from almabrain.simulate.observe import check_observable

from .conftest import make_row, make_sky

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SETTINGS = {"n_pix": 64, "cell_arcsec": 0.2}


def call(capfd, script, *arguments):
    """Exit code and last line of standard error of a script, run in this process to save its imports."""
    main = runpy.run_path(str(SCRIPTS / script))["main"]
    with mock.patch.object(sys, "argv", [script, *map(str, arguments)]):
        try:
            run(main)
            code = 0
        except SystemExit as end:
            code = end.code
    return code, (capfd.readouterr().err.splitlines() or [""])[-1]


@pytest.fixture
def inputs(tmp_path):
    """Three rows of observations, and a sky shard that holds simulations 1 and 2."""
    rows = [make_row(observation=f"night {k}", t_exptime=30.0 * (k + 1), simulation=k) for k in range(3)]
    Table(rows=rows).write(tmp_path / "observations.ecsv", format="ascii.ecsv")
    groups = {
        f"sim-{k:06d}/spw{w}": make_sky([(1.0, 2.0, 1.0)], [230e9 + w * 1e9], simulation=f"sim-{k:06d}")
        for k in (1, 2)
        for w in (0, 1)
    }
    store.write(tmp_path / "sky.zarr.zip", groups)
    return tmp_path


def simulate(capfd, folder, output, settings=None, observations="observations.ecsv"):
    return call(
        capfd, "simulate.py", "--settings", json.dumps(settings or SETTINGS), "--seed", 7,
        "--observations", folder / observations, "--sky", folder / "sky.zarr.zip",
        "--output", folder / output,
    )  # fmt: skip


def test_shard_is_simulated_and_exported(inputs, capfd):
    assert simulate(capfd, inputs, "out.zarr.zip")[0] == 0
    path = inputs / "out.zarr.zip"
    members = ("antennas", "pointings", "spw0", "spw1")
    assert store.names(path) == [f"sim-{k:06d}/{member}" for k in (1, 2) for member in members]
    window = store.read(path, "sim-000002/spw1")
    assert window.attrs["observation"] == "night 2" and window.sizes["row"] == 3 * 45
    assert simulate(capfd, inputs, "again.zarr.zip")[0] == 0
    again = store.read(inputs / "again.zarr.zip", "sim-000002/spw1")
    np.testing.assert_allclose(again["dirty"], window["dirty"], rtol=1e-6, atol=1e-9)
    for kind in ("ms", "fits", "npz", "h5"):
        code, _ = call(
            capfd, "export.py", "--store", path, "--simulation", "sim-000001", "--format", kind,
            "--output", inputs / f"out.{kind}",
        )  # fmt: skip
        assert code == 0 and (inputs / f"out.{kind}").exists()


def test_a_simulation_depends_on_its_own_name_only(inputs, capfd):
    simulate(capfd, inputs, "out.zarr.zip")
    groups = {f"sim-000002/spw{w}": store.read(inputs / "sky.zarr.zip", f"sim-000002/spw{w}") for w in (0, 1)}
    store.write(inputs / "sky.zarr.zip", groups)
    simulate(capfd, inputs, "alone.zarr.zip")
    both, alone = (store.read(inputs / f"{name}.zarr.zip", "sim-000002/spw0") for name in ("out", "alone"))
    np.testing.assert_array_equal(both["visibility"], alone["visibility"])


def test_mistakes_end_in_one_sentence(inputs, capfd):
    code, last = simulate(capfd, inputs, "out.zarr.zip", {"n_pix": 63})
    assert code == 2 and last.startswith("error: simulate.n_pix: 63 is no image size")
    Table(rows=[make_row()]).write(inputs / "short.ecsv", format="ascii.ecsv")
    code, last = simulate(capfd, inputs, "out.zarr.zip", observations="short.ecsv")
    assert code == 2 and "has no row of simulation 1" in last
    code, last = call(
        capfd, "export.py", "--store", inputs / "sky.zarr.zip", "--simulation", "sim-000009",
        "--format", "ms", "--output", inputs / "out.ms",
    )  # fmt: skip
    assert code == 2 and "holds no simulation 'sim-000009'" in last


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"s_dec": 75.0}, "never rises"),
        ({"antenna_arrays": "A001:DV07"}, "names no two antennas"),
    ],
)
def test_what_cannot_be_observed_is_said_before_any_work(inputs, capfd, bad, sentence):
    rows = [make_row(simulation=1), make_row(simulation=2) | bad]
    Table(rows=rows).write(inputs / "bad.ecsv", format="ascii.ecsv")
    with mock.patch("almabrain.simulate.observe.observe") as observe:
        code, last = simulate(capfd, inputs, "out.zarr.zip", observations="bad.ecsv")
    assert code == 2 and sentence in last and not observe.called


def test_executions_that_simulations_share_are_looked_at_once():
    nights = [[make_row(observation=name, simulation=k)] for k, name in enumerate("aabab")]
    elsewhere = [[nights[0][0] | {"s_dec": -20.0}]]
    with mock.patch("almabrain.simulate.observe.cover") as cover:
        check_observable(nights + elsewhere, SimulateSettings())
    assert cover.call_count == 3


def test_two_executions_make_one_simulation(inputs, capfd):
    rows = [make_row(simulation=k, observation=name) for k, name in ((1, "a"), (2, "b"), (1, "c"))]
    Table(rows=rows).write(inputs / "twice.ecsv", format="ascii.ecsv")
    assert simulate(capfd, inputs, "out.zarr.zip", observations="twice.ecsv")[0] == 0
    both, one = (store.read(inputs / "out.zarr.zip", f"sim-{k:06d}/spw0") for k in (1, 2))
    assert both.attrs["observation"] == "a, c" and both.sizes["row"] == 2 * one.sizes["row"]
    assert store.read(inputs / "out.zarr.zip", "sim-000001/antennas").sizes["antenna"] == 20


def test_half_a_shard_is_never_left(inputs, capfd):
    """A source outside the field of the second simulation is found when the first is written."""
    groups = {
        f"sim-{k:06d}/spw0": make_sky([(20.0 * (k - 1), 2.0, 1.0)], simulation=f"sim-{k:06d}") for k in (1, 2)
    }
    store.write(inputs / "sky.zarr.zip", groups)
    code, last = simulate(capfd, inputs, "out.zarr.zip")
    assert code == 2 and "sources lie up to 20 arcsec off its centre" in last
    assert sorted(item.name for item in inputs.iterdir()) == ["observations.ecsv", "sky.zarr.zip"]
