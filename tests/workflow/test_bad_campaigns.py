"""Campaigns that cannot be: one sentence each, and nothing left behind."""

import h5py
import numpy as np
import pytest
import yaml

TARGET = {"name": "field", "ra_deg": 150.1, "dec_deg": -30.0}
EXECUTION = {"configuration": "aca.cycle9", "date": "2023-05-01", "hour_angle_h": [-0.2, 0.2], "pwv_mm": 1.0}
WINDOWS = [[342.5, 344.375]]


def campaign(sky=None, simulate=None, target=None, execution=None, **plan) -> dict:
    made = {"targets": [TARGET | (target or {})], "executions": [EXECUTION | (execution or {})]}
    return {
        "run": "mine",
        "campaign": {"simulations": 1, "image": False},
        "query": {"source": "plan", "plan": made | {"windows_ghz": WINDOWS} | plan},
        "sky": sky or {},
        "simulate": simulate or {},
    }


def no_picture(folder):
    (folder / "pictures").mkdir()
    (folder / "pictures" / "galaxy.png").write_text("this is no picture")
    return campaign(sky={"model": "pictures", "pictures": {"folder": str(folder / "pictures")}})


def tng_without_masses(folder):
    with h5py.File(folder / "cutout.hdf5", "w") as file:
        file.create_group("Header").attrs.update({"Time": 0.5, "Redshift": 1.0, "BoxSize": 35000.0})
        file["PartType0/Coordinates"] = np.ones((3, 3))
    return campaign(sky={"model": "tng", "tng": {"folder": str(folder)}, "redshift": [1, 1]})


CASES = {
    "a declination that never rises": (
        lambda folder: campaign(target={"dec_deg": 80.0}),
        ["query.plan", "80", "never rises above"],
    ),
    "a line outside the window": (
        lambda folder: campaign(sky={"lines": {"names": ["CO(1-0)"]}, "redshift": [0, 7]}),
        ["sky.lines.names", "CO(1-0)", "sky.redshift"],
    ),
    "a redshift that moves every line away": (
        lambda folder: campaign(sky={"lines": {"names": ["CO(3-2)", "HCN(4-3)"]}, "redshift": [0.5, 0.51]}),
        ["sky.lines.names", "sky.redshift", "0.5"],
    ),
    "no unflagged baseline": (
        lambda folder: campaign(simulate={"corruptions": {"flags": {"antenna_scans": 0.9999}}}),
        ["no unflagged baseline"],
    ),
    "a picture that is no picture": (no_picture, ["galaxy.png"]),
    "a TNG file with missing fields": (tng_without_masses, ["cutout.hdf5", "Masses"]),
    "n_pix too small for the field": (
        lambda folder: campaign(sky={"model": "diffuse"}, simulate={"n_pix": 32, "cell_arcsec": 0.5}),
        ["simulate.n_pix = 32", "raise n_pix"],
    ),
    "a mosaic with one bad pointing": (
        lambda folder: campaign(mosaic={"offsets_arcsec": [[0, 0], [10, 0], [500, 0]]}),
        ["pointing 3", "500"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_campaign_that_cannot_be_is_told_in_one_sentence(snakemake, tmp_path, case):
    make, words = CASES[case]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(make(tmp_path)))
    results = tmp_path / "results"
    done = snakemake("--configfile", str(tmp_path / "mine.yaml"), "--until", "simulate", results=results)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and last.count("error:") == 1, last
    for word in words:
        assert word in last, last
    assert not list(results.rglob("simulate/*.zarr.zip")), "half-written output was left behind"
