"""CASA moves the channels of our Measurement Set to the LSRK; a line must come out where we have it, as bright."""

import numpy as np
import pytest

from almabrain.config.image import VisibilitySettings
from almabrain.config.simulate import SimulateSettings
from almabrain.data.measurement_set import write_measurement_set
from almabrain.image import visibilities
from almabrain.instrument import configurations
from almabrain.simulate.observe import observe

from .scene import row, sky

pytestmark = pytest.mark.judge
COUNT, WIDTH_HZ = 48, 1e6


def test_a_line_on_the_lsrk_grid(ask, tmp_path):
    frequency = 230e9 + WIDTH_HZ * np.arange(COUNT)
    model = sky([(3.0, -5.0, 1.0)], frame="TOPO").isel(channel=[0] * COUNT)
    line = 0.2 + np.exp(-((np.arange(COUNT) - 22.3) ** 2) / (2 * 4.0**2))
    model = model.assign(
        frequency_hz=("channel", frequency),
        channel_width_hz=("channel", np.full(COUNT, WIDTH_HZ)),
        component_flux_jy=(("component", "channel"), line[None]),
    )
    antennas = " ".join(configurations.antennas("aca.cycle9"))
    settings = SimulateSettings(n_pix=64, cell_arcsec=1.0, integration_s=120)
    rows = [row(antenna_arrays=antennas, array="7m", t_exptime=3600.0)]
    made = dict(observe(rows, {"spw0": model}, settings, np.random.default_rng(1)))
    window = made["spw0"]
    window["visibility"] = window["visibility_noiseless"].expand_dims(polarisation=2, axis=-1).copy()
    write_measurement_set(
        tmp_path / "judge.ms", {"spw0": window}, made["antennas"], made["pointings"], "judge"
    )
    ours = visibilities.from_data([tmp_path / "judge.ms"], VisibilitySettings(frame="LSRK"))["spw0"]
    grid = ours.frequency_hz.values
    ask(
        "casa_lsrk.py", tmp_path,
        start_hz=float(grid[0]), width_hz=float(np.diff(grid).mean()), count=len(grid),
    )  # fmt: skip
    theirs = visibilities.from_data([tmp_path / "lsrk.ms"], VisibilitySettings())["spw0"]
    assert theirs.attrs["frame"] == "LSRK"
    np.testing.assert_allclose(theirs.frequency_hz, grid, rtol=1e-9)
    ours, theirs = (
        one.isel(row=np.lexsort((one.antenna2, one.antenna1, np.round(one.time_mjd_s))))
        for one in (ours, theirs)
    )
    np.testing.assert_allclose(ours.uvw_m, theirs.uvw_m, atol=1e-6)
    inner = slice(2, -2)
    difference = (ours.visibility - theirs.visibility).values[:, inner]
    slope = np.abs(np.diff(line)).max()
    print("apart by", np.abs(difference).max() / slope, "channels at the line's steepest")
    # Ten minutes of the Earth's turn are 15 kHz, and CASA takes the whole set's shift at one time or each row's.
    assert np.abs(difference).max() < 0.05 * slope
