"""Pictures of cubes."""

import numpy as np
import xarray as xr

from almabrain.report.pictures import _flat


def test_a_cube_is_shown_as_the_mean_of_its_channels_that_have_data():
    values = np.stack([np.full((2, 2), 1.0), np.full((2, 2), np.nan), np.full((2, 2), 3.0)])
    cube = xr.DataArray(values, dims=("channel", "y", "x"), attrs={"bunit": "Jy/beam"})
    shown = _flat(cube)
    assert (shown.values == 2).all() and shown.attrs == cube.attrs
    assert _flat(cube[0]).identical(cube[0]) and _flat(None) is None
