"""One consistent array, one band and disjoint windows per execution.

The archive merges the nights of an observation: an antenna that was moved stands at two pads, a pad
held two antennas, 12 m and 7 m dishes share a row, and a window comes once per tuning. No telescope
ever looked like that.
"""

from collections import Counter
from itertools import pairwise

from almabrain.console.errors import UserError
from almabrain.instrument import frequency_support, pads, receivers

FEWEST_ANTENNAS = 3
DUPLICATE_SHARE = 0.5


def consistent_array(antenna_arrays: str, together: bool = False) -> tuple[str, str, list[str]]:
    """One array out of `PAD:ANTENNA PAD:ANTENNA ...`: (pairs kept, its dish sizes, what was dropped).

    The dish size of most antennas is kept (12 m if equal), or both where they observed `together`; then the
    first listing of each antenna and of each pad. Sizes: `12m`, `7m` or `12m+7m`. UserError for no antennas,
    malformed pairs and unknown pads.
    """
    pairs = [tuple(pair.split(":")) for pair in antenna_arrays.split()]
    if not pairs:
        raise UserError("antenna_arrays lists no antennas")
    for pair in pairs:
        if len(pair) != 2:
            raise UserError(f"antenna_arrays has '{':'.join(pair)}', which is not PAD:ANTENNA")
    notes = []
    counts = Counter({antenna: pads.dish_diameter_m(antenna) for _, antenna in pairs}.values())
    sizes = set(counts)
    if len(counts) > 1 and not together:
        size = max(counts, key=lambda diameter: (counts[diameter], diameter))
        sizes = {size}
        notes.append(f"{counts[size]} dishes of {size:g} m kept of {counts.total()} of two sizes")
    kept, dropped, antennas, places = [], [], set(), set()
    for pad, antenna in pairs:
        if pads.dish_diameter_m(antenna) not in sizes:
            continue
        if antenna in antennas or pad in places:
            dropped.append(f"{pad}:{antenna}")
            continue
        kept.append((pad, antenna))
        antennas.add(antenna)
        places.add(pad)
    if dropped:
        some = ", ".join(dropped[:3]) + (", ..." if len(dropped) > 3 else "")
        notes.append(f"{len(dropped)} second listings of an antenna or pad dropped ({some})")
    if unknown := pads.unknown([pad for pad, _ in kept]):
        raise UserError(f"antenna_arrays has the pad '{unknown[0]}', which is not in the pad table")
    if len(kept) < FEWEST_ANTENNAS:
        raise UserError(f"antenna_arrays leaves {len(kept)} antennas; at least {FEWEST_ANTENNAS} are needed")
    array = "+".join(
        f"{size:g}m" for size in sorted({pads.dish_diameter_m(name) for name in antennas}, reverse=True)
    )
    return " ".join(f"{pad}:{antenna}" for pad, antenna in kept), array, notes


def one_band(band_list: str, support: str) -> tuple[int, str, list[str]]:
    """One receiver band and its windows: (band, `frequency_support`, what was dropped and why).

    Of several bands the one that most windows lie in is kept (the lowest if equal), with its windows.
    """
    try:
        numbers = sorted({int(number) for number in band_list.split()})
    except ValueError:
        raise UserError(f"band_list is '{band_list}', which is not a list of band numbers") from None
    known = receivers.bands()
    if not numbers or any(number not in known for number in numbers):
        allowed = ", ".join(map(str, known))
        raise UserError(f"band_list is '{band_list}'; bands with known receivers are {allowed}")
    windows = frequency_support.parse(support)
    inside = {
        number: [known[number].low_hz <= window.centre_hz <= known[number].high_hz for window in windows]
        for number in numbers
    }
    band = max(numbers, key=lambda number: (sum(inside[number]), -number))
    if not any(inside[band]):
        raise UserError(f"band_list is '{band_list}', but no window of frequency_support lies in that band")
    kept = [part for part, good in zip(frequency_support.parts(support), inside[band]) if good]
    notes = []
    if len(numbers) > 1 or len(kept) < len(windows):
        notes.append(f"band {band} kept of '{band_list}' with {len(kept)} of {len(windows)} windows")
    return band, " U ".join(kept), notes


def disjoint_windows(support: str) -> tuple[str, list[str]]:
    """The windows of a `frequency_support` without overlaps, in their order, and what was done.

    The noise of overlapping windows is not independent. One that wider (or earlier) ones cover by more than
    half is dropped; of others each keeps the overlap up to its middle.
    """
    parts, windows = frequency_support.parts(support), frequency_support.parse(support)
    kept: list[int] = []
    for i in sorted(range(len(windows)), key=lambda i: -round(windows[i].bandwidth_hz)):
        covered = sum(frequency_support.overlap_hz(windows[i], windows[k]) for k in kept)
        if covered <= DUPLICATE_SHARE * windows[i].bandwidth_hz:
            kept.append(i)
    edges = {
        i: [windows[i].low_hz, windows[i].high_hz] for i in sorted(kept, key=lambda i: windows[i].low_hz)
    }
    trimmed = set()
    for (i, lower), (k, upper) in pairwise(edges.items()):
        if upper[0] < lower[1]:
            lower[1] = upper[0] = (lower[1] + upper[0]) / 2
            trimmed |= {i, k}
    for i in trimmed:
        parts[i] = frequency_support.with_edges(parts[i], *edges[i])
    notes = []
    if len(kept) < len(parts):
        number = f"{len(parts) - len(kept)} of {len(parts)}"
        notes.append(f"{number} windows dropped that others cover by more than half")
    if trimmed:
        notes.append(f"{len(trimmed)} windows trimmed to the middle of their overlaps")
    return " U ".join(parts[i] for i in sorted(kept)), notes
