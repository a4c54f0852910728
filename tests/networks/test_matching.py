"""One-to-one matching against brute force."""

from itertools import permutations

import numpy as np
import pytest

from almabrain.networks.matching import one_to_one


def brute_force(found, true, radius):
    """Most pairs, then least sum of distances, over all assignments there are."""
    separation = np.linalg.norm(found[:, None] - true[None], axis=2) / radius
    best = (0, 0.0)
    rows = list(range(len(found))) + [None] * len(true)
    for order in set(permutations(rows, len(true))):
        pairs = [separation[i, j] for j, i in enumerate(order) if i is not None and separation[i, j] <= 1]
        best = min(best, (-len(pairs), sum(pairs)))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    found, true = rng.uniform(0, 3, (3, 2)), rng.uniform(0, 3, (4, 2))
    rows, columns = one_to_one(found, true, 1.2)
    distance = np.linalg.norm(found[rows] - true[columns], axis=1) / 1.2
    pairs, total = brute_force(found, true, 1.2)
    assert (-len(rows), distance.sum()) == (pairs, pytest.approx(total))
    assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns)


def test_two_detections_of_one_source_are_one_match():
    rows, columns = one_to_one(np.array([[0.3, 0], [0.1, 0]]), np.array([[0.0, 0.0]]), 1.0)
    assert (rows.tolist(), columns.tolist()) == ([1], [0])


def test_nearest_first_would_lose_a_pair():
    # A greedy matcher gives detection 0 to source 1 and leaves source 0 alone.
    found, true = np.array([[0.0, 0], [1.4, 0]]), np.array([[-0.9, 0], [0.5, 0]])
    rows, columns = one_to_one(found, true, 1.0)
    assert dict(zip(rows, columns, strict=True)) == {0: 0, 1: 1}


def test_each_source_has_its_own_radius():
    found, true = np.array([[0.0, 1.5], [10.0, 1.5]]), np.array([[0.0, 0], [10.0, 0]])
    assert one_to_one(found, true, np.array([1.0, 2.0]))[1].tolist() == [1]


@pytest.mark.parametrize("found, true", [(0, 3), (3, 0), (0, 0)])
def test_nothing_matches_nothing(found, true):
    assert len(one_to_one(np.zeros((found, 2)), np.zeros((true, 2)), 1.0)[0]) == 0
