"""Executions, arrays of two sizes and mosaics, held against sums that know nothing of their machinery."""

import numpy as np
import pytest

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import lm_from_radec
from almabrain.instrument import noise, primary_beam
from almabrain.response.primary_beam import ArrayBeam
from almabrain.simulate.observe import observe
from almabrain.simulate.shared import Shared

from .conftest import ARCSEC, PADS, SPEED_OF_LIGHT, make_row, make_sky

SEVEN = "J501:CM01 J503:CM03 J504:CM04 J506:CM06 J509:CM09"
MOSAIC = "0,0 13,0 6.5,11.3 -6.5,11.3"
SMALL = {"n_pix": 256, "cell_arcsec": 0.2, "integration_s": 60.0}
KINDS = {
    "single": {},
    "mixed": {"antenna_arrays": f"{PADS} {SEVEN}", "array": "12m+7m"},
    "mosaic": {"pointings": MOSAIC},
    "mixed mosaic": {"antenna_arrays": f"{PADS} {SEVEN}", "array": "12m+7m", "pointings": MOSAIC},
    "aside": {"pointings": "9,-5"},
}


def run(sky, *rows, seed=1, shared=None, **settings):
    rng, settings = np.random.default_rng(seed), SimulateSettings(**(SMALL | settings))
    return dict(observe(rows, {"spw0": sky}, settings, rng, shared=shared))


def short_row(**changes):
    return make_row(**{"t_exptime": 240.0} | changes)


def scene():
    """Three components and two pixels off the centre, unlike in the two channels."""
    sky = make_sky([(6.0, -4.0, 1.0), (-9.5, 7.25, 0.4), (11.0, 13.0, 0.7)], [229e9, 231e9])
    sky["component_flux_jy"][2, 1] = 0.2
    model = np.zeros((2, 64, 64))
    model[:, 40, 20], model[1, 22, 37] = 0.7, 0.2
    sky["pixel_model_jy"] = ("channel", "y", "x"), model, {"pixel_cell_arcsec": 0.5}
    return sky


def lights(sky):
    """Direction cosines about the target and fluxes (light, channel) of a scene's components and pixels."""
    model = sky["pixel_model_jy"].values
    y, x = np.nonzero(model.any(axis=0))
    l, m = lm_from_radec(
        sky["ra_deg"].values, sky["dec_deg"].values, sky.attrs["ra_deg"], sky.attrs["dec_deg"]
    )
    l, m = np.append(l, -(x - 32) * 0.5 * ARCSEC), np.append(m, (y - 32) * 0.5 * ARCSEC)
    return l, m, np.concatenate([sky["component_flux_jy"].values, model[:, y, x].T])


def direct_sum(made, sky):
    """Each visibility as its own sum over the lights about its own pointing, behind its own two dishes."""
    window, places = made["spw0"], made["pointings"]
    attrs, diameter = sky.attrs, made["antennas"]["diameter_m"].values
    l, m, flux = lights(sky)
    n = np.sqrt(1 - l**2 - m**2)
    (sin_dec, cos_dec), ra0 = (f(np.radians(attrs["dec_deg"])) for f in (np.sin, np.cos)), attrs["ra_deg"]
    dec = np.degrees(np.arcsin(m * cos_dec + n * sin_dec))
    ra = ra0 + np.degrees(np.arctan2(l, n * cos_dec - m * sin_dec))
    expected = np.zeros(window["visibility_noiseless"].shape, complex)
    for row, uvw in enumerate(window["uvw_m"].values):
        at = int(window["pointing"][row])
        here = lm_from_radec(ra, dec, float(places["ra_deg"][at]), float(places["dec_deg"][at]))
        offset = np.arcsin(np.hypot(*here))
        path = np.stack([*here, np.sqrt(1 - here[0] ** 2 - here[1] ** 2) - 1]).T @ uvw
        for channel, frequency in enumerate(window["frequency_hz"].values):
            first, second = (
                primary_beam.voltage(offset, frequency, diameter[int(window[name][row])])
                for name in ("antenna1", "antenna2")
            )
            wave = np.exp(2j * np.pi * path * frequency / SPEED_OF_LIGHT)
            expected[row, channel] = np.sum(flux[:, channel] * first * second * wave)
    return expected


@pytest.mark.parametrize("kind", KINDS)
def test_noiseless_visibilities_are_direct_sums_about_their_own_pointing(kind):
    sky = scene()
    made = run(sky, short_row(**KINDS[kind]))
    window = made["spw0"]
    expected = direct_sum(made, sky)
    error = np.abs(window["visibility_noiseless"].values - expected).max() / lights(sky)[2].sum(axis=0).max()
    print(kind, "largest error", error)
    assert np.abs(window["uvw_m"].values[:, 2]).max() * 230e9 / SPEED_OF_LIGHT > 3e4
    assert error < 1e-5


def test_the_dirty_image_of_a_mixed_array_shows_a_source_behind_pb():
    place = (7.2, -5.6)
    window = run(make_sky([(*place, 1.0)], [230e9]), short_row(**KINDS["mixed"]))["spw0"]
    x, y = 128 - 36, 128 - 28
    pb = float(window["pb"][0, y, x])
    assert float(window["dirty_noiseless"][0, y, x]) == pytest.approx(pb, rel=1e-4)
    twelve, seven = (primary_beam.power(np.hypot(*place) * ARCSEC, 230e9, d) for d in (12.0, 7.0))
    assert twelve < pb < seven
    predicted = ArrayBeam.of_rows([short_row(**KINDS["mixed"])])
    assert predicted.power(place[0] * ARCSEC, place[1] * ARCSEC, 230e9) == pytest.approx(pb, rel=2e-3)


@pytest.mark.parametrize("kind", ["mosaic", "mixed mosaic"])
@pytest.mark.parametrize("weighting", ["natural", "briggs"])
@pytest.mark.parametrize("place", [(6.4, 5.6), (-12.0, 17.0), (0.0, 0.0)])
def test_a_mosaic_divided_by_pb_shows_the_flux(kind, weighting, place):
    """Between all four pointings, at the edge, and at the target."""
    row = short_row(**KINDS[kind])
    window = run(make_sky([(*place, 2.0)], [230e9]), row, weighting=weighting)["spw0"]
    x, y = 128 - round(place[0] / 0.2), 128 + round(place[1] / 0.2)
    pb = float(window["pb"][0, y, x])
    assert float(window["dirty_noiseless"][0, y, x]) / pb == pytest.approx(2.0, rel=1e-4)
    assert float(window["pb"].max()) == pytest.approx(1, abs=1e-3)
    if weighting == "natural":
        predicted = ArrayBeam.of_rows([row]).power(place[0] * ARCSEC, place[1] * ARCSEC, 230e9)
        assert predicted == pytest.approx(pb, rel=5e-3)
    if place == (0.0, 0.0):
        expected = 2 * float(window["pb"][0, 128, 128]) * window["psf"].values
        np.testing.assert_allclose(window["dirty_noiseless"], expected, atol=1e-5)


def test_a_mosaic_of_one_pointing_is_that_field():
    sky = make_sky([(1.0, 2.0, 1.0)], [230e9])
    plain, one = (run(sky, short_row(pointings=text))["spw0"] for text in ("", "0,0"))
    for name in ("dirty", "psf", "pb"):
        np.testing.assert_array_equal(plain[name], one[name])


NOISE = {
    "12m": {},
    "7m": {"antenna_arrays": SEVEN + " J511:CM11 N602:CM12", "array": "7m"},
    "mixed": KINDS["mixed"],
    "mosaic": KINDS["mosaic"],
    "mixed mosaic": KINDS["mixed mosaic"],
}


@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_the_radiometer_equations_and_flat(kind):
    """The rms in natural images of 20 seeds, each of 8 channels, as one image holds few independent samples."""
    row, sky = short_row(**NOISE[kind]), make_sky([], 230e9 + 1e8 * np.arange(8))
    options = {"shared": Shared(), "n_pix": 144, "visibilities": False}
    cubes = [run(sky, row, seed=seed, **options)["spw0"] for seed in range(20)]
    predicted = cubes[0]["rms_jy_beam"].values
    scaled = np.stack([cube["dirty"].values for cube in cubes]) / predicted[:, None, None]
    print(kind, "measured/predicted", scaled.std())
    assert scaled.std() == pytest.approx(1, rel=0.02)
    quarters = [part.std() for half in np.split(scaled, 2, axis=2) for part in np.split(half, 2, axis=3)]
    assert quarters == pytest.approx([1] * 4, rel=0.04)
    assert "mosaic" in kind or predicted[0] == pytest.approx(radiometer(row), rel=0.01)


def radiometer(row):
    """σ_I = 2k / (η √(2 Δν t Σ_pairs 2 A_i A_j / T²)) of one pointing, at the source's mean elevation."""
    dishes = [12.0 if ":D" in name else 7.0 for name in row["antenna_arrays"].split()]
    each = {
        d: noise.image_sensitivity(230e9, 100e6, 240.0, 2, d, row["pwv"], np.radians(78.0), band=6)
        for d in (12.0, 7.0)
    }
    pairs = [each[a] * each[b] for k, a in enumerate(dishes) for b in dishes[k + 1 :]]
    return np.sum(1 / np.array(pairs)) ** -0.5


def test_executions_follow_each_other_with_their_own_antennas_and_weather():
    sky = make_sky([(1.0, 2.0, 1.0)], [230e9])
    rows = [
        short_row(observation="wet", pwv=5.0),
        make_row(
            observation="dry", t_exptime=60.0, t_min=58850.31, pwv=0.5, antenna_arrays="A007:DV05 A089:DA61"
        ),
    ]
    made = run(sky, *rows)
    window, stations = made["spw0"], made["antennas"]
    assert window.attrs["observation"] == "wet, dry" and window.sizes["row"] == 4 * 45 + 1
    assert stations["execution"].values.tolist() == [0] * 10 + [1] * 2
    assert stations["pad"].values[10:].tolist() == ["A007", "A089"]
    last = window.isel(row=-1)
    assert [int(last[key]) for key in ("antenna1", "antenna2", "execution", "scan")] == [10, 11, 1, 1]
    assert float(last["time_mjd_s"]) / 86400 == pytest.approx(58850.31 + 30 / 86400, abs=1e-6)
    apart = np.linalg.norm(np.diff(stations["itrf_m"].values[10:], axis=0))
    assert np.linalg.norm(last["uvw_m"]) == pytest.approx(apart, rel=1e-6)
    wet, dry = (
        noise.visibility_sigma(230e9, 100e6, 60.0, 12.0, pwv, np.radians(78.0), band=6) for pwv in (5.0, 0.5)
    )
    assert float(window["sigma_jy"][0, 0]) == pytest.approx(wet, rel=0.02)
    assert float(last["sigma_jy"][0]) == pytest.approx(dry, rel=0.02)
    # Together they see as deep as their weights add up.
    alone = [float(run(sky, row)["spw0"]["rms_jy_beam"][0]) for row in (rows[0], rows[0])]
    assert float(window["rms_jy_beam"][0]) < alone[0]


def test_two_arrays_in_turn_are_no_mixed_array():
    """12 m and 7 m dishes in two executions make two kinds of baselines, and each its own beam."""
    sky = scene()
    made = run(sky, short_row(), short_row(antenna_arrays=SEVEN, array="7m", t_min=58850.31))
    window = made["spw0"]
    assert "dish_diameter_m" not in window.attrs
    expected = direct_sum(made, sky)
    np.testing.assert_allclose(window["visibility_noiseless"], expected, atol=2e-6)


def test_shadowed_rows_are_flagged_and_have_no_part_in_the_images():
    low = {"antenna_arrays": "J501:CM01 J502:CM02 J503:CM03 J506:CM06 J509:CM09", "array": "7m"}
    row = short_row(**low, t_min=58849.31 - 5.2 / 24)
    sky = make_sky([(1.0, 2.0, 1.0)], [230e9])
    window = run(sky, row, elevation_limit_deg=5.0)["spw0"]
    flag = window["flag"].values
    assert 0 < flag.sum() < flag.size
    weight = np.where(flag, 0, 1 / window["sigma_jy"].values[:, 0].astype(float) ** 2)
    shift = window["uvw_m"].values @ np.array([-10, 7, 0]) * 0.2 * ARCSEC * 230e9 / SPEED_OF_LIGHT
    stokes_i = window["visibility"].values[:, 0].mean(axis=-1)
    direct = np.sum(weight * (stokes_i * np.exp(-2j * np.pi * shift)).real) / weight.sum()
    assert float(window["dirty"][0, 128 + 7, 128 + 10]) == pytest.approx(direct, abs=1e-4)
    assert float(window["rms_jy_beam"][0]) == pytest.approx((2 * weight.sum()) ** -0.5, rel=1e-5)


def test_nothing_left_but_shadow():
    low = {"t_min": 58849.31 - 4.9 / 24, "t_exptime": 60.0}
    row = short_row(antenna_arrays="J501:CM01 J502:CM02", array="7m", **low)
    with pytest.raises(
        UserError, match="observation 'test.*': no unflagged baseline is left, of 1 rows, 1 by dishes in"
    ):
        run(make_sky([], [230e9], dec_deg=-12.0), row, elevation_limit_deg=5.0)


def test_w_is_left_out_only_where_it_makes_no_difference_and_the_log_says_which(caplog):
    sky = make_sky([(1.0, 2.0, 1.0)], [230e9])
    with caplog.at_level("INFO"):
        run(sky, short_row())
        run(sky, short_row(), n_pix=64)
    first, second = (r.message for r in caplog.records if "|w(n−1)|" in r.message)
    assert "spw0" in first and "over its 51.2 arcsec: w is gridded" in first
    assert "over its 12.8 arcsec: planar" in second
