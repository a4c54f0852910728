import numpy as np
import pytest

from almabrain.instrument import site

HEIGHT_M = 5074.855  # of the pad table's origin


@pytest.fixture
def place():
    """The centre of the array on the ellipsoid."""
    from astropy.coordinates import EarthLocation

    return EarthLocation.from_geodetic(
        np.rad2deg(site.LONGITUDE_RAD), np.rad2deg(site.LATITUDE_RAD), HEIGHT_M
    )
