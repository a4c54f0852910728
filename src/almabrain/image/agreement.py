"""Whether chains agree with one another and with themselves earlier on: the split R̂ of rank-normalised draws."""

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata


def split_r_hat(draws: np.ndarray) -> np.ndarray:
    """R̂ of each quantity, from draws (round, chain, quantity); 1 where the chains are one.

    Each chain's first and second half count as two, and draws are replaced by normal scores of their ranks, so
    that tails do no harm (Vehtari et al. 2021, Bayesian Analysis 16, 667, eqs. 1-4 and 14).
    """
    half = len(draws) // 2
    parts = np.concatenate([draws[:half], draws[len(draws) - half :]], axis=1)
    rank = rankdata(parts.reshape(-1, parts.shape[-1]), axis=0)
    scores = ndtri((rank - 0.375) / (len(rank) + 0.25)).reshape(parts.shape)
    within = scores.var(axis=0, ddof=1).mean(axis=0)
    between = half * scores.mean(axis=0).var(axis=0, ddof=1)
    return np.sqrt(((half - 1) / half * within + between / half) / np.maximum(within, 1e-12))


def disagreement(draws: np.ndarray) -> tuple[float, float]:
    """R̂ of draws (round, chain, quantity) over all quantities together, and that of the worst twentieth."""
    r_hat = split_r_hat(draws)
    return float(np.sqrt(np.mean(r_hat**2))), float(np.quantile(r_hat, 0.95))
