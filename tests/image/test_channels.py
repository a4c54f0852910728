"""Channels without lines are found, those asked for are taken, and all come onto one grid in the LSRK."""

import numpy as np
import pytest
import xarray as xr

from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_KM_S
from almabrain.image import channels, lsrk, visibilities
from almabrain.instrument import pads
from almabrain.response.predict import predict_components

FREQUENCY_HZ, STEP_HZ = 230e9, 1e6
SITE = pads.itrf(["A001"])[0]


def observe(continuum_jy, line_jy, sigma_jy, seed, place=(2.0, -3.0), count=128, pointing=0.0, extended=0.0):
    """A window of 12 antennas: a continuum at the centre, `line_jy` (channel,) at `place` [arcsec] or about it."""
    rng = np.random.default_rng(seed)
    antennas = rng.normal(0, 80, (12, 3)) * [1, 1, 0.05]
    first, second = np.triu_indices(12, 1)
    uvw = np.concatenate([(antennas[second] - antennas[first]) * (1 + 0.02 * step) for step in range(8)])
    frequency = FREQUENCY_HZ + STEP_HZ * np.arange(count)
    flux = np.stack([continuum_jy * (frequency / FREQUENCY_HZ) ** 3, line_jy])
    l, m = np.array([[0.0, place[0]], [0.0, place[1] + pointing]]) * ARCSEC
    size = np.array([0.0, extended]) * ARCSEC
    value = predict_components(uvw, frequency, flux, l, m, size, size, np.zeros(2))
    noise = sigma_jy * (rng.standard_normal((2, *value.shape)))
    return xr.Dataset(
        {
            "uvw_m": (("row", "axis"), uvw),
            "time_mjd_s": ("row", 5e9 + 30.0 * np.repeat(np.arange(8), len(first))),
            "antenna1": ("row", np.tile(first, 8)),
            "antenna2": ("row", np.tile(second, 8)),
            "visibility": (("row", "channel"), value + noise[0] + 1j * noise[1]),
            "weight": (("row", "channel"), np.full(value.shape, sigma_jy**-2.0)),
            "frequency_hz": ("channel", frequency),
            "channel_width_hz": ("channel", np.full(count, STEP_HZ)),
            "number": ("channel", np.arange(count)),
        },
        attrs={
            "dishes_m": [12.0, 12.0],
            "frame": "TOPO",
            "ra_deg": 150.0,
            "dec_deg": -35.0,
            "site_m": list(SITE),
        },
    )


def gaussian(peak, centre, sigma, count=128):
    return peak * np.exp(-((np.arange(count) - centre) ** 2) / (2 * sigma**2))


def narrow():
    return gaussian(1.0, 40.3, 2.0)


def broad():
    return gaussian(1.0, 70.0, 12.0)


def double():
    return gaussian(1.0, 50.0, 2.5) + gaussian(1.0, 62.0, 2.5)


def absorption():
    return gaussian(-1.0, 90.0, 3.0)


def at_the_edge():
    return gaussian(1.0, 0.0, 4.0)


SIGMA_JY = 0.1
CHANNEL_JY = SIGMA_JY / np.sqrt(8 * 66)  # noise of a channel's flux from all visibilities


@pytest.mark.parametrize("shape", [narrow, broad, double, absorption, at_the_edge])
@pytest.mark.parametrize("strength", [10, 300])  # peak over the noise of one channel's flux
def test_lines_are_found_and_little_else(shape, strength, caplog):
    line = shape() * strength * CHANNEL_JY
    missed, lost = [], []
    for seed in range(6):
        free = channels.line_free([observe(0.05, line, SIGMA_JY, seed)])
        missed.append(line[free].sum() / free.sum() / (CHANNEL_JY / np.sqrt(free.sum())))
        lost.append((~free)[np.abs(line) < 0.01 * CHANNEL_JY].sum())
    # What is left of the line moves the continuum's flux by about its error or less; wings at the test's level cannot
    # be told from noise, and move it by a few at most.
    assert np.sqrt(np.mean(np.square(missed))) < 1.3 and np.abs(missed).max() < 3
    assert np.mean(lost) < 0.15 * 128 and not caplog.text


def test_a_continuum_alone_keeps_nearly_all_channels():
    lost = [(~channels.line_free([observe(0.5, np.zeros(128), SIGMA_JY, seed)])).sum() for seed in range(30)]
    assert np.mean(lost) < 0.02 * 128 and np.mean(np.array(lost) > 0) < 0.35  # 0.2 by chance


def test_a_line_in_one_pointing_of_a_mosaic():
    line = narrow() * 30 * CHANNEL_JY
    windows = [observe(0.0, line * (k == 2), SIGMA_JY, k, place=(8.0, 0.0), extended=4.0) for k in range(5)]
    free = channels.line_free(windows)
    assert not free[37:44].any() and free.sum() > 100


def test_ranges_and_kinds_of_choice():
    window = observe(0.1, 100 * CHANNEL_JY * narrow(), SIGMA_JY, 0)
    number, frequency = np.arange(128), window.frequency_hz.values
    np.testing.assert_array_equal(channels.ranges("5~7; 20", frequency, number).nonzero()[0], [5, 6, 7, 20])
    in_ghz = channels.ranges("230.0015~230.0045GHz", frequency, number)
    np.testing.assert_array_equal(in_ghz.nonzero()[0], [2, 3, 4])
    # Numbers are those of the file, whose frequencies may fall.
    np.testing.assert_array_equal(channels.ranges("0~1", frequency, number[::-1]).nonzero()[0], [126, 127])
    with pytest.raises(UserError, match="231~232GHz.*230 to 230.127 GHz"):
        channels.ranges("231~232GHz", frequency, number)
    assert channels.choose("all", [window], "w").all()
    few = window.isel(channel=slice(36, 42))
    assert channels.choose("line_free", [few], "w").all()


def test_a_crowded_band_is_told_of(caplog):
    crowded = observe(0.0, np.where(np.arange(128) % 9 < 6, 1.0, 0.0), SIGMA_JY, 0)
    channels.line_free([crowded])
    assert "below the continuum" in caplog.text
    waves = np.sin(np.arange(128) / 3)
    with pytest.raises(UserError, match="hardly any of the 128 channels of w"):
        channels.choose("line_free", [observe(0.0, waves, SIGMA_JY, 0)], "w")


def test_averaging_does_not_reach_across_a_line():
    window = observe(0.1, np.zeros(128), SIGMA_JY, 0).isel(channel=[*range(0, 6), *range(20, 25)])
    averaged = visibilities.average_channels(window, 4)
    np.testing.assert_allclose((averaged.frequency_hz - FREQUENCY_HZ) / STEP_HZ, [1.5, 4.5, 21.5, 24.0])
    np.testing.assert_allclose(averaged.channel_width_hz, np.array([4, 2, 4, 1]) * STEP_HZ)


@pytest.mark.parametrize("frame", ["TOPO", "GEO", "BARY"])
def test_lsrk_as_casacore_has_it(frame):
    measures = pytest.importorskip("casacore.measures").measures()
    rng = np.random.default_rng(0)
    for _ in range(10):
        ra, dec, time = rng.uniform(0, 360), rng.uniform(-80, 40), rng.uniform(55500, 60000) * 86400
        measures.do_frame(measures.position("ITRF", *(f"{x}m" for x in SITE)))
        measures.do_frame(measures.epoch("UTC", f"{time}s"))
        measures.do_frame(measures.direction("ICRS", f"{ra}deg", f"{dec}deg"))
        theirs = measures.measure(measures.frequency(frame, "230GHz"), "LSRK")["m0"]["value"]
        ours = 230e9 * lsrk.factor(frame, np.array([time]), ra, dec, SITE)[0]
        # casacore places the site's daily motion of 0.46 km/s to about a percent.
        assert (ours / theirs - 1) * SPEED_OF_LIGHT_KM_S == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("retuned", [False, True])
def test_executions_of_two_seasons_come_onto_one_grid(retuned):
    """A line that stands still in the LSRK, seen half a year apart, when the Earth moves the other way."""
    times = np.array([58850.3, 59030.9]) * 86400
    centre, sigma_hz = FREQUENCY_HZ + 64 * STEP_HZ, 4 * STEP_HZ
    middle = lsrk.factor("TOPO", times, 150.0, -35.0, SITE).mean()
    windows, shifts = [], []
    for number, time in enumerate(times):
        here = lsrk.factor("TOPO", np.array([time]), 150.0, -35.0, SITE)[0]
        window = observe(0.0, np.zeros(128), SIGMA_JY, number)
        if (
            retuned
        ):  # to the same LSRK frequency at the beginning of each execution, but for a fraction of a channel
            window["frequency_hz"] = window.frequency_hz * middle / here + 0.37 * STEP_HZ * number
        in_lsrk = window.frequency_hz.values * here / middle
        line = np.exp(-((in_lsrk - centre) ** 2) / (2 * sigma_hz**2))
        shifts.append(centre * middle / here)
        windows.append(window.assign(
            visibility=window.visibility * 0 + line, time_mjd_s=window.time_mjd_s * 0 + time
        ))  # fmt: skip
    assert abs(np.diff(shifts))[0] > 15 * STEP_HZ
    (group,) = lsrk.regrid(dict(enumerate(windows)))
    moved, found = list(group.values()), []
    for window in moved:
        spectrum = np.where((window.weight > 0).any("row"), window.visibility.real.max("row"), 0)
        found.append(float((spectrum * window.frequency_hz).sum() / spectrum.sum()))
        assert window.attrs["frame"] == "LSRK" and spectrum.sum() == pytest.approx(
            4 * np.sqrt(2 * np.pi), rel=0.01
        )
    assert np.diff(found)[0] == pytest.approx(0, abs=0.05 * STEP_HZ)
    assert found[0] == pytest.approx(centre * middle, abs=0.1 * STEP_HZ)
    np.testing.assert_array_equal(*[window.frequency_hz for window in moved])


def test_interpolated_channels_keep_the_error_of_their_sum():
    windows = [observe(0.0, np.zeros(128), SIGMA_JY, number) for number in range(2)]
    windows[1]["time_mjd_s"] = windows[1].time_mjd_s + 100 * 86400
    (group,) = lsrk.regrid(dict(enumerate(windows)))
    for window in group.values():
        used = window.isel(channel=(window.weight > 0).all("row").values)
        value, weight = used.visibility.values, used.weight.values
        assert np.allclose(weight, SIGMA_JY**-2.0)
        # One channel has less noise than its weight says, as the attribute tells; the mean of all has just that.
        one = (weight * np.abs(value) ** 2).mean() / 2
        assert one == pytest.approx(window.attrs["channel_variance"], rel=0.02) and one < 0.99
        whole = np.abs(value.sum(1)) ** 2 / (2 * SIGMA_JY**2 * value.shape[1])
        assert whole.mean() == pytest.approx(1, abs=3 / np.sqrt(len(whole)))


def test_frames_that_lead_nowhere():
    window = observe(0.0, np.zeros(128), SIGMA_JY, 0)
    with pytest.raises(UserError, match="frame REST"):
        lsrk.regrid({"w": window.assign_attrs(frame="REST")})
    without = window.assign_attrs()
    del without.attrs["site_m"]
    with pytest.raises(UserError, match="where on Earth"):
        lsrk.regrid({"w": without})


@pytest.mark.real_data
def test_the_antennae_in_the_lsrk(real_data):
    path = real_data / "visibilities/antennae_north_mosaic.ms"
    settings = VisibilitySettings(frame="LSRK", fields=[0, 1])
    window = visibilities.from_measurement_set(path, settings)["spw0.p0"]
    native = visibilities.from_measurement_set(path, VisibilitySettings(fields=[0, 1]))["spw0.p0"]
    shift = (window.frequency_hz.values[0] / native.frequency_hz.values[0] - 1) * SPEED_OF_LIGHT_KM_S
    # In June the Earth recedes from 12h of right ascension by nearly all of its 30 km/s.
    assert window.attrs["frame"] == "LSRK" and 20 < shift < 32
