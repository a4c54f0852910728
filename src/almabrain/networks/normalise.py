"""Planes in units of their own noise: what every network here is shown.

A plane is divided by its local noise and by nothing else. Min-max scaling, as in DeepFocus (Delli Veneri et
al. 2022), would stretch the noise of an empty field until it looked like sources, and lose the flux scale.
"""

import numpy as np
from scipy import ndimage

from almabrain.data.statistics import robust_rms


def local_noise(plane: np.ndarray, mesh_pix: int = 64) -> np.ndarray:
    """Noise at every pixel of `plane` (y, x), same shape and unit.

    Robust rms in square cells of about `mesh_pix`, a 3 x 3 median over the cells so that one bright source
    does not raise its own threshold, bilinear between the cells' centres. Raises ValueError where the plane
    has no noise at all (constant or without a finite pixel).
    """
    whole = robust_rms(plane)
    if not whole > 0:
        raise ValueError("the plane is constant or has no finite pixel, so its noise cannot be measured")
    edges = [np.linspace(0, n, max(round(n / mesh_pix), 1) + 1).astype(int) for n in plane.shape]
    cells = np.array(
        [
            [robust_rms(plane[y0:y1, x0:x1]) for x0, x1 in zip(edges[1][:-1], edges[1][1:], strict=True)]
            for y0, y1 in zip(edges[0][:-1], edges[0][1:], strict=True)
        ]
    )
    # Blanked or constant cells (outside the primary beam) take the whole plane's noise.
    cells = np.where(cells > 1e-3 * whole, cells, whole)
    cells = ndimage.median_filter(cells, size=3, mode="nearest")
    at = [(np.arange(n) + 0.5) * c / n - 0.5 for n, c in zip(plane.shape, cells.shape, strict=True)]
    return ndimage.map_coordinates(cells, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest")


def to_noise_units(plane: np.ndarray) -> np.ndarray:
    """`plane` (y, x) divided by its local noise, float32; NaN becomes 0, which is what no signal is."""
    return np.nan_to_num(plane / local_noise(plane)).astype(np.float32)
