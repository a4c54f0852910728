"""The shared room of reading and writing: positions, FITS, stores, seeds, files that are whole."""

import astropy.units as u
import numpy as np
import pytest
import xarray as xr
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from almabrain.console.errors import UserError
from almabrain.data import naming, seeds, store
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import image_wcs, lm_from_radec, pixel_from_lm, radec_from_lm
from almabrain.data.files import atomic
from almabrain.data.fits import read_image, write_image


def test_direction_cosines_agree_with_astropy():
    centre = SkyCoord(200.0 * u.deg, -41.0 * u.deg)
    source = centre.directional_offset_by(37 * u.deg, 50 * u.arcsec)
    l, m = lm_from_radec(source.ra.deg, source.dec.deg, 200.0, -41.0)
    # l is east and m north, so an angle of 37 deg from north through east splits this way.
    assert l == pytest.approx(50 * ARCSEC * np.sin(np.deg2rad(37)), rel=1e-4)
    assert m == pytest.approx(50 * ARCSEC * np.cos(np.deg2rad(37)), rel=1e-4)
    assert radec_from_lm(l, m, 200.0, -41.0) == pytest.approx((source.ra.deg, source.dec.deg), abs=1e-10)


def test_pixels_agree_with_the_wcs():
    wcs = image_wcs(128, 0.3, 10.0, -60.0)
    ra, dec = radec_from_lm(5 * ARCSEC, -9 * ARCSEC, 10.0, -60.0)
    assert pixel_from_lm(5 * ARCSEC, -9 * ARCSEC, 128, 0.3) == pytest.approx(
        tuple(float(v) for v in wcs.wcs_world2pix(ra, dec, 0)), abs=1e-6
    )


def test_a_frequency_axis_ends_where_the_channels_do():
    hz = 1e11 + 1e6 * np.array([0.0, 1.004, 2.0, 3.0])
    for frequency in (hz, hz[::-1]):
        found = image_wcs(32, 0.3, 10.0, -60.0, frequency).spectral.pixel_to_world_values([0, 3])
        assert found == pytest.approx(frequency[[0, 3]], rel=1e-14)


def _cube(**attrs) -> xr.DataArray:
    values = np.arange(2 * 32 * 32, dtype=float).reshape(2, 32, 32)
    header = {"ra_deg": 10.0, "dec_deg": -30.0, "cell_arcsec": 0.5, "bunit": "Jy/beam", **attrs}
    return xr.DataArray(
        values, dims=("channel", "y", "x"), coords={"frequency_hz": ("channel", [1e11, 1.1e11])}, attrs=header
    )


def test_fits_round_trip_keeps_values_and_header(tmp_path):
    cube = _cube(bmaj_arcsec=1.2, bmin_arcsec=0.8, bpa_deg=33.0)
    write_image(tmp_path / "cube.fits", cube, {"VERDICT": "converged"})
    back = read_image(tmp_path / "cube.fits")
    assert np.array_equal(back.values, cube.values)
    assert back["frequency_hz"].values == pytest.approx([1e11, 1.1e11])
    for key in ("ra_deg", "dec_deg", "cell_arcsec", "bmaj_arcsec", "bmin_arcsec", "bpa_deg"):
        assert back.attrs[key] == pytest.approx(cube.attrs[key]), key
    header = fits.getheader(tmp_path / "cube.fits")
    assert (header["VERDICT"], header["SPECSYS"], header["CRPIX1"]) == ("converged", "TOPOCENT", 17)
    east = WCS(header).celestial.wcs_world2pix(10.0 + 0.5 / 3600 / np.cos(np.deg2rad(30)), -30.0, 0)
    assert [float(v) for v in east] == pytest.approx([15, 16], abs=1e-3)


def test_an_image_knows_its_frequency_and_frame_on_a_degenerate_axis(tmp_path):
    """The observed frequency is no rest frequency; the celestial axes stay those of a plain image."""
    values = np.arange(32 * 32, dtype=float).reshape(32, 32)
    attrs = _cube().attrs | {"frequency_hz": 2.3e11, "frame": "LSRK"}
    write_image(tmp_path / "image.fits", xr.DataArray(values, dims=("y", "x"), attrs=attrs))
    data, header = fits.getdata(tmp_path / "image.fits", header=True)
    assert data.shape == (1, 32, 32)
    assert "RESTFRQ" not in header and "RESTFREQ" not in header
    assert (header["CTYPE3"], header["SPECSYS"], header["RADESYS"]) == ("FREQ", "LSRK", "ICRS")
    wcs = WCS(header)
    assert float(wcs.spectral.wcs_pix2world([0], 0)[0][0]) == 2.3e11
    assert [float(v) for v in wcs.celestial.wcs_pix2world(16, 16, 0)] == pytest.approx([10.0, -30.0])
    back = read_image(tmp_path / "image.fits")
    assert back.dims == ("y", "x") and back.attrs["frequency_hz"] == 2.3e11
    assert np.array_equal(back.values, values)


@pytest.mark.parametrize(("frame", "specsys"), [("CMB", "CMBDIPOL"), ("Undefined", None)])
def test_rare_frames_are_written_and_unknown_ones_left_out(tmp_path, frame, specsys):
    write_image(tmp_path / "cube.fits", _cube(frame=frame))
    assert fits.getheader(tmp_path / "cube.fits").get("SPECSYS") == specsys


def test_bad_fits_files_are_told_in_a_sentence(tmp_path):
    (tmp_path / "text.fits").write_text("not a FITS file")
    with pytest.raises(UserError, match="text.fits is not a whole FITS file"):
        read_image(tmp_path / "text.fits")
    write_image(tmp_path / "whole.fits", _cube())
    whole = (tmp_path / "whole.fits").read_bytes()
    (tmp_path / "short.fits").write_bytes(whole[: len(whole) - 3000])
    with pytest.raises(UserError, match="short.fits is cut short"):
        read_image(tmp_path / "short.fits")
    write_image(tmp_path / "nan.fits", _cube() * np.nan + xr.zeros_like(_cube()))
    with pytest.raises(UserError, match="no finite pixel"):
        read_image(tmp_path / "nan.fits")
    with pytest.raises(UserError, match="does not exist"):
        read_image(tmp_path / "absent.fits")


def test_a_failed_write_leaves_the_old_file_and_no_scraps(tmp_path):
    target = tmp_path / "product.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert target.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["product.txt"]


def test_store_round_trip_and_what_is_missing(tmp_path):
    dataset = xr.Dataset({"dirty": (("y", "x"), np.eye(3, dtype="f4"))}, attrs={"simulation": "sim-000000"})
    store.write(tmp_path / "s.zarr.zip", {"sim-000000/spw0": dataset, "sim-000001/spw0": 2 * dataset})
    assert store.names(tmp_path / "s.zarr.zip") == ["sim-000000/spw0", "sim-000001/spw0"]
    xr.testing.assert_identical(store.read(tmp_path / "s.zarr.zip", "sim-000000/spw0"), dataset)
    with pytest.raises(UserError, match="no group 'sim-7'"):
        store.read(tmp_path / "s.zarr.zip", "sim-7")
    (tmp_path / "cut.zarr.zip").write_bytes((tmp_path / "s.zarr.zip").read_bytes()[:200])
    with pytest.raises(UserError, match="not a whole Zarr zip"):
        store.names(tmp_path / "cut.zarr.zip")


def test_seeds_belong_to_one_simulation_and_stage():
    draw = seeds.generator(1, "sky", "sim-000000").random()
    assert draw == seeds.generator(1, "sky", "sim-000000").random()
    others = {
        seeds.generator(*key).random() for key in [(2, "sky", "sim-000000"), (1, "noise", "sim-000000")]
    }
    assert draw not in others and len(others) == 2


def test_every_simulation_is_in_one_shard():
    shards = naming.shards(5, 2)
    assert shards == {
        "shard-0000": ["sim-000000", "sim-000001"],
        "shard-0001": ["sim-000002", "sim-000003"],
        "shard-0002": ["sim-000004"],
    }
    for name, simulations in shards.items():
        assert all(naming.shard_of(simulation, 2) == name for simulation in simulations)


def test_a_mistake_before_the_first_dataset_is_told_as_it_is(tmp_path):
    def nothing():
        raise UserError("the reason")
        yield

    with pytest.raises(UserError, match="the reason"):
        store.write(tmp_path / "never.zarr.zip", nothing())
    assert not list(tmp_path.iterdir())


def test_a_name_in_any_letters_is_written_in_those_of_fits(tmp_path):
    image = xr.DataArray(np.ones((4, 4)), dims=("y", "x"))
    image.attrs = {
        "ra_deg": 1.0,
        "dec_deg": 2.0,
        "cell_arcsec": 1.0,
        "bunit": "Jy/beam",
        "object": "Kügel A/B µ",
    }
    write_image(tmp_path / "a.fits", image)
    assert fits.getheader(tmp_path / "a.fits")["OBJECT"] == "Kugel A/B"
