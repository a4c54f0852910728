"""Smooth functions of frequency from their values at a few."""

import numpy as np


def chebyshev(number: int) -> np.ndarray:
    """The points (number,) between -1 and 1 through which polynomials follow smooth functions best."""
    return np.cos(np.pi * (np.arange(number) + 0.5) / number)


def lagrange(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """What the values at `nodes` (node,) count in the polynomial through them at other points: (at, node).

    Barycentric formula: Berrut & Trefethen (2004, SIAM Rev. 46, 501), eq. 4.2.
    """
    between = nodes[:, None] - nodes
    np.fill_diagonal(between, 1.0)
    distance = np.asarray(at, float)[:, None] - nodes
    hit = np.abs(distance) < 1e-14
    share = 1 / between.prod(axis=1) / np.where(hit, 1.0, distance)
    share /= share.sum(axis=1, keepdims=True)
    return np.where(hit.any(axis=1, keepdims=True), hit, share)
