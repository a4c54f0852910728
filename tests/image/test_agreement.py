"""R-hat of chains whose answer is known."""

import numpy as np
import pytest
from scipy.stats import norm

from almabrain.image.agreement import disagreement, split_r_hat


def slow_r_hat(draws):
    """Equations 1 to 4 and 14 of Vehtari et al. (2021), of draws (round, chain) of one quantity, loop by loop."""
    half = len(draws) // 2
    parts = [draws[:half, chain] for chain in range(draws.shape[1])]
    parts += [draws[-half:, chain] for chain in range(draws.shape[1])]
    pooled = np.sort(np.concatenate(parts))
    scores = []
    for part in parts:
        rank = [1 + np.count_nonzero(pooled < value) for value in part]
        scores.append([norm.ppf((r - 3 / 8) / (len(pooled) + 1 / 4)) for r in rank])
    means = [sum(part) / half for part in scores]
    within = sum(
        sum((z - mean) ** 2 for z in part) / (half - 1) for part, mean in zip(scores, means, strict=True)
    ) / len(parts)
    grand = sum(means) / len(means)
    between = half * sum((mean - grand) ** 2 for mean in means) / (len(means) - 1)
    return np.sqrt(((half - 1) / half * within + between / half) / within)


@pytest.mark.parametrize("rounds", [8, 11, 30])
def test_it_is_the_published_one(rounds):
    draws = np.random.default_rng(rounds).standard_t(2, (rounds, 4, 3))
    draws[:, 1, 2] += 3
    expected = [slow_r_hat(draws[..., quantity]) for quantity in range(3)]
    assert split_r_hat(draws) == pytest.approx(np.array(expected))


def test_chains_of_independent_draws_are_one():
    draws = np.random.default_rng(0).standard_normal((400, 8, 50))
    assert split_r_hat(draws) == pytest.approx(1, abs=0.01)
    together, slowest = disagreement(draws)
    assert 0.995 < together <= slowest < 1.01


def test_a_chain_elsewhere_is_seen():
    draws = np.random.default_rng(1).standard_normal((100, 8, 2))
    draws[:, :4, 1] += 4
    near, far = split_r_hat(draws)
    assert near < 1.03 and far > 1.5


def test_a_common_drift_is_seen():
    """All chains go the same way: only their halves differ."""
    draws = np.random.default_rng(2).standard_normal((100, 8, 1)) + np.linspace(0, 8, 100)[:, None, None]
    assert split_r_hat(draws)[0] > 1.5


def test_outliers_of_any_size_count_by_rank_only():
    draws = np.random.default_rng(3).standard_normal((50, 4, 1))
    stretched = np.sign(draws) * np.exp(10 * np.abs(draws))
    assert split_r_hat(stretched) == pytest.approx(split_r_hat(draws))


def test_disagreement_is_of_all_and_of_the_worst():
    draws = np.random.default_rng(4).standard_normal((200, 8, 100))
    draws[:, 0, :10] += 20
    r_hat = split_r_hat(draws)
    together, slowest = disagreement(draws)
    assert together == pytest.approx(np.sqrt(np.mean(r_hat**2)))
    assert together < 1.2 and slowest > r_hat[:10].min() - 1e-9
