"""Mosaics, arrays of two dish sizes and single dishes' maps, as simulated and as FITS, become one file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from almabrain.config.image import VisibilitySettings
from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.data import store
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_from_radec, radec_from_lm
from almabrain.data.fits import write_image
from almabrain.image import total_power, visibilities
from almabrain.response.predict import predict_components
from almabrain.response.primary_beam import baseline
from almabrain.simulate.observe import observe

ROOT = Path(__file__).parents[2]
RA_DEG, DEC_DEG = 150.0, -35.0
NAME = "sim-000000"
CELL = 0.5
POINT = (6.0, 3.0, 1.0)  # l, m [arcsec], flux [Jy]
PADS = "A001:DV07 A007:DV05 A015:DA64 A022:DV23 N601:CM01 N602:CM02 N603:CM03"


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """Two pointings, 12 m and 7 m dishes correlated with each other, two windows, total power; hardly any noise."""
    ra, dec = radec_from_lm(POINT[0] * ARCSEC, POINT[1] * ARCSEC, RA_DEG, DEC_DEG)
    sky = {}
    for number in range(2):
        frequency = 230e9 + number * 4e9 + 1e8 * np.arange(2)
        sky[f"spw{number}"] = xr.Dataset(
            {
                "frequency_hz": ("channel", frequency),
                "channel_width_hz": ("channel", [1e8, 1e8]),
                "line_free": ("channel", [True, number == 0]),
                "ra_deg": ("component", [ra]),
                "dec_deg": ("component", [dec]),
                "component_flux_jy": (("component", "channel"), [[POINT[2], 1.0 + 4 * number]]),
                **{name: ("component", [0.0]) for name in ("major_arcsec", "minor_arcsec", "pa_deg")},
            },
            attrs={
                "simulation": NAME,
                "ra_deg": RA_DEG,
                "dec_deg": DEC_DEG,
                "frame": "BARY",
                "bandwidth_hz": 2e8,
            },
        )
    row = {
        "observation": "a", "target_name": "a", "s_ra": RA_DEG, "s_dec": DEC_DEG, "band_list": 6, "t_exptime": 6000.0,
        "t_min": 58849.31, "pwv": 0.5, "antenna_arrays": PADS, "array": "12m+7m", "simulation": 0, "schedule": "",
        "frequency_support": "[229.00..231.00GHz,1000.00kHz, XX YY]", "pointings": "-6,0 6,0",
    }  # fmt: skip
    settings = SimulateSettings(n_pix=256, cell_arcsec=CELL, integration_s=60, total_power={"time_s": 36000})
    made = dict(observe([row], sky, settings, np.random.default_rng(1)))
    path = tmp_path_factory.mktemp("shard") / "s.zarr.zip"
    for window in made.values():
        if "visibility" in window:
            stokes = window["visibility_noiseless"].values[..., None]
            window["visibility"] = window["visibility"].dims, np.repeat(stokes, 2, -1)
    store.write(path, {f"{NAME}/{name}": data for name, data in made.items()})
    return path, made


def test_a_simulated_mosaic_by_two_arrays(shard):
    path, made = shard
    windows = visibilities.from_simulation(path, NAME, VisibilitySettings())
    kinds = {"7m": (7, 7), "7m-12m": (7, 12), "12m": (12, 12)}
    assert set(windows) == {f"spw{s}.p{p}.{kind}" for s in (0, 1) for p in (0, 1) for kind in kinds}
    kept = sum(window.sizes["row"] for name, window in windows.items() if name.startswith("spw0"))
    assert kept == np.count_nonzero(~made["spw0"].flag.values)
    place = radec_from_lm(POINT[0] * ARCSEC, POINT[1] * ARCSEC, RA_DEG, DEC_DEG)
    for name, window in windows.items():
        dishes = kinds[name.split(".")[2]]
        assert tuple(window.attrs["dishes_m"]) == dishes and window.attrs["simulated"]
        assert window.attrs["noise_group"] == f"{NAME}.spw{name[3]}.{name.split('.')[2]}"
        assert window.sizes["channel"] == (2 if name.startswith("spw0") else 1)
        # The point behind this kind's beam, about this pointing: the slow sum.
        l, m = lm_from_radec(*place, window.attrs["ra_deg"], window.attrs["dec_deg"])
        frequency = window.frequency_hz.values
        flux = POINT[2] * baseline(*dishes)(l, m, frequency)
        wanted = predict_components(window.uvw_m.values, frequency, flux[None], [l], [m], [0.0], [0.0], [0.0])
        np.testing.assert_allclose(window.visibility, wanted, atol=3e-6)


def test_simulated_total_power_is_the_mean_of_line_free_channels(shard):
    path, made = shard
    data = total_power.of_simulation(path, NAME)
    peak_x, peak_y = 128 - POINT[0] / CELL, 128 + POINT[1] / CELL
    assert np.unravel_index(data["map"].values.argmax(), data["map"].shape) == (peak_y, peak_x)
    rms = np.concatenate([made["spw0"].total_power_rms.values, made["spw1"].total_power_rms.values[:1]])
    assert data.attrs["rms_jy_beam"] == pytest.approx((rms**-2.0).sum() ** -0.5)
    # A point of flux S peaks at S whatever the beam; the line of spw1's second channel would make 2 of it.
    assert data["map"].values.max() == pytest.approx(POINT[2], abs=5 * data.attrs["rms_jy_beam"])
    assert data["map"].values.max() == pytest.approx(POINT[2], rel=0.1)
    beam = np.pi / (4 * np.log(2)) * (data.attrs["beam_arcsec"] / CELL) ** 2
    noiseless = np.concatenate(
        [made["spw0"].total_power_noiseless.values, made["spw1"].total_power_noiseless.values[:1]]
    )
    mean = np.average(noiseless.astype(float), axis=0, weights=rms**-2.0)
    assert mean.sum() / beam == pytest.approx(POINT[2], rel=3e-3)
    offset = np.arange(256.0)
    radius2 = ((offset[:, None] - peak_y) ** 2 + (offset - peak_x) ** 2) * CELL**2
    gaussian = np.exp(-4 * np.log(2) * radius2 / data.attrs["beam_arcsec"] ** 2)
    assert np.abs(mean - POINT[2] * gaussian).max() < 3e-4
    assert 230e9 < data.attrs["frequency_hz"] < 234e9


def single_dish_image(path, bunit="Jy/beam", beam=(26.0, 25.0), frequency_hz=2.3e11, blank=0, rms=0.01):
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:64, :64] - 32.0
    values = np.exp(-4 * np.log(2) * (x**2 + y**2) * 9 / 25.5**2) + rms * rng.standard_normal((64, 64))
    values[:, :blank] = np.nan
    attrs = {"ra_deg": RA_DEG, "dec_deg": DEC_DEG, "cell_arcsec": 3.0, "bunit": bunit, "frame": "LSRK"}
    if beam:
        attrs |= {"bmaj_arcsec": beam[0], "bmin_arcsec": beam[1], "bpa_deg": 10.0}
    if frequency_hz:
        attrs["frequency_hz"] = frequency_hz
    write_image(path, xr.DataArray(values, dims=("y", "x"), attrs=attrs))
    return path


def test_a_fits_map_of_single_dishes(tmp_path):
    data = total_power.of_image(single_dish_image(tmp_path / "tp.fits", blank=4))
    assert data["map"].shape == (64, 60) and np.isfinite(data["map"].values).all()
    # The source's place, 32 - 4 columns from the left, against the pixel that the attributes give.
    assert np.unravel_index(data["map"].values.argmax(), data["map"].shape) == (32, 28)
    l, m = lm_from_radec(RA_DEG, DEC_DEG, data.attrs["ra_deg"], data.attrs["dec_deg"])
    assert (l / ARCSEC, m / ARCSEC) == pytest.approx(((30 - 28) * 3.0, 0.0), abs=1e-3)
    assert data.attrs["beam_arcsec"] == pytest.approx(np.sqrt(26 * 25))
    assert data.attrs["cell_arcsec"] == pytest.approx(3)
    assert data.attrs["rms_jy_beam"] == pytest.approx(0.01, rel=0.1)
    assert total_power.of_image(tmp_path / "tp.fits", 0.2).attrs["rms_jy_beam"] == 0.2


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"bunit": "K"}, "'K'; convert it to Jy/beam"),
        ({"beam": (40.0, 20.0)}, "round"),
        ({"beam": None}, "BMAJ"),
        ({"frequency_hz": None}, "frequency"),
        ({"blank": 63}, "blank pixels all over"),
    ],
)
def test_bad_maps(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        total_power.of_image(single_dish_image(tmp_path / "tp.fits", **changes))


def test_the_script_writes_one_file(shard, tmp_path):
    path, _ = shard

    def script(*arguments):
        command = [
            sys.executable,
            ROOT / "scripts/visibilities.py",
            *arguments,
            "--output",
            tmp_path / "v.zarr.zip",
        ]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)

    done = script("--store", path, "--simulation", NAME)
    assert done.returncode == 0, done.stderr
    assert len(visibilities.read(tmp_path / "v.zarr.zip")) == 12
    saved = visibilities.read_total_power(tmp_path / "v.zarr.zip")
    assert saved["map"].shape == (256, 256) and saved.attrs["beam_arcsec"] > 20
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(0, 1e4, 50) for name in ("u", "v", "Re", "Im")}
    np.savez(tmp_path / "a.npz", weight=np.ones(50), **arrays)
    single_dish_image(tmp_path / "tp.fits")
    settings = '{"ra_deg": 150, "dec_deg": -35, "frequency_ghz": 230, "dish_diameter_m": 12}'
    both = ["--data", tmp_path / "a.npz", tmp_path / "a.npz", "--total-power", tmp_path / "tp.fits"]
    done = script("--settings", settings, *both)
    assert done.returncode == 0, done.stderr
    assert list(visibilities.read(tmp_path / "v.zarr.zip")) == ["a-2.spw0", "a.spw0"]
    assert visibilities.read_total_power(tmp_path / "v.zarr.zip").attrs["cell_arcsec"] == pytest.approx(3)
    done = script("--settings", settings, "--data", tmp_path / "a.npz")
    assert done.returncode == 0 and visibilities.read_total_power(tmp_path / "v.zarr.zip") is None
    done = script("--settings", settings, "--data", tmp_path / "tp.fits")
    assert done.returncode == 2 and "total_power" in done.stderr.splitlines()[-1]
