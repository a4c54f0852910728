"""One true run of the tiny campaign: every stage, a rerun, a killed run, and what a user sees."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from almabrain.data import store

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ("--configfile", "config/test.yaml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The results of the tiny campaign, run once for all tests of this file."""
    results = tmp_path_factory.mktemp("results with spaces")
    done = run(results)
    assert done.returncode == 0, done.stderr[-4000:]
    return results, done


def command(results: Path, *arguments: str) -> list[str]:
    """The command line of a run of the tiny campaign with its results in `results`."""
    base = [sys.executable, "-m", "snakemake", "--nolock", "--cores", "2"]
    # Files to make stand first: after --configfile they would be taken for more of those.
    return [*base, *arguments, *CONFIG, "--config", f"results={results}"]


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run(results: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(results, *arguments), cwd=ROOT, capture_output=True, text=True, env=environment()
    )


def test_the_report_is_there_and_its_path_is_told(finished):
    results, done = finished
    page = results / "test/report.html"
    assert page.read_text().lstrip().lower().startswith("<!doctype html")
    assert f"report: {page}" in done.stderr


def test_progress_tells_steps_and_time_left(finished):
    _, done = finished
    assert "steps (100%) done" in done.stdout + done.stderr
    assert " s left" in done.stdout + done.stderr


def test_sources_are_where_the_truth_says(finished):
    """The brightest pixel of the noiseless dirty image lies within half a beam of a source.

    Of which one, beam and channel decide: the truth's fluxes are of another frequency, its peaks of another beam.
    """
    results, _ = finished
    for shard in ("shard-0000", "shard-0001"):
        truth = Table.read(results / f"test/sky/{shard}.truth.ecsv")
        group = next(
            name for name in store.names(results / f"test/simulate/{shard}.zarr.zip") if "spw" in name
        )
        cube = store.read(results / f"test/simulate/{shard}.zarr.zip", group)
        if not len(truth):
            continue
        image = cube["dirty_noiseless"].values[0]
        y, x = np.unravel_index(np.argmax(image), image.shape)
        cell, n_pix = cube.attrs["cell_arcsec"], cube.attrs["n_pix"]
        east = -(x - n_pix // 2) * cell
        north = (y - n_pix // 2) * cell
        cos_dec = np.cos(np.deg2rad(cube.attrs["dec_deg"]))
        offset_east = (truth["ra"] - cube.attrs["ra_deg"]) * cos_dec * 3600
        offset_north = (truth["dec"] - cube.attrs["dec_deg"]) * 3600
        beam = float(cube["bmaj_arcsec"][0])
        assert np.hypot(east - offset_east, north - offset_north).min() < beam / 2 + cell


def test_every_image_carries_its_verdict(finished):
    results, _ = finished
    summaries = sorted((results / "test/image").rglob("summary.json"))
    assert len(summaries) == 2
    for file in summaries:
        summary = json.loads(file.read_text())
        assert summary["verdict"].startswith(("converged", "not converged: "))


def test_no_scraps_are_left(finished):
    results, _ = finished
    assert [str(path) for path in results.rglob(".*.*") if path.name.startswith(".")] == []


def test_a_second_run_finds_nothing_to_do(finished):
    results, _ = finished
    done = run(results)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_one_rule_reruns_alone(finished):
    results, _ = finished
    target = str(results / "test/catalogue/scores.ecsv")
    done = run(results, "--dry-run", "--force", target)
    jobs = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, flags=re.M)
    assert set(jobs) == {("scores", "1"), ("total", "1")}


def test_a_killed_run_ends_with_the_same_arrays(finished, tmp_path):
    """Killed while the simulations are made, then run again: the noisy cubes are those of the whole run."""
    whole, _ = finished
    target = [str(tmp_path / f"test/noise/draws/shard-000{k}.zarr.zip") for k in (0, 1)]
    process = subprocess.Popen(
        command(tmp_path, *target),
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "test").glob("sky/*.zarr.zip")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not all(Path(file).exists() for file in target)
    done = run(tmp_path, "--rerun-incomplete", *target)
    assert done.returncode == 0, done.stderr[-3000:]
    for file in target:
        for name in store.names(file):
            first = store.read(whole / Path(file).relative_to(tmp_path), name)["dirty"].values
            assert np.allclose(store.read(file, name)["dirty"].values, first, rtol=1e-6, atol=1e-9)
