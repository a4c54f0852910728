import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from scipy.constants import c, k

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC, lm_from_radec, lm_grid
from almabrain.sky.field import cut_window
from almabrain.sky.models.fits import draw

from .conftest import make_field

RA, DEC = 150.0, -35.0
FIELD = make_field(
    ra_deg=RA,
    dec_deg=DEC,
    windows=(cut_window(229e9, 231e9, 8), cut_window(241e9, 243e9, 8)),
    reference_frequency_hz=236e9,
    beam_arcsec=0.8,
)


def header(
    side=100, cell_arcsec=0.1, centre=(RA, DEC), types=("RA---SIN", "DEC--SIN"), turn_deg=0.0, flip=-1
):
    """A header of an image whose reference position lies on pixel side // 2 (from 0)."""
    card = fits.Header()
    for axis in (1, 2):
        card[f"CTYPE{axis}"], card[f"CUNIT{axis}"] = types[axis - 1], "deg"
        card[f"CRVAL{axis}"], card[f"CRPIX{axis}"] = centre[axis - 1], side // 2 + 1
    sine, cosine = np.sin(np.deg2rad(turn_deg)), np.cos(np.deg2rad(turn_deg))
    cell = cell_arcsec / 3600
    card["CD1_1"], card["CD1_2"] = flip * cell * cosine, -cell * sine
    card["CD2_1"], card["CD2_2"] = flip * cell * sine, cell * cosine
    card["BUNIT"] = "Jy/pixel"
    return card


def spectral(card, kind, value, step, unit, axis=3, **more):
    card[f"CTYPE{axis}"], card[f"CRVAL{axis}"], card[f"CDELT{axis}"] = kind, value, step
    card[f"CUNIT{axis}"], card[f"CRPIX{axis}"] = unit, 1
    card.update(more)
    return card


def write(path, values, card):
    fits.PrimaryHDU(np.asarray(values, "f4"), card).writeto(path, overwrite=True)
    return path


def drawn(path, field=FIELD, spectral_index=(-1.0, 3.5), **section):
    given = {"model": "fits", "spectral_index": spectral_index, "fits": {"path": str(path)} | section}
    return draw(field, check(SkySettings, given, "sky"), np.random.default_rng(1))[0]


def flux(shape, frequency_hz=236e9):
    return float(shape.continuum_jy(frequency_hz)) * shape.pixels.sum()


def blob(card, side, l_arcsec, m_arcsec, sigma_arcsec=0.5, about=(RA, DEC), total=2.0):
    """An image of a round Gaussian at an offset from a position, by the header's own coordinates."""
    sky = WCS(card).celestial.pixel_to_world(*np.meshgrid(np.arange(side), np.arange(side))).icrs
    l, m = lm_from_radec(sky.ra.deg, sky.dec.deg, *about)
    distance = np.hypot(l / ARCSEC - l_arcsec, m / ARCSEC - m_arcsec)
    image = np.exp(-(distance**2) / 2 / sigma_arcsec**2)
    return total * image / image.sum()


def test_a_model_on_our_own_pixels_is_taken_as_it_is(tmp_path):
    rng = np.random.default_rng(2)
    values = rng.random((60, 60))
    card = header(60, 0.1)
    shape = drawn(write(tmp_path / "m.fits", values, card))
    assert shape.cell_arcsec == pytest.approx(0.1, rel=1e-6)
    half = len(shape.pixels) // 2
    ours = shape.pixels[half - 30 : half + 30, half - 30 : half + 30] * shape.continuum_jy(236e9)
    assert np.allclose(ours, values, rtol=1e-5) and flux(shape) == pytest.approx(values.sum(), rel=1e-6)


ORIENTATIONS = {
    "plain": {},
    "east to the right": {"flip": 1},
    "turned": {"turn_deg": 33.0},
    "TAN": {"types": ("RA---TAN", "DEC--TAN"), "turn_deg": -70.0},
    "galactic CAR": {"types": ("GLON-CAR", "GLAT-CAR")},
    "fine": {"side": 500, "cell_arcsec": 0.021},
    "coarse": {"side": 26, "cell_arcsec": 0.43, "turn_deg": 10.0},
}


@pytest.mark.parametrize("case", ORIENTATIONS)
@pytest.mark.parametrize("recentre", [True, False])
def test_flux_and_place_are_kept_whatever_the_projection_and_orientation(tmp_path, case, recentre):
    given = dict(ORIENTATIONS[case])
    side = given.get("side", 100)
    # Where the file's coordinates count, its middle lies 2.3 arcsec off the phase centre.
    middle = SkyCoord(RA, DEC, unit="deg").directional_offset_by(
        70 * u.deg, (0 if recentre else 2.3) * u.arcsec
    )
    if "galactic" in case:
        given["centre"] = (middle.galactic.l.deg, middle.galactic.b.deg)
    else:
        given["centre"] = (middle.ra.deg, middle.dec.deg)
    card = header(**{"side": side} | given)
    about = WCS(card).pixel_to_world(side // 2, side // 2).icrs if recentre else SkyCoord(RA, DEC, unit="deg")
    values = blob(card, side, 1.37, -2.41, about=(about.ra.deg, about.dec.deg))
    shape = drawn(write(tmp_path / "m.fits", values, card), recentre=recentre)
    assert flux(shape) == pytest.approx(2.0, rel=1e-3)
    assert shape.l / ARCSEC == pytest.approx(1.37, abs=0.02) and shape.m / ARCSEC == pytest.approx(
        -2.41, abs=0.02
    )
    # Its own width, and no more blur than half a pixel of the coarser of the two gives.
    pixel = max(shape.cell_arcsec, given.get("cell_arcsec", 0.1))
    widest = np.sqrt(8 * np.log(2) * (0.25 + pixel**2 / 4))
    assert 0.5 * 2.3548 * 0.98 < shape.minor_arcsec <= shape.major_arcsec < widest


@pytest.mark.parametrize("cell_arcsec", [0.02, 0.09, 0.13, 0.3, 1.7])
def test_a_point_off_the_centre_keeps_flux_and_place(tmp_path, cell_arcsec):
    side = 2 * int(7 / cell_arcsec / 2) + 10
    values = np.zeros((side, side))
    right, up = int(3.1 / cell_arcsec), int(-1.9 / cell_arcsec)
    values[side // 2 + up, side // 2 + right] = 0.7
    shape = drawn(write(tmp_path / "m.fits", values, header(side, cell_arcsec, turn_deg=20)))
    assert flux(shape) == pytest.approx(0.7, rel=1e-5)
    sine, cosine = np.sin(np.deg2rad(20)), np.cos(np.deg2rad(20))
    l, m = -cosine * right - sine * up, -sine * right + cosine * up
    assert shape.l / ARCSEC == pytest.approx(l * cell_arcsec, abs=0.1 * shape.cell_arcsec)
    assert shape.m / ARCSEC == pytest.approx(m * cell_arcsec, abs=0.1 * shape.cell_arcsec)
    # Spread over its own pixel, or over one of ours, not farther.
    assert shape.major_arcsec < 1.3 * max(cell_arcsec, 2 * shape.cell_arcsec)


@pytest.mark.parametrize("cell_arcsec", [0.013, 0.031, 0.063, 0.11, 0.15, 0.27, 0.9])
def test_even_brightness_stays_even(tmp_path, cell_arcsec):
    side = 2 * int(5.5 / cell_arcsec / 2)
    shape = drawn(write(tmp_path / "m.fits", np.ones((side, side)), header(side, cell_arcsec, turn_deg=12)))
    l, m = lm_grid(len(shape.pixels), shape.cell_arcsec)
    inner = shape.pixels[np.hypot(l, m) < 1.2 * ARCSEC]
    assert inner.std() / inner.mean() < 0.02
    expected = (shape.cell_arcsec / cell_arcsec) ** 2
    assert inner.mean() * shape.continuum_jy(1e11) == pytest.approx(expected, rel=5e-3)


UNIT_CASES = [
    ("JY/PIXEL", {}, 1.0),
    ("mJy/pix", {}, 1e-3),
    ("Jy/sr", {}, (0.1 * ARCSEC) ** 2),
    ("MJY/SR", {}, 1e6 * (0.1 * ARCSEC) ** 2),
    ("uJy/arcsec2", {}, 1e-6 * 0.01),
    ("Jy arcsec-2", {}, 0.01),
    ("erg/s/cm2/Hz/sr", {}, 1e23 * (0.1 * ARCSEC) ** 2),
    ("JY/BEAM", {"BMAJ": 0.5 / 3600, "BMIN": 0.3 / 3600}, 0.01 / (1.1330900354567985 * 0.15)),
    ("mJy/beam", {"BMAJ": 0.5 / 3600, "BMIN": 0.3 / 3600}, 1e-5 / (1.1330900354567985 * 0.15)),
    ("K", {"RESTFRQ": 230e9}, 2 * k * (230e9 / c) ** 2 / 1e-26 * (0.1 * ARCSEC) ** 2),
    ("mK", {"RESTFRQ": 115e9}, 1e-3 * 2 * k * (115e9 / c) ** 2 / 1e-26 * (0.1 * ARCSEC) ** 2),
]


@pytest.mark.parametrize(("unit", "cards", "expected"), UNIT_CASES)
def test_units_become_jy_per_pixel(tmp_path, unit, cards, expected):
    values = np.zeros((40, 40))
    values[20, 22] = 3.0
    card = header(40)
    card.update({"BUNIT": unit} | cards)
    assert flux(drawn(write(tmp_path / "m.fits", values, card))) == pytest.approx(3 * expected, rel=1e-5)


def test_brightness_counts_the_true_area_of_pixels_far_from_the_reference(tmp_path):
    # A plate carrée map of reference latitude 0: at 60 degrees its pixels are half as wide on the sky.
    card = header(40, 0.1, (RA, 0.0), ("RA---CAR", "DEC--CAR"))
    card["CRPIX2"] = 21 - 60 * 3600 / 0.1
    card["BUNIT"] = "Jy/sr"
    values = np.zeros((40, 40))
    values[20, 20] = 1.0
    shape = drawn(write(tmp_path / "m.fits", values, card))
    assert flux(shape) == pytest.approx((0.1 * ARCSEC) ** 2 / 2, rel=1e-4)


def test_peak_is_that_of_the_files_brightest_pixel(tmp_path):
    values = blob(header(), 100, 0.3, 0.4)
    path = write(tmp_path / "m.fits", values, header())
    scaled = flux(drawn(path, peak_jy_pixel=0.5))
    assert scaled == pytest.approx(2.0 * 0.5 / values.max(), rel=1e-3)


def test_an_image_is_flat_in_frequency_unless_one_index_is_given(tmp_path):
    card = header()
    card["RESTFRQ"] = 118e9
    path = write(tmp_path / "m.fits", blob(card, 100, 0, 0), card)
    frequencies = np.array([118e9, 236e9])
    assert np.allclose(drawn(path).continuum_jy(frequencies), 2.0, rtol=1e-3)
    assert np.allclose(drawn(path, spectral_index=(2, 2)).continuum_jy(frequencies), [2.0, 8.0], rtol=1e-3)
    del card["RESTFRQ"]
    path = write(tmp_path / "m.fits", blob(card, 100, 0, 0), card)
    assert np.allclose(drawn(path, spectral_index=(2, 2)).continuum_jy(frequencies), [0.5, 2.0], rtol=1e-3)


def test_negative_flux_stays_negative(tmp_path):
    shape = drawn(write(tmp_path / "m.fits", -blob(header(), 100, 0.5, 0), header()))
    assert shape.pixels.sum() == pytest.approx(-1) and flux(shape) == pytest.approx(-2.0, rel=1e-3)


@pytest.mark.parametrize("order", ["stokes last", "stokes third", "frequency first"])
def test_axes_in_any_order_and_short_ones_dropped(tmp_path, order):
    values, card = np.zeros((30, 40)), header(40)
    values[17, 11] = 1.5
    card["CRPIX2"] = 16
    if order == "frequency first":
        card = fits.Header()
        for axis, (kind, value, step, pixel) in enumerate(
            [("FREQ", 230e9, 1e9, 1), ("RA---SIN", RA, -0.1 / 3600, 21), ("DEC--SIN", DEC, 0.1 / 3600, 16)], 1
        ):
            card[f"CTYPE{axis}"], card[f"CRVAL{axis}"] = kind, value
            card[f"CDELT{axis}"], card[f"CRPIX{axis}"] = step, pixel
        card["BUNIT"] = "Jy/pixel"
        planes = values[:, :, None]
    else:
        stokes, frequency = (4, 3) if order == "stokes last" else (3, 4)
        spectral(card, "FREQ", 230e9, 1e9, "Hz", frequency)
        card[f"CTYPE{stokes}"], card[f"CRVAL{stokes}"] = "STOKES", -1
        card[f"CDELT{stokes}"], card[f"CRPIX{stokes}"] = 1, -1  # plane 0 is I, plane 1 is Q
        planes = np.stack([values, 9 + values])
        planes = planes[:, None] if order == "stokes last" else planes[None]
    shape = drawn(write(tmp_path / "m.fits", planes, card))
    assert flux(shape) == pytest.approx(1.5, rel=1e-5)
    assert shape.l / ARCSEC == pytest.approx(0.9, abs=1e-3) and shape.m / ARCSEC == pytest.approx(
        0.2, abs=1e-3
    )


def cube(path, card, number=20, side=40):
    """A cube whose channel i (from 0) has i + 1 Jy in one pixel that moves with it."""
    values = np.zeros((number, side, side))
    values[np.arange(number), side // 2, side // 2 - 5 + np.arange(number) // 2] = 1 + np.arange(number)
    return write(path, values, card)


REST = {"RESTFRQ": 230.538e9}
AXES = {
    "frequency": ("FREQ", 229.2e9, 80e6, "Hz", {}, lambda x: x),
    "falling": ("FREQ", 230.8e9, -80e6, "Hz", {}, lambda x: x),
    "GHz": ("FREQ", 229.2, 0.08, "GHz", {}, lambda x: 1e9 * x),
    "radio": ("VRAD", 300.0, 60.0, "km/s", REST, lambda v: 230.538e9 * (1 - 1e3 * v / c)),
    "optical": ("VOPT", 300e3, 60e3, "m/s", REST, lambda v: 230.538e9 / (1 + v / c)),
    "relativistic": (
        "VELO",
        300e3,
        60e3,
        "m/s",
        REST,
        lambda v: 230.538e9 * np.sqrt((1 - v / c) / (1 + v / c)),
    ),
    "AIPS radio": ("VELO-LSR", 300e3, 60e3, "m/s", REST | {"VELREF": 257}, lambda v: 230.538e9 * (1 - v / c)),
    "wavelength": ("WAVE", 1.30, 5e-4, "mm", {}, lambda x: c / (1e-3 * x)),
    "in air": ("AWAV", 1.30, 5e-4, "mm", {}, lambda x: c / (1e-3 * x * 1.0002726)),
}


@pytest.mark.parametrize("case", AXES)
def test_cube_channels_lie_where_their_axis_says_and_keep_their_flux(tmp_path, case):
    kind, value, step, unit, more, hertz = AXES[case]
    path = cube(tmp_path / "c.fits", spectral(header(40), kind, value, step, unit, **more))
    shape = drawn(path, shift_frequency=False)
    edges = np.array([hertz(value + step * (index - 0.5)) for index in range(21)])
    width = np.abs(np.diff(edges))
    for index in (0, 7, 19):  # one channel of ours on one of the model's
        ours = shape.cube_jy(np.sort(edges[index : index + 2]))
        assert ours.shape == (1, *shape.pixels.shape) and ours.sum() == pytest.approx(1 + index, rel=1e-3)
        l, _ = lm_grid(len(shape.pixels), shape.cell_arcsec)
        assert (ours[0] * l).sum() / ours.sum() / ARCSEC == pytest.approx(0.1 * (5 - index // 2), abs=2e-3)
    total = ((1 + np.arange(20)) * width).sum()
    for number in (1, 3, 50, 333):  # any channels that cover it: integrated flux, Jy Hz
        around = np.linspace(edges.min() - 1.1e8, edges.max() + 0.7e8, number + 1)
        found = (shape.cube_jy(around).sum(axis=(1, 2)) * np.diff(around)).sum()
        assert found == pytest.approx(total, rel=1e-3)
    assert shape.cube_jy(np.array([edges.max() + 1e6, edges.max() + 2e6])).sum() == 0
    assert shape.pixels.sum() == pytest.approx(1) and shape.continuum_jy is None


def test_a_cube_is_moved_to_the_first_window_with_its_velocities(tmp_path):
    path = cube(tmp_path / "c.fits", spectral(header(40), "FREQ", 115.0e9, 20e6, "Hz"))
    shape = drawn(path)
    factor = 230e9 / (115.0e9 + 9.5 * 20e6)
    edges = factor * (115.0e9 + 20e6 * (np.arange(21) - 0.5))
    assert np.allclose(shape.cube_jy(edges).sum(axis=(1, 2)), 1 + np.arange(20), rtol=1e-4)
    assert edges[[0, -1]].mean() == pytest.approx(230e9)


def test_kelvin_of_a_cube_count_with_each_channels_frequency(tmp_path):
    card = spectral(header(40), "FREQ", 200e9, 10e9, "Hz")
    card["BUNIT"] = "K"
    values = np.zeros((4, 40, 40))
    values[:, 20, 20] = 1
    shape = drawn(write(tmp_path / "c.fits", values, card), shift_frequency=False)
    ours = shape.cube_jy(np.array([195e9, 205e9, 215e9, 225e9, 235e9])).sum(axis=(1, 2))
    expected = 2 * k * (np.array([200e9, 210e9, 220e9, 230e9]) / c) ** 2 / 1e-26 * (0.1 * ARCSEC) ** 2
    assert np.allclose(ours, expected, rtol=1e-5)


def test_blank_pixels_are_dark_and_faint_light_beyond_the_field_is_dropped(tmp_path, caplog):
    card = header(300)
    values = blob(card, 300, 1, 1)
    values[0, 0], values[5, 7] = np.nan, 5e-4 * 2
    with caplog.at_level(logging.INFO):
        shape = drawn(write(tmp_path / "m.fits", values, card))
    assert flux(shape) == pytest.approx(2.0, rel=1e-4) and "dropped" in caplog.text


def sentence(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert all(part in text for part in parts), text
    assert text.count(". ") == 0 and "\n" not in text, text


def test_mistakes_are_told_in_one_sentence(tmp_path):
    path, values = tmp_path / "m.fits", np.ones((40, 40))

    def with_card(values=values, drop=(), **cards):
        card = header(values.shape[-1])
        card.update(cards)
        for name in drop:
            del card[name]
        write(path, values, card)
        return lambda **section: drawn(path, **section)

    sentence(lambda: drawn(tmp_path / "none.fits"), "none.fits", "no file")
    path.write_text("no FITS")
    sentence(lambda: drawn(path), "m.fits is not a whole FITS file")
    with_card()
    path.write_bytes(path.read_bytes()[:5000])
    sentence(lambda: drawn(path), "m.fits", "cut short")
    fits.PrimaryHDU().writeto(path, overwrite=True)
    sentence(lambda: drawn(path), "no image of two or more axes")
    fits.PrimaryHDU(np.ones((4, 4), "f4"), fits.Header({"BUNIT": "Jy/pixel"})).writeto(path, overwrite=True)
    sentence(lambda: drawn(path), "no celestial coordinates", "CTYPE")
    sentence(with_card(drop=["BUNIT"]), "no unit (BUNIT)", "Jy/pixel")
    sentence(with_card(BUNIT="Jy/beam km/s"), "unit 'Jy/beam km/s'", "Jy/sr")
    sentence(with_card(BUNIT="Jy/beam"), "BMAJ and BMIN")
    sentence(with_card(BUNIT="K"), "no frequency", "RESTFRQ")
    sentence(with_card(values=np.zeros((40, 40))), "holds no light")
    sentence(with_card(values=np.full((40, 40), np.nan)), "no finite pixel")
    sentence(with_card(values=np.ones((3, 40, 40)), CTYPE3="COLOUR"), "axis 3", "COLOUR")
    sentence(
        with_card(values=np.ones((2, 40, 40)), CTYPE3="STOKES", CRVAL3=2, CDELT3=1, CRPIX3=1),
        "none of them is I",
    )
    sentence(with_card(values=np.ones((2, 40, 40)), CTYPE3="VRAD", CRVAL3=2, CDELT3=1, CRPIX3=1), "RESTFRQ")
    sentence(with_card(values=np.ones((400, 400))), "27.65", "12 arcsec", "sky.max_offset_beams")
    away = with_card(CRVAL2=DEC + 1)
    sentence(lambda: away(recentre=False), "360", "sky.fits.recentre")
    behind = with_card(CRVAL1=RA + 180, CRVAL2=-DEC)
    sentence(lambda: behind(recentre=False), "other half of the sky", "sky.fits.recentre")
    sentence(with_card(CRPIX1=1e7), "no sky at its middle pixel", "CRPIX")
    sentence(lambda: with_card(values=-values)(peak_jy_pixel=1.0), "sky.fits.peak_jy_pixel")
    sentence(
        with_card(values=np.stack([values, values])[:, :20].reshape(40, 40) * np.sign(np.arange(40) - 19.5)),
        "net",
    )
    far = spectral(header(40), "FREQ", 115e9, 20e6, "Hz")
    cube(path, far)
    sentence(
        lambda: drawn(path, shift_frequency=False), "114.99", "229-231, 241-243", "sky.fits.shift_frequency"
    )
