"""What the campaign's planes say they hold, against what was put in."""

import numpy as np
import pytest
from astropy.table import vstack

from almabrain.data import store, tables
from almabrain.train.planes import channel_plane, continuum_plane, groups_of, load, split


@pytest.fixture
def first(campaign):
    draws, truths = campaign
    return store.read(draws[0], "sim-000000/spw0"), tables.read_table(truths[0])


def test_sources_lie_where_the_truth_says(first):
    plane = continuum_plane(*first)
    x, y = plane.position[0]
    assert (x, y) == pytest.approx((20.3, 40.6), abs=1e-6)
    peak = np.unravel_index(np.argmax(plane.maps[0]), plane.maps[0].shape)
    assert np.hypot(peak[1] - x, peak[0] - y) < 1


def test_peak_snr_of_the_continuum_is_that_of_the_mean_of_line_free_channels(first):
    window, truth = first
    plane = continuum_plane(window, truth)
    pb = float(window.pb[0, 41, 20])
    assert plane.snr[0] == pytest.approx(0.02 * pb / (1e-3 / np.sqrt(2)), rel=1e-4)


def test_a_line_is_in_its_channel_only(first):
    window, truth = first
    snr = [channel_plane(window, channel, truth).snr[0] for channel in range(3)]
    assert snr[1] / snr[0] == pytest.approx(3.0, rel=1e-3)
    assert snr[2] == pytest.approx(snr[0], rel=1e-3)


def test_the_last_simulations_are_held_out(campaign):
    groups = groups_of(campaign[0])
    inside, held_out = split(groups, 0.25)
    assert [name for _, name in inside] == ["sim-000000/spw0"]
    assert [name for _, name in held_out] == ["sim-000001/spw0"]
    many = [("s", f"sim-{i:06d}/spw{k}") for i in range(8) for k in range(2)]
    assert {name[:10] for _, name in split(many, 0.25)[1]} == {"sim-000006", "sim-000007"}


def test_a_large_campaign_is_thinned_evenly(campaign):
    draws, truths = campaign
    truth = vstack([tables.read_table(path) for path in truths])
    groups = groups_of(draws) * 10
    planes, responses = load(groups, truth, np.random.default_rng(0), most=20, label="read")
    assert len(responses) == 5 and len(planes) == 20


def test_a_simulation_without_sources_is_an_empty_plane(first):
    window, truth = first
    plane = continuum_plane(window, truth[:0])
    assert plane.position.shape == (0, 2) and plane.snr.shape == (0,)


def test_a_window_full_of_line_has_no_continuum_plane(first):
    window, truth = first
    assert continuum_plane(window.assign(line_free=("channel", [False] * 3)), truth) is None
