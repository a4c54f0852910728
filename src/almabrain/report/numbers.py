"""Numbers as a reader wants them."""

import numpy as np


def plain(value, digits: int = 3) -> str:
    """A number to `digits` significant digits without an exponent where that reads well; – where masked."""
    if value is None or np.ma.is_masked(value):
        return "–"
    value = float(value)
    if not np.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        decimals = 0 if value == 0 else max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
        return f"{value:.{decimals}f}"
    return f"{value:.{digits - 1}e}"


def with_error(value, error) -> str:
    """A number with its error, both to the error's second significant digit: `141.0 ± 3.0`."""
    if np.ma.is_masked(value) or not np.isfinite(value):
        return "–"
    if np.ma.is_masked(error) or not np.isfinite(error) or error <= 0:
        return plain(value)
    decimals = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def floats(column) -> np.ndarray:
    """A column as floats without unit; masked entries are NaN."""
    return np.asarray(np.ma.filled(np.ma.asarray(column, dtype=float), np.nan))
