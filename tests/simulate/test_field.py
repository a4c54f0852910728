"""The pixel grid: fine enough, wide enough, or one sentence."""

import numpy as np
import pytest

from almabrain.config.base import check
from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.simulate.field import choose_grid, extent_arcsec, primary_beam_width_arcsec

from .conftest import ARCSEC, make_sky

UVW_M = np.array([[500.0, 0.0, 0.0], [0.0, 90.0, 10.0]])
SINGLE = np.zeros((1, 2))
FRINGE = 299_792_458.0 / 230.1e9 / 500 / ARCSEC


def grid(sources=((1.0, 2.0, 1.0),), **settings):
    return choose_grid({"spw0": make_sky(sources)}, UVW_M, SINGLE, 12.0, SimulateSettings(**settings))


def test_auto_covers_the_primary_beam_with_five_pixels_per_fringe():
    n_pix, cell = grid()
    assert 0.9 * FRINGE / 5 < cell <= FRINGE / 5
    assert n_pix * cell >= primary_beam_width_arcsec(230e9, 12.0) > 1.13 * 299_792_458.0 / 230e9 / 12 / ARCSEC


def test_auto_size_grows_with_the_sources_and_no_further():
    n_pix, cell = choose_grid({"spw0": make_sky([(300, 0, 1.0)])}, UVW_M, SINGLE, 12.0, SimulateSettings())
    assert 600 < n_pix * cell < 720
    tiny = choose_grid({"spw0": make_sky([(0, 0, 1.0)])}, 100 * UVW_M, SINGLE, 12.0, SimulateSettings())
    assert tiny[0] == 1024
    compact = choose_grid({"spw0": make_sky([(0, 0, 1.0)])}, 0.1 * UVW_M, SINGLE, 12.0, SimulateSettings())
    assert compact[0] == 128


def test_a_mosaic_is_covered_with_its_edges():
    mosaic = np.array([[-40.0, 0.0], [0.0, 5.0], [40.0, 0.0]]) * ARCSEC
    sky = {"spw0": make_sky([(1, 2, 1.0)])}
    n_pix, cell = choose_grid(sky, UVW_M, mosaic, 12.0, SimulateSettings())
    assert n_pix * cell >= 80 + primary_beam_width_arcsec(230e9, 12.0)
    with pytest.raises(UserError, match="pointings lie up to 40 arcsec off its centre; raise n_pix to"):
        choose_grid(sky, UVW_M, mosaic, 12.0, SimulateSettings(n_pix=64))


def test_settings_are_obeyed():
    assert grid(n_pix=128, cell_arcsec=0.1) == (128, 0.1)


def test_auto_cell_widens_to_let_the_sources_in():
    _, cell = grid(n_pix=128)
    _, wide = grid([(8.0, 0.0, 1.0)], n_pix=128)
    assert cell <= FRINGE / 5 < wide <= 0.8 * FRINGE / 2
    assert 64 * wide > 8.0


def test_cell_too_coarse():
    with pytest.raises(UserError, match="cell_arcsec = 0.6 is too coarse.*at most 0.269, or auto"):
        grid(cell_arcsec=0.6)


def test_field_smaller_than_the_sources():
    with pytest.raises(UserError, match="sources lie up to 20 arcsec off its centre; raise n_pix to"):
        grid([(-20.0, 3.0, 1.0)], n_pix=64)


def test_long_baselines_and_far_sources_take_coarser_pixels_before_more_of_them():
    sky = {"spw0": make_sky([(5.0, 0.0, 1.0)])}
    n_pix, cell = choose_grid(sky, 40 * UVW_M, SINGLE, 12.0, SimulateSettings())
    near, fine = choose_grid({"spw0": make_sky([(1, 0, 1.0)])}, 40 * UVW_M, SINGLE, 12.0, SimulateSettings())
    assert cell == pytest.approx(0.8 * FRINGE / 2 / 40, rel=1e-6) and fine <= FRINGE / 5 / 40
    assert n_pix * cell > 10.0 and n_pix < 2000
    with pytest.raises(
        UserError, match="more than 8192 pixels are not allowed: lower sky.max_offset_beams or"
    ):
        choose_grid({"spw0": make_sky([(60.0, 0, 1.0)])}, 40 * UVW_M, SINGLE, 12.0, SimulateSettings())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"n_pix": 127}, "127 is no image size"),
        ({"n_pix": 16}, "even number from 32 to 8192"),
        ({"cell_arcsec": 0}, "0.0 is no pixel width|0 is no pixel width"),
        ({"weighting": "brigs"}, "did you mean 'briggs'"),
        ({"weigthing": "briggs"}, "did you mean 'weighting'"),
        ({"integration_s": -1}, "simulate.integration_s"),
    ],
)
def test_settings_that_cannot_be(values, sentence):
    with pytest.raises(UserError, match=sentence):
        check(SimulateSettings, values, "simulate")


def test_extent_sees_pixel_models():
    sky = make_sky([(1.0, -2.0, 1.0)])
    assert extent_arcsec(sky) == pytest.approx(2.0)
    model = np.zeros((2, 64, 64))
    model[:, 32, 42] = 1.0
    sky["pixel_model_jy"] = ("channel", "y", "x"), model, {"pixel_cell_arcsec": 0.5}
    assert extent_arcsec(sky) == pytest.approx(5.0)
