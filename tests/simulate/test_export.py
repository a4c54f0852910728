"""Every export holds what the shard holds, under the names other programs expect."""

import json

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.data import store
from almabrain.simulate.export import export
from almabrain.simulate.observe import observe

from .conftest import make_row, make_sky

SIMULATION = "sim-000003"


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """A shard with one simulation of two windows, and the datasets it was made from."""
    sky = {
        "spw0": make_sky([(2.0, 3.0, 1.0)]),
        "spw1": make_sky([(2.0, 3.0, 1.0)], [232.2e9, 232.1e9, 232e9], 50e6),
    }
    settings = SimulateSettings(n_pix=96, cell_arcsec=0.15)
    made = dict(observe([make_row(t_exptime=60.0)], sky, settings, np.random.default_rng(3)))
    path = tmp_path_factory.mktemp("shard") / "shard-0001.zarr.zip"
    store.write(path, {f"{SIMULATION}/{name}": data for name, data in made.items()})
    return path, made


def test_measurement_set_columns(shard, tmp_path):
    from casacore import tables

    path, made = shard
    export(path, SIMULATION, "ms", tmp_path / "out.ms")
    with tables.table(str(tmp_path / "out.ms"), ack=False) as main:
        assert main.nrows() == 2 * 90
        for number, window in enumerate((made["spw0"], made["spw1"])):
            part = main.query(f"DATA_DESC_ID == {number}")
            np.testing.assert_array_equal(part.getcol("DATA"), window["visibility"].values)
            np.testing.assert_array_equal(part.getcol("UVW"), window["uvw_m"].values)
            weight = part.getcol("WEIGHT_SPECTRUM")
            np.testing.assert_allclose(weight[..., 0], 1 / window["sigma_jy"].values ** 2, rtol=1e-6)
            np.testing.assert_allclose(part.getcol("WEIGHT") * part.getcol("SIGMA") ** 2, 1, rtol=1e-5)
            np.testing.assert_allclose(part.getcol("WEIGHT")[:, 1], weight[..., 1].mean(axis=1), rtol=1e-5)
            np.testing.assert_array_equal(part.getcol("ANTENNA2"), window["antenna2"].values)
            np.testing.assert_allclose(part.getcol("TIME"), window["time_mjd_s"].values, rtol=1e-15)
            assert not part.getcol("FLAG").any()
        assert (main.getcol("EXPOSURE") == 30.0).all()


def test_measurement_set_subtables(shard, tmp_path):
    from casacore import tables

    path, made = shard
    export(path, SIMULATION, "ms", tmp_path / "out.ms")

    def column(table, name):
        with tables.table(f"{tmp_path / 'out.ms'}::{table}", ack=False) as opened:
            return [opened.getcell(name, row) for row in range(opened.nrows())]

    assert column("OBSERVATION", "TELESCOPE_NAME") == ["ALMA"]
    assert column("ANTENNA", "NAME") == list(made["antennas"]["name"].values)
    assert column("ANTENNA", "STATION")[0] == "A001"
    assert set(column("ANTENNA", "DISH_DIAMETER")) == {12.0}
    np.testing.assert_array_equal(column("ANTENNA", "POSITION"), made["antennas"]["itrf_m"].values)
    np.testing.assert_array_equal(column("SPECTRAL_WINDOW", "CHAN_FREQ")[1], [232.2e9, 232.1e9, 232e9])
    assert column("SPECTRAL_WINDOW", "NUM_CHAN") == [2, 3]
    assert column("SPECTRAL_WINDOW", "MEAS_FREQ_REF") == [1, 1]
    assert column("DATA_DESCRIPTION", "SPECTRAL_WINDOW_ID") == [0, 1]
    np.testing.assert_array_equal(column("POLARIZATION", "CORR_TYPE"), [[9, 12]])
    np.testing.assert_allclose(np.degrees(column("FIELD", "PHASE_DIR")[0]), [[150.0, -35.0]])
    assert len(column("FEED", "ANTENNA_ID")) == len(column("POINTING", "ANTENNA_ID")) == 10
    np.testing.assert_allclose(column("SOURCE", "REST_FREQUENCY"), [[230.05e9], [232.1e9]])
    for table in ("STATE", "PROCESSOR", "HISTORY"):
        with tables.table(f"{tmp_path / 'out.ms'}::{table}", ack=False) as opened:
            assert opened.nrows() == 1
    with tables.table(str(tmp_path / "out.ms"), ack=False) as main:
        assert "SOURCE" in main.keywordnames()


def test_measurement_set_of_a_mosaic_by_two_arrays(tmp_path):
    from casacore import tables

    seven = "N601:CM01 N602:CM02 N603:CM03 N604:CM04 N605:CM05"
    rows = [
        make_row(t_exptime=240.0, pointings="-8,0 8,0", observation="large"),
        make_row(t_exptime=480.0, t_min=58850.31, pointings="-8,0 8,0", antenna_arrays=seven, array="7m"),
    ]
    settings = SimulateSettings(n_pix=128, cell_arcsec=0.15, integration_s=60)
    made = dict(observe(rows, {"spw0": make_sky([(2.0, 3.0, 1.0)])}, settings, np.random.default_rng(3)))
    shard = tmp_path / "shard.zarr.zip"
    store.write(shard, {f"{SIMULATION}/{name}": data for name, data in made.items()})
    path = tmp_path / "out.ms"
    export(shard, SIMULATION, "ms", path)
    window = made["spw0"]
    with tables.table(str(path), ack=False) as main:
        for column, name in (
            ("FIELD_ID", "pointing"),
            ("OBSERVATION_ID", "execution"),
            ("SCAN_NUMBER", "scan"),
        ):
            np.testing.assert_array_equal(main.getcol(column), window[name].values)
        np.testing.assert_array_equal(main.getcol("EXPOSURE"), window["integration_s"].values)
        np.testing.assert_array_equal(main.getcol("FLAG_ROW"), window["flag"].values)
        assert set(main.getcol("ANTENNA1")[window["execution"].values == 1]) == {10, 11, 12, 13}
    with tables.table(f"{path}::FIELD", ack=False) as field:
        centres = np.degrees(field.getcol("PHASE_DIR"))[:, 0]
    np.testing.assert_allclose(
        centres, np.stack([made["pointings"]["ra_deg"] - 0, made["pointings"]["dec_deg"]], axis=-1)
    )
    with tables.table(f"{path}::OBSERVATION", ack=False) as observation:
        begin, end = observation.getcol("TIME_RANGE").T
        assert observation.nrows() == 2 and begin[1] - begin[0] == pytest.approx(86400, abs=1)
        assert end[0] - begin[0] >= 240 and end[1] - begin[1] >= 480
    with tables.table(f"{path}::ANTENNA", ack=False) as antenna:
        assert list(antenna.getcol("DISH_DIAMETER")) == [12.0] * 10 + [7.0] * 5
    with tables.table(f"{path}::POINTING", ack=False) as pointing:
        # Every row of the data finds its antenna pointed at its field at that time.
        columns = {name: pointing.getcol(name) for name in ("ANTENNA_ID", "TIME", "INTERVAL", "DIRECTION")}
    for row in range(0, window.sizes["row"], 7):
        antenna, time = (window[name].values[row] for name in ("antenna1", "time_mjd_s"))
        covers = np.abs(columns["TIME"] - time) <= columns["INTERVAL"] / 2
        found = columns["DIRECTION"][(columns["ANTENNA_ID"] == antenna) & covers][:, 0]
        assert len(found) == 1
        np.testing.assert_allclose(np.degrees(found[0]), centres[window["pointing"].values[row]])


def test_fits_has_beam_units_and_places(shard, tmp_path):
    path, made = shard
    export(path, SIMULATION, "fits", tmp_path / "fits")
    names = {f"spw{k}_{kind}.fits" for k in (0, 1) for kind in ("dirty", "dirty_noiseless", "psf", "pb")}
    assert {file.name for file in (tmp_path / "fits").iterdir()} == names
    with fits.open(tmp_path / "fits" / "spw1_dirty.fits") as hdus:
        header, data = hdus[0].header, hdus[0].data
    np.testing.assert_array_equal(data, made["spw1"]["dirty"].values)
    assert header["BUNIT"] == "Jy/beam" and header["SPECSYS"] == "LSRK" and header["BTYPE"] == "DIRTY"
    assert header["DATE-OBS"].startswith("2020-01-01T07:26") and header["EXPTIME"] == 60
    assert header["INSTRUME"] == "BAND 6" and header["DISH"] == 12 and header["SPW"] == "spw1"
    assert header["BMAJ"] * 3600 == pytest.approx(float(made["spw1"]["bmaj_arcsec"][1]))
    x, y, f = WCS(header).wcs_pix2world([[48 - 2 / 0.15, 48 + 3 / 0.15, 1]], 0)[0]
    assert f == pytest.approx(232.1e9)
    assert (x - 150.0) * np.cos(np.radians(-35)) * 3600 == pytest.approx(2.0, rel=1e-3)
    assert (y + 35.0) * 3600 == pytest.approx(3.0, rel=1e-3)


def test_npz_and_h5_hold_the_same(shard, tmp_path):
    path, made = shard
    export(path, SIMULATION, "npz", tmp_path / "out.npz")
    export(path, SIMULATION, "h5", tmp_path / "out.h5")
    with np.load(tmp_path / "out.npz") as arrays, h5py.File(tmp_path / "out.h5") as file:
        assert json.loads(str(arrays["attributes"]))["spw0"]["cell_arcsec"] == 0.15
        assert file["spw0"].attrs["cell_arcsec"] == 0.15
        for key in ("dirty", "visibility", "uvw_m", "frequency_hz"):
            np.testing.assert_array_equal(arrays[f"spw1_{key}"], made["spw1"][key].values)
            np.testing.assert_array_equal(file["spw1"][key], made["spw1"][key].values)
        assert arrays["antennas_pad"][0] == "A001" and file["antennas/pad"][0] == b"A001"


def test_preview_is_a_picture_and_the_same_again(shard, tmp_path):
    from PIL import Image

    path, _ = shard
    for name in ("one.png", "two.png"):
        export(path, SIMULATION, "png", tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width > 1000 and len(set(picture.convert("L").get_flattened_data())) > 100


def test_mistakes_are_told(shard, tmp_path):
    path, made = shard
    with pytest.raises(UserError, match="holds no simulation 'sim-000004'; did you mean 'sim-000003'"):
        export(path, "sim-000004", "npz", tmp_path / "out.npz")
    with pytest.raises(UserError, match="format is 'fit'; did you mean 'fits'"):
        export(path, SIMULATION, "fit", tmp_path / "out")
    bare = tmp_path / "bare.zarr.zip"
    dropped = made["spw0"].drop_vars(["visibility", "visibility_noiseless", "uvw_m", "sigma_jy"])
    tables = {f"{SIMULATION}/{name}": made[name] for name in ("antennas", "pointings")}
    store.write(bare, {f"{SIMULATION}/spw0": dropped} | tables)
    with pytest.raises(UserError, match="set simulate.visibilities to true"):
        export(bare, SIMULATION, "ms", tmp_path / "out.ms")
    store.write(bare, {f"{SIMULATION}/spw0": dropped})
    for kind in ("ms", "png"):
        with pytest.raises(UserError, match="holds no antennas"):
            export(bare, SIMULATION, kind, tmp_path / "out")
    assert [item.name for item in tmp_path.iterdir()] == ["bare.zarr.zip"]


def test_image_plane_exports_need_no_visibilities(shard, tmp_path):
    _, made = shard
    bare = tmp_path / "draws.zarr.zip"
    keep = ["dirty", "psf", "pb", "frequency_hz", "bmaj_arcsec", "bmin_arcsec", "bpa_deg"]
    store.write(bare, {f"{SIMULATION}/spw0": made["spw0"][keep]})
    export(bare, SIMULATION, "fits", tmp_path / "fits")
    assert sorted(file.name for file in (tmp_path / "fits").iterdir()) == [
        "spw0_dirty.fits",
        "spw0_pb.fits",
        "spw0_psf.fits",
    ]
