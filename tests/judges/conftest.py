"""How a judge is asked: a script of this folder runs in the judges' own environment, on arrays in files."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
# CASA looks for its tables of the Earth's rotation where this file in its home folder says.
_CASA_SETTINGS = """
import casadata
measurespath = casadata.datapath
measures_auto_update = data_auto_update = False
nologger = nogui = True
logfile = {log!r}
"""
_NO_FAULT_OF_OURS = (
    "Leap second table TAI_UTC seems out-of-date",
    "Until the table is updated",
    "times and coordinates derived from UTC could be wrong",
)


@dataclass(frozen=True)
class Verdict:
    """What a judge found: arrays by name, what it wrote, and the lines of its log with WARN or SEVERE."""

    arrays: dict[str, np.ndarray]
    text: str
    complaints: list[str]


@pytest.fixture(scope="session")
def ask(tmp_path_factory):
    """A function `(script, folder, **settings) -> Verdict`; skips where the judges are not installed."""
    python = os.environ.get("ALMABRAIN_JUDGE_PYTHON", "")
    if not python or not Path(python).is_file():
        pytest.skip(
            "CASA is not asked: run `make judge`, or set ALMABRAIN_JUDGE_PYTHON to a Python that has it"
        )
    home = tmp_path_factory.mktemp("casa_home")
    log = home / "casa.log"
    (home / ".casa").mkdir()
    (home / ".casa" / "config.py").write_text(_CASA_SETTINGS.format(log=str(log)))
    environment = os.environ | {"HOME": str(home)}
    environment.pop("PYTHONPATH", None)

    def run(script: str, folder: Path, **settings) -> Verdict:
        log.unlink(missing_ok=True)
        (folder / "found.npz").unlink(missing_ok=True)
        (folder / "settings.json").write_text(json.dumps(settings))
        done = subprocess.run(
            [python, HERE / script], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{script}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        arrays = {}
        if (folder / "found.npz").exists():
            with np.load(folder / "found.npz") as found:
                arrays = {name: found[name] for name in found.files}
        said = log.read_text() if log.exists() else ""
        complaints = [
            line
            for line in f"{said}\n{done.stdout}\n{done.stderr}".splitlines()
            if re.search(r"\b(WARN|SEVERE|WARNING|ERROR)\b", line)
            and not any(known in line for known in _NO_FAULT_OF_OURS)
        ]
        return Verdict(arrays, done.stdout, complaints)

    return run
