"""Measurement Sets and simulations become Stokes I with weights; bad ones are refused in a sentence."""

import shutil

import numpy as np
import pytest
import xarray as xr
from astropy.coordinates import SkyCoord

from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.data import store
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import radec_from_lm
from almabrain.image import visibilities
from almabrain.response.grid import dirty_image

tables = pytest.importorskip("casacore.tables")

N_ANTENNA, N_TIME, N_CHANNEL = 4, 6, 4


FAR_APART = 0.1  # rad


def make_ms(path, fields=("target",), windows=1, corrected=False, seed=0, step_rad=FAR_APART, dishes=(12.0,)):
    """A small valid Measurement Set: XX and YY, one row per baseline (autocorrelations too), time, window, field.

    Each field lies `step_rad` south of the one before; antennas have the diameters `dishes` in turn.
    """
    rng = np.random.default_rng(seed)
    n_row = 0
    data_column = tables.makearrcoldesc("DATA", 0j, valuetype="complex", ndim=2)
    ms = tables.default_ms(str(path), tables.maketabdesc([data_column]))
    if corrected:
        ms.addcols(
            tables.maketabdesc([tables.makearrcoldesc("CORRECTED_DATA", 0j, valuetype="complex", ndim=2)])
        )
    first, second = np.triu_indices(N_ANTENNA)
    place = rng.normal(0, 100, (N_ANTENNA, 3))
    for field in range(len(fields)):
        for window in range(windows):
            for step in range(N_TIME):
                rows = slice(n_row, n_row + len(first))
                ms.addrows(len(first))
                shape = (len(first), N_CHANNEL, 2)
                noise = rng.standard_normal((2, *shape))
                columns = {
                    "UVW": place[second] - place[first],
                    "ANTENNA1": first, "ANTENNA2": second,
                    "TIME": np.full(len(first), 5e9 + 10.0 * step),
                    "FIELD_ID": np.full(len(first), field), "DATA_DESC_ID": np.full(len(first), window),
                    "DATA": (1.0 + field + 0.1 * (noise[0] + 1j * noise[1])).astype(np.complex64),
                    "FLAG": np.zeros(shape, bool), "FLAG_ROW": np.zeros(len(first), bool),
                    "WEIGHT": np.full((len(first), 2), 100.0, np.float32),
                    "SIGMA": np.full((len(first), 2), 0.1, np.float32),
                }  # fmt: skip
                if corrected:
                    columns["CORRECTED_DATA"] = 2 * columns["DATA"]
                for name, values in columns.items():
                    ms.putcol(name, values, rows.start, len(first))
                n_row += len(first)
    ms.close()
    diameters = [dishes[i % len(dishes)] for i in range(N_ANTENNA)]
    _fill(path, "ANTENNA", DISH_DIAMETER=diameters, NAME=[f"DA{i}" for i in range(N_ANTENNA)])
    directions = [np.array([[0.5, -0.5 - k * step_rad]]) for k in range(len(fields))]
    _fill(path, "FIELD", NAME=list(fields), PHASE_DIR=directions)
    _fill(path, "POLARIZATION", CORR_TYPE=[np.array([9, 12], np.int32)], NUM_CORR=[2])
    _fill(path, "DATA_DESCRIPTION", SPECTRAL_WINDOW_ID=list(range(windows)), POLARIZATION_ID=[0] * windows)
    frequency = [230e9 + 2e9 * k + 1e6 * np.arange(N_CHANNEL) for k in range(windows)]
    _fill(
        path, "SPECTRAL_WINDOW", CHAN_FREQ=frequency, CHAN_WIDTH=[np.full(N_CHANNEL, 1e6)] * windows,
        MEAS_FREQ_REF=[1] * windows, NUM_CHAN=[N_CHANNEL] * windows,
    )  # fmt: skip
    _fill(path, "OBSERVATION", TELESCOPE_NAME=["ALMA"])
    return path


def _fill(path, name, **columns):
    with tables.table(f"{path}/{name}", ack=False, readonly=False) as table:
        table.addrows(len(next(iter(columns.values()))))
        for column, values in columns.items():
            for row, value in enumerate(values):
                table.putcell(column, row, value)


def change(path, column, edit):
    with tables.table(str(path), ack=False, readonly=False) as table:
        table.putcol(column, edit(table.getcol(column)))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_ms(tmp_path_factory.mktemp("ms") / "small.ms", fields=("target", "other"), windows=2)


@pytest.fixture
def ms(original, tmp_path):
    return shutil.copytree(original, tmp_path / "small.ms")


def read(path, **settings):
    return visibilities.from_measurement_set(path, VisibilitySettings(**{"fields": ["target"]} | settings))


def test_stokes_i_and_weight(ms):
    windows = read(ms)
    assert list(windows) == ["spw0", "spw1"]
    window = windows["spw1"]
    assert window.visibility.shape == (6 * N_TIME, N_CHANNEL)  # autocorrelations are gone
    assert np.all(window.antenna1.values != window.antenna2.values)
    assert np.allclose(window.weight, 200)
    assert window.visibility.values.mean() == pytest.approx(1.0, abs=0.02)
    assert window.visibility.values.real.std() == pytest.approx(0.1 / np.sqrt(2), rel=0.15)
    assert window.attrs["frame"] == "LSRK" and window.attrs["dishes_m"] == [12, 12]
    assert window.attrs["noise_group"] == "small.spw1"
    assert window.attrs["ra_deg"] == pytest.approx(np.degrees(0.5))
    assert window.frequency_hz.values[0] == 232e9
    assert window.attrs["noise_factor"] == pytest.approx(1, rel=0.15)


def test_field_and_window_are_chosen(ms):
    windows = read(ms, fields=["other"], spectral_windows=[1])
    assert list(windows) == ["spw1"]
    assert windows["spw1"].visibility.values.mean() == pytest.approx(2.0, abs=0.02)
    assert read(ms, fields=[1], spectral_windows=[1])["spw1"].equals(windows["spw1"])


def test_corrected_data_come_first(tmp_path):
    path = make_ms(tmp_path / "corrected.ms", corrected=True)
    assert read(path)["spw0"].visibility.values.mean() == pytest.approx(2, abs=0.05)
    assert read(path, data_column="DATA")["spw0"].visibility.values.mean() == pytest.approx(1, abs=0.05)


def test_flags_nan_and_weights_remove_samples(ms):
    def flag(values):
        values[: len(values) // 2, 0, 0] = True
        return values

    change(ms, "FLAG", flag)
    change(ms, "FLAG_ROW", lambda values: np.arange(len(values)) % 7 == 1)
    change(
        ms, "DATA", lambda values: np.where(np.arange(len(values))[:, None, None] % 11 == 2, np.nan, values)
    )
    change(ms, "WEIGHT", lambda values: np.where(np.arange(len(values))[:, None] % 13 == 3, -1, values))
    window = read(ms)["spw0"]
    assert np.isfinite(window.visibility).all()
    assert window.sizes["row"] < 6 * N_TIME
    # Where XX is flagged, YY alone is left with half the weight.
    assert set(np.unique(window.weight.values[:, 0])) == {100.0}
    assert set(np.unique(window.weight.values[:, 1])) == {200.0}


def test_averaging_keeps_means_and_total_weight(ms):
    plain, averaged = read(ms)["spw0"], read(ms, average_channels=3, average_time_s=20.0)["spw0"]
    assert averaged.sizes == {"row": 6 * N_TIME // 2, "axis": 3, "channel": 2}
    assert averaged.weight.values.sum() == pytest.approx(plain.weight.values.sum())
    mean = lambda data: (data.weight * data.visibility).sum() / data.weight.sum()  # noqa: E731
    assert complex(mean(averaged)) == pytest.approx(complex(mean(plain)))
    assert averaged.frequency_hz.values == pytest.approx([230e9 + 1e6, 230e9 + 3e6])
    assert averaged.channel_width_hz.values == pytest.approx([3e6, 1e6])
    one = (averaged.antenna1 == 0) & (averaged.antenna2 == 1)
    same = (plain.antenna1 == 0) & (plain.antenna2 == 1)
    first = averaged.visibility.values[one.values][0, 0]
    assert first == pytest.approx(plain.visibility.values[same.values][:2, :3].mean())


def test_read_only_set_is_left_alone(ms):
    before = {item: item.stat().st_mtime_ns for item in ms.rglob("*")}
    read(ms)
    assert {item: item.stat().st_mtime_ns for item in ms.rglob("*")} == before


def sentence(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    for part in parts:
        assert str(part) in text


def test_bad_choices(ms):
    sentence(lambda: read(ms, fields=[]), "2 fields", "0 (target), 1 (other)", "key 'fields'")
    sentence(lambda: read(ms, fields=["target", "other"]), "2 fields", "no mosaic")
    sentence(lambda: read(ms, fields=["targt"]), "targt", "did you mean 'target'")
    sentence(lambda: read(ms, spectral_windows=[7]), "spectral_windows", "7", "0, 1")
    sentence(lambda: read(ms, data_column="CORRECTED_DATA"), "data_column", "DATA")


@pytest.mark.parametrize("asked", [[], ["twin"], [0, 1]])
def test_fields_that_hang_together_are_a_mosaic(tmp_path, asked):
    path = make_ms(tmp_path / "twins.ms", fields=("twin", "twin"), step_rad=1e-4)  # 21" of a beam of 27"
    windows = read(path, fields=asked)
    assert list(windows) == ["spw0.p0", "spw0.p1"]
    first, second = windows.values()
    assert second.attrs["dec_deg"] - first.attrs["dec_deg"] == pytest.approx(-np.degrees(1e-4), rel=1e-6)
    assert [float(w.visibility.values.real.mean()) for w in (first, second)] == pytest.approx(
        [1, 2], abs=0.02
    )
    # Of one receiver and correlator, their weights are wrong by one factor.
    assert first.attrs["noise_group"] == second.attrs["noise_group"] == "twins.spw0"
    assert first.attrs["noise_factor"] == second.attrs["noise_factor"] == pytest.approx(1, rel=0.1)
    assert list(read(path, fields=[1])) == ["spw0"]


def test_fields_of_one_place_are_one_pointing(tmp_path):
    path = make_ms(tmp_path / "again.ms", fields=("morning", "evening"), step_rad=0.0)
    (window,) = read(path, fields=[]).values()
    assert window.sizes == {"row": 2 * 6 * N_TIME, "axis": 3, "channel": N_CHANNEL}
    assert window.visibility.values.mean() == pytest.approx(1.5, abs=0.02)


def test_dishes_of_two_sizes_are_told_apart(tmp_path):
    path = make_ms(tmp_path / "both.ms", dishes=(12.0, 7.0))
    windows = read(path)
    # Antennas 0 and 2 are large, 1 and 3 small: one baseline of each size and four between them.
    assert {name: (w.sizes["row"], w.attrs["dishes_m"]) for name, w in windows.items()} == {
        "spw0.p0.7m": (N_TIME, [7, 7]),
        "spw0.p0.7m-12m": (4 * N_TIME, [7, 12]),
        "spw0.p0.12m": (N_TIME, [12, 12]),
    }
    assert set(windows["spw0.p0.12m"].antenna1.values) == {0}
    assert windows["spw0.p0.7m"].attrs["noise_group"] == "both.spw0.7m"


def test_a_window_with_two_sets_of_polarisations(ms):
    """XX and YY at first, then XX alone, as a set joined from two observations has them."""
    with tables.table(f"{ms}/POLARIZATION", ack=False, readonly=False) as table:
        table.addrows(1)
        table.putcell("CORR_TYPE", 1, np.array([9], np.int32))
    with tables.table(f"{ms}/DATA_DESCRIPTION", ack=False, readonly=False) as table:
        table.putcell("SPECTRAL_WINDOW_ID", 1, 0)
        table.putcell("POLARIZATION_ID", 1, 1)
    with tables.table(str(ms), ack=False, readonly=False) as table:
        for row in np.flatnonzero(table.getcol("DATA_DESC_ID") == 1):
            for column in ("DATA", "FLAG", "WEIGHT", "SIGMA"):
                table.putcell(column, row, table.getcell(column, row)[..., :1])
    (window,) = read(ms).values()
    assert window.sizes["row"] == 2 * 6 * N_TIME
    assert np.unique(window.weight.values, return_counts=True)[1].tolist() == [6 * N_TIME * N_CHANNEL] * 2
    assert set(np.unique(window.weight)) == {100.0, 200.0}


def test_channels_are_chosen_by_window(ms):
    windows = read(ms, channels={0: "1~2", 1: "232.0025~233GHz"})
    np.testing.assert_array_equal(windows["spw0"].frequency_hz, [230.001e9, 230.002e9])
    np.testing.assert_array_equal(windows["spw1"].frequency_hz, [232.003e9])
    assert set(windows["spw0"].data_vars) == {
        "uvw_m", "time_mjd_s", "antenna1", "antenna2", "visibility", "weight", "frequency_hz", "channel_width_hz",
    }  # fmt: skip
    sentence(lambda: read(ms, channels="4~9"), "4~9", "0 to 3", "channels")


def test_falling_frequencies_rise_but_keep_their_numbers(ms):
    with tables.table(f"{ms}/SPECTRAL_WINDOW", ack=False, readonly=False) as table:
        table.putcell("CHAN_FREQ", 0, table.getcell("CHAN_FREQ", 0)[::-1])
    change(ms, "DATA", lambda values: 0 * values + np.arange(N_CHANNEL)[None, :, None])
    window = read(ms, channels="0~1")["spw0"]
    np.testing.assert_array_equal(window.frequency_hz, [230.002e9, 230.003e9])
    np.testing.assert_array_equal(window.visibility[0].real, [1, 0])


def test_channels_of_several_executions_in_the_lsrk(ms):
    with tables.table(f"{ms}/SPECTRAL_WINDOW", ack=False, readonly=False) as table:
        table.putcell("MEAS_FREQ_REF", 0, 5)
    change(ms, "TIME", lambda values: values + 120 * 86400.0 * (values > 5e9 + 25))
    window = read(ms, spectral_windows=[0], frame="LSRK")["spw0"]
    assert window.attrs["frame"] == "LSRK" and "site_m" not in window.attrs
    # Four months later the Earth moves so differently that four channels see other frequencies: the grid has both.
    early = window.time_mjd_s.values < 5e9 + 25
    covered = [(window.weight.values[rows] > 0).any(0) for rows in (early, ~early)]
    assert window.sizes["channel"] > N_CHANNEL and np.any(covered, axis=0).all()
    assert covered[0].sum() < window.sizes["channel"] and (covered[0] != covered[1]).any()
    steps = np.diff(window.frequency_hz) / 1e6
    np.testing.assert_allclose(
        steps, np.round(steps), rtol=1e-3
    )  # the same grid, less the channels between the two
    assert window.attrs["noise_factor"] == pytest.approx(1, rel=0.15)


def test_a_set_that_lost_a_file(tmp_path):
    path = make_ms(tmp_path / "cut.ms")
    for file in path.glob("table.f*"):
        file.unlink()
    sentence(lambda: read(path), "cut.ms", "cannot be read")


def test_bad_sets(ms, tmp_path):
    sentence(lambda: read(tmp_path / "none.ms"), "none.ms", "does not exist")
    (tmp_path / "broken.ms").mkdir()
    (tmp_path / "broken.ms/table.dat").write_bytes(b"nonsense")
    sentence(lambda: read(tmp_path / "broken.ms"), "broken.ms", "Measurement Set")
    with tables.table(str(ms), ack=False, readonly=False) as table:
        table.renamecol("DATA", "OTHER")
    sentence(lambda: read(ms), "no column DATA")


@pytest.mark.parametrize(
    "column, edit, part",
    [
        ("FLAG", lambda values: np.ones_like(values), "flagged"),
        ("WEIGHT", lambda values: 0 * values, "no positive weight"),
        ("WEIGHT", lambda values: -values, "no positive weight"),
        ("DATA", lambda values: values * np.nan, "no finite visibility"),
        ("FLAG_ROW", lambda values: np.arange(len(values)) % 10 != 1, "baseline"),
    ],
)
def test_nothing_usable(ms, column, edit, part):
    change(ms, column, edit)
    sentence(lambda: read(ms), ms, part)


def test_simulation_gives_line_free_stokes_i(tmp_path):
    rng = np.random.default_rng(1)
    n_row, n_channel, sigma = 60, 5, 0.3
    noise = sigma * (rng.standard_normal((2, n_row, n_channel, 2)))
    window = xr.Dataset(
        {
            "uvw_m": (("row", "axis"), rng.normal(0, 50, (n_row, 3))),
            "time_mjd_s": ("row", np.repeat(np.arange(10), 6) * 10.0),
            "antenna1": ("row", np.tile([0, 0, 0, 1, 1, 2], 10)),
            "antenna2": ("row", np.tile([1, 2, 3, 2, 3, 3], 10)),
            "visibility": (
                ("row", "channel", "polarisation"),
                (1 + noise[0] + 1j * noise[1]).astype(np.complex64),
            ),
            "sigma_jy": (("row", "channel"), np.full((n_row, n_channel), sigma)),
            "frequency_hz": ("channel", 100e9 + 1e6 * np.arange(n_channel)),
            "channel_width_hz": ("channel", np.full(n_channel, 1e6)),
            "line_free": ("channel", [True, True, False, True, True]),
            "flag": ("row", np.arange(n_row) < 6),
        },
        attrs={
            "ra_deg": 1.5,
            "dec_deg": 2.5,
            "frame": "TOPO",
            "dish_diameter_m": 12.0,
            "cell_arcsec": 0.1,
            "n_pix": 64,
        },
    )
    window["visibility"][:6] = 1e6
    beside = {
        "pointings": xr.Dataset({"ra_deg": ("pointing", [1.0]), "dec_deg": ("pointing", [2.0])}),
        "antennas": xr.Dataset({"diameter_m": ("antenna", [12.0] * 4)}),
    }
    groups = {"spw1": window} | beside
    store.write(tmp_path / "s.zarr.zip", {f"sim-000003/{name}": data for name, data in groups.items()})
    made = visibilities.from_simulation(tmp_path / "s.zarr.zip", "sim-000003", VisibilitySettings())["spw1"]
    assert (made.attrs["ra_deg"], made.attrs["dec_deg"]) == (1.0, 2.0) and made.sizes["row"] == 54
    assert made.sizes["channel"] == 4 and 100.002e9 not in made.frequency_hz.values
    assert np.allclose(made.weight, 2 / sigma**2)
    assert made.attrs["field_arcsec"] == pytest.approx(6.4) and made.attrs["simulated"]
    assert made.visibility.values.real.std() == pytest.approx(sigma / np.sqrt(2), rel=0.15)
    sentence(
        lambda: visibilities.from_simulation(tmp_path / "s.zarr.zip", "sim-9", VisibilitySettings()),
        "sim-9",
        "sim-000003",
    )


@pytest.mark.real_data
def test_noise_factors_of_hd142527(real_data):
    path = real_data / "visibilities/hd142527_band9_continuum.ms"
    windows = visibilities.from_measurement_set(path, VisibilitySettings())
    found = [windows[f"spw{k}"].attrs["noise_factor"] for k in range(3)]
    # Of the 34546 unflagged samples 7619 are copies of another row's, and of 114 more nobody can tell.
    assert found == pytest.approx([1.87, 1.81, 1.68], rel=0.02)
    assert sum(int((window.weight.values > 0).sum()) for window in windows.values()) == 34546 - 7619 - 114
    # All windows see one sky: what the copies held did not.
    first, *others = (
        {
            (round(time / 5), one, other): value
            for time, one, other, value in zip(
                window.time_mjd_s.values, window.antenna1.values, window.antenna2.values,
                window.visibility.values[:, 0], strict=True,
            )
        }
        for window in windows.values()
    )  # fmt: skip
    for other in others:
        pairs = np.array([(first[key], other[key]) for key in first if key in other])
        assert len(pairs) > 7000
        assert abs(np.vdot(*pairs.T)) / np.prod(np.linalg.norm(pairs, axis=0)) > 0.93


@pytest.mark.real_data
def test_the_mosaic_of_the_antennae(real_data):
    path = real_data / "visibilities/antennae_north_mosaic.ms"
    windows = visibilities.from_measurement_set(path, VisibilitySettings())
    assert sorted(windows) == sorted(f"spw0.p{k}" for k in range(23))
    assert sum(int((window.weight.values > 0).sum()) for window in windows.values()) == 74695
    assert windows["spw0.p7"].attrs["noise_factor"] == pytest.approx(0.85, rel=0.05)
    with tables.table(f"{path}/FIELD", ack=False) as table:
        stated = SkyCoord(*table.getcol("PHASE_DIR")[:, 0].T, unit="rad", frame="fk5")
    # Each pointing that sees the nucleus of NGC 4038 well has its own peak there.
    nucleus = SkyCoord("12h01m53.0s -18d52m02s")
    offsets = []
    for k, place in enumerate(stated):
        window = windows[f"spw0.p{k}"]
        own = SkyCoord(window.attrs["ra_deg"], window.attrs["dec_deg"], unit="deg")
        assert own.separation(place).arcsec < 1e-6
        if own.separation(nucleus).arcsec < 7:
            picture = dirty_image(
                window.uvw_m.values, window.frequency_hz.values, window.visibility.values, window.weight.values,
                128, 0.25 * ARCSEC,
            )  # fmt: skip
            y, x = np.unravel_index(picture.argmax(), picture.shape)
            l, m = -(x - 64) * 0.25 * ARCSEC, (y - 64) * 0.25 * ARCSEC
            peak = SkyCoord(*radec_from_lm(l, m, own.ra.deg, own.dec.deg), unit="deg")
            offsets.append([c.arcsec for c in nucleus.spherical_offsets_to(peak)])
    assert len(offsets) >= 3
    assert np.ptp(offsets, axis=0).max() < 1.3  # the beam
    assert np.hypot(*np.mean(offsets, axis=0)) < 1.5


@pytest.mark.parametrize("frame", ["J2000", "ICRS", "varying"])
def test_phase_centre_is_icrs_whatever_the_set_states(tmp_path, frame):
    path = make_ms(tmp_path / "f.ms")
    with tables.table(f"{path}/FIELD", ack=False, readonly=False) as table:
        info = {"type": "direction", "Ref": frame}
        if frame == "varying":
            table.addcols(tables.maketabdesc([tables.makescacoldesc("PhaseDir_Ref", 0)]))
            table.putcell("PhaseDir_Ref", 0, 21)
            info = {
                "type": "direction", "VarRefCol": "PhaseDir_Ref",
                "TabRefCodes": np.array([0, 21], np.int32), "TabRefTypes": ["J2000", "ICRS"],
            }  # fmt: skip
        table.putcolkeyword("PHASE_DIR", "MEASINFO", info)
    attrs = next(iter(visibilities.from_measurement_set(path, VisibilitySettings()).values())).attrs
    right = np.cos(0.5) * (attrs["ra_deg"] - np.degrees(0.5)) * 3.6e6
    offset_mas = np.hypot(right, (attrs["dec_deg"] + np.degrees(0.5)) * 3.6e6)
    # The frame of the FK5 catalogue is turned against the ICRS by 22.9 mas (Feissel & Mignard 1998).
    assert offset_mas == pytest.approx(20, abs=12) if frame == "J2000" else offset_mas < 1e-3


def test_a_frame_that_moves_is_refused(tmp_path):
    path = make_ms(tmp_path / "f.ms")
    with tables.table(f"{path}/FIELD", ack=False, readonly=False) as table:
        table.putcolkeyword("PHASE_DIR", "MEASINFO", {"type": "direction", "Ref": "AZEL"})
    with pytest.raises(UserError, match="frame AZEL"):
        visibilities.from_measurement_set(path, VisibilitySettings())
