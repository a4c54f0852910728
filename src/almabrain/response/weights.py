"""Imaging weights: natural and Briggs' robust weighting."""

import numpy as np

from almabrain.data.constants import SPEED_OF_LIGHT_M_S


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

    W is the sum of weights in a sample's uv cell, of width 1/(n_pix cell_rad) from a whole multiple to the
    next, where (u, v) and (−u, −v) are one sample. f² = (5·10^−robust)² Σw / ΣW²: Briggs (1995, thesis, New
    Mexico Tech) eq. 3.18 with the cells of CASA and WSClean. robust −2 is close to uniform, +2 to natural
    weighting. All channels share one density. Samples outside the grid, which no pixel could show, get
    weight 0.
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
    # The sky is real, so a sample tells the same at (−u, −v): fold onto v ≥ 0, and u ≥ 0 where v = 0.
    u_m, v_m = np.asarray(uvw_m, float)[:, :2].T
    flip = np.where((v_m < 0) | ((v_m == 0) & (u_m < 0)), -1, 1)
    column = np.floor(np.multiply.outer(flip * u_m, scale)).astype(np.int64)
    row = np.floor(np.multiply.outer(flip * v_m, scale)).astype(np.int64)
    half = n_pix // 2
    inside = (column >= -half) & (column < half) & (row < half)
    return np.where(inside, row * n_pix + column + half, 0), inside
