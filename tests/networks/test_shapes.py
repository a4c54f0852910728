"""Position angles, sizes and footprints on a grid whose x axis grows west."""

import numpy as np
import pytest

from almabrain.networks.shapes import axes_from_covariance, blobs, gaussian, pixel_covariance


@pytest.mark.parametrize("pa", [-80.0, -30.0, 0.0, 45.0, 89.0])
def test_axes_survive_the_round_trip(pa):
    covariance = pixel_covariance(3.0, 1.0, pa, 0.25)
    assert axes_from_covariance(covariance, 0.25) == pytest.approx((3.0, 1.0, pa), abs=1e-9)


def test_position_angle_runs_from_north_through_east():
    covariance = pixel_covariance(8.0, 2.0, 45.0, 1.0)
    north_east = gaussian(-2.0, 2.0, 0, 0, covariance)  # east is -x
    north_west = gaussian(2.0, 2.0, 0, 0, covariance)
    assert north_east > 2 * north_west


def test_fwhm_is_the_full_width_at_half_maximum():
    covariance = pixel_covariance(6.0, 3.0, 0.0, 0.5)
    assert gaussian(0.0, 6.0, 0, 0, covariance) == pytest.approx(0.5)  # 3 arcsec north: half of 6
    assert gaussian(3.0, 0.0, 0, 0, covariance) == pytest.approx(0.5)


def test_blobs_cover_the_half_maximum_contour_and_no_more():
    covariance = pixel_covariance(8.0, 8.0, 0.0, 1.0)
    target = blobs((64, 64), [30.0], [20.0], [covariance])
    y, x = np.mgrid[:64, :64]
    radius = np.hypot(x - 30, y - 20)
    assert np.all(target[radius <= 3.9] == 1)
    assert np.all(target[radius > 8] < 0.01)
    assert target.dtype == np.float32
