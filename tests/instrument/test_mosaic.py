import numpy as np
import pytest

from almabrain.console.errors import UserError
from almabrain.instrument import mosaic, primary_beam


def test_text_and_offsets_say_the_same():
    offsets = np.array([[0, 0], [12.5, -3], [-1e-3, 1e3 / 3]])
    text = mosaic.text(offsets)
    assert text == "0,0 12.5,-3 -0.001,333.333333"
    assert np.allclose(mosaic.parse(text), offsets, rtol=1e-8)
    assert mosaic.text(mosaic.parse(text)) == text
    assert mosaic.parse("").shape == (0, 2) and mosaic.text(mosaic.parse("")) == ""


@pytest.mark.parametrize("bad", ["5", "5,x", "1,2,3", "nan,0", "5;6", "inf,1", "5,"])
def test_one_malformed_pointing_is_named(bad):
    with pytest.raises(UserError, match="pointing 2 of its pointings is"):
        mosaic.parse(f"0,0 {bad} 3,4")


def test_one_pointing_apart_is_named():
    good = [[0, 0], [9.9, 0], [9.9, 9.9]]
    mosaic.check(np.array(good), 10.0)
    with pytest.raises(UserError, match="pointing 4 of the mosaic, at -20, 0 arcsec, overlaps neither"):
        mosaic.check(np.array([*good, [-20, 0]]), 10.0)
    with pytest.raises(UserError, match="pointing 1 .* neither the target"):
        mosaic.check(np.array([[30.0, 0]]), 10.0)
    mosaic.check(np.array([[3.0, 0]]), 10.0)
    mosaic.check(mosaic.parse(""), 10.0)


def test_pointings_that_hold_together_but_not_with_the_target_are_refused():
    with pytest.raises(UserError, match="pointing 1 of the mosaic, at 60, 0 .* at most 25 arcsec"):
        mosaic.check(np.array([[60.0, 0], [70.0, 0]]), 25.0)
    mosaic.check(np.array([[60.0, 0], [20.0, 0], [40.0, 0]]), 25.0)


def test_the_widest_beam_of_an_array_sets_how_far_pointings_reach():
    spans = [(300e9, 302e9), (290e9, 292e9)]
    reach = mosaic.reach_arcsec(spans, ["DV01", "CM01"])
    assert reach == primary_beam.half_power_width_arcsec(290e9, 7.0)
    assert mosaic.reach_arcsec(spans, ["DV01"]) < reach


def test_directions_are_radians_and_an_empty_text_the_target():
    np.testing.assert_allclose(
        mosaic.directions("0,0 12.5,-3"), np.deg2rad([[0, 0], [12.5, -3]]) / 3600, rtol=1e-12
    )
    assert mosaic.directions("").tolist() == mosaic.directions(np.ma.masked).tolist() == [[0, 0]]


def test_hexagonal_pattern_covers_its_rectangle():
    offsets = mosaic.hexagonal(100.0, 60.0, 10.0)
    apart = np.linalg.norm(offsets[:, None] - offsets, axis=-1) + 1e9 * np.eye(len(offsets))
    assert apart.min() == pytest.approx(10)
    # An inner pointing of a hexagonal pattern has six neighbours at the spacing.
    centre = np.argmin(np.hypot(*offsets.T))
    assert np.isclose(apart[centre], 10).sum() == 6 and np.hypot(*offsets[centre]) == 0
    assert np.abs(offsets[:, 0]).max() <= 55 and np.abs(offsets[:, 1]).max() <= 35
    assert offsets.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    # Each pointing stands for spacing² sqrt(3) / 2 of the area, with half a spacing around the rectangle.
    assert len(offsets) == pytest.approx(110 * 70 / (100 * np.sqrt(3) / 2), rel=0.2)
    # No place within the rectangle is farther from a pointing than the middle of three of them.
    grid = np.stack(np.meshgrid(np.linspace(-50, 50, 51), np.linspace(-30, 30, 31)), -1).reshape(-1, 2)
    assert np.linalg.norm(grid[:, None] - offsets, axis=-1).min(axis=1).max() < 10 / np.sqrt(3) + 1e-9


def test_a_rectangle_smaller_than_the_beam_is_one_pointing():
    assert mosaic.hexagonal(5.0, 5.0, 10.0).tolist() == [[0, 0]]


def test_a_rectangle_that_needs_too_many_pointings():
    with pytest.raises(UserError, match="needs about .* pointings; allowed: 1000"):
        mosaic.hexagonal(36000.0, 36000.0, 10.0)
    with pytest.raises(UserError, match="has 1001 pointings; allowed: 1000"):
        mosaic.check(np.zeros((1001, 2)), 10.0)
