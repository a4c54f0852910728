"""Line profiles in channels: their flux, their width, their shape."""

import numpy as np
import pytest

from almabrain.data.line import PROFILES, mean_flux_density, peak_density, peak_flux_density, share_below

LINE_HZ = 2.3e11
LIGHT_KMS = 299_792.458
KMS_HZ = LINE_HZ / LIGHT_KMS
EVERY = pytest.mark.parametrize("profile", PROFILES)


def channels(width_kms: float, reach_kms: float, line_hz=LINE_HZ, offset=0.3):
    """Frequencies and widths of channels which reach `reach_kms` either side; the line off their centres."""
    step = width_kms * line_hz / LIGHT_KMS
    half = int(np.ceil(reach_kms / width_kms)) + 1
    frequency = line_hz + step * (np.arange(-half, half + 1) + offset)
    return frequency, np.full(frequency.size, step)


def flux(density, width_hz, line_hz=LINE_HZ) -> float:
    return float(np.sum(density * np.abs(width_hz)) / line_hz * LIGHT_KMS)


@EVERY
@pytest.mark.parametrize("width_kms", [20.0, 300.0, 2000.0])
@pytest.mark.parametrize("channel_per_width", [0.013, 0.4, 1.0, 7.0, 200.0])
def test_channels_hold_the_flux_however_narrow_the_line(profile, width_kms, channel_per_width):
    frequency, width = channels(channel_per_width * width_kms, 12 * width_kms)
    density = mean_flux_density(frequency, width, LINE_HZ, 5.0, width_kms, profile)
    assert flux(density, width) == pytest.approx(5.0, rel=1e-9)


@EVERY
@pytest.mark.parametrize("redshift", [0.01, 0.3, 2.0, 7.0])
def test_flux_is_kept_at_every_redshift(redshift, profile):
    line_hz = 1900.5369e9 / (1 + redshift)
    for channel_kms in (0.7, 35.0, 4000.0):
        frequency, width = channels(channel_kms, 4000.0, line_hz)
        density = mean_flux_density(frequency, width, line_hz, -0.7, 270.0, profile)
        assert flux(density, width, line_hz) == pytest.approx(-0.7, rel=1e-9)
        assert density.max() < 1e-12


@EVERY
@pytest.mark.parametrize("width_kms", [20.0, 333.0, 2000.0])
def test_the_width_is_the_full_width_at_half_maximum(profile, width_kms):
    frequency, width = channels(width_kms / 4000, 2 * width_kms)
    density = mean_flux_density(frequency, width, LINE_HZ, 1.0, width_kms, profile)
    above = frequency[density >= density.max() / 2]
    assert (above[-1] - above[0]) / KMS_HZ == pytest.approx(width_kms, rel=1e-3)
    assert density.max() == pytest.approx(peak_flux_density(1.0, width_kms, profile), rel=1e-5)


def drawn_velocities(profile: str, rng) -> np.ndarray:
    """Velocities of very many clouds that make up each profile, as its description has it; any unit."""
    number = 4_000_000
    if profile == "gaussian":
        return rng.standard_normal(number)
    if profile == "wings":
        return rng.standard_normal(number) * np.where(rng.random(number) < 0.3, 4.0, 1.0)
    ends = rng.choice([-1.0, 1.0], number)
    return np.where(rng.random(number) < 0.4, ends, rng.uniform(-1, 1, number)) + 0.2 * rng.standard_normal(
        number
    )


@EVERY
def test_a_channel_holds_its_share_of_the_clouds(profile):
    """Clouds drawn at random, counted: their FWHM from a histogram, then their share in some channels."""
    clouds = drawn_velocities(profile, np.random.default_rng(3))
    counts, edges = np.histogram(clouds, 200, (-3, 3))
    smooth = np.convolve(counts + counts[::-1], np.ones(3) / 3, mode="same")
    fwhm = np.ptp((edges[:-1] + 0.015)[smooth > smooth.max() / 2])
    for centre, width in ((0.0, 0.2), (0.45, 0.3), (-0.9, 1.2), (-1.5, 0.8), (0.0, 3.0)):
        share = np.mean(np.abs(clouds / fwhm - centre) < width / 2)
        at = LINE_HZ + KMS_HZ * 200.0 * np.array([centre])
        made = mean_flux_density(at, np.array([KMS_HZ * 200.0 * width]), LINE_HZ, 1.0, 200.0, profile)
        assert made[0] * 200.0 * width == pytest.approx(share, abs=0.01)


@EVERY
def test_channels_may_run_either_way(profile):
    frequency, width = channels(30.0, 900.0)
    rising = mean_flux_density(frequency, width, LINE_HZ, 2.0, 200.0, profile)
    falling = mean_flux_density(frequency[::-1], -width, LINE_HZ, 2.0, 200.0, profile)
    assert np.array_equal(rising, falling[::-1])


@EVERY
def test_the_edge_of_a_window_cuts_half_of_a_line_centred_on_it(profile):
    frequency = LINE_HZ + 1e6 * (np.arange(4000) + 0.5)
    density = mean_flux_density(frequency, np.full(4000, 1e6), LINE_HZ, 3.0, 150.0, profile)
    assert flux(density, np.full(4000, 1e6)) == pytest.approx(1.5, rel=1e-9)


def test_shapes_are_those_of_their_names():
    at = np.array([0.0, 0.25, 0.4, 0.5, 1.0])
    step = 1e-4
    density = {
        name: (share_below(at + step, name) - share_below(at - step, name)) / (2 * step) for name in PROFILES
    }
    gaussian = np.exp(-4 * np.log(2) * at**2) * np.sqrt(4 * np.log(2) / np.pi)
    assert np.allclose(density["gaussian"], gaussian, rtol=1e-6)
    horns = density["double_horn"]
    assert 0.5 < horns[0] / horns.max() < 0.6 and horns[2] > 1.5 * horns[0] and horns[4] < 1e-3
    wings = density["wings"]
    assert wings[4] > 0.03 > 0.01 > 0.1 * gaussian[4] and wings[0] == wings.max()
    assert peak_density("gaussian") == pytest.approx(np.sqrt(4 * np.log(2) / np.pi))


def test_a_gaussian_comes_without_asking():
    """Peak 7 Jy: the area of a Gaussian is 1.0645 of peak times FWHM."""
    peak = mean_flux_density(np.array([LINE_HZ]), np.array([1.0]), LINE_HZ, 1.0644670 * 7 * 50, 50.0)[0]
    assert peak == pytest.approx(7, rel=1e-5)
    assert peak_flux_density(1.0644670 * 7 * 50, 50.0) == pytest.approx(7, rel=1e-6)


def test_no_line_is_no_light():
    assert np.all(mean_flux_density(np.array([LINE_HZ]), np.array([3e7]), 0.0, 0.0, 0.0) == 0)
