"""The comparison of two runs, which the container and Slurm tests rest on, must be able to fail."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

SCRIPT = Path(__file__).resolve().parents[1] / "compare_results.py"


def write_run(folder, stage, values):
    (folder / "test" / stage).mkdir(parents=True, exist_ok=True)
    Table({"flux": values}).write(folder / "test" / stage / "table.ecsv", format="ascii.ecsv")


@pytest.mark.parametrize(
    ("stage", "values", "same"),
    [
        ("sky", [1.0, 2.0, np.nan], True),
        ("sky", [1.0, 2.0 + 1e-9, np.nan], True),
        ("sky", [1.0, 2.0 + 1e-5, np.nan], False),
        ("image", [1.0, 2.0 + 1e-5, np.nan], True),
        ("image", [1.0, 2.1, np.nan], False),
        ("sky", [1.0, np.nan, 2.0], False),
        ("sky", [1.0, 2.0], False),
    ],
)
def test_differences_are_found(tmp_path, stage, values, same):
    write_run(tmp_path / "a", stage, [1.0, 2.0, np.nan])
    write_run(tmp_path / "b", stage, values)
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "a", tmp_path / "b"], capture_output=True, text=True
    )
    assert (done.returncode == 0) is same, done.stderr


def test_a_missing_file_and_two_empty_folders_are_no_agreement(tmp_path):
    write_run(tmp_path / "a", "sky", [1.0])
    (tmp_path / "b").mkdir()
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "a", tmp_path / "b"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "table.ecsv is in one folder only" in done.stderr
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "b", tmp_path / "b"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "nothing to compare" in done.stderr
