"""Fluxes in regions against analytic ones, and region files of both kinds."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from almabrain.console.errors import UserError
from almabrain.data.coordinates import image_wcs, lm_grid
from almabrain.data.tables import read_table, write_table
from almabrain.image import regions

N_PIX, CELL = 128, 0.1
RA_DEG, DEC_DEG = 188.73625, -30.01730556
WCS = image_wcs(N_PIX, CELL, RA_DEG, DEC_DEG)
HWHM = 1.1


def gaussian(east=0.0, north=0.0, hwhm=HWHM):
    """A Gaussian of 1 Jy, Jy/arcsec²."""
    l, m = (values * 648_000 / np.pi for values in lm_grid(N_PIX, CELL))
    radius2 = (l - east) ** 2 + (m - north) ** 2
    return np.log(2) / (np.pi * hwhm**2) * np.exp(-np.log(2) * radius2 / hwhm**2)


def one(found, sky):
    return regions.fluxes(np.stack([sky, sky]), WCS, CELL, found)


def written(tmp_path, text, name="a.reg"):
    path = tmp_path / name
    path.write_text(text)
    return path


def ds9(tmp_path, *lines, frame="icrs"):
    return regions.read(
        written(tmp_path, "\n".join(["# Region file format: DS9 version 4.1", frame, *lines]))
    )


def crtf(tmp_path, *lines, coord="ICRS"):
    return regions.read(written(tmp_path, "\n".join(["#CRTFv0", f"global coord={coord}", *lines]), "a.crtf"))


def test_gaussian_in_circles_is_analytic():
    radii = np.array([0.25, 0.5, 1.1, 2.0, 4.0])
    table = one(regions.circles(radii, RA_DEG, DEC_DEG), gaussian())
    assert table["flux_jy"].value == pytest.approx(1 - 2 ** -((radii / HWHM) ** 2), rel=3e-3)
    assert table["area_arcsec2"].value == pytest.approx(np.pi * radii**2, rel=1e-6)
    assert (table["error_jy"] < 1e-12).all() and table["inside"].value == pytest.approx(1)


def test_a_position_of_ones_own():
    sky = gaussian(east=2.0, north=-1.0)
    place = SkyCoord(RA_DEG, DEC_DEG, unit="deg").spherical_offsets_by(2.0 * u.arcsec, -1.0 * u.arcsec)
    table = one(regions.circles([HWHM], place.ra.deg, place.dec.deg), sky)
    assert table["flux_jy"][0] == pytest.approx(0.5, rel=3e-3)


def test_shapes_of_both_files_agree(tmp_path):
    at, place = f"{RA_DEG},{DEC_DEG}", f"[{RA_DEG}deg, {DEC_DEG}deg]"
    left = ds9(
        tmp_path,
        f'circle({at},1.5")',
        f'ellipse({at},2",1",30)',
        f'box({at},4",2",30)',
        f'annulus({at},1",2")',
        f"polygon({RA_DEG + 0.0004},{DEC_DEG},{RA_DEG - 0.0004},{DEC_DEG},{RA_DEG},{DEC_DEG + 0.0006})",
    )
    right = crtf(
        tmp_path,
        f"circle[{place}, 1.5arcsec]",
        f"ellipse[{place}, [1arcsec, 2arcsec], 30deg]",
        f"rotbox[{place}, [4arcsec, 2arcsec], 30deg]",
        f"annulus[{place}, [1arcsec, 2arcsec]]",
        f"poly[[{RA_DEG + 0.0004}deg, {DEC_DEG}deg], [{RA_DEG - 0.0004}deg, {DEC_DEG}deg], "
        f"[{RA_DEG}deg, {DEC_DEG + 0.0006}deg]]",
    )
    sky = gaussian(0.5, 0.7)
    first, second = one(left, sky), one(right, sky)
    assert first["flux_jy"].value == pytest.approx(second["flux_jy"].value, rel=1e-6)
    base = 0.0008 * 3600 * np.cos(np.radians(DEC_DEG))
    areas = [np.pi * 2.25, np.pi * 2, 8, np.pi * 3, base * 0.0006 * 3600 / 2]
    assert first["area_arcsec2"].value == pytest.approx(areas, rel=1e-3)


def test_position_angles_turn_from_north_to_east(tmp_path):
    """CASA's ellipse by its position angle; DS9's from the image's x axis, counter-clockwise."""
    angle = np.radians(30)
    east, north = np.sin(angle), np.cos(angle)
    on, off = (gaussian(s * 1.5 * east, 1.5 * north, 0.1) for s in (1, -1))
    (along,) = crtf(tmp_path, f"ellipse[[{RA_DEG}deg, {DEC_DEG}deg], [2arcsec, 0.5arcsec], 30deg]")
    assert one([along], on)["flux_jy"][0] > 0.95
    assert one([along], off)["flux_jy"][0] < 0.01
    (turned,) = ds9(tmp_path, f'ellipse({RA_DEG},{DEC_DEG},2",0.5",120)')
    assert one([turned], on)["flux_jy"][0] > 0.95


def test_sexagesimal_and_frames(tmp_path):
    """J2000 is FK5, 20 to 30 mas off ICRS."""

    def offset_mas(region):
        mask, _ = region.mask(WCS, (N_PIX, N_PIX))
        l, m = (values * 648_000_000 / np.pi for values in lm_grid(N_PIX, CELL))
        return np.average(l, weights=mask), np.average(m, weights=mask)

    centre = SkyCoord(RA_DEG, DEC_DEG, unit="deg")
    for frame, place in (("icrs", centre), ("fk5", centre.fk5)):
        ra, dec = place.ra.to_string("hour", sep=":", precision=6), place.dec.to_string(sep=":", precision=5)
        (region,) = ds9(tmp_path, f'circle({ra},{dec},2")', frame=frame)
        assert offset_mas(region) == pytest.approx((0, 0), abs=0.5)
    ra, dec = centre.fk5.ra.to_string("hour", precision=6), centre.fk5.dec.to_string(precision=5)
    (region,) = crtf(tmp_path, f'circle[[{ra}, {dec}], 2arcsec], label="core"', coord="J2000")
    assert region.name == "core"
    assert offset_mas(region) == pytest.approx((0, 0), abs=0.5)
    (off,) = ds9(tmp_path, f'circle({centre.ra.deg},{centre.dec.deg},2")', frame="fk5")
    assert np.hypot(*offset_mas(off)) > 5


def test_pixels_are_counted_from_1_by_ds9_and_from_0_by_casa(tmp_path):
    sky = np.zeros((N_PIX, N_PIX))
    sky[30, 40] = 1 / CELL**2  # y, x
    (first,) = ds9(tmp_path, "circle(41,31,0.4)", frame="image")
    (second,) = regions.read(written(tmp_path, "#CRTFv0\ncircle[[40pix, 30pix], 0.4pix]\n"))
    for found in (first, second):
        assert one([found], sky)["flux_jy"][0] == pytest.approx(np.pi * 0.16, rel=1e-6)


def test_what_is_excluded_is_cut_out(tmp_path):
    found = ds9(tmp_path, f'circle({RA_DEG},{DEC_DEG},2") # text={{ring}}', f'-circle({RA_DEG},{DEC_DEG},1")')
    table = one(found, gaussian())
    assert list(table["region"]) == ["ring"]
    assert table["area_arcsec2"][0] == pytest.approx(np.pi * 3, rel=5e-3)
    assert table["flux_jy"][0] == pytest.approx(2 ** -((1 / HWHM) ** 2) - 2 ** -((2 / HWHM) ** 2), rel=0.02)


def test_errors_are_those_of_the_samples(tmp_path):
    rng = np.random.default_rng(0)
    flux = 1 + 0.1 * rng.standard_normal(400)
    samples = flux[:, None, None] * gaussian()
    found = regions.circles([1.1, 5.0], RA_DEG, DEC_DEG)
    table = regions.fluxes(samples, WCS, CELL, found)
    inside = flux * (1 - 2**-1.0)
    assert table["flux_jy"][0] == pytest.approx(inside.mean(), rel=3e-3)
    assert table["error_jy"][0] == pytest.approx(inside.std(ddof=1), rel=3e-3)
    for name, share in regions.QUANTILES.items():
        assert table[name][0] == pytest.approx(np.quantile(inside, share), rel=3e-3)
    scaled = regions.fluxes(samples, WCS, CELL, found, flux_scale_error=0.2)
    assert scaled["flux_jy"] == pytest.approx(table["flux_jy"].value)
    drawn = np.multiply.outer(flux, 1 + 0.2 * rng.standard_normal(4000)).ravel() * 0.5
    assert scaled["error_jy"][0] == pytest.approx(drawn.std(), rel=0.03)
    assert scaled["p2.5"][0] == pytest.approx(np.quantile(drawn, 0.025), rel=0.03)
    assert scaled["p97.5"][0] == pytest.approx(np.quantile(drawn, 0.975), rel=0.03)
    write_table(tmp_path / "a.ecsv", scaled)
    again = read_table(tmp_path / "a.ecsv")
    assert again["p2.5"].unit == "Jy" and again["area_arcsec2"].unit == "arcsec2"
    assert again.meta["flux_scale_error"] == 0.2


def test_regions_beyond_the_image(tmp_path):
    found = ds9(tmp_path, f'circle({RA_DEG + 1},{DEC_DEG},1")') + regions.circles([20.0], RA_DEG, DEC_DEG)
    table = one(found, gaussian())
    assert np.isnan(table["flux_jy"][0]) and table["inside"][0] == 0
    assert table["flux_jy"][1] == pytest.approx(1, rel=1e-3)
    assert table["inside"][1] == pytest.approx(12.8**2 / (np.pi * 400), rel=1e-3)


def test_same_names_are_told_apart(tmp_path):
    at = f"{RA_DEG},{DEC_DEG}"
    found = ds9(
        tmp_path, f'circle({at},1") # text={{a}}', f'circle({at},2") # text={{a}}', f'circle({at},3")'
    )
    assert [item.name for item in found] == ["a (1)", "a (2)", "3"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("physical\ncircle(10,10,3)", "not understood"),
        ("# Region file format: DS9 version 4.1\nicrs\npoint(10,10)", "no region with an area"),
        ("", "no region with an area"),
        ("#CRTFv0\ncircle[[10deg, 10deg], 3arcsec]\n", "coord=ICRS"),
        ("#CRTFv0\nglobal coord=J2000\nblob[[10deg, 10deg], 3arcsec]\n", "CRTF"),
        ("icrs\ncircle(10,abc,3)", "a.reg"),
    ],
)
def test_bad_files_are_told(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        regions.read(written(tmp_path, text))


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        regions.read(tmp_path / "none.reg")
