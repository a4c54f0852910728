"""The mean of a Gaussian line over channels."""

import numpy as np
import pytest

from almabrain.data.line import mean_flux_density

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


def test_no_line_is_no_light():
    assert np.all(mean_flux_density(np.array([LINE_HZ]), np.array([3e7]), 0.0, 0.0, 0.0) == 0)
