import numpy as np
import pytest

from almabrain.console.errors import UserError
from almabrain.instrument import atmosphere, noise, receivers, site


def test_natural_image_noise_follows_from_the_visibilities_noise():
    """Averages the noise of every visibility of a small array by hand and compares with the formula."""
    n_antennas, n_times, n_pol, step_s = 7, 11, 2, 10.0
    sigma = noise.visibility_sigma(2.3e11, 2e9, step_s, 12, 1.0, np.pi / 3)
    rng = np.random.default_rng(3)
    baselines = n_antennas * (n_antennas - 1) // 2
    # at the phase centre the dirty image is the weighted mean of the real parts
    draws = rng.normal(0, sigma, (4000, n_pol * baselines * n_times)).mean(axis=1)
    predicted = noise.image_sensitivity(2.3e11, 2e9, n_times * step_s, n_antennas, 12, 1.0, np.pi / 3, n_pol)
    assert sigma / np.sqrt(n_pol * baselines * n_times) == pytest.approx(predicted, rel=1e-12)
    assert draws.std() == pytest.approx(predicted, rel=0.05)


def test_radiometer_equation_by_hand():
    """A transparent case worked out step by step at 100 GHz."""
    tau = (0.01122 + 1.0 * 0.007082) / np.sin(np.deg2rad(60))
    sky = 247.7 * (1 - np.exp(-tau)) + 0.996 * np.exp(-tau)  # h nu / k = 4.799 K; J(2.725 K) = 0.996 K
    system = (40 + 0.95 * sky + 0.05 * 270) * np.exp(tau) / 0.95
    assert noise.system_temperature(1e11, 1.0, np.deg2rad(60)) == pytest.approx(system, rel=1e-3)
    area = 0.72 * np.exp(-((4 * np.pi * 25e-6 / 2.99792e-3) ** 2)) * np.pi * 36
    sigma = 2 * 1.380649e-23 * system / (0.96 * 0.88 * area * np.sqrt(2 * 1e9 * 6)) / 1e-26
    assert noise.visibility_sigma(1e11, 1e9, 6, 12, 1.0, np.deg2rad(60)) == pytest.approx(sigma, rel=1e-3)


def test_noise_scales_as_the_radiometer_equation():
    def sigma(bandwidth=1e4, time=60.0, antennas=40, pol=2):
        return noise.image_sensitivity(3.4e11, bandwidth, time, antennas, 12, 0.7, 1.0, pol)

    assert sigma() / sigma(bandwidth=4e4) == pytest.approx(2)
    assert sigma() / sigma(time=540) == pytest.approx(3)
    assert sigma(pol=1) / sigma() == pytest.approx(np.sqrt(2))
    assert sigma(antennas=10) / sigma() == pytest.approx(np.sqrt(40 * 39 / 90))


def test_more_water_and_lower_elevation_are_worse():
    temperatures = noise.system_temperature(6.9e11, np.array([0.3, 0.6, 1.2]), np.pi / 2)
    assert np.all(np.diff(temperatures) > 0)
    assert noise.system_temperature(6.9e11, 0.5, 0.6) > noise.system_temperature(6.9e11, 0.5, 1.5)


def test_double_sideband_doubles_the_noise():
    single = receivers.bands()[9]._replace(image_gain=0.0)
    both = noise.system_temperature(6.6e11, 0.5, 1.2)
    assert receivers.bands()[9].image_gain == 1
    received = (
        single.receiver_temperature_k + 0.95 * atmosphere.sky_temperature(6.6e11, 0.5, 1.2) + 0.05 * 270
    )
    assert both == pytest.approx(2 * received * np.exp(atmosphere.opacity(6.6e11, 0.5, 1.2)) / 0.95)


def test_opacity_is_a_table_of_real_air():
    grid = np.array([118.75, 183.25, 100, 230, 345, 690]) * 1e9
    oxygen, water, *windows = atmosphere.zenith_opacity(grid, 1.0)
    assert oxygen > 5 and water > 1.5
    assert np.all(np.diff(windows) > 0) and windows[0] < 0.03 and 0.8 < windows[-1] < 1.5
    assert atmosphere.opacity(2.3e11, 1, np.pi / 6) == pytest.approx(2 * atmosphere.zenith_opacity(2.3e11, 1))


def test_sky_temperature_has_its_limits():
    assert atmosphere.sky_temperature(118.75e9, 1, 1.0) == pytest.approx(253, abs=2)
    # towards no air only the cosmic background is left, with its Rayleigh-Jeans value
    assert atmosphere.background_temperature(1e9) == pytest.approx(2.725, rel=0.01)
    assert atmosphere.background_temperature(2.3e11) == pytest.approx(0.195, rel=0.02)


def test_aperture_efficiency_is_the_handbooks():
    assert receivers.aperture_efficiency(1e11, 12) == pytest.approx(0.71, abs=0.01)
    assert receivers.aperture_efficiency(3.45e11, 12) == pytest.approx(0.63, abs=0.01)
    assert receivers.aperture_efficiency(8.7e11, 12) == pytest.approx(0.31, abs=0.02)
    assert receivers.aperture_efficiency(8.7e11, 7) > receivers.aperture_efficiency(8.7e11, 12)


def test_bands_hold_their_frequencies():
    numbers = [receivers.band_of(ghz * 1e9).number for ghz in (40, 100, 150, 200, 230, 345, 460, 690, 870)]
    assert numbers == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    with pytest.raises(UserError, match="550.000 GHz lies in no ALMA band"):
        receivers.band_of(5.5e11)


def test_elevation_against_astropy(place):
    from astropy import units as u
    from astropy.coordinates import AltAz, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    mjd = 55000.0 + np.arange(0, 5000, 371.37)
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        seen = SkyCoord(187.0, -12.0, unit="deg").transform_to(
            AltAz(obstime=Time(mjd, format="mjd"), location=place)
        )
    ours = np.rad2deg(site.elevation_rad(187.0, -12.0, mjd * 86400))
    assert np.abs(ours - seen.alt.to_value(u.deg)).max() < 0.0125


def test_system_temperature_has_the_water_line_at_183_ghz():
    """The line stands at 183.31 GHz, grows with the water and with the air mass, and moves nothing at 100 GHz."""
    frequency = np.arange(175e9, 192e9, 2e7)
    dry, moist, low = (
        noise.system_temperature(frequency, pwv, elevation, 5)
        for pwv, elevation in ((0.3, np.pi / 2), (0.6, np.pi / 2), (0.3, np.pi / 6))
    )
    assert frequency[dry.argmax()] == pytest.approx(183.31e9, abs=2e7)
    assert dry.max() > 3.5 * dry[0] and dry.max() > 3.5 * dry[-1]
    assert np.all(moist > dry) and np.all(low > dry)
    # twice the air mass is twice the water, and twice the dry air on top: the line's core
    core = dry.argmax()
    assert low[core] == pytest.approx(moist[core], rel=0.05) and low[core] > moist[core]
    assert moist[core] / dry[core] > 2
    far = noise.system_temperature(1e11, np.array([0.3, 0.6]), np.pi / 2)
    assert far[1] / far[0] < 1.02


def test_a_wide_channel_has_the_noise_of_its_narrow_ones():
    """62.5 MHz about an ozone line: variances of its 10 MHz parts averaged, whichever side the line lies on."""
    for centre in (237.12e9, 237.15e9, 237.18e9):
        parts = centre + (np.arange(25) - 12) * 2.5e6
        narrow = noise.visibility_sigma(parts, 2.5e6, 6, 12, 1.0, np.pi / 3)
        wide = noise.visibility_sigma(centre, 62.5e6, 6, 12, 1.0, np.pi / 3)
        assert wide == pytest.approx(np.sqrt((narrow**2).mean() / 25), rel=0.02)
    middle = noise.visibility_sigma(237.15e9, 1e3, 6, 12, 1.0, np.pi / 3) * np.sqrt(1e3 / 62.5e6)
    wide = noise.visibility_sigma(237.15e9, 62.5e6, 6, 12, 1.0, np.pi / 3)
    assert abs(wide / middle - 1) > 0.03


def test_system_temperature_sees_lines_of_ozone():
    """Ozone at 235.71 and 237.15 GHz: a few tens of MHz wide, each of some tens of K."""
    for line_hz in (235.71e9, 237.15e9):
        nearby = line_hz + np.linspace(-3e8, 3e8, 121)
        temperature = noise.system_temperature(nearby, 1.0, np.deg2rad(60))
        assert nearby[temperature.argmax()] == pytest.approx(line_hz, abs=2e7)
        assert temperature.max() > 1.2 * np.median(temperature)


def test_weights_of_pairs_add_up_to_an_image():
    """Against `image_sensitivity` of one size, and against a sum over the pairs of both."""
    row = {"s_ra": 20.0, "s_dec": -40.0, "t_min": 59000.3, "t_exptime": 600.0, "pwv": 1.0, "band_list": 6}
    frequency, bandwidth = (230e9, 240e9), (2e9, 1e9)
    elevation = max(site.middle_elevation_rad(row), site.LOWEST_ELEVATION_RAD)

    def sensitivity(number, size):
        return noise.image_sensitivity(frequency, bandwidth, 600.0, number, size, 1.0, elevation, band=6)

    large = noise.pair_weights(row | {"antenna_arrays": "A:DV01 B:DV02 C:DA03 D:PM01"}, frequency, bandwidth)
    assert list(large) == [(12.0, 12.0)]
    np.testing.assert_allclose(large[12.0, 12.0], sensitivity(4, 12.0) ** -2.0, rtol=1e-12)
    mixed = noise.pair_weights(row | {"antenna_arrays": "A:DV01 B:CM01 C:CM02"}, frequency, bandwidth)
    assert list(mixed) == [(12.0, 7.0), (7.0, 7.0)]
    np.testing.assert_allclose(mixed[7.0, 7.0], sensitivity(2, 7.0) ** -2.0, rtol=1e-12)
    unlike = 2 / (sensitivity(2, 7.0) * sensitivity(2, 12.0))
    np.testing.assert_allclose(mixed[12.0, 7.0], unlike, rtol=1e-12)
