"""Bad visibilities end the script in one sentence, or are left out and told of with their number."""

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from almabrain.image import visibilities

from .test_visibilities import N_CHANNEL, N_TIME, change, make_ms, tables

SCRIPT = Path(__file__).parents[2] / "scripts/visibilities.py"
ROWS = 6 * N_TIME


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_ms(tmp_path_factory.mktemp("ms") / "small.ms")


@pytest.fixture
def ms(original, tmp_path):
    return shutil.copytree(original, tmp_path / "small.ms")


@pytest.fixture
def script(monkeypatch, tmp_path, capfd, caplog):
    """Runs the script as the workflow does; gives the exit code, what it said and the path of its output."""

    def run(*arguments):
        output = tmp_path / "v.zarr.zip"
        monkeypatch.setattr(sys, "argv", ["visibilities.py", *map(str, arguments), "--output", str(output)])
        code = 0
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as end:
            code = end.code
        return code, caplog.text + capfd.readouterr().err, output

    return run


def cross(values):
    """Rows of two different antennas, as the baselines come in `make_ms`."""
    first, second = np.triu_indices(4)
    return np.tile(first != second, len(values) // len(first))


@pytest.mark.parametrize(
    "column, edit, words",
    [
        ("FLAG", np.ones_like, "small.ms, field target is flagged completely"),
        ("FLAG_ROW", np.ones_like, "flagged completely"),
        ("WEIGHT", np.zeros_like, "no positive weight; initialise the weights"),
        ("WEIGHT", np.negative, "no positive weight"),
        ("WEIGHT", lambda values: values * np.nan, "no positive weight"),
        ("DATA", lambda values: values * np.nan, "no finite visibility"),
        (
            "FLAG_ROW",
            lambda values: np.arange(len(values)) % 10 != 1,
            "1 baseline; an image needs at least two",
        ),
        ("ANTENNA2", lambda values: 0 * values, "no cross-correlations"),
    ],
)
def test_nothing_to_image_is_one_sentence(ms, script, column, edit, words):
    change(ms, column, edit)
    if column == "ANTENNA2":
        change(ms, "ANTENNA1", edit)
    code, said, output = script("--data", ms)
    assert code == 2 and not output.exists()
    last = said.splitlines()[-1]
    assert last.startswith("error: ") and words in last and "Traceback" not in said


@pytest.mark.parametrize(
    "column, bad, count",
    [
        ("WEIGHT", 0.0, "have no positive weight"),
        ("WEIGHT", -3.0, "have no positive weight"),
        ("WEIGHT", np.inf, "have no positive weight"),
        ("DATA", np.nan, "are not finite"),
        ("DATA", np.inf, "are not finite"),
    ],
)
def test_some_bad_samples_are_left_out_and_counted(ms, script, column, bad, count):
    def spoil(values):
        chosen = np.flatnonzero(cross(values))[::4]
        values[chosen] = bad
        return values

    change(ms, column, spoil)
    code, said, output = script("--data", ms)
    assert code == 0
    lost = ROWS // 4 * N_CHANNEL * 2  # two hands
    assert f"{lost} {'unflagged samples ' if 'weight' in count else ''}{count}" in said
    window = visibilities.read(output)["spw0"]
    assert window.sizes["row"] == ROWS - ROWS // 4
    assert np.isfinite(window.visibility.values).all() and (window.weight.values > 0).all()
    assert window.visibility.values.mean() == pytest.approx(1, abs=0.02)


def test_places_that_are_not_finite_are_left_out(ms, script):
    def spoil(values):
        values[np.flatnonzero(cross(values))[:5]] = np.nan
        return values

    change(ms, "UVW", spoil)
    code, said, output = script("--data", ms)
    assert code == 0 and f"{5 * N_CHANNEL * 2} are not finite" in said
    assert np.isfinite(visibilities.read(output)["spw0"].uvw_m.values).all()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--data", "none.ms"], "none.ms does not exist"),
        (["--data", "{ms}", "--settings", '{"channels": "5-9"}'], "channels: is '5-9', but must be"),
        (
            ["--data", "{ms}", "--settings", '{"channels": "7~9"}'],
            "7~9, but the window's channels are 0 to 3",
        ),
        (["--data", "{ms}", "--settings", '{"frame": "lsrk"}'], "allowed: native, LSRK"),
        (["--data", "{ms}", "--total-power", "none.fits"], "none.fits does not exist"),
        (["--store", "none.zarr.zip", "--simulation", "sim-000001"], "does not exist"),
    ],
)
def test_wrong_arguments_are_one_sentence(ms, script, arguments, words):
    code, said, output = script(*(item.format(ms=ms) if item == "{ms}" else item for item in arguments))
    assert code == 2 and not output.exists()
    assert words in said.splitlines()[-1] and "Traceback" not in said


def test_a_dish_without_a_size(ms, script):
    with tables.table(f"{ms}/ANTENNA", readonly=False, ack=False) as table:
        table.putcol("DISH_DIAMETER", 0 * table.getcol("DISH_DIAMETER"))
    code, said, _ = script("--data", ms)
    assert code == 2 and "diameter is 0 m" in said.splitlines()[-1]
    code, _, output = script("--data", ms, "--settings", '{"dish_diameter_m": 12}')
    assert code == 0 and visibilities.read(output)["spw0"].attrs["dishes_m"] == [12, 12]
