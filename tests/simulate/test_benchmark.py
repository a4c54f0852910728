"""The benchmark of the simulator runs; what it measures is for machines with nothing else to do."""

import runpy
from pathlib import Path

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "simulator.py"


def test_a_cube_and_both_floors_are_timed():
    took = runpy.run_path(str(BENCHMARK))["compare"](5, 1, 1, 256, 1)
    assert took.pop("rows") == 10
    assert set(took) == {"cube", "floor, single", "floor, double"} and min(took.values()) > 0
