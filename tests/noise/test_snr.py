"""Apparent peak over measured rms: points, resolved sources, pixel models and lines."""

import numpy as np
import pytest
import xarray as xr
from astropy.table import MaskedColumn, Table

from almabrain.data.line import mean_flux_density
from almabrain.noise.snr import measured_snr, sensitivity

FREQUENCY_HZ = 1e11 + 1e6 * np.arange(5)
LINE_HZ = 1.00002e11
CHANNEL_KM_S = 1e6 / LINE_HZ * 299_792.458


def window(continuum_rms=1.0, channel_rms=2.0, noiseless=None, line_free=True, radiometer_rms=0.25):
    """A window with a round beam of 2 arcsec."""
    cube = np.zeros((5, 16, 16)) if noiseless is None else np.broadcast_to(noiseless, (5, 16, 16))
    data = {
        "frequency_hz": FREQUENCY_HZ,
        "channel_width_hz": np.full(5, 1e6),
        "line_free": np.full(5, line_free),
        "noise_rms": np.full(5, channel_rms),
        "bmaj_arcsec": np.full(5, 2.0),
        "bmin_arcsec": np.full(5, 2.0),
    }
    attrs = {"cell_arcsec": 0.5, "ra_deg": 10.0, "dec_deg": 0.0}
    if line_free:
        attrs |= {"continuum_rms": continuum_rms, "radiometer_continuum_rms": radiometer_rms}
    noisy = xr.Dataset({key: ("channel", value) for key, value in data.items()}, attrs=attrs)
    return sensitivity(noisy, xr.Dataset({"dirty_noiseless": (("channel", "y", "x"), cube)}))


def truth(**columns):
    base = {
        "simulation": "sim-000000",
        "kind": "gaussian",
        "ra": 10.0,
        "dec": 0.0,
        "flux": 10.0,
        "reference_frequency": float(FREQUENCY_HZ.mean()),
        "spectral_index": 0.0,
        "major": 0.0,
        "minor": 0.0,
        "line_frequency": np.nan,
        "line_flux": np.nan,
        "line_width": np.nan,
        "line_profile": "gaussian",
        "line_peak": np.nan,
        "pb": 1.0,
        "peak_flux": 10.0,
    }
    columns = np.broadcast_arrays(*map(np.atleast_1d, {**base, **columns}.values()))
    return Table(dict(zip(base, map(np.array, columns), strict=True)))


def snr(table, *windows, column="measured_snr"):
    return measured_snr(table, {"sim-000000": list(windows)})[column][0]


def test_windows_add_in_quadrature():
    assert snr(truth(), window(1.0)) == pytest.approx(10)
    assert snr(truth(), window(1.0), window(0.5)) == pytest.approx(np.hypot(10, 20))


def test_a_source_as_large_as_the_beam_has_half_the_peak():
    assert snr(truth(major=2.0, minor=2.0), window()) == pytest.approx(5)


def test_a_masked_size_is_a_point():
    table = truth()
    table["major"] = MaskedColumn([9.0], mask=[True])
    assert snr(table, window()) == pytest.approx(10)


def test_a_pixel_model_is_judged_by_the_picture_around_it():
    """Centre 7, and 50 far outside its FWHM of 3 arcsec, which belongs to another source."""
    picture = np.zeros((16, 16))
    picture[9, 8], picture[0, 0] = 7.0, 50.0
    assert snr(truth(kind="diffuse", major=3.0, minor=3.0), window(noiseless=picture)) == pytest.approx(7)


def test_a_source_before_a_picture_is_not_taken_for_it():
    """A point of 50 within the picture's FWHM, and the picture's own 7 three arcsec from it."""
    picture = np.zeros((16, 16))
    picture[8, 8], picture[8, 2] = 7.0, 50.0
    east = 3.2 / 3600
    both = truth(kind=["disc", "point"], ra=[10.0, 10.0 + east], major=[8.0, 0.0], minor=[8.0, 0.0])
    assert snr(both, window(noiseless=picture)) == pytest.approx(7)
    covered = truth(kind=["disc", "point"], major=[1.0, 0.0], minor=[1.0, 0.0], peak_flux=[4.0, 50.0])
    assert snr(covered, window(noiseless=picture)) == pytest.approx(4)


def test_a_decrement_is_judged_by_its_deepest_pixel():
    picture = np.zeros((16, 16))
    picture[9, 8], picture[8, 8] = -7.0, 2.0
    table = truth(kind="cluster", flux=-20.0, major=3.0, minor=3.0)
    assert snr(table, window(noiseless=picture)) == pytest.approx(-7)
    assert snr(table, *[window(noiseless=picture)] * 4) == pytest.approx(-14)


def test_absorption_has_a_negative_line_snr():
    line = truth(line_frequency=LINE_HZ, line_flux=-1.0645 * 100 * 50, line_width=50.0)
    assert snr(line, window(), column="line_snr") == pytest.approx(-100 / 2.0, rel=3e-3)


def test_a_line_is_judged_by_its_own_profile():
    """A double horn of the same width and flux is lower than a Gaussian."""
    values = {"line_frequency": LINE_HZ, "line_flux": 5000.0, "line_width": 50.0}
    horned = snr(truth(**values, line_profile="double_horn"), window(), column="line_snr")
    expected = (
        mean_flux_density(FREQUENCY_HZ, np.full(5, 1e6), LINE_HZ, 5000.0, 50.0, "double_horn").max() / 2
    )
    assert horned == pytest.approx(expected)
    assert horned < 0.98 * snr(truth(**values), window(), column="line_snr")


def test_the_line_of_a_picture_is_spread_as_its_continuum():
    values = {"line_frequency": LINE_HZ, "line_flux": 1.0645 * 100 * 50, "line_width": 50.0}
    line = truth(kind="disc", flux=10.0, peak_flux=2.5, **values)
    for peak in (2.5, 4.0):  # in the cube's beam, whatever the archive's
        picture = np.zeros((16, 16))
        picture[8, 8] = peak
        shown = snr(line, window(noiseless=picture), column="line_snr")
        assert shown == pytest.approx(100 * peak / 10 / 2.0, rel=3e-3)
    without = window(noiseless=picture, line_free=False)
    assert snr(line, without, column="line_snr") == pytest.approx(100 * 2.5 / 10 / 2.0, rel=3e-3)


def test_the_line_of_gas_that_moves_is_judged_by_what_a_beam_sees_of_it():
    """Of 100 Jy/beam a channel within the FWHM shows all, one half outside it half, one beyond it nothing."""
    picture = np.zeros((16, 16))
    picture[8, 8] = 10.0
    values = {"line_flux": 1e9, "line_width": 3 * CHANNEL_KM_S, "line_profile": "model", "line_peak": 100.0}
    for below, share in ((-2, 1), (0.9, 1), (1.5, 0.5), (1.75, 0.25), (2.1, 0)):  # the first channel, MHz
        line = truth(kind="tng", line_frequency=FREQUENCY_HZ[0] - 1e6 * below, **values)
        shown = snr(line, window(noiseless=picture), column="line_snr")
        assert shown == pytest.approx(share * 100 / 2, rel=1e-3, abs=1e-6)
    within_one = truth(
        kind="tng", line_frequency=FREQUENCY_HZ[2], **values | {"line_width": 0.2 * CHANNEL_KM_S}
    )
    assert snr(within_one, window(noiseless=picture), column="line_snr") == pytest.approx(50)
    # A beam in which the continuum is twice as bright as in the archive's.
    assert snr(within_one, window(noiseless=2 * picture), column="line_snr") == pytest.approx(100)


def test_the_continuum_has_its_flux_at_the_windows_own_frequency():
    """Dust, S ~ frequency^3.5, given at 110 GHz and judged in windows at 100 GHz: 28 % fainter."""
    dust = truth(reference_frequency=1.1e11, spectral_index=3.5)
    assert snr(dust, window()) == pytest.approx(10 * (FREQUENCY_HZ.mean() / 1.1e11) ** 3.5)


def test_a_broad_line_is_judged_by_its_peak_in_one_channel():
    """Flux 1.0645 x peak x FWHM, attenuated by the primary beam."""
    line = truth(line_frequency=LINE_HZ, line_flux=1.0645 * 100 * 50, line_width=50.0, pb=0.5)
    assert snr(line, window(), column="line_snr") == pytest.approx(100 * 0.5 / 2.0, rel=3e-3)


def test_a_narrow_line_is_diluted_by_the_channel():
    line = truth(line_frequency=1.00002e11, line_flux=100 * CHANNEL_KM_S, line_width=0.1)
    assert snr(line, window(), column="line_snr") == pytest.approx(100 / 2.0, rel=1e-3)


def test_a_line_on_the_border_of_two_channels_gives_each_half():
    line = truth(line_frequency=1.000025e11, line_flux=100 * CHANNEL_KM_S, line_width=0.1)
    assert snr(line, window(), column="line_snr") == pytest.approx(50 / 2.0, rel=1e-3)


def test_a_line_does_not_raise_the_continuum():
    line = truth(line_frequency=LINE_HZ, line_flux=1e6, line_width=50.0)
    assert snr(line, window()) == pytest.approx(10)
    assert snr(truth(), window(), column="line_snr") == 0


def test_a_line_outside_the_window_does_not_count():
    line = truth(line_frequency=2e11, line_flux=1e6, line_width=50.0)
    assert snr(line, window(), column="line_snr") == 0


def test_the_radiometer_noise_is_judged_apart():
    """What is drawn may be four times the noise that the visibilities have."""
    both = [window(1.0, radiometer_rms=0.25), window(1.0, radiometer_rms=0.25)]
    assert snr(truth(), *both, column="radiometer_snr") == pytest.approx(4 * snr(truth(), *both))


def test_a_window_full_of_line_has_no_say_in_the_continuum():
    assert snr(truth(), window(), window(line_free=False)) == pytest.approx(10)


def test_a_simulation_without_cubes_has_no_number():
    assert np.isnan(snr(truth()))
