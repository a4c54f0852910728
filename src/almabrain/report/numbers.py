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


def floats(column) -> np.ndarray:
    """A column as floats without unit; masked entries are NaN."""
    return np.asarray(np.ma.filled(np.ma.asarray(column, dtype=float), np.nan))
