"""The command lines, on tiny files; and the disc of HD 142527."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from almabrain.data import store
from almabrain.data.fits import read_image
from almabrain.data.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"n_pix": 64, "cell_arcsec": 0.19, "samples": 8, "max_iterations": 24}


def script(name, *arguments):
    command = [sys.executable, ROOT / "scripts" / f"{name}.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def made(windows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    store.write(folder / "visibilities/obs-x.zarr.zip", windows)
    options = ["--settings", json.dumps(SETTINGS), "--visibilities", folder / "visibilities/obs-x.zarr.zip"]
    options += ["--name", "obs-x", "--output-folder", folder / "image/obs-x/default"]
    for name, more in (("image", ["--seed", 3]), ("clean", [])):
        done = script(name, *options, *more)
        assert done.returncode == 0, done.stderr
    return folder / "image/obs-x/default"


def test_products_are_there_and_agree(made):
    summary = json.loads((made / "summary.json").read_text())
    assert summary["verdict"].split(":")[0] in ("converged", "not converged")
    assert summary["samples"] == 8 and 0.9 < summary["reduced_chi2"] < 1.1
    assert len(summary["chi2_by_baseline"]["reduced_chi2"]) == 8
    assert abs(summary["delta_log_likelihood"]) < 0.5
    samples = store.read(made / "samples.zarr.zip", "samples").sky.values
    assert samples.shape == (8, 64, 64)
    mean, std = read_image(made / "mean_beam.fits"), read_image(made / "std_beam.fits")
    assert mean.attrs["bunit"] == "Jy/beam" and read_image(made / "mean.fits").attrs["bunit"] == "Jy/arcsec2"
    assert np.nanmax(mean.values) > 5 * std.values[np.unravel_index(np.nanargmax(mean.values), mean.shape)]
    table = read_table(made / "power_spectrum.ecsv")
    assert table.colnames == ["k", "mean", "low", "high", "learned"] and str(table["k"].unit) == "1 / arcsec"
    assert np.all(table["low"] <= table["high"])


def test_a_killed_job_goes_on_to_the_same_bytes(made, tmp_path):
    """Killed with the signal that nobody can catch, as soon as there is a checkpoint."""
    visibilities = made.parents[2] / "visibilities/obs-x.zarr.zip"
    options = ["--settings", json.dumps(SETTINGS), "--visibilities", visibilities]
    options += ["--seed", 3, "--output-folder", tmp_path]
    command = [sys.executable, ROOT / "scripts/image.py", *map(str, options)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as job:
        while job.poll() is None and not (tmp_path / "checkpoint/state.npz").exists():
            time.sleep(0.02)
        job.kill()
    assert job.returncode == -signal.SIGKILL and not (tmp_path / "mean.fits").exists()
    done = script("image", *options)
    assert done.returncode == 0 and "going on after round" in done.stderr
    assert not (tmp_path / "checkpoint").exists()
    one, two = (store.read(place / "samples.zarr.zip", "samples").sky.values for place in (made, tmp_path))
    assert np.array_equal(one, two)
    for name in ("mean.fits", "parameters.ecsv", "history.ecsv", "fluxes.ecsv"):
        assert (made / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_clean_lies_on_the_same_pixels(made):
    image, mean = read_image(made / "clean.fits"), read_image(made / "mean_beam.fits")
    assert image.attrs["cell_arcsec"] == pytest.approx(mean.attrs["cell_arcsec"])
    assert image.attrs["bmaj_arcsec"] == pytest.approx(mean.attrs["bmaj_arcsec"])
    for name in ("clean_residual", "clean_model", "psf", "dirty", "pb"):
        assert read_image(made / f"{name}.fits").shape == (64, 64)
    pb = read_image(made / "pb.fits").values
    corrected = image.values / pb
    bright = mean.values > 0.3 * np.nanmax(mean.values)
    assert np.allclose(corrected[bright], mean.values[bright], atol=0.1 * np.nanmax(mean.values))
    summary = json.loads((made / "clean.json").read_text())
    assert summary["verdict"].split(":")[0] in ("converged", "not converged")
    assert summary["residual_rms_jy_beam"] == pytest.approx(summary["noise_jy_beam"], rel=0.2)


@pytest.mark.parametrize(
    "name, arguments, part",
    [
        ("visibilities", ["--data", "none.ms", "--output", "v.zarr.zip"], "does not exist"),
        ("visibilities", ["--store", "s.zarr.zip", "--output", "v.zarr.zip"], "--simulation"),
        ("clean", ["--visibilities", "none.zarr.zip", "--output-folder", "f"], "does not exist"),
        ("clean", ["--settings", '{"sampels": 8}', "--visibilities", "n", "--output-folder", "f"], "sampels"),
        ("clean", ["--settings", '{"samples": 4}', "--visibilities", "n", "--output-folder", "f"], "samples"),
    ],
)
def test_mistakes_end_in_one_sentence(name, arguments, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = script(name, *arguments)
    assert done.returncode == 2
    assert part in done.stderr.splitlines()[-1]
    assert not any(tmp_path.iterdir())


def test_cell_too_coarse_says_the_right_one(windows, tmp_path):
    store.write(tmp_path / "v.zarr.zip", windows)
    done = script(
        "clean", "--settings", '{"cell_arcsec": 2.0}', "--visibilities", tmp_path / "v.zarr.zip",
        "--output-folder", tmp_path / "f",
    )  # fmt: skip
    assert done.returncode == 2 and "cell_arcsec" in done.stderr and "or less" in done.stderr


@pytest.mark.real_data
def test_ring_of_hd142527(real_data, tmp_path):
    path = real_data / "visibilities/hd142527_band9_continuum.ms"
    done = script("visibilities", "--data", path, "--output", tmp_path / "v.zarr.zip")
    assert done.returncode == 0, done.stderr
    settings = json.dumps({"n_pix": 96, "cell_arcsec": 0.1, "max_iterations": 4})
    options = [
        "--visibilities",
        tmp_path / "v.zarr.zip",
        "--output-folder",
        tmp_path / "f",
        "--settings",
        settings,
    ]
    for name in ("image", "clean"):
        done = script(name, *options)
        assert done.returncode == 0, done.stderr
    for name in ("mean_beam", "clean"):
        image = read_image(tmp_path / "f" / f"{name}.fits").values
        offset = (np.arange(96) - 48) * 0.1
        peak_y, peak_x = np.unravel_index(
            np.nanargmax(np.where(np.hypot(*np.meshgrid(offset, offset)) < 3, image, 0)), image.shape
        )
        radius = np.hypot(-(peak_x - 48) * 0.1, (peak_y - 48) * 0.1)
        assert 0.6 < radius < 1.5
        distance = np.hypot(*np.meshgrid(offset, offset))
        ring, hole = image[np.abs(distance - 1.0) < 0.15].mean(), image[distance < 0.2].mean()
        assert ring > 2 * hole
