"""Which executions make one simulation, and which simulations are made."""

import logging
from itertools import chain, zip_longest

import numpy as np
from astropy.coordinates import angular_separation

from almabrain.console.errors import UserError
from almabrain.data.seeds import generator
from almabrain.instrument import frequency_support

log = logging.getLogger(__name__)

SAME_PLACE_ARCSEC = 0.1
# Rows that are to be combined may have been tuned and pointed a little differently.
NEAR_FIELDS_OF_VIEW = 0.1
ALIKE_SHARE = 0.9


def gather(executions: list[dict], combine: bool) -> list[list[dict]]:
    """The executions of every simulation, in order of appearance.

    Where rows have a `simulation` it decides; else, with `combine`, rows of one target, band and windows
    belong together (they take position and windows of the first), and without it each row is by itself.
    UserError for rows of one simulation at different places, or with different windows or pointings.
    """
    if any(row["simulation"] is not None for row in executions):
        groups: dict = {}
        for index, row in enumerate(executions):
            alone = row["simulation"] is None
            groups.setdefault(("row", index) if alone else row["simulation"], []).append(row)
        for group in groups.values():
            _require_one_observation(group)
        return list(groups.values())
    if not combine:
        return [[row] for row in executions]
    joined: list[list[dict]] = []
    for row in executions:
        for group in joined:
            if _alike(group[0], row):
                same = {name: group[0][name] for name in ("s_ra", "s_dec", "frequency_support")}
                group.append(row | same)
                break
        else:
            joined.append([row])
    return joined


def choose(groups: list[list[dict]], simulations: int, seed: int) -> list[list[dict]]:
    """The executions of so many simulations: seeded, without replacement, spread over arrays and bands.

    The choice for fewer simulations is the beginning of that for more. Groups that their source numbered are
    taken in its order. Where there are fewer of them than simulations they are used again in the same order.
    """
    numbered = groups[0][0]["simulation"] is not None
    order = list(range(len(groups))) if numbered else _spread(groups, seed)
    if simulations > len(order):
        log.info("%d observations for %d simulations: they are used again in order", len(order), simulations)
    if numbered and simulations < len(order):
        log.info("the first %d of %d numbered simulations are taken", simulations, len(order))
    chosen = [groups[order[i % len(order)]] for i in range(simulations)]
    for row in chain(*chosen[: len(order)]):
        for note in row["notes"]:
            log.info("%s: %s", row["observation"], note)
    return chosen


def _spread(groups: list[list[dict]], seed: int) -> list[int]:
    rng = generator(seed, "query", "choice")
    kinds = [("+".join(sorted({row["array"] for row in group})), group[0]["band_list"]) for group in groups]
    orders = []
    for array in sorted({array for array, _ in kinds}):
        bands = sorted({band for name, band in kinds if name == array})
        members = [
            rng.permutation([i for i, kind in enumerate(kinds) if kind == (array, band)])
            for band in rng.permutation(bands)
        ]
        orders.append(_turns(members))
    return _turns(orders)


def _turns(groups: list) -> list[int]:
    """One of each group in turn until all are used."""
    gone = object()
    return [int(item) for item in chain(*zip_longest(*groups, fillvalue=gone)) if item is not gone]


def _alike(first: dict, other: dict) -> bool:
    same = all(first[name] == other[name] for name in ("band_list", "pointings"))
    same &= first["target_name"].lower() == other["target_name"].lower()
    return (
        same
        and _apart_arcsec(first, other) < NEAR_FIELDS_OF_VIEW * min(first["s_fov"], other["s_fov"])
        and _shared_bandwidth(first["frequency_support"], other["frequency_support"]) > ALIKE_SHARE
    )


def _apart_arcsec(first: dict, other: dict) -> float:
    places = np.deg2rad([first["s_ra"], first["s_dec"], other["s_ra"], other["s_dec"]])
    return float(np.rad2deg(angular_separation(*places)) * 3600)


def _shared_bandwidth(first: str, other: str) -> float:
    """Share of the wider of two lists of disjoint windows that lies in both."""
    ours, theirs = frequency_support.parse(first), frequency_support.parse(other)
    shared = sum(frequency_support.overlap_hz(one, two) for one in ours for two in theirs)
    return shared / max(sum(window.bandwidth_hz for window in windows) for windows in (ours, theirs))


def _require_one_observation(group: list[dict]) -> None:
    first = group[0]
    for row in group[1:]:
        what = None
        if _apart_arcsec(first, row) > SAME_PLACE_ARCSEC:
            what = "positions (s_ra, s_dec)"
        elif _ranges(first) != _ranges(row):
            what = "windows (frequency_support)"
        elif first["pointings"] != row["pointings"]:
            what = "pointings"
        elif first["band_list"] != row["band_list"]:
            what = "bands (band_list)"
        if what:
            raise UserError(
                f"the rows '{first['observation']}' and '{row['observation']}' of simulation {first['simulation']} "
                f"have different {what}; give rows of one simulation the same, or another number in the column "
                "simulation"
            )


def _ranges(row: dict) -> list[tuple[float, float]]:
    return [(window.low_hz, window.high_hz) for window in frequency_support.parse(row["frequency_support"])]
