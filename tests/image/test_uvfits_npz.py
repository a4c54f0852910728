"""uvfits and npz files of a known sky come in as what they are; bad ones are refused in a sentence."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.image import visibilities
from almabrain.response.predict import predict_components

FREQUENCY_HZ, STEP_HZ, N_CHANNEL = 230e9, 2e6, 3
TIMES = Time(["2023-05-01T03:00:00", "2023-05-01T03:00:10", "2023-05-01T03:00:20"])
SIGMA_JY = 0.5


def baselines(seed=0, n_antenna=6):
    """First and second antenna (from 0), uvw [m] and time step of every row."""
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(n_antenna, 1)
    place = rng.normal(0, 100, (n_antenna, 3))
    rows = [
        (a, b, place[b] - place[a] + 0.1 * step, step)
        for step in range(len(TIMES))
        for a, b in zip(first, second)
    ]
    a, b, uvw, step = zip(*rows)
    return np.array(a), np.array(b), np.array(uvw), np.array(step)


def seen(uvw, frequency_hz, flux=1.0):
    """Visibilities of a point 2" east and 1" north of the phase centre, (row, channel)."""
    flux = np.full((1, len(frequency_hz)), flux)
    return predict_components(uvw, frequency_hz, flux, [2 * ARCSEC], [ARCSEC], [0.0], [0.0], [0.0])


def write_uvfits(path, ifs=1, stokes=-5, sources=(), sideband=1, diameter_m=12.0, equinox=2000.0, **cards):
    """uvfits as AIPS writes it: UU in seconds, two DATEs, weights <= 0 where flagged; each IF 2 GHz up.

    Source k of `sources` [(ra, dec)] has the flux k + 1; XX and YY (or RR and LL) differ by 0.2 Jy.
    """
    a, b, uvw, step = baselines()
    many = max(len(sources), 1)
    data = np.zeros((len(a) * many, 1, 1, ifs, N_CHANNEL, 2, 3), np.float32)
    source = np.repeat(np.arange(many), len(a))
    a, b, step, uvw = np.tile(a, many), np.tile(b, many), np.tile(step, many), np.tile(uvw, (many, 1))
    for number in range(ifs):
        frequency = FREQUENCY_HZ + 2e9 * number + sideband * STEP_HZ * np.arange(N_CHANNEL)
        point = seen(uvw, frequency) * (source + 1)[:, None]
        for hand, change in enumerate((0.1, -0.1)):
            data[:, 0, 0, number, :, hand, 0] = point.real + change
            data[:, 0, 0, number, :, hand, 1] = point.imag
    data[..., 2] = SIGMA_JY**-2
    data[0, ..., 2] = -1.0  # a flagged group
    data[1, ..., 0, 2] = 0.0  # its first hand
    jd = TIMES.jd[step]
    names = ["UU", "VV", "WW", "DATE", "DATE", "BASELINE"]
    light = uvw / SPEED_OF_LIGHT_M_S
    columns = [*light.T, np.floor(jd), jd - np.floor(jd), 256 * (a + 1) + b + 1]
    if sources:
        names, columns = [*names, "SOURCE", "FREQSEL"], [*columns, source + 1, np.ones(len(a))]
    groups = fits.GroupData(data, bitpix=-32, parnames=names, pardata=columns)
    primary = fits.GroupsHDU(groups)
    axes = [("COMPLEX", 1, 1, 1), ("STOKES", stokes, -1, 1), ("FREQ", FREQUENCY_HZ, STEP_HZ, 1),
            ("IF", 1, 1, 1), ("RA", 150.0, 1, 1), ("DEC", -35.0, 1, 1)]  # fmt: skip
    for number, (name, value, delta, pixel) in enumerate(axes, 2):
        for card, content in (("CTYPE", name), ("CRVAL", value), ("CDELT", delta), ("CRPIX", pixel)):
            primary.header[f"{card}{number}"] = content
    primary.header["EQUINOX"], primary.header["TELESCOP"], primary.header["OBJECT"] = (
        equinox,
        "OTHER",
        "target",
    )
    primary.header.update(cards)
    n_antenna = 6
    antennas = fits.BinTableHDU.from_columns(
        [
            fits.Column("ANNAME", "8A", array=[f"AN{k}" for k in range(n_antenna)]),
            fits.Column("STABXYZ", "3D", array=np.zeros((n_antenna, 3))),
            fits.Column("NOSTA", "1J", array=np.arange(n_antenna) + 1),
            fits.Column("DIAMETER", "1E", array=np.full(n_antenna, diameter_m)),
        ],
        name="AIPS AN",
    )
    tables = [antennas]
    if ifs > 1 or sideband < 0:
        form = f"{ifs}D"
        setup = [
            fits.Column("FRQSEL", "1J", array=[1]),
            fits.Column("IF FREQ", form, array=[2e9 * np.arange(ifs)]),
            fits.Column("CH WIDTH", form, array=[np.full(ifs, STEP_HZ)]),
            fits.Column("SIDEBAND", f"{ifs}J", array=[np.full(ifs, sideband)]),
        ]
        tables.append(fits.BinTableHDU.from_columns(setup, name="AIPS FQ"))
    if sources:
        rows = [
            fits.Column("ID. NO.", "1J", array=np.arange(many) + 1),
            fits.Column("SOURCE", "16A", array=[f"source {k}" for k in range(many)]),
            fits.Column("RAEPO", "1D", array=[ra for ra, _ in sources]),
            fits.Column("DECEPO", "1D", array=[dec for _, dec in sources]),
            fits.Column("EPOCH", "1D", array=np.full(many, 2000.0)),
        ]
        tables.append(fits.BinTableHDU.from_columns(rows, name="AIPS SU"))
    fits.HDUList([primary, *tables]).writeto(path)
    return path


def read(*paths, **settings):
    return visibilities.from_data(paths, VisibilitySettings(**settings))


@pytest.mark.parametrize("stokes", [-5, -1])
@pytest.mark.parametrize("sideband", [1, -1])
def test_uvfits_of_one_source(tmp_path, stokes, sideband):
    path = write_uvfits(tmp_path / "a.uvfits", stokes=stokes, sideband=sideband)
    (window,) = read(path).values()
    a, b, uvw, step = baselines()
    assert window.sizes == {"row": len(a) - 1, "axis": 3, "channel": N_CHANNEL}
    frequency = window.frequency_hz.values
    assert frequency == pytest.approx(np.sort(FREQUENCY_HZ + sideband * STEP_HZ * np.arange(N_CHANNEL)))
    np.testing.assert_allclose(window.uvw_m, uvw[1:], rtol=1e-6)
    np.testing.assert_allclose(window.time_mjd_s, TIMES.mjd[step][1:] * 86400, atol=0.01)
    np.testing.assert_array_equal(window.antenna1, a[1:])
    # Both hands average; where the first is flagged, the second alone is left, 0.1 Jy lower, of half the weight.
    wanted = seen(uvw, frequency)[1:]
    np.testing.assert_allclose(window.visibility[1:], wanted[1:], atol=2e-6)
    np.testing.assert_allclose(window.visibility[0], wanted[0] - 0.1, atol=2e-6)
    assert set(np.unique(window.weight)) == {4.0, 8.0}
    assert window.attrs["dishes_m"] == [12, 12] and window.attrs["telescope"] == "OTHER"
    # EQUINOX without RADESYS is the FK5, some 20 mas off the ICRS.
    assert window.attrs["ra_deg"] == pytest.approx(150, abs=2e-5) and window.attrs["ra_deg"] != 150
    icrs = write_uvfits(tmp_path / "b.uvfits", RADESYS="ICRS")
    assert read(icrs)["spw0"].attrs["ra_deg"] == pytest.approx(150, abs=1e-9)


def test_uvfits_of_several_ifs_and_sources(tmp_path):
    places = [(150.0, -35.0), (150.0, -35.003)]
    path = write_uvfits(tmp_path / "a.uvfits", ifs=2, sources=places)
    windows = read(path)
    assert list(windows) == ["spw0.p1", "spw0.p2", "spw1.p1", "spw1.p2"]
    *_, uvw, _ = baselines()
    for name, flux in (("spw1.p1", 1.0), ("spw1.p2", 2.0)):
        window = windows[name]
        assert window.frequency_hz.values[0] == FREQUENCY_HZ + 2e9
        np.testing.assert_allclose(
            window.visibility[-20:], seen(uvw, window.frequency_hz.values, flux)[-20:], atol=4e-6
        )
    assert windows["spw0.p2"].attrs["dec_deg"] == pytest.approx(-35.003, abs=2e-5)
    assert list(read(path, fields=["source 1"], spectral_windows=[1])) == ["spw1"]
    with pytest.raises(UserError, match="2 fields.*no mosaic"):
        read(write_uvfits(tmp_path / "far.uvfits", sources=[(150.0, -35.0), (151.0, -35.0)]))


def test_bad_uvfits(tmp_path):
    with pytest.raises(UserError, match="how large its dishes.*dish_diameter_m"):
        read(write_uvfits(tmp_path / "a.uvfits", diameter_m=0.0))
    (window,) = read(tmp_path / "a.uvfits", dish_diameter_m=25).values()
    assert window.attrs["dishes_m"] == [25, 25]
    whole = (tmp_path / "a.uvfits").read_bytes()
    (tmp_path / "cut.uvfits").write_bytes(whole[:9000])
    with pytest.raises(UserError, match="cut.uvfits cannot be read"):
        read(tmp_path / "cut.uvfits")
    with fits.open(write_uvfits(tmp_path / "b.uvfits"), mode="update") as hdus:
        hdus[0].data.data[..., 2] = -1
    with pytest.raises(UserError, match="flagged completely"):
        read(tmp_path / "b.uvfits")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(UserError, match="no visibilities.*total_power"):
        read(tmp_path / "image.fits")


PLAIN = {"ra_deg": 150.0, "dec_deg": -35.0, "frequency_ghz": FREQUENCY_HZ / 1e9, "dish_diameter_m": 12.0}


def plain_arrays():
    *_, uvw, _ = baselines()
    u, v, w = uvw.T * FREQUENCY_HZ / SPEED_OF_LIGHT_M_S
    return uvw, {
        "u": u,
        "v": v,
        "w": w,
        "V": seen(uvw, np.array([FREQUENCY_HZ]))[:, 0],
        "weight": np.full(len(u), 4.0),
    }


@pytest.mark.parametrize("form", ["V", "Re and Im", "without w"])
def test_npz(tmp_path, form):
    uvw, arrays = plain_arrays()
    if form == "Re and Im":
        value = arrays.pop("V")
        arrays |= {"Re": value.real, "Im": value.imag, "weights": arrays.pop("weight")}
    if form == "without w":
        arrays.pop("w")
        uvw = uvw * [1, 1, 0]
    np.savez(tmp_path / "disc.npz", **arrays)
    (window,) = read(tmp_path / "disc.npz", **PLAIN).values()
    np.testing.assert_allclose(window.uvw_m, uvw, rtol=1e-12)
    value = arrays["V"] if "V" in arrays else arrays["Re"] + 1j * arrays["Im"]
    np.testing.assert_allclose(window.visibility[:, 0], value)
    assert (window.weight.values == 4).all() and np.isnan(window.attrs["noise_factor"])
    assert window.frequency_hz.values.tolist() == [FREQUENCY_HZ]
    assert (window.attrs["ra_deg"], window.attrs["dec_deg"], window.attrs["dishes_m"]) == (150, -35, [12, 12])


def test_bad_npz(tmp_path):
    _, arrays = plain_arrays()
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match="ra_deg, frequency_ghz"):
        read(tmp_path / "a.npz", dec_deg=-35, dish_diameter_m=12)
    with pytest.raises(UserError, match="average_time_s.*antennas"):
        read(tmp_path / "a.npz", average_time_s=30, **PLAIN)
    for change, words in [
        ({"weight": None}, "lacks weight .it holds u, v, w, V"),
        ({"weight": np.ones(3)}, "different lengths.*weight 3"),
        ({"weight": 0 * arrays["weight"]}, "no positive weight"),
        ({"V": np.nan * arrays["V"]}, "no finite"),
        ({name: column[:1] for name, column in arrays.items()}, "1 baseline"),
    ]:
        kept = {name: column for name, column in (arrays | change).items() if column is not None}
        np.savez(tmp_path / "b.npz", **kept)
        with pytest.raises(UserError, match=words):
            read(tmp_path / "b.npz", **PLAIN)
    (tmp_path / "c.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:500])
    with pytest.raises(UserError, match="c.npz cannot be read"):
        read(tmp_path / "c.npz", **PLAIN)


def test_several_sets_of_one_sky(tmp_path):
    _, arrays = plain_arrays()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "a.npz", **arrays)
    path = write_uvfits(tmp_path / "compact array.uvfits", diameter_m=0.0, ifs=2)
    windows = read(tmp_path / "one/a.npz", tmp_path / "two/a.npz", path, **PLAIN)
    assert list(windows) == ["a.spw0", "a-2.spw0", "compact-array.spw0", "compact-array.spw1"]
    assert windows["a-2.spw0"].attrs["noise_group"] == "a-2.spw0"
    # Antennas of one number in two sets are not the same antenna, and npz has none.
    assert windows["compact-array.spw0"].antenna1.values.min() == 2 * visibilities.ANTENNAS_APART
    assert (windows["a-2.spw0"].antenna1 == -1).all()


def test_sets_of_two_skies_are_refused(tmp_path):
    write_uvfits(tmp_path / "a.uvfits")
    write_uvfits(tmp_path / "b.uvfits", CRVAL7=-35.5)
    with pytest.raises(UserError, match=r"too far apart.*a.spw0 10h00m00.* -34d59m59.*b.spw0 .* -35d29m59"):
        read(tmp_path / "a.uvfits", tmp_path / "b.uvfits")
