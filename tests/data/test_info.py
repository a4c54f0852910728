"""`almabrain info` against files whose content is known: a set of four visibilities, and FITS images."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from almabrain.config.base import check
from almabrain.config.campaign import Observation
from almabrain.console.errors import UserError
from almabrain.data.fits import write_image
from almabrain.data.info import describe
from almabrain.data.statistics import robust_rms

tables = pytest.importorskip("casacore.tables")


def _fill(path, rows):
    for sub, columns in rows.items():
        with tables.table(str(path / sub) if sub else str(path), readonly=False, ack=False) as table:
            table.addrows(len(next(iter(columns.values()))))
            for name, values in columns.items():
                for row, value in enumerate(values):
                    table.putcell(name, row, value)


@pytest.fixture
def measurement_set(tmp_path):
    """Three antennas, two fields, one window of two channels; the last of four rows is flagged."""
    path = tmp_path / "tiny.ms"
    data = tables.makearrcoldesc("DATA", 0j, ndim=2, valuetype="complex")
    tables.default_ms(str(path), tables.maketabdesc(data)).close()
    flags = np.zeros((4, 2, 2), bool)
    flags[3] = True
    flags[2, 0, 0] = True  # one polarisation of one channel: the sample still counts
    main = {
        "TIME": [59000 * 86400.0, 59000 * 86400.0, 59000 * 86400.0 + 6, 59000 * 86400.0 + 6],
        "INTERVAL": [6.0] * 4,
        "ANTENNA1": [0, 0, 0, 1],
        "ANTENNA2": [1, 2, 1, 2],
        "FIELD_ID": [0, 0, 1, 1],
        "DATA_DESC_ID": [0] * 4,
        "FLAG_ROW": [False] * 4,
        "FLAG": list(flags),
        "UVW": [np.array(uvw) for uvw in ([30.0, 40, 99], [0, 120, 0], [60, 80, 0], [900, 0, 0])],
        "WEIGHT": [np.ones(2), np.ones(2), np.zeros(2), np.ones(2)],
        "DATA": [np.ones((2, 2), complex)] * 4,
    }
    window = {"CHAN_FREQ": [np.array([230e9, 230.1e9])], "CHAN_WIDTH": [np.array([1e8, 1e8])]}
    _fill(
        path,
        {
            "": main,
            "SPECTRAL_WINDOW": {**window, "MEAS_FREQ_REF": [1]},
            "DATA_DESCRIPTION": {"SPECTRAL_WINDOW_ID": [0]},
            "POLARIZATION": {"CORR_TYPE": [np.array([9, 12], np.int32)]},
            "ANTENNA": {"DISH_DIAMETER": [12.0, 12.0, 7.0], "STATION": ["A001", "A002", "J503"]},
            "FIELD": {
                "NAME": ["first", "second"],
                "PHASE_DIR": [np.array([[-np.pi / 2, 0.0]]), np.array([[1.0, -0.5]])],
            },
            "OBSERVATION": {"TELESCOPE_NAME": ["ALMA"]},
        },
    )
    return path


def test_a_measurement_set_is_told_as_it_is(measurement_set):
    text = describe(measurement_set)
    assert "6 unflagged" in text and "in 4 rows" in text
    assert "2 of them have weight 0" in text
    assert "50.0 to 120.0 m" in text
    assert "1 of 7 m, 2 of 12 m" in text
    assert "230.000000 to 230.100000 GHz LSRK, 2 x 100 MHz" in text
    assert "18h00m00" in text, "a negative right ascension wraps"
    assert "XX, YY" in text
    assert "2020-05-31 00:00:00 to 2020-05-31 00:00:06 UTC, 2 time stamps" in text
    assert "fields: [0]" in text and "data_column: DATA" in text


def test_the_suggested_lines_are_a_valid_configuration(measurement_set):
    odd = measurement_set.rename(measurement_set.with_name("My data #1: new.ms"))
    pasted = yaml.safe_load(describe(odd).split("configuration:\n")[1])["observations"]
    ((name, values),) = pasted.items()
    assert name == "my-data-1-new"
    observation = check(Observation, values)
    assert (observation.path, observation.fields, observation.spectral_windows) == (str(odd), [0], [0])


def test_a_set_without_data_is_told_and_nothing_suggested(measurement_set):
    with tables.table(str(measurement_set), readonly=False, ack=False) as table:
        table.removecols("DATA")
    text = describe(measurement_set)
    assert "none: there are no visibilities" in text and "observations:" not in text


def test_a_set_all_flagged_is_told(measurement_set):
    with tables.table(str(measurement_set), readonly=False, ack=False) as table:
        table.putcol("FLAG_ROW", np.ones(4, bool))
    text = describe(measurement_set)
    assert "0 unflagged" in text and "every visibility is flagged" in text and "observations:" not in text


def _image(values, **attrs):
    known = {"ra_deg": 150.0, "dec_deg": 2.0, "cell_arcsec": 0.1, "bunit": "Jy/beam"}
    return xr.DataArray(values, dims=("channel", "y", "x")[3 - values.ndim :], attrs={**known, **attrs})


def test_a_fits_image_is_told_as_it_is(tmp_path):
    values = np.random.default_rng(0).normal(0, 2e-5, (128, 128))
    beam = {"bmaj_arcsec": 0.5, "bmin_arcsec": 0.4, "bpa_deg": 30.0, "frequency_hz": 230e9}
    write_image(tmp_path / "sky.fits", _image(values, **beam))
    text = describe(tmp_path / "sky.fits")
    for part in ('0.5" x 0.4" at 30.0 deg', "128 RA---SIN x 128 DEC--SIN", "10h00m00", "230.000000 GHz"):
        assert part in text, part
    assert "noise reference" in text and "observation: catalogue" in text and "path: " in text
    write_image(tmp_path / "psf.fits", _image(np.eye(128), bunit=""))
    text = describe(tmp_path / "psf.fits")
    assert "a PSF or a primary beam" in text and "observations:" not in text
    write_image(tmp_path / "bare.fits", _image(values, bunit=""))
    assert "no observation yet" in describe(tmp_path / "bare.fits")


def test_robust_rms_is_blind_to_sources_and_blanks():
    values = np.random.default_rng(1).normal(5, 3, 100_000)
    values[:500], values[500:1000] = 1e6, np.nan
    assert robust_rms(values) == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda path: path.write_text("a text"), "neither FITS"),
        (lambda path: path.mkdir(), "no Measurement Set"),
        (lambda path: None, "does not exist"),
    ],
)
def test_anything_else_is_one_sentence_and_exit_2(tmp_path, make, sentence):
    make(tmp_path / "thing")
    with pytest.raises(UserError, match=sentence):
        describe(tmp_path / "thing")
    command = [sys.executable, "-m", "almabrain.main", "info", str(tmp_path / "thing")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and sentence in done.stderr.strip().splitlines()[-1] and not done.stdout


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name, count, windows, frame",
    [
        ("hd142527_band9_continuum", 34546, 3, "TOPO"),
        ("hd142527_co65", 55398, 1, "LSRK"),
        ("antennae_north_mosaic", 74695, 1, "TOPO"),
    ],
)
def test_real_sets(real_data, name, count, windows, frame):
    text = describe(real_data / "visibilities" / f"{name}.ms")
    assert f"{count} unflagged" in text and f"windows ({windows})" in text and f"GHz {frame}" in text


def test_the_command_that_is_installed_exists():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    module, function = project["project"]["scripts"]["almabrain"].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_npz_and_uvfits_are_told(tmp_path):
    from astropy.io import fits

    np.savez(tmp_path / "disc.npz", u=[3e4], v=[4e4], V=[1 + 0j], weight=[1.0])
    text = describe(tmp_path / "disc.npz")
    assert "npz" in text and "5e+04 wavelengths" in text and "dish_diameter_m:" in text
    data = np.ones((3, 1, 2, 2, 3), np.float32)
    data[0, ..., 2] = -1
    hdu = fits.GroupsHDU(fits.GroupData(data, bitpix=-32, parnames=["UU"], pardata=[np.zeros(3)]))
    for axis, name in enumerate(("COMPLEX", "STOKES", "FREQ", "IF"), 2):
        hdu.header[f"CTYPE{axis}"], hdu.header[f"CRVAL{axis}"] = name, 2.3e11 if name == "FREQ" else 1
    hdu.header["OBJECT"] = "HD 1"
    hdu.writeto(tmp_path / "a.uvfits")
    text = describe(tmp_path / "a.uvfits")
    assert "4 unflagged" in text and "in 3 rows" in text and "HD 1" in text and "230.000000 GHz" in text
    (values,) = yaml.safe_load(text.split("configuration:\n")[1])["observations"].values()
    assert check(Observation, values).fields == []
