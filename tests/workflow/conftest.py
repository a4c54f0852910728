"""Runs the workflow as a user would, in a folder of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def run_workflow():
    """A function that runs snakemake with arguments and its results in a folder of the test's."""

    def run(*arguments: str, results: Path) -> subprocess.CompletedProcess:
        # Files to make stand first: after --configfile they would be taken for more of those.
        command = [sys.executable, "-m", "snakemake", "--nolock", "--cores", "2", *arguments]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            [*command, "--config", f"results={results}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=os.environ | {"PATH": path},
        )

    return run


@pytest.fixture
def snakemake(run_workflow, tmp_path):
    """As `run_workflow`, with the test's own folder for results unless another is given."""
    return lambda *arguments, results=tmp_path: run_workflow(*arguments, results=results)
