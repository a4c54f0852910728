"""Where sources stand: even over the sky, apart from each other, and quickly."""

import time

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import kstest

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.sky.field import from_rows
from almabrain.sky.place import spread


@pytest.fixture
def field(row):
    return from_rows([row()], check(SkySettings, {}, "sky"))


def placed(field, number, apart_arcsec=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return spread(field, number, rng, field.reach_rad(0.1), 0.1, "sky.some", apart_arcsec * ARCSEC)


def nearest_arcsec(positions):
    return cKDTree(positions).query(positions, k=2)[0][:, 1] / ARCSEC


@pytest.mark.parametrize("apart_arcsec", [0.0, 0.08, 2.0])
def test_ten_thousand_sources_take_no_time(field, apart_arcsec):
    start = time.process_time()
    positions = placed(field, 10_000, apart_arcsec)
    assert time.process_time() - start < 2
    assert positions.shape == (10_000, 2)


def test_even_over_the_sky_with_and_without_distance(field):
    for apart in (0.0, 0.1):
        offset = np.hypot(*placed(field, 3000, apart).T)
        assert kstest((offset / field.reach_rad(0.1)) ** 2, "uniform").pvalue > 0.01


def test_the_distance_is_kept_where_there_is_room(field):
    assert nearest_arcsec(placed(field, 2000, 0.1)).min() >= 0.1
    # A field of 31 arcsec holds no thousand circles of 2 arcsec: as many as find room keep their distance.
    crowded = placed(field, 1000, 2.0)
    first = next(number for number in range(2, 1000) if nearest_arcsec(crowded[:number]).min() < 2.0)
    area = np.pi * (field.reach_rad(0.1) / ARCSEC) ** 2
    # Discs placed at random, none moved, come to cover 0.547 of the plane when none more fits.
    assert 0.4 < (first - 1) * np.pi / area < 0.62


def test_no_source_no_place(field):
    assert placed(field, 0).shape == (0, 2)
