"""Copies of samples in rows that are not theirs."""

import numpy as np
import pytest

from almabrain.image.copies import copied

N_ANTENNA, N_TIME = 6, 12


@pytest.fixture
def rows():
    """Times [s], antennas, visibilities and weights, one sample of each baseline and time."""
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(N_ANTENNA, 1)
    time = 5e9 + 40.0 * np.repeat(np.arange(N_TIME), len(first))
    shape = (len(time), 2)
    noise = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return time, np.tile(first, N_TIME), np.tile(second, N_TIME), 1.0 + noise, rng.uniform(50, 100, shape)


def with_copies(rows, chosen, channel=0, shift=1):
    """The rows, and for each of those `chosen` one more that holds the numbers of the row `shift` after it."""
    time, first, second, visibility, weight = rows
    added, added_weight = visibility[chosen].copy(), np.zeros((len(chosen), 2))
    added[:, channel] = visibility[chosen + shift, channel]
    added_weight[:, channel] = weight[chosen + shift, channel]
    return (
        np.concatenate([time, time[chosen] + 0.005]),  # as uvfits rounds
        np.concatenate([first, second[chosen]]),  # and the other way round
        np.concatenate([second, first[chosen]]),
        np.concatenate([visibility, added]),
        np.concatenate([weight, added_weight]),
    )


def test_clean_data_have_none(rows):
    assert not copied(*rows).any()
    time, first, second, visibility, weight = rows
    assert not copied(time, first, second, np.ones_like(visibility), np.ones_like(weight)).any()


def test_several_samples_of_one_time_are_kept(rows):
    """Merged sidebands: measurements of their own."""
    other = [np.concatenate([part, part]) for part in rows]
    other[3][len(rows[0]) :] += 0.1
    assert not copied(*other).any()


@pytest.mark.parametrize("count", [3, 100])
def test_copies_are_found_and_originals_kept(rows, count):
    chosen = np.sort(np.random.default_rng(1).choice(len(rows[0]) - 1, count, replace=False))
    found = copied(*with_copies(rows, chosen))
    assert found[len(rows[0]) :, 0].all() and found.sum() == count


def test_a_row_that_is_there_twice_counts_once(rows):
    twice = [np.concatenate([part, part[:30]]) for part in rows]
    found = copied(*twice)
    assert found.sum() == 60 and not found[: len(rows[0])].any()


def test_where_nobody_can_tell_neither_is_believed(rows):
    """Two baselines that hold one another's sample beside their own."""
    time, first, second, visibility, weight = rows
    swapped = [np.concatenate([part, part[:2]]) for part in (time, first, second)]
    both = [np.concatenate([part, part[[1, 0]]]) for part in (visibility, weight)]
    found = copied(*swapped, *both)
    assert found[[0, 1, -2, -1]].all() and found.sum() == 8


def test_flagged_samples_and_unknown_antennas_are_left_alone(rows):
    chosen = np.arange(5, 25)
    time, first, second, visibility, weight = with_copies(rows, chosen)
    weight[len(rows[0]) :] = 0
    assert not copied(time, first, second, visibility, weight).any()
    nobody = np.full(len(time), -1)
    assert not copied(0 * time, nobody, nobody, visibility, weight + 1).any()
