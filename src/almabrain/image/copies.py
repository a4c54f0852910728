"""Samples that were written more than once.

Some programs leave the numbers of one row in a row beside it: a baseline then holds a second sample of that time, which
is not its own. Noise never repeats itself to the last bit, so such copies can be told.
"""

import numpy as np

SAME_TIME_S = 0.1  # uvfits rounds times to milliseconds; no integration is as short


def copied(
    time_mjd_s: np.ndarray,
    antenna1: np.ndarray,
    antenna2: np.ndarray,
    visibility: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    """Which samples (row, channel) are no measurement of their own.

    A sample is a copy where its baseline has another one at that time, and its visibility and weight stand alone at
    another baseline or time, once all copies found before are gone; and where it repeats one of its own baseline and
    time. Which of two is the copy cannot always be told: then neither is believed. Times and antennas (row,),
    `visibility` and `weight` (row, channel), 0 where unusable. A baseline's only sample of a time is never a copy:
    visibilities without noise may well be equal.
    """
    found = np.zeros(weight.shape, bool)
    times, of_row = np.unique(time_mjd_s, return_inverse=True)
    time = np.concatenate([[0], np.cumsum(np.diff(times) > SAME_TIME_S)])[of_row] if len(times) else of_row
    low, high = np.minimum(antenna1, antenna2).astype(np.int64), np.maximum(antenna1, antenna2)
    count = int(high.max(initial=0)) + 1
    _, place = np.unique((time * count + low) * count + high, return_inverse=True)
    known = low >= 0
    for channel in range(weight.shape[1]):
        rows = np.flatnonzero((weight[:, channel] > 0) & known)
        if (np.bincount(place[rows]) > 1).any():
            one = visibility[rows, channel]
            numbers = np.stack([one.real, one.imag, weight[rows, channel]])
            _, content = np.unique(numbers, axis=1, return_inverse=True)
            found[rows, channel] = _false(place[rows], content.ravel())
    return found


def _false(place: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Which samples are copies, from where they stand and what they say, both by number."""
    _, first = np.unique(np.stack([place, content]), axis=1, return_index=True)
    kept = np.zeros(len(place), bool)
    kept[first] = True
    while True:
        alone = kept & (np.bincount(place[kept], minlength=place.max() + 1)[place] == 1)
        settled = np.zeros(content.max() + 1, bool)
        settled[content[alone]] = True
        copies = kept & ~alone & settled[content]
        if not copies.any():
            break
        kept &= ~copies
    repeated = np.bincount(content[kept], minlength=content.max() + 1)[content] > 1
    return ~kept | (repeated & ~alone)
