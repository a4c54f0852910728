"""From maps to detections: peaks of a probability or signal-to-noise map, and their centroids."""

import numpy as np
from scipy import ndimage


def peaks(score: np.ndarray, threshold: float, separation_pix: float, dip: float = 1.0) -> np.ndarray:
    """Pixels (n, 2) as (x, y) of the maxima of `score` (y, x) above `threshold`, highest first.

    A maximum is the highest pixel within `separation_pix`; a flat top counts once. Two maxima are two
    sources only if `score` falls by `dip` below the lower one on the way from one to the other: else the
    ripples on a wide source would be sources themselves.
    """
    reach = max(int(np.ceil(separation_pix)), 1)
    steps = np.arange(-reach, reach + 1)
    disc = np.hypot(steps[:, None], steps[None, :]) <= max(separation_pix, 1)
    highest = ndimage.maximum_filter(score, footprint=disc, mode="nearest")
    labels, count = ndimage.label((score >= highest) & (score > threshold), structure=np.ones((3, 3)))
    if not count:
        return np.empty((0, 2))
    tops = np.array(ndimage.maximum_position(score, labels, np.arange(1, count + 1)))
    tops = tops[np.argsort(-score[tuple(tops.T)], kind="stable")]
    islands, _ = ndimage.label(score > threshold)
    kept: dict[int, list[np.ndarray]] = {}
    chosen = []
    for top in tops:
        rivals = kept.setdefault(int(islands[tuple(top)]), [])
        if all(_lowest_between(score, top, other) <= score[tuple(top)] - dip for other in rivals):
            rivals.append(top)
            chosen.append(top)
    return np.array(chosen)[:, ::-1].astype(float)


def _lowest_between(score, one, other) -> float:
    steps = np.linspace(0, 1, int(np.ceil(np.hypot(*(other - one)))) + 1)[:, None]
    path = np.rint(one + steps * (other - one)).astype(int)
    return score[path[:, 0], path[:, 1]].min()


def centroids(weight: np.ndarray, tops: np.ndarray, radius_pix: float) -> np.ndarray:
    """Positions (n, 2) as (x, y): centroids of `weight` (y, x) within `radius_pix` of each of `tops`."""
    reach, found = max(int(np.ceil(radius_pix)), 1), []
    for x0, y0 in tops.astype(int):
        y, x = np.mgrid[
            max(y0 - reach, 0) : min(y0 + reach + 1, weight.shape[0]),
            max(x0 - reach, 0) : min(x0 + reach + 1, weight.shape[1]),
        ]
        inside = weight[y, x] * (np.hypot(x - x0, y - y0) <= max(radius_pix, 1))
        found.append([np.sum(inside * x) / np.sum(inside), np.sum(inside * y) / np.sum(inside)])
    return np.reshape(found, (-1, 2))
