"""Mosaics, both arrays, total power and several data sets, through the workflow to the visibilities file."""

import numpy as np
import pytest
import xarray as xr
import yaml

from almabrain.data.fits import write_image
from almabrain.image import visibilities

EXECUTIONS = [
    {"configuration": "alma.cycle9.1", "date": "2023-05-01", "hour_angle_h": [-0.25, 0.25]},
    {"configuration": "aca.cycle9", "date": "2023-05-02", "hour_angle_h": [-0.5, 0.5]},
]


def made(snakemake, tmp_path, configuration, data):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"run": "mine"} | configuration))
    path = tmp_path / "results/mine/visibilities" / f"{data}.zarr.zip"
    done = snakemake(str(path), "--configfile", str(tmp_path / "mine.yaml"), results=tmp_path / "results")
    assert done.returncode == 0, done.stderr[-3000:]
    return path


def test_a_campaign_of_mosaics_by_both_arrays_with_total_power(snakemake, tmp_path):
    plan = {
        "targets": [{"name": "field", "ra_deg": 150.1, "dec_deg": -30.0}],
        "executions": EXECUTIONS,
        "band": 6,
        "mosaic": {"offsets_arcsec": [[-6, 0], [6, 0]]},
    }
    configuration = {
        "campaign": {"simulations": 1},
        "query": {"source": "plan", "plan": plan},
        "sky": {"model": "points"},
        "simulate": {"n_pix": 256, "cell_arcsec": 0.3, "integration_s": 300, "total_power": {}},
    }
    path = made(snakemake, tmp_path, configuration, "sim-000000")
    windows = visibilities.read(path)
    spectral = {name.split(".")[0] for name in windows}
    assert set(windows) == {
        f"{spw}.p{p}.{kind}" for spw in spectral for p in (0, 1) for kind in ("12m", "7m")
    }
    for name, window in windows.items():
        assert window.attrs["dishes_m"] == [12, 12] if name.endswith("12m") else [7, 7]
        assert window.attrs["noise_factor"] == pytest.approx(1, rel=0.1)
    places = {window.attrs["ra_deg"] for window in windows.values()}
    assert np.ptp(list(places)) * 3600 * np.cos(np.radians(30)) == pytest.approx(12, rel=1e-3)
    single_dish = visibilities.read_total_power(path)
    assert single_dish["map"].shape == (256, 256) and single_dish.attrs["rms_jy_beam"] > 0


def test_observations_of_several_sets_with_total_power(snakemake, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("short", "long"):
        arrays = {key: rng.normal(0, 1e4, 40) for key in ("u", "v", "Re", "Im")}
        np.savez(tmp_path / f"{name} spacings.npz", weight=np.ones(40), **arrays)
    attrs = {
        "ra_deg": 150.0, "dec_deg": -30.0, "cell_arcsec": 3.0, "bunit": "Jy/beam", "frequency_hz": 2.3e11,
        "bmaj_arcsec": 26.0, "bmin_arcsec": 26.0, "bpa_deg": 0.0,
    }  # fmt: skip
    image = xr.DataArray(rng.normal(0, 0.01, (32, 32)), dims=("y", "x"), attrs=attrs)
    write_image(tmp_path / "single dish.fits", image)
    keys = {"ra_deg": 150.0, "dec_deg": -30.0, "frequency_ghz": 230.0, "dish_diameter_m": 12.0}
    paths = {
        "path": [str(tmp_path / "short spacings.npz"), str(tmp_path / "long spacings.npz")],
        "total_power": str(tmp_path / "single dish.fits"),
    }
    path = made(snakemake, tmp_path, {"observations": {"both": keys | paths}}, "obs-both")
    assert list(visibilities.read(path)) == ["long-spacings.spw0", "short-spacings.spw0"]
    assert visibilities.read_total_power(path).attrs["rms_jy_beam"] == pytest.approx(0.01, rel=0.25)
