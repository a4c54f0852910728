"""Which channels of a dirty cube make the continuum plane, and how much each of them counts."""

import numpy as np
import xarray as xr


def continuum_weights(window: xr.Dataset) -> np.ndarray:
    """Weights (channel) of a window of noise/draws in the continuum plane: 1 / noise_rms^2 [beam^2/Jy^2].

    Zero in channels with line emission, and so in every channel of a window that the line fills: it has no
    continuum to show, and whoever takes the mean leaves it out, as the imagers do.
    """
    rms = window["noise_rms"].values.astype(float)
    use = window["line_free"].values.astype(bool) & (rms > 0)
    return np.where(use, 1 / np.where(use, rms, 1.0) ** 2, 0.0)
