"""Runs the workflow as a user would, in a folder of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def snakemake(tmp_path):
    """A function that runs snakemake with arguments, results below the test's folder."""

    def run(*arguments: str, results: Path = tmp_path) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--nolock", "--cores", "2"]
        options = ["--workflow-profile", "profiles/default", "--config", f"results={results}"]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            [*command, *arguments, *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=os.environ | {"PATH": path},
        )

    return run
