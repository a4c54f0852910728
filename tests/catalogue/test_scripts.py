"""The command lines of scripts/catalogue.py and scripts/scores.py on tiny files, good and bad."""

import contextlib
import io
import json
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from astropy.io import fits as afits
from astropy.table import Table

from almabrain.catalogue.plane import from_fits, from_store
from almabrain.catalogue.table import make_catalogue
from almabrain.config.catalogue import CatalogueSettings
from almabrain.console.errors import UserError
from almabrain.data import fits, store, tables
from almabrain.networks.infer import save
from almabrain.networks.unet import BlobsFinder

from .conftest import BEAM, CELL, make_plane

SCRIPTS = Path(__file__).parents[2] / "scripts"
ATTRS = {"bunit": "Jy/beam", "ra_deg": 150.0, "dec_deg": -30.0, "cell_arcsec": CELL, "frequency_hz": 1e11}
BEAM_ATTRS = {"bmaj_arcsec": BEAM.major_arcsec, "bmin_arcsec": BEAM.minor_arcsec, "bpa_deg": BEAM.pa_deg}


@dataclass
class Done:
    returncode: int
    stderr: str


def run(script, *options):
    """Run a script as the shell would, in this process: starting Python again takes longer than the work."""
    errors, argv = io.StringIO(), sys.argv
    sys.argv = [script, *map(str, options)]
    try:
        with contextlib.redirect_stderr(errors):
            runpy.run_path(str(SCRIPTS / script), run_name="__main__")
        return Done(0, errors.getvalue())
    except SystemExit as stop:
        return Done(stop.code, errors.getvalue())
    finally:
        sys.argv = argv


def write_fits(path, values, **attrs):
    dims = ("channel", "y", "x")[-values.ndim :]
    coords = {"frequency_hz": ("channel", 1e11 + 1e6 * np.arange(len(values)))} if values.ndim == 3 else {}
    fits.write_image(path, xr.DataArray(values, dims=dims, coords=coords, attrs=ATTRS | BEAM_ATTRS | attrs))
    return path


@pytest.fixture
def shard(tmp_path, rng):
    """A shard of noise/draws: one simulation, two windows, one source of 50 sigma in their mean."""
    groups = {}
    for k in range(2):
        planes = [make_plane(rng, [(70.0, 60.0, 25, 0, 0, 0)]).values for _ in range(3)]
        planes[1] = planes[1] + 1.0  # a channel with a line, which must not be used
        image, channel, each = ("channel", "y", "x"), ("channel",), np.ones(3)
        variables = {
            "dirty": (image, np.array(planes)),
            "pb": (image, np.ones((3, 128, 128))),
            "noise_rms": (channel, 1e-3 * each),
            "frequency_hz": (channel, 1e11 + k * 1e9 + 1e6 * np.arange(3)),
            "line_free": (channel, np.array([True, False, True])),
            **{name: (channel, value * each) for name, value in BEAM_ATTRS.items()},
        }
        attrs = {"ra_deg": 150.0, "dec_deg": -30.0, "cell_arcsec": CELL, "realisation": "empirical"}
        groups[f"sim-000000/spw{k}"] = xr.Dataset(variables, attrs=attrs)
    store.write(tmp_path / "shard.zarr.zip", groups)
    return tmp_path / "shard.zarr.zip"


def test_from_image_to_scores(tmp_path, rng):
    plane = make_plane(rng, [(40.0, 80.0, 50, 0, 0, 0)])
    image = write_fits(tmp_path / "clean.fits", plane.values)
    pb = write_fits(tmp_path / "pb.fits", np.full((128, 128), 0.5), bunit="")
    output = tmp_path / "catalogue" / "sim-000007" / "natural" / "sep.ecsv"
    options = ["--image", image, "--pb", pb, "--finder", "sep", "--realisation", "radiometer"]
    done = run("catalogue.py", *options, "--output", output)
    assert done.returncode == 0, done.stderr
    found = tables.read_table(output)
    assert (found.meta["data"], found.meta["recipe"]) == ("sim-000007", "natural")
    assert found["flux"][0] == pytest.approx(0.1, rel=0.1) and found["frequency"][0] == 1e11
    sky = plane.wcs.pixel_to_world(40.0, 80.0)
    true = {"simulation": ["sim-000007"], "source": [0], "ra": [sky.ra.deg], "dec": [sky.dec.deg]}
    true |= {"flux": [0.1], "reference_frequency": [1e11], "spectral_index": [0.0], "major": [0.0]}
    tables.write_table(tmp_path / "truth.ecsv", Table(true | {"radiometer_snr": [50.0]}))
    scores = tmp_path / "scores.ecsv"
    settings = json.dumps({"snr_edges": [5, 20, 100]})
    options = ["--settings", settings, "--catalogues", output, "--truth", tmp_path / "truth.ecsv"]
    done = run("scores.py", *options, "--output", scores)
    assert done.returncode == 0, done.stderr
    total = tables.read_table(scores)[0]
    assert (total["completeness"], total["purity"], total["realisation"]) == (1, 1, "radiometer")
    assert len(tables.read_table(tmp_path / "matches.ecsv")) == 1


def test_a_cube_is_searched_in_the_weighted_mean_of_its_channels(tmp_path, rng):
    planes = [make_plane(rng, [(40.0, 80.0, 4, 0, 0, 0)]).values for _ in range(9)]
    planes[4] = np.full((128, 128), np.nan)
    cube = write_fits(tmp_path / "cube.fits", np.array(planes))
    done = run("catalogue.py", "--image", cube, "--finder", "sep", "--output", tmp_path / "c/o/sep.ecsv")
    assert done.returncode == 0, done.stderr
    found = tables.read_table(tmp_path / "c/o/sep.ecsv")
    assert len(found) == 1 and found["snr"][0] == pytest.approx(4 * np.sqrt(8), abs=3.5)
    assert found["frequency"][0] == pytest.approx(1e11 + 4e6, rel=1e-6)


@pytest.mark.parametrize("finder", ["sep", "network"])
def test_the_dirty_plane_of_a_simulation(tmp_path, shard, finder):
    torch.manual_seed(0)
    save(
        tmp_path / "w.safetensors",
        BlobsFinder(2, 2),
        {"base_channels": 2, "levels": 2, "calibration": [1.0, 0.0], "trained_on": ["sim-000000"]},
    )
    output = tmp_path / "catalogue/sim-000000/dirty" / f"{finder}.ecsv"
    options = ["--store", shard, "--simulation", "sim-000000", "--weights", tmp_path / "w.safetensors"]
    done = run("catalogue.py", *options, "--finder", finder, "--output", output)
    assert done.returncode == 0, done.stderr
    found = tables.read_table(output)
    assert found.meta["realisation"] == "empirical" and found.meta["finder"] == finder
    assert found.meta["held_out"] == (finder == "sep")
    if finder == "sep":
        assert len(found) == 1
        assert found["flux"][0] == pytest.approx(0.025, rel=0.1)
        assert found["frequency"][0] == pytest.approx(1e11 + 0.5e9 + 1e6)


def with_line(shard, tmp_path, windows):
    """The shard with every channel of these windows full of a line of 1 Jy/beam."""
    groups = {name: store.read(shard, name) for name in store.names(shard)}
    for name in windows:
        group = groups[f"sim-000000/{name}"]
        group["line_free"], group["dirty"] = ("channel", [False] * 3), group.dirty + 1.0
    store.write(tmp_path / "lined.zarr.zip", groups)
    return tmp_path / "lined.zarr.zip"


def test_a_window_full_of_line_is_not_in_the_continuum(tmp_path, shard):
    plane = from_store(with_line(shard, tmp_path, ["spw0"]), "sim-000000")
    alone = store.read(shard, "sim-000000/spw1").dirty.values[[0, 2]].mean(axis=0)
    assert np.allclose(plane.values, alone) and plane.frequency_hz == pytest.approx(1.01e11 + 1e6)


def test_a_simulation_full_of_line_is_a_sentence(tmp_path, shard):
    with pytest.raises(UserError, match="no line-free channel of sim-000000"):
        from_store(with_line(shard, tmp_path, ["spw0", "spw1"]), "sim-000000")


def test_an_image_whose_x_grows_to_the_east_is_read_the_same(tmp_path, rng):
    """CDELT1 above zero, as some writers leave it: the same sky, the same catalogue, position angles too."""
    plane = make_plane(rng, [(40.0, 80.0, 60, 2.5, 0.8, 30.0)], pb=None)
    path = write_fits(tmp_path / "west.fits", plane.values)
    with afits.open(path) as hdus:
        data, header = hdus[0].data[..., ::-1], hdus[0].header
        header["CDELT1"] *= -1
        header["CRPIX1"] = header["NAXIS1"] + 1 - header["CRPIX1"]
        afits.writeto(tmp_path / "east.fits", data, header)
    west, east = (from_fits(tmp_path / f"{name}.fits") for name in ("west", "east"))
    assert np.array_equal(west.values, east.values)
    assert west.wcs.pixel_to_world(11, 23).separation(east.wcs.pixel_to_world(11, 23)).arcsec < 1e-6
    found = [make_catalogue(one, "sep", CatalogueSettings())[0] for one in (west, east)]
    assert found[0]["pa"] == pytest.approx(30, abs=12) and found[1]["pa"] == found[0]["pa"]


def broken(tmp_path, rng, how):
    path = tmp_path / f"{how}.fits"
    values = make_plane(rng).values
    if how == "text":
        path.write_text("this is no image")
    elif how == "nan":
        write_fits(path, np.full((64, 64), np.nan))
    elif how == "constant":
        write_fits(path, np.ones((64, 64)))
    elif how == "kelvin":
        write_fits(path, values, bunit="K")
    elif how == "beamless":
        fits.write_image(path, xr.DataArray(values, dims=("y", "x"), attrs=ATTRS))
    elif how == "truncated":
        write_fits(path, values)
        path.write_bytes(path.read_bytes()[:20_000])
    return path


@pytest.mark.parametrize(
    "how, sentence",
    [
        ("missing", "does not exist"),
        ("text", "is not a whole FITS file"),
        ("truncated", "cut short"),
        ("nan", "no finite pixel"),
        ("constant", "has no noise"),
        ("kelvin", "is in 'K' (BUNIT), but catalogues need Jy/beam"),
        ("beamless", "has no beam in its header"),
    ],
)
def test_bad_images_are_one_sentence_and_no_file(tmp_path, rng, how, sentence):
    image, output = broken(tmp_path, rng, how), tmp_path / "out" / "sep.ecsv"
    done = run("catalogue.py", "--image", image, "--finder", "sep", "--output", output)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2 and last.startswith(f"error: {image}") and sentence in last
    assert not output.exists()


def test_options_that_do_not_go_together_are_a_sentence(tmp_path, shard):
    done = run("catalogue.py", "--store", shard, "--finder", "sep", "--output", tmp_path / "x.ecsv")
    assert done.returncode == 2 and "--store needs --simulation" in done.stderr
    options = ["--store", shard, "--simulation", "sim-000009", "--finder", "sep"]
    done = run("catalogue.py", *options, "--output", tmp_path / "x.ecsv")
    assert done.returncode == 2 and "holds no simulation 'sim-000009'; it holds sim-000000" in done.stderr
    done = run("catalogue.py", *options[:4], "--finder", "network", "--output", tmp_path / "x.ecsv")
    assert done.returncode == 2 and "--finder network needs --weights" in done.stderr
