"""Imaging weights: natural and Briggs' robust weighting."""

import numpy as np

from almabrain.response.predict import SPEED_OF_LIGHT_M_S


def natural(weight: np.ndarray) -> np.ndarray:
    """Natural weighting: the inverse variances themselves, the lowest noise of all weightings."""
    return np.array(weight, float)


def briggs(
    uvw_m: np.ndarray,
    frequency_hz: np.ndarray,
    weight: np.ndarray,
    n_pix: int,
    cell_rad: float,
    robust: float,
) -> np.ndarray:
    """Imaging weights w/(1 + f² W) of Briggs' robust weighting, (row, chan) as `weight`.

    W is the sum of weights in a sample's uv cell, of width 1/(n_pix cell_rad), where every sample counts
    at (u, v) and (−u, −v). f² = (5·10^−robust)² Σw / ΣW², the second sum over cells of one half plane:
    Briggs (1995, thesis, New Mexico Tech) eq. 3.18 as CASA and WSClean use it. robust −2 is close to
    uniform, +2 to natural weighting. All channels share one density. Samples outside the grid, which no
    pixel could show, get weight 0.
    """
    weight = np.asarray(weight, float)
    cells, inside = _cells(uvw_m, frequency_hz, n_pix, cell_rad)
    used = np.where(inside, weight, 0.0).ravel()
    total = used.sum()
    if not total > 0:
        return np.zeros_like(weight)
    density = np.bincount(cells.ravel(), used)
    f2 = (5 * 10.0**-robust) ** 2 * total / np.square(density).sum()
    return (used / (1 + f2 * density[cells.ravel()])).reshape(weight.shape)


def _cells(uvw_m, frequency_hz, n_pix, cell_rad):
    """Flat index of each sample's uv cell in the half plane v ≥ 0, and whether it is on the grid."""
    scale = np.asarray(frequency_hz, float) * (n_pix * cell_rad / SPEED_OF_LIGHT_M_S)
    column = np.rint(np.multiply.outer(np.asarray(uvw_m)[:, 0], scale)).astype(np.int64)
    row = np.rint(np.multiply.outer(np.asarray(uvw_m)[:, 1], scale)).astype(np.int64)
    # The sky is real, so a sample tells the same at (−u, −v): fold onto v ≥ 0, and u ≥ 0 where v = 0.
    flip = (row < 0) | ((row == 0) & (column < 0))
    column, row = np.where(flip, -column, column), np.where(flip, -row, row)
    half = n_pix // 2
    inside = (np.abs(column) <= half) & (row <= half)
    cells = np.where(inside, row * (n_pix + 1) + column + half, 0)
    return cells, inside
