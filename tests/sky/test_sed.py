"""The continuum of galaxies: their infrared light adds up, its parts are those of the papers."""

import numpy as np
import pytest
from scipy.constants import c, h, k

from almabrain.config.sky import SedSettings
from almabrain.console.errors import UserError
from almabrain.sky import luminosity, sed

SUN_W = 3.828e26
PRESETS = pytest.mark.parametrize("preset", ["star_forming", "agn"])


def infrared_lsun(settings: SedSettings, redshift: float) -> float:
    """L_IR of a galaxy of 1e12 by a sum over 8-1000 um, from its observed flux densities."""
    edges = np.geomspace(c / 1000e-6, c / 8e-6, 300_001)
    middle = np.sqrt(edges[:-1] * edges[1:])
    seen = sed.flux_density_jy(middle / (1 + redshift), 1e12, redshift, settings) * 1e-26
    sphere = 4 * np.pi * (luminosity.distance_mpc(redshift) * 3.0856775814913673e22) ** 2
    return float(sphere * np.sum(seen * np.diff(edges)) / (1 + redshift) / SUN_W)


@PRESETS
@pytest.mark.parametrize("redshift", [0.01, 0.7, 3.0, 7.0])
def test_what_is_received_at_8_to_1000_um_is_the_infrared_luminosity(preset, redshift):
    assert infrared_lsun(SedSettings(preset=preset), redshift) == pytest.approx(1e12, rel=1e-4)


def test_light_scales_with_luminosity_and_takes_many_frequencies():
    frequency = np.array([[1e10, 1e11], [3e11, 9e11]])
    one = sed.flux_density_jy(frequency, 1e12, 1.5, SedSettings())
    assert one.shape == (2, 2)
    assert np.allclose(sed.flux_density_jy(frequency, 3e13, 1.5, SedSettings()), 30 * one)
    assert float(sed.flux_density_jy(3e11, 1e12, 1.5, SedSettings())) == pytest.approx(one[1, 0])


@PRESETS
def test_dust_is_that_of_casey(preset):
    """A slow copy of Casey 2012: thermal dust of general opacity, and the power law below the turnover."""
    settings, numbers = SedSettings(preset=preset), sed.PRESETS[preset]
    alpha, warmth, beta = numbers.mid_infrared_slope, numbers.temperature_k, numbers.emissivity

    def casey(um: float) -> float:
        def thermal(at):
            x = h * c / (at * 1e-6 * k * warmth)
            return (1 - np.exp(-((200 / at) ** beta))) / at**3 / (np.exp(x) - 1)

        turnover = 0.75 / ((26.68 + 6.246 * alpha) ** -2 + (1.905e-4 + 7.243e-5 * alpha) * warmth)
        return thermal(um) + thermal(turnover) * (um / turnover) ** alpha * np.exp(-((um / turnover) ** 2))

    um = np.array([8.0, 15.0, 30.0, 60.0, 100.0, 200.0, 400.0])
    made = sed.luminosity_w_hz(c / (um * 1e-6), 1e12, 0.5, settings)
    expected = np.array([casey(at) for at in um])
    assert np.allclose(made / made[4], expected / expected[4], rtol=2e-2)


def test_far_beyond_the_peak_dust_falls_as_a_thin_grey_body():
    """Slope 2 + 1.8, less 0.15 as photons are few, 0.05 as it is not quite thin, 0.2 for 5 % of radio light."""
    low, high = sed.luminosity_w_hz(np.array([c / 1.0e-3, c / 0.9e-3]), 1e12, 0.1, SedSettings())
    assert np.log(high / low) / np.log(1.0 / 0.9) == pytest.approx(3.4, abs=0.1)


@pytest.mark.parametrize("redshift", [0.01, 1.0, 4.0])
def test_radio_light_follows_from_the_infrared(redshift):
    """q = 2.88 (1+z)^-0.19 (Delhaize et al. 2017); a tenth at 1.4 GHz is free-free (Condon 1992)."""
    made = float(sed.luminosity_w_hz(1.4e9, 1e12, redshift, SedSettings()))
    assert np.log10(1e12 * SUN_W / 3.75e12 / made) == pytest.approx(2.88 * (1 + redshift) ** -0.19, abs=1e-3)
    ratio = sed.luminosity_w_hz(np.array([1.0e9, 1.02e9]), 1e12, redshift, SedSettings())
    share = 1 / 11
    assert np.log(ratio[1] / ratio[0]) / np.log(1.02) == pytest.approx(-0.8 + 0.7 * share, abs=2e-3)


def test_a_nucleus_is_brighter_in_the_radio_and_in_the_mid_infrared():
    star, agn = (
        sed.luminosity_w_hz(np.array([1.4e9, c / 12e-6, c / 300e-6]), 1e12, 1.0, SedSettings(preset=name))
        for name in ("star_forming", "agn")
    )
    assert agn[0] / star[0] == pytest.approx(10**0.7, rel=0.01) and agn[1] > 2 * star[1] and agn[2] < star[2]


def test_submillimetre_galaxies_are_as_bright_as_observed():
    """4.2 mJy at 870 um is 3e12 L_sun at redshift 2.5 (Swinbank et al. 2014, ALESS), to a factor of 2."""
    assert 2.1e-3 < float(sed.flux_density_jy(345e9, 3e12, 2.5, SedSettings())) < 8.4e-3


def table(tmp_path, text: str, name="my.csv") -> SedSettings:
    path = tmp_path / name
    path.write_text(text)
    return SedSettings(table=str(path))


def test_a_table_of_ones_own_is_scaled_and_read_between_its_rows(tmp_path):
    """L_nu ~ wavelength^2, rows in any order: a power law that two rows hold exactly; L_IR has a closed form."""
    settings = table(tmp_path, "wavelength,luminosity\n3000,90000\n5,0.25\n")
    sed.check(settings)
    um = np.array([8.0, 100.0, 850.0, 2999.0, 9000.0])
    # Integral of (c/nu)^2 over nu is c^2 (1/nu_low - 1/nu_high) = c (1000 - 8 um) at um^2.
    expected = um**2 * 1e12 * SUN_W / (c * 1e6 * (1000 - 8))
    assert np.allclose(sed.luminosity_w_hz(c / (um * 1e-6), 1e12, 2.0, settings), expected, rtol=1e-5)
    assert infrared_lsun(settings, 2.0) == pytest.approx(1e12, rel=1e-4)


def test_a_jagged_table_gives_back_its_luminosity(tmp_path):
    rng = np.random.default_rng(8)
    rows = zip(np.geomspace(3, 2000, 40), np.exp(rng.normal(0, 2, 40)))
    settings = table(tmp_path, "wavelength,luminosity\n" + "\n".join(f"{x},{y}" for x, y in rows))
    assert infrared_lsun(settings, 1.0) == pytest.approx(1e12, rel=1e-3)


def test_units_of_a_table_are_read(tmp_path):
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, unit: mm, datatype: float64}\n"
    head += "# - {name: luminosity, datatype: float64}\n# schema: astropy-2.0\nwavelength luminosity\n"
    settings = table(tmp_path, head + "0.005 0.25\n3.0 90000\n", "my.ecsv")
    in_um = table(tmp_path, "wavelength,luminosity\n5,0.25\n3000,90000\n")
    at = np.array([1e11, 1e12])
    assert np.allclose(sed.luminosity_w_hz(at, 1.0, 1.0, settings), sed.luminosity_w_hz(at, 1.0, 1.0, in_um))


@pytest.mark.parametrize(
    "text, told",
    [
        ("wave,luminosity\n5,1\n2000,1\n", "no column 'wavelength'"),
        ("wavelength,luminosity\n5,1\n900,1\n", "covers 5-900 um; give a table that covers 8-1000 um"),
        ("wavelength,luminosity\n5,1\n2000,-1\n", "not positive numbers"),
        ("wavelength,luminosity\n5,1\n70,\n2000,1\n", "not positive numbers"),
        ("wavelength,luminosity\n5,one\n2000,two\n", "no wavelengths and numbers"),
        ("wavelength,luminosity\n5,1\n70,1\n70,2\n2000,1\n", "a wavelength twice"),
        ("wavelength,luminosity\n", "covers no wavelength"),
        ("", "no ECSV or CSV table|no column"),
        ("\x00\x01", "no ECSV or CSV table|no column"),
    ],
)
def test_a_bad_table_is_told_in_one_sentence(tmp_path, text, told):
    with pytest.raises(UserError, match=told) as error:
        sed.check(table(tmp_path, text))
    assert str(error.value).startswith("sky.sed.table is '") and "\n" not in str(error.value)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="which is no file"):
        sed.check(SedSettings(table=str(tmp_path / "none.csv")))
    with pytest.raises(UserError, match="which is no file"):
        sed.check(SedSettings(table=str(tmp_path)))
