"""Completeness and purity, fluxes and positions: how well a finder did on an image."""

from collections.abc import Iterable

import numpy as np
from astropy import units as u
from astropy.stats import binom_conf_interval
from astropy.table import Table

from almabrain.catalogue.match import NOTHING, SOURCE, Matched
from almabrain.config.catalogue import CatalogueSettings
from almabrain.data.statistics import robust_rms

ALL, HELD_OUT, TRAINED_ON = "all", "held out", "trained on"  # the pools, beside the single images
KEYS = ("data", "recipe", "finder", "realisation")
MATCH_UNITS = {"flux": u.Jy, "flux_error": u.Jy, "true_flux": u.Jy, "offset": u.arcsec}


def fraction(part: int, whole: int) -> tuple[float, float, float]:
    """A fraction with its 68.3 % interval (Jeffreys; Cameron 2011): value, low, high; NaN for none."""
    if not whole:
        return np.nan, np.nan, np.nan
    low, high = binom_conf_interval(part, whole, confidence_level=0.683, interval="jeffreys")
    return part / whole, float(low), float(high)


def matches_table(matched: Iterable[Matched]) -> Table:
    """Every matched pair: whose it is, true and measured flux [Jy], SNR, offset [arcsec] and flags."""
    rows = []
    for one in matched:
        for row, partner in zip(one.catalogue, one.partner, strict=True):
            if partner < 0:
                continue
            true = one.truth[int(partner)]
            east = (row["ra"] - true["ra"] + 180) % 360 - 180
            offset = 3600 * np.hypot(east * np.cos(np.radians(true["dec"])), row["dec"] - true["dec"])
            keys = [one.catalogue.meta[key] for key in KEYS]
            values = (
                row["flux"],
                row["flux_error"],
                true["flux"],
                row["snr"],
                true["snr"],
                offset,
                row["flags"],
            )
            last = bool(one.scored[partner]), bool(one.catalogue.meta["held_out"])
            rows.append((*keys, int(row["source"]), int(true["source"]), *values, *last))
    names = [
        *KEYS,
        "source",
        "true_source",
        *"flux flux_error true_flux snr true_snr offset flags scored held_out".split(),
    ]
    kinds = [str] * len(KEYS) + [int] * 2 + [float] * 6 + [int, bool, bool]
    table = Table(rows=rows, names=names, dtype=kinds) if rows else Table(names=names, dtype=kinds)
    for name, unit in MATCH_UNITS.items():
        table[name].unit = unit
    return table


def scores_table(matched: list[Matched], settings: CatalogueSettings) -> Table:
    """One row per image, recipe, finder and SNR bin, then the same over many images.

    Data `all` pools every image that its finder was not trained on, and exists for every finder even where
    there is none; `trained on` pools the others. `held out` pools, alike for every finder, the data that none
    was trained on, where one was trained on some. `images` counts what is pooled. Completeness is binned by
    true SNR, purity by detected SNR. The first row of each group, with bin `total`, takes everything.
    """
    groups: dict[tuple, list[Matched]] = {}
    seen = {one.catalogue.meta["data"] for one in matched if not one.catalogue.meta["held_out"]}
    for one in matched:
        keys = tuple(one.catalogue.meta[key] for key in KEYS)
        groups.setdefault(keys, []).append(one)
        pool = groups.setdefault((ALL, *keys[1:]), [])
        if not one.catalogue.meta["held_out"]:
            pool = groups.setdefault((TRAINED_ON, *keys[1:]), [])
        pool.append(one)
        if seen and keys[0] not in seen:
            groups.setdefault((HELD_OUT, *keys[1:]), []).append(one)
    edges = settings.snr_edges
    bins = [("total", 0.0, np.inf)]
    bins += [(f"{low:g}-{high:g}", low, high) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    pools = "", ALL, HELD_OUT, TRAINED_ON
    order = {keys: pools.index(keys[0]) if keys[0] in pools else 0 for keys in groups}
    ordered = sorted(groups.items(), key=lambda item: (order[item[0]], item[0]))
    return Table(rows=[_score(keys, group, *one) for keys, group in ordered for one in bins])


def _score(keys: tuple, group: list[Matched], name: str, low: float, high: float) -> dict:
    true = found = detected = false = 0
    pairs = []
    for one in group:
        wanted = one.scored & (one.truth["snr"].data >= low) & (one.truth["snr"].data < high)
        true += int(wanted.sum())
        found += int(np.isin(np.nonzero(wanted)[0], one.partner).sum())
        snr = one.catalogue["snr"].data
        inside = (snr >= low) & (snr < high)
        detected += int(np.sum(inside & (one.kind == SOURCE)))
        false += int(np.sum(inside & (one.kind == NOTHING)))
        pairs.append((one, np.nonzero((one.partner >= 0) & wanted[one.partner])[0] if len(wanted) else []))
    ratio, pull = _fluxes(pairs)
    completeness, purity = fraction(found, true), fraction(detected, detected + false)
    return {
        **dict(zip(KEYS, keys, strict=True)),
        "held_out": all(one.catalogue.meta["held_out"] for one in group),
        "images": len(group),
        "snr_bin": name,
        "true": true,
        "found": found,
        "completeness": completeness[0],
        "completeness_low": completeness[1],
        "completeness_high": completeness[2],
        "detections": detected + false,
        "false": false,
        "purity": purity[0],
        "purity_low": purity[1],
        "purity_high": purity[2],
        "flux_ratio_median": float(np.median(ratio)) if ratio.size else np.nan,
        "flux_ratio_scatter": robust_rms(ratio),
        "flux_pull_rms": float(np.sqrt(np.mean(pull**2))) if pull.size else np.nan,
    }


def _fluxes(pairs) -> tuple[np.ndarray, np.ndarray]:
    """Measured over true flux, and (measured - true) / error, of the matched pairs."""
    ratio, pull = [np.empty(0)], [np.empty(0)]
    for one, rows in pairs:
        flux, error = (one.catalogue[name].data[rows] for name in ("flux", "flux_error"))
        true = one.truth["flux"].data[one.partner[rows]]
        ratio.append(flux / true)
        pull.append((flux - true) / error)
    return np.concatenate(ratio), np.concatenate(pull)
