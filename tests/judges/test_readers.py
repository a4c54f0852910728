"""Others read our Measurement Set without a complaint: CASA's listobs and msmetadata, and xradio."""

import numpy as np
import pytest

from almabrain.config.simulate import SimulateSettings
from almabrain.data.measurement_set import write_measurement_set
from almabrain.simulate.observe import observe

from .scene import PADS, row, sky

pytestmark = pytest.mark.judge


def single():
    """One field, one execution, two windows."""
    return [row(t_exptime=600.0)], ["spw0", "spw1"]


def mosaic():
    """Three pointings, two executions of different antennas."""
    fewer = " ".join(PADS.split()[:20])
    shared = {"pointings": "-8,0 0,0 8,0", "t_exptime": 600.0}
    return [row(**shared), row(**shared, t_min=58850.29, antenna_arrays=fewer)], ["spw0"]


@pytest.fixture(params=[single, mosaic], ids=["single", "mosaic"])
def judged(request, tmp_path):
    rows, windows = request.param()
    settings = SimulateSettings(n_pix=512, cell_arcsec=0.08, integration_s=30)
    model = sky([(2.0, 1.0, 1.0)], frame="BARY")
    made = dict(observe(rows, {name: model for name in windows}, settings, np.random.default_rng(1)))
    write_measurement_set(
        tmp_path / "judge.ms",
        {name: made[name] for name in windows},
        made["antennas"],
        made["pointings"],
        "judge",
    )
    return made, windows, tmp_path


def test_listobs_and_msmetadata(ask, judged):
    made, windows, folder = judged
    verdict = ask("casa_metadata.py", folder)
    assert not verdict.complaints
    assert verdict.arrays["n_antennas"] == made["antennas"].sizes["antenna"]
    assert len(verdict.arrays["fields"]) == made["pointings"].sizes["pointing"]
    assert list(verdict.arrays["scans"]) == sorted(set(made["spw0"]["scan"].values))
    assert list(verdict.arrays["intents"]) == ["OBSERVE_TARGET#ON_SOURCE"]
    np.testing.assert_allclose(verdict.arrays["rest_hz"], 230.05e9)
    listed = str(verdict.arrays["listobs"])
    assert f"Data records: {made['spw0'].sizes['row'] * len(windows)}" in listed and "NB:" not in listed


def test_xradio(ask, judged):
    made, windows, folder = judged
    verdict = ask("xradio_read.py", folder)
    print(verdict.text)
    assert not verdict.complaints
    ours = sum(made[name]["visibility"].values.sum() for name in windows)
    assert verdict.arrays["samples"].sum() >= sum(made[name]["visibility"].size for name in windows)
    assert verdict.arrays["total"].sum() == pytest.approx(ours, rel=1e-4)
