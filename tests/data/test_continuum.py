"""The channels of the continuum plane."""

import numpy as np
import xarray as xr

from almabrain.data.continuum import continuum_weights


def window(line_free, noise_rms=(1.0, 2.0, 0.0)):
    return xr.Dataset({"line_free": ("channel", line_free), "noise_rms": ("channel", list(noise_rms))})


def test_channels_count_by_their_noise_and_lines_not_at_all():
    assert continuum_weights(window([True, True, True])).tolist() == [1.0, 0.25, 0.0]
    assert continuum_weights(window([False, True, True])).tolist() == [0.0, 0.25, 0.0]


def test_a_window_full_of_line_has_no_continuum():
    assert np.all(continuum_weights(window([False, False, False])) == 0)
