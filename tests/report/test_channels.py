"""What the report shows of cubes and spectral indices."""

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from astropy.table import Table

from almabrain.data.fits import write_image
from almabrain.data.tables import write_table
from almabrain.report import figures_fit, figures_image, section_channels, section_image
from almabrain.report.pictures import Pictures, load
from almabrain.report.products import Products
from almabrain.report.style import drawing
from almabrain.response.beam import Beam

COUNT, N_PIX = 7, 32
FREQUENCY = 230e9 + 1e6 * np.arange(COUNT)
PLACE = {"ra_deg": 10.0, "dec_deg": -30.0, "cell_arcsec": 0.2}


def write(folder, name, values, unit="Jy/beam"):
    dims = ("channel", "y", "x")[-values.ndim :]
    coords = {"frequency_hz": ("channel", FREQUENCY)} if values.ndim == 3 else {}
    image = xr.DataArray(values, dims=dims, coords=coords, attrs=PLACE | {"bunit": unit})
    write_image(folder / f"{name}.fits", image)


@pytest.fixture
def products(tmp_path):
    folder = tmp_path / "image/obs-a/cube"
    folder.mkdir(parents=True)
    ramp = np.arange(N_PIX**2, dtype=float).reshape(N_PIX, N_PIX) / N_PIX**2
    write(folder, "mean_beam", np.stack([ramp * (number + 1) for number in range(COUNT)]))
    write(folder, "pb", np.full((N_PIX, N_PIX), 0.5))
    told = {"mode": "cube", "correlation_channels": 3.0}
    (folder / "summary.json").write_text(json.dumps({"spectral": told}))
    rows = [("whole", number, hz) for number, hz in enumerate(FREQUENCY)]
    table = Table(rows=rows, names=["region", "channel", "frequency"])
    table["frequency"].unit = u.Hz
    for number, name in enumerate(("p2.5", "p16", "median", "p84", "p97.5")):
        table[name] = (0.01 + 0.001 * number) * np.ones(COUNT) * u.Jy
    table["flux_jy"] = table["median"]
    write_table(folder / "fluxes.ecsv", table)
    write(folder, "moment0", ramp, "Jy/beam.km/s")
    write(folder, "moment1", np.where(ramp > 0.5, ramp, np.nan), "km/s")
    return Products(tmp_path, {})


def pictures():
    nothing = dict.fromkeys(("truth", "dirty", "residual", "mean", "std", "native_mean", "native_std"))
    return Pictures(0.2, Beam(1.0, 0.8, 20.0), 0.01, clean=np.ones((N_PIX, N_PIX)), **nothing)


def test_a_cube_has_channel_maps_spectra_and_moments(products, monkeypatch):
    drawn = {}

    def spy(module, name):
        whole = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: drawn.setdefault(name, (whole(*given), given))[0])

    spy(figures_image, "channel_maps")
    spy(figures_fit, "spectra")
    with drawing():
        html = section_channels.section(products, "obs-a", "cube", pictures())
    assert html.count("<figure") == 3 and "all channels" in html
    figure, (panels, _, noise) = drawn["channel_maps"]
    assert [panel.title for panel in panels][::6] == ["230.0000 GHz", "230.0060 GHz"]
    # Behind the primary beam, and with the noise of one channel.
    assert panels[2].picture.max() == pytest.approx(0.5 * 3 * (1 - 1 / N_PIX**2))
    assert noise == pytest.approx(0.01 * np.sqrt(COUNT))
    assert sum(axis.get_visible() and bool(axis.images) for axis in figure.axes) == COUNT
    frequency, median, low, _, lowest, _ = drawn["spectra"][1][0]["whole"]
    assert frequency == pytest.approx(FREQUENCY / 1e9) and drawn["spectra"][1][1] == "mJy"
    assert (median[0], low[0], lowest[0]) == pytest.approx((12.0, 11.0, 10.0))


def test_the_mean_of_channels_has_no_standard_deviation(products):
    folder = products.folder / "image/obs-a/cube"
    beam = {"bmaj_arcsec": 1.0, "bmin_arcsec": 0.8, "bpa_deg": 20.0}
    clean = xr.DataArray(np.ones((N_PIX, N_PIX)), dims=("y", "x"), attrs=PLACE | beam | {"bunit": "Jy/beam"})
    write_image(folder / "clean.fits", clean)
    for name in ("std", "std_beam"):
        write(folder, name, np.ones((COUNT, N_PIX, N_PIX)))
    made = load(products, "obs-a", "cube", {})
    assert made.std is None and made.native_std is None and made.mean.shape == (N_PIX, N_PIX)
    for name in ("std", "std_beam"):
        write(folder, name, np.ones((N_PIX, N_PIX)))
    made = load(products, "obs-a", "cube", {})
    assert (made.std == 0.5).all() and (made.native_std == 1.0).all()
    told = dataclasses.replace(made, truth=made.clean)
    assert "one posterior standard deviation" in section_image._comparison(told)
    cube = section_image._comparison(dataclasses.replace(told, std=None))
    assert "Root mean square error" in cube and "standard deviation" not in cube


def test_a_continuum_image_has_none(products):
    path = products.folder / "image/obs-a/cube/summary.json"
    path.write_text(json.dumps({"flux_jy": 1.0}))
    assert section_channels.section(products, "obs-a", "cube", pictures()) == ""
