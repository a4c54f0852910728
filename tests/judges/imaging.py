"""The fields and scores of benchmarks/, for judges of imagers."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import imager  # noqa: E402
import imaging_calibration  # noqa: E402
import imaging_cases  # noqa: E402
import imaging_scenes  # noqa: E402
import imaging_scores  # noqa: E402

__all__ = [
    "folder",
    "imager",
    "imaging_calibration",
    "imaging_cases",
    "imaging_scenes",
    "imaging_scores",
    "options",
]


def folder() -> Path:
    """Where fields and images are kept; imaging them all takes hours, so that it is asked for by name."""
    named = os.environ.get("ALMABRAIN_IMAGING_RUNS")
    if not named:
        pytest.skip(
            "set ALMABRAIN_IMAGING_RUNS to a folder for fields and images (hours on two cores at first)"
        )
    return Path(named)


def options(folder: Path, command: str, *more):
    """The options of a command of benchmarks/imager.py."""
    return imager.parser().parse_args([command, "--folder", str(folder), *map(str, more)])
