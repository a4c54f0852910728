"""What the campaign's planes say they hold, against what was put in."""

import numpy as np
import pytest
import xarray as xr
from astropy.table import vstack

from almabrain.data import store, tables
from almabrain.train.planes import channel_plane, continuum_plane, groups_of, load, split


@pytest.fixture
def first(campaign):
    draws, truths, _ = campaign
    return store.read(draws[0], "sim-000000/spw0"), tables.read_table(truths[0])


@pytest.fixture
def lines(campaign):
    return tables.read_table(campaign[2][0])


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


def test_a_line_on_the_border_of_two_channels_is_in_both(first, lines):
    """Half of the line's flux is in each: a mean of 1 continuum where 2 fill the channel that holds all."""
    window, truth = first
    lines["frequency"] = 1e11 + 1.5e7
    snr = [channel_plane(window, channel, truth, lines).snr[0] for channel in range(3)]
    assert snr[1] / snr[0] == pytest.approx(2.0, rel=1e-3)
    assert snr[2] / snr[0] == pytest.approx(2.0, rel=1e-3)


def test_a_line_is_in_its_channel_only(first, lines):
    window, truth = first
    snr = [channel_plane(window, channel, truth, lines).snr[0] for channel in range(3)]
    assert snr[1] / snr[0] == pytest.approx(3.0, rel=1e-3)
    assert snr[2] == pytest.approx(snr[0], rel=1e-3)


def test_a_line_of_moving_gas_is_as_bright_as_the_truth_says_it_is_seen(first, lines):
    """Its source is ten beams long and its continuum spread over them; the line's peak is that of a beam."""
    window, truth = first
    truth["major"] = 10 * float(window.bmaj_arcsec[1])
    lines["profile"], lines["apparent_peak"] = ["model"], [0.05]
    with_line, without = (channel_plane(window, 1, truth, given).snr[0] for given in (lines, lines[:0]))
    assert with_line - without == pytest.approx(0.05 / float(window.noise_rms[1]), rel=1e-6)
    assert channel_plane(window, 0, truth, lines).snr[0] == channel_plane(window, 0, truth, lines[:0]).snr[0]


def test_every_line_of_a_source_counts_and_none_of_another(first, lines):
    """The same line twice, and once of a source that is not there."""
    window, truth = first
    stranger = lines.copy()
    stranger["source"] = 1
    snr = [
        channel_plane(window, 1, truth, given).snr[0]
        for given in (lines, vstack([lines, lines, stranger]), stranger)
    ]
    assert snr[0] / snr[2] == pytest.approx(3.0, rel=1e-3) and snr[1] / snr[2] == pytest.approx(5.0, rel=1e-3)


def test_the_last_simulations_are_held_out(campaign):
    groups = groups_of(campaign[0])
    inside, held_out = split(groups, 0.25)
    assert [name for _, name in inside] == ["sim-000000/spw0"]
    assert [name for _, name in held_out] == ["sim-000001/spw0"]


def shard_of(path, observations, windows=2):
    """A shard of simulations of these archive executions, without anything else in them."""
    groups = {}
    for number, observation in enumerate(observations):
        empty = xr.Dataset({"noise_rms": ("channel", [1.0])}, attrs={"observation": observation})
        groups |= {f"sim-{number:06d}/spw{k}": empty for k in range(windows)}
    store.write(path, groups)
    return groups_of([path])


def held_out(groups, fraction=0.25):
    inside, outside = ({name[:10] for _, name in part} for part in split(groups, fraction))
    assert inside | outside == {name[:10] for _, name in groups}
    assert inside.isdisjoint(outside)
    return sorted(int(name[-6:]) for name in outside)


def test_all_simulations_of_an_execution_are_on_one_side(tmp_path):
    assert held_out(shard_of(tmp_path / "a.zarr.zip", "abcdefgh")) == [6, 7]
    assert held_out(shard_of(tmp_path / "b.zarr.zip", "abcdabcd")) == [3, 7]
    assert held_out(shard_of(tmp_path / "c.zarr.zip", "abcabcab")) == [1, 4, 7]


def test_one_execution_only_is_split_by_simulation(tmp_path):
    assert held_out(shard_of(tmp_path / "a.zarr.zip", "aaaa")) == [3]


def test_thinning_does_not_take_the_same_window_of_every_simulation(campaign, monkeypatch):
    draws, truths, lines = campaign
    taken, read = [], store.read

    def record(path, name):
        taken.append(name)
        return read(draws[0], "sim-000000/spw0")

    monkeypatch.setattr(store, "read", record)
    groups = [("shard", f"sim-{i:06d}/spw{k}") for i in range(20) for k in range(4)]
    known = [tables.read_table(path)[:0] for path in (truths[0], lines[0])]
    load(groups, *known, np.random.default_rng(0), most=80, label="read")
    assert len(taken) == 20 and len({name[-4:] for name in taken}) == 4
    assert len({name[:10] for name in taken}) > 8


def test_a_large_campaign_is_thinned_evenly(campaign):
    draws, *paths = campaign
    known = [vstack([tables.read_table(path) for path in each]) for each in paths]
    groups = groups_of(draws) * 10
    planes, responses = load(groups, *known, np.random.default_rng(0), most=20, label="read")
    assert len(responses) == 5 and len(planes) == 20


def test_a_simulation_without_sources_is_an_empty_plane(first):
    window, truth = first
    plane = continuum_plane(window, truth[:0])
    assert plane.position.shape == (0, 2) and plane.snr.shape == (0,)


def test_a_window_full_of_line_has_no_continuum_plane(first):
    window, truth = first
    assert continuum_plane(window.assign(line_free=("channel", [False] * 3)), truth) is None
