"""Pictures from a folder: flux kept, the right way up, linear light, and mistakes told in a sentence."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC
from almabrain.sky.models import pictures

BEAM = 0.5


def field(radius_beams=50.0):
    return SimpleNamespace(beam_arcsec=BEAM, radius_rad=radius_beams * BEAM * ARCSEC)


def draw(folder, seed=1, field_beams=50.0, **more):
    settings = check(SkySettings, {"model": "pictures", "pictures": {"folder": str(folder), **more}}, "sky")
    (shape,) = pictures.draw(field(field_beams), settings, np.random.default_rng(seed))
    return shape


def blob(side=64, x=40, y=20, width=5.0):
    rows, columns = np.mgrid[:side, :side]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))


def photograph(path, light):
    """Saves linear light between 0 and 1 as sRGB, the first row at the top."""
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)
    Image.fromarray(np.round(255 * encoded).astype(np.uint8)).save(path)


@pytest.mark.parametrize(
    ("old", "side", "width"), [(300, 64, 60.3), (37, 64, 61.7), (64, 64, 64), (5, 128, 90)]
)
def test_resampling_keeps_the_flux_and_the_place(old, side, width):
    light = np.random.default_rng(1).random((old, old)) ** 4
    made = pictures.resample(light, side, width)
    assert made.shape == (side, side) and made.min() >= 0
    assert made.sum() == pytest.approx(light.sum(), rel=1e-12)
    y, x = np.mgrid[:old, :old]
    for old_axis, new_axis in ((y, 0), (x, 1)):
        place = ((old_axis + 0.5) / old - 0.5) * width
        new = (np.arange(side) - side // 2).reshape((-1, 1) if new_axis == 0 else (1, -1))
        assert (made * new).sum() == pytest.approx((light * place).sum(), abs=2e-3 * width * light.sum())


def test_resampling_to_coarser_pixels_averages_over_areas():
    """The slow way: every old pixel cut into 20 x 20 points, which are counted in the new ones."""
    light = np.random.default_rng(2).random((30, 30))
    fine = np.kron(light, np.ones((20, 20))) / 400
    place = np.floor(((np.arange(600) + 0.5) / 600 - 0.5) * 7.5 + 0.5).astype(int) + 8
    slow = np.zeros((16, 16))
    np.add.at(slow, (place[:, None], place[None, :]), fine)
    assert np.allclose(pictures.resample(light, 16, 7.5), slow, rtol=1e-9, atol=1e-12)


def test_resampling_to_finer_pixels_shows_no_steps():
    ramp = np.broadcast_to(np.arange(1.0, 9.0), (8, 8))
    made = pictures.resample(ramp, 96, 80.0)[48, 13:83]
    assert np.allclose(np.diff(made), np.diff(made).mean(), rtol=1e-6)


def test_a_photograph_stands_as_seen_with_its_left_in_the_east(tmp_path):
    photograph(tmp_path / "a.png", blob(x=40, y=20))
    shape = draw(tmp_path, size_beams=[16, 16], background_percentile=50)
    # 8.5 of 64 pixels right of the middle and 11.5 above it, on 8 arcsec; the edge taper pulls inwards
    assert shape.l / ARCSEC == pytest.approx(-8.5 / 64 * 8, abs=0.08)
    assert shape.m / ARCSEC == pytest.approx(11.5 / 64 * 8, abs=0.08)
    assert shape.kind == "picture" and shape.cell_arcsec == BEAM / 4
    assert shape.pixels.sum() == pytest.approx(1, rel=1e-12) and shape.pixels.min() >= 0
    assert shape.major_arcsec == pytest.approx(2.355 * 5 / 64 * 8, rel=0.1)


def test_a_fits_image_stands_with_its_first_row_in_the_south(tmp_path):
    fits.PrimaryHDU(blob(x=40, y=20)).writeto(tmp_path / "a.fits")
    shape = draw(tmp_path, size_beams=[16, 16])
    assert shape.l / ARCSEC == pytest.approx(-8.5 / 64 * 8, abs=0.08)
    assert shape.m / ARCSEC == pytest.approx(-11.5 / 64 * 8, abs=0.08)


def test_photographs_are_made_linear_from_srgb(tmp_path):
    light = np.linspace(0, 1, 4096).reshape(64, 64)
    photograph(tmp_path / "a.png", light)
    assert np.allclose(pictures.read_light(tmp_path / "a.png")[::-1], light, atol=0.006)
    photograph(tmp_path / "a.jpg", blob())
    assert np.allclose(pictures.read_light(tmp_path / "a.jpg")[::-1], blob(), atol=0.03)


def test_colours_become_luminance_and_what_is_transparent_is_dark(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0], pixels[0, 1] = (255, 0, 0, 255), (0, 255, 0, 255)
    pixels[1, 0], pixels[1, 1] = (0, 0, 255, 255), (255, 255, 255, 51)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    light = pictures.read_light(tmp_path / "a.png")
    assert np.allclose(light[::-1], [[0.2126, 0.7152], [0.0722, 0.2]], atol=1e-6)
    Image.fromarray(pixels).convert("RGB").convert("P").save(tmp_path / "palette.png")
    assert pictures.read_light(tmp_path / "palette.png")[1, 1] == pytest.approx(0.7152, abs=0.01)


def test_sixteen_bits_of_grey_are_linear(tmp_path):
    counts = np.array([[0, 1000], [30000, 65535]], np.uint16)
    Image.fromarray(counts).save(tmp_path / "a.png")
    assert np.array_equal(pictures.read_light(tmp_path / "a.png")[::-1], counts)


def test_a_cameras_note_on_which_side_is_up_is_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray((255 * blob()).astype(np.uint8)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    light = pictures.read_light(tmp_path / "a.jpg")
    assert np.unravel_index(light.argmax(), light.shape) == (20, 23)


def test_a_fits_cube_is_summed_and_unknown_pixels_are_dark(tmp_path):
    cube = np.ones((3, 1, 8, 10))
    cube[0, 0, 2, 3], cube[:, 0, 5, 5] = np.nan, np.nan
    fits.PrimaryHDU(cube).writeto(tmp_path / "a.fits")
    light = pictures.read_light(tmp_path / "a.fits")
    assert light.shape == (8, 10) and light[0, 0] == 3 and light[2, 3] == 2 and np.isnan(light[5, 5])
    assert pictures.above_background(light, 0)[5, 5] == 0
    assert pictures.above_background(light, 0)[0, 0] == 1


@pytest.mark.parametrize("name", ["scaled.fits", "compressed.fits.fz", "zipped.fits.gz", "later.FIT"])
def test_fits_comes_scaled_compressed_zipped_or_in_a_later_part(tmp_path, name):
    image = (1000 * blob()).astype(np.int16)
    if name.startswith("scaled"):
        hdus = fits.PrimaryHDU(image / 100.0 + 7.0)
        hdus.scale("int16", bscale=0.001, bzero=20.0)
        expected = image / 100.0 + 7.0
    elif name.startswith("compressed"):
        hdus, expected = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image)]), image
    else:
        table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
        hdus, expected = fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(image)]), image
    hdus.writeto(tmp_path / name)
    assert np.allclose(pictures.read_light(tmp_path / name), expected, atol=6e-4)
    assert draw(tmp_path).pixels.sum() == pytest.approx(1)


def test_light_below_the_percentile_is_dark(tmp_path):
    light = 0.3 + 0.5 * blob()
    fits.PrimaryHDU(light).writeto(tmp_path / "a.fits")
    shape = draw(tmp_path, background_percentile=90, size_beams=[16, 16])
    assert (shape.pixels > 0).mean() < 0.15
    sky = pictures.above_background(light, 25)
    assert (sky == 0).mean() == pytest.approx(0.25, abs=0.01) and sky.max() == pytest.approx(0.5, abs=0.01)


def test_a_picture_longer_than_high_keeps_the_circle_in_its_middle(tmp_path):
    light = np.zeros((40, 100))
    light[20, 50] = light[20, 5] = 1.0
    fits.PrimaryHDU(light).writeto(tmp_path / "a.fits")
    shape = draw(tmp_path, size_beams=[10, 10])
    assert np.hypot(shape.l, shape.m) / ARCSEC < 0.2
    half = shape.pixels.shape[0] // 2
    y, x = np.mgrid[-half:half, -half:half] * shape.cell_arcsec
    assert shape.pixels[np.hypot(x, y) > 5 * BEAM].sum() == 0


def test_a_picture_is_no_larger_than_the_field(tmp_path):
    fits.PrimaryHDU(1 + blob()).writeto(tmp_path / "a.fits")
    shape = draw(tmp_path, field_beams=4, background_percentile=0)
    half = shape.pixels.shape[0] // 2
    y, x = np.mgrid[-half:half, -half:half] * shape.cell_arcsec
    assert 3 * BEAM < np.hypot(x, y)[shape.pixels > 0].max() < 4 * BEAM


def test_the_choice_does_not_depend_on_the_order_of_the_listing(tmp_path, monkeypatch):
    for index in range(9):
        fits.PrimaryHDU(blob(x=20 + 3 * index)).writeto(tmp_path / f"p{index}.fits")
    (tmp_path / "notes.txt").write_text("not a picture by its name")
    (tmp_path / "._p1.fits").write_text("what some file systems leave behind")
    forwards = [draw(tmp_path, seed).pixels.tobytes() for seed in range(8)]
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: reversed(sorted(listing(self))))
    backwards = [draw(tmp_path, seed).pixels.tobytes() for seed in range(8)]
    assert forwards == backwards and len(set(forwards)) > 4


def spoilt(folder, kind):
    """One file that is no picture, of each kind that folders of pictures have."""
    if kind == "text":
        (folder / "a.png").write_text("hello, I am a page that says 404")
    elif kind == "cut jpeg":
        noise = np.random.default_rng(1).integers(0, 255, (200, 200), np.uint8)
        Image.fromarray(noise).save(folder / "a.jpg")
        (folder / "a.jpg").write_bytes((folder / "a.jpg").read_bytes()[:9000])
    elif kind == "cut png":
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200), np.uint8)).save(
            folder / "a.png"
        )
        (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:9000])
    elif kind == "cut fits":
        fits.PrimaryHDU(np.ones((200, 200))).writeto(folder / "a.fits")
        (folder / "a.fits").write_bytes((folder / "a.fits").read_bytes()[:9000])
    elif kind == "fits table":
        table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / "a.fits")
    elif kind == "text fits":
        (folder / "a.fits").write_text("hello, I am a page that says 404")
    elif kind == "empty":
        (folder / "a.jpeg").touch()
    elif kind == "black":
        Image.fromarray(np.zeros((20, 20), np.uint8)).save(folder / "a.png")
    elif kind == "unknown":
        fits.PrimaryHDU(np.full((20, 20), np.nan)).writeto(folder / "a.fits")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("text", "its content is that of no known kind of picture"),
        ("empty", "its content is that of no known kind of picture"),
        ("cut jpeg", "truncated"),
        ("cut png", "truncated"),
        ("cut fits", "is cut short"),
        ("text fits", "it is not a whole FITS file"),
        ("fits table", "it holds no image of two or more axes"),
        ("black", "no light in its middle"),
        ("unknown", "no light in its middle"),
    ],
)
def test_a_picture_that_is_none_is_named_in_a_sentence(tmp_path, kind, said):
    spoilt(tmp_path, kind)
    with pytest.raises(UserError) as told:
        draw(tmp_path)
    sentence = str(told.value)
    assert sentence.startswith(str(tmp_path / "a.")) and said in sentence and "remove it" in sentence
    assert "\n" not in sentence


def test_a_folder_that_is_missing_or_empty_is_named_with_what_was_looked_for(tmp_path):
    with pytest.raises(UserError, match=r"sky.pictures.folder is '.*none', which is no folder.*\*\.fits"):
        draw(tmp_path / "none")
    (tmp_path / "below").mkdir()
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(UserError, match=r"holds no picture; looked for \*\.fits, .*\*\.jpeg"):
        draw(tmp_path)
