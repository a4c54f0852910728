"""The mean of a Gaussian line over channels."""

import numpy as np
import pytest

from almabrain.data.line import mean_flux_density
from almabrain.sky.field import Window
from almabrain.sky.line import Line

LINE_HZ = 2.3e11
KMS_HZ = LINE_HZ / 299_792.458


@pytest.mark.parametrize("width_kms", [0.3, 30.0, 300.0])
def test_channels_hold_the_flux_however_narrow_the_line(width_kms):
    channel = np.full(64, 3e7)
    frequency = LINE_HZ + 3e7 * (np.arange(64) - 31.7)
    density = mean_flux_density(frequency, channel, LINE_HZ, 5.0, width_kms)
    assert np.sum(density * channel) / KMS_HZ == pytest.approx(5.0, rel=1e-6)


def test_a_narrow_channel_at_the_centre_shows_the_peak():
    peak = mean_flux_density(np.array([LINE_HZ]), np.array([1.0]), LINE_HZ, 1.0644670 * 7 * 50, 50.0)[0]
    assert peak == pytest.approx(7, rel=1e-5)


def test_it_is_the_line_that_the_sky_is_given():
    window = Window(LINE_HZ + 3e7 * np.arange(-5, 5), np.full(10, 3e7))
    line = Line("CO(2-1)", LINE_HZ + 1e7, 4.0, 60.0, 0.0)
    again = mean_flux_density(window.frequency_hz, window.channel_width_hz, LINE_HZ + 1e7, 4.0, 60.0)
    assert again == pytest.approx(line.flux_density(window), rel=1e-9)


def test_no_line_is_no_light():
    assert np.all(mean_flux_density(np.array([LINE_HZ]), np.array([3e7]), 0.0, 0.0, 0.0) == 0)
