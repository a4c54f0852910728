"""Numbers that describe pixels in which a few sources stand."""

import warnings

import numpy as np

MAD_TO_SIGMA = 1.482602218505602  # standard deviation of a Gaussian over its median absolute deviation


def robust_rms(values: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Standard deviation of the noise in `values`, from the median absolute deviation about the median.

    NaN are left out; NaN where nothing is left. Sources may cover up to about a tenth of the values before the
    answer is 10 % too high.
    """
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of an empty slice, whose answer is NaN
        centre = np.nanmedian(values, axis=axis, keepdims=True)
        return MAD_TO_SIGMA * np.nanmedian(np.abs(values - centre), axis=axis)
