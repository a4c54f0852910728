"""One-to-one matching of positions: no detection counts for two sources, no source for two detections."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree


def one_to_one(found: np.ndarray, true: np.ndarray, radius) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (indices into `found`, indices into `true`) closer than `radius`.

    `found` (n, 2) and `true` (m, 2) are positions in one plane, `radius` a number or one for each true
    source, in the same unit. As many pairs as possible, and among those the least sum of distances in units
    of the radius (the Hungarian algorithm; Kuhn 1955).
    """
    found, true = np.reshape(found, (-1, 2)), np.reshape(true, (-1, 2))
    radius = np.broadcast_to(np.asarray(radius, float), len(true))
    if not len(found) or not len(true):
        return np.empty(0, int), np.empty(0, int)
    separation = np.full((len(found), len(true)), np.inf)
    for j, near in enumerate(cKDTree(found).query_ball_point(true, radius)):
        separation[near, j] = np.linalg.norm(found[near] - true[j], axis=1) / radius[j]
    # Dearer than all allowed pairs together, so that a pair out of reach never replaces one within.
    cost = np.where(np.isfinite(separation), separation, min(separation.shape) + 1.0)
    rows, columns = linear_sum_assignment(cost)
    allowed = np.isfinite(separation[rows, columns])
    return rows[allowed], columns[allowed]
