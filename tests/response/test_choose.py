"""Cell and image size from baselines."""

import numpy as np
import pytest

from almabrain.response.choose import cell_arcsec, coarsest_cell_arcsec, image_size

from .conftest import ARCSEC, C


def test_cell_is_a_fifth_of_the_finest_fringe():
    uvw = np.array([[300.0, 400.0, 9e9], [10.0, 0.0, 0.0]])
    frequency = np.array([90e9, 100e9])
    fringe = C / 100e9 / 500 / ARCSEC
    assert coarsest_cell_arcsec(uvw, frequency) == pytest.approx(fringe / 2)
    cell = cell_arcsec(uvw, frequency)
    assert 0.9 * fringe / 5 < cell <= fringe / 5
    assert float(f"{cell:.1e}") == cell


@pytest.mark.parametrize("field", [1.0, 12.7, 100.0, 333.3])
def test_size_covers_the_field_and_is_even(field):
    n_pix = image_size(field, 0.13)
    assert n_pix % 2 == 0 and n_pix >= 32 and n_pix * 0.13 >= field
    assert n_pix * 0.13 <= max(1.15 * field, 5.0)
