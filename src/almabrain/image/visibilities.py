"""Visibilities made ready for imaging: Stokes I and weights, one window for each pointing and kind of baseline."""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.data import store
from almabrain.data.kinds import kind as data_kind
from almabrain.data.text import sexagesimal
from almabrain.image import channels, copies, fields, lsrk
from almabrain.image.measurement_set import MeasurementSet
from almabrain.image.noise import noise_factor
from almabrain.image.npz import UNKNOWN_ANTENNA, NpzFile
from almabrain.image.raw import Raw, Source, explain_nothing_usable
from almabrain.image.uvfits import UvFits
from almabrain.instrument import pads
from almabrain.instrument.primary_beam import half_power_width_arcsec

log = logging.getLogger(__name__)

PARALLEL_HANDS = {"XX": "YY", "RR": "LL"}
TOTAL_POWER = "total_power"
# Antenna numbers of a data set begin this much above those of the one before: nobody has so many antennas.
ANTENNAS_APART = 10_000
_GAP_CHANNELS = 1.5


def stokes_i(visibility: np.ndarray, weight: np.ndarray, correlations: list[str]) -> tuple:
    """Stokes I (row, channel) and its weight from the parallel hands (row, channel, correlation).

    `weight` is 1/σ² of each hand, 0 where flagged. I = (XX + YY)/2 with weight 4/(1/w_XX + 1/w_YY); where
    only one hand is left, that hand alone (an unpolarised sky). A sample of weight 0 has visibility 0.
    """
    usable = np.isfinite(visibility) & np.isfinite(weight) & (weight > 0)
    visibility, weight = np.where(usable, visibility, 0), np.where(usable, weight, 0.0)
    if "I" in correlations:
        hand = correlations.index("I")
        return visibility[..., hand], weight[..., hand]
    for first, second in PARALLEL_HANDS.items():
        hands = [correlations.index(name) for name in (first, second) if name in correlations]
        if not hands:
            continue
        if len(hands) == 1:
            return visibility[..., hands[0]], weight[..., hands[0]]
        v, w = visibility[..., hands], weight[..., hands]
        both = (w > 0).all(-1)
        with np.errstate(divide="ignore"):
            joint = 4 / (1 / w).sum(-1)
        return np.where(both, v.mean(-1), v.sum(-1)), np.where(both, joint, w.sum(-1))
    raise UserError(f"correlations {', '.join(correlations)} hold no XX, YY, RR, LL or I; Stokes I needs one")


def average_channels(window: xr.Dataset, width: int) -> xr.Dataset:
    """Weighted means of `width` neighbouring channels; frequencies are plain means of the centres.

    Channels on the two sides of a gap (a line that was left out) are no neighbours.
    """
    n_channel = window.sizes["channel"]
    if width <= 1 or n_channel == 1:
        return window
    frequency, step = window.frequency_hz.values, window.channel_width_hz.values
    gap = np.diff(frequency) > _GAP_CHANNELS * np.maximum(step[1:], np.diff(frequency).min())
    runs = np.split(np.arange(n_channel), np.flatnonzero(gap) + 1)
    starts = np.concatenate([run[::width] for run in runs])
    counts = np.diff(np.append(starts, n_channel))
    weight = np.add.reduceat(window.weight.values, starts, axis=1)
    total = np.add.reduceat(window.weight.values * window.visibility.values, starts, axis=1)
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    frequency = np.add.reduceat(window.frequency_hz.values, starts) / counts
    width_hz = np.add.reduceat(window.channel_width_hz.values, starts)
    averaged = window.drop_dims("channel").assign(
        frequency_hz=("channel", frequency),
        channel_width_hz=("channel", width_hz),
        visibility=(("row", "channel"), mean),
        weight=(("row", "channel"), weight),
    )
    return averaged.assign_attrs(window.attrs)


def average_time(window: xr.Dataset, interval_s: float) -> xr.Dataset:
    """Weighted means over bins of `interval_s` of each baseline; uvw and time with the same weights.

    The bins do not know of scans: an interval longer than the gap between scans would join them, which
    smears no more than the same interval within a scan.
    """
    if interval_s <= 0:
        return window
    if (window.antenna1 == UNKNOWN_ANTENNA).all():
        raise UserError(
            f"key 'average_time_s' is {interval_s:g}, but {window.attrs['source']} does not say antennas and times; "
            "set it to 0"
        )
    time = window.time_mjd_s.values
    bins = np.floor((time - time.min()) / interval_s).astype(np.int64)
    keys = np.stack([window.antenna1.values, window.antenna2.values, bins])
    unique, group = np.unique(keys, axis=1, return_inverse=True)
    n_group, group = unique.shape[1], group.ravel()

    def total(values):
        out = np.zeros((n_group, *values.shape[1:]), values.dtype)
        np.add.at(out, group, values)
        return out

    weight = total(window.weight.values)
    summed = total(window.weight.values * window.visibility.values)
    # Rows of no weight still need a place: they count a little, and weigh nothing in the image.
    row_weight = window.weight.values.sum(1) + 1e-12 * max(window.weight.values.max(), 1e-300)
    norm = total(row_weight)
    data = {
        "uvw_m": (("row", "axis"), total(row_weight[:, None] * window.uvw_m.values) / norm[:, None]),
        "time_mjd_s": ("row", total(row_weight * (time - time.min())) / norm + time.min()),
        "antenna1": ("row", unique[0]),
        "antenna2": ("row", unique[1]),
        "visibility": (
            ("row", "channel"),
            np.divide(summed, weight, out=np.zeros_like(summed), where=weight > 0),
        ),
        "weight": (("row", "channel"), weight),
        "frequency_hz": ("channel", window.frequency_hz.values),
        "channel_width_hz": ("channel", window.channel_width_hz.values),
    }
    return xr.Dataset(data, attrs=window.attrs)


def from_data(paths: Sequence[str | Path], settings: VisibilitySettings) -> dict[str, xr.Dataset]:
    """The windows of calibrated data sets that show one sky, which are only read.

    Every window is one pointing, one kind of baseline (pair of dish sizes) and one spectral window of one set:
    uvw_m (row, axis) about the phase centre, frequency_hz and channel_width_hz (channel), time_mjd_s, antenna1
    and antenna2 (row), visibility [Jy] and weight [1/Jy²] (row, channel). Attributes: ra_deg and dec_deg of
    phase centre and pointing, dishes_m, noise_group (windows of one group share how wrong their weights are),
    noise_factor, frame, telescope, source. Names are `spw0`, or `set.spw0.p3.7m-12m` where there are several
    sets, pointings, kinds. Raises UserError where a set is none, or nothing in it is usable.
    """
    windows: dict[str, xr.Dataset] = {}
    keys = _keys(paths)
    for number, (key, path) in enumerate(keys.items()):
        with _opened(path, settings) as source:
            own = _of_source(source, key, settings)
        for name, window in own.items():
            windows[f"{key}.{name}" if len(keys) > 1 else name] = _set_apart(window, number)
    _check_one_field(windows)
    return _checked(_finished(windows, settings), ", ".join(map(str, paths)))


def from_measurement_set(path: str | Path, settings: VisibilitySettings) -> dict[str, xr.Dataset]:
    """The windows of one Measurement Set, see `from_data`."""
    return from_data([path], settings)


def _check_one_field(windows: dict[str, xr.Dataset]) -> None:
    """UserError unless the pointings of all data sets hang together."""
    places = [(window.attrs["ra_deg"], window.attrs["dec_deg"]) for window in windows.values()]
    beam = max(
        half_power_width_arcsec(float(window.frequency_hz.mean()), min(window.attrs["dishes_m"]))
        for window in windows.values()
    )
    if not fields.hang_together(places, beam):
        told = ", ".join(f"{name} {sexagesimal(*place)}" for name, place in list(zip(windows, places))[:4])
        raise UserError(
            f"the data sets lie too far apart for one image ({told}); give those of one field or mosaic"
        )


def _set_apart(window: xr.Dataset, number: int) -> xr.Dataset:
    """The window with the antenna numbers of the data set `number`, which no other set has."""
    moved = {
        name: window[name].where(window[name] == UNKNOWN_ANTENNA, window[name] + number * ANTENNAS_APART)
        for name in ("antenna1", "antenna2")
    }
    return window.assign(moved)


def _opened(path: str | Path, settings: VisibilitySettings) -> Source:
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give a Measurement Set, a uvfits or an npz file")
    kind = data_kind(path)
    if kind == "fits":
        raise UserError(
            f"{path} holds no visibilities; give a Measurement Set (a folder), uvfits or npz (a map of single "
            "dishes has the key total_power)"
        )
    if kind == "measurement set":
        return MeasurementSet(path, settings)
    return NpzFile(path, settings) if kind == "npz" else UvFits(path, settings)


def _keys(paths: Sequence[str | Path]) -> dict[str, str | Path]:
    """A short name for every data set: its file's, numbered where two are the same."""
    found: dict[str, str | Path] = {}
    for path in paths:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(path).stem).strip("-") or "data"
        key, count = stem, 2
        while key in found:
            key, count = f"{stem}-{count}", count + 1
        found[key] = path
    return found


def _of_source(source: Source, key: str, settings: VisibilitySettings) -> dict[str, xr.Dataset]:
    """The windows of one data set; raises UserError where none is usable."""
    spectral = _spectral_windows(source, settings.spectral_windows)
    chosen = fields.choose(source, settings.fields, spectral[0])
    pointing_of = fields.pointings(source, chosen)
    lost: Counter = Counter()
    parts: dict[tuple[int, int, tuple[float, float]], xr.Dataset] = {}
    for window in spectral:
        empty = True
        for pointing in dict.fromkeys(pointing_of.values()):
            same = [field for field in chosen if pointing_of[field] == pointing]
            raws = [raw for field in same for raw in source.read(field, window)]
            empty = empty and not raws
            for dishes, part in _by_kind(raws, lost):
                parts[window, pointing, dishes] = part.assign_attrs(source=str(source.path))
        if not empty and not any(window == name for name, *_ in parts):
            log.warning("window %d of %s holds no usable visibility and is left out", window, source.path)
    _tell_lost(source.path, lost)
    if not parts:
        explain_nothing_usable(source.path, [source.fields()[field] for field in chosen], lost)
    return _named(parts, key)


def _spectral_windows(source: Source, asked: list[int]) -> list[int]:
    """Numbers of the spectral windows asked for, or of all."""
    present = source.windows()
    for window in asked:
        if window not in present:
            raise UserError(
                f"key 'spectral_windows' has {window}, but {source.path} has {', '.join(map(str, present))}"
            )
    return sorted(set(asked)) or present


def _tell_lost(path: Path, lost: Counter) -> None:
    """Say how much was left out, as a warning where the data, and not their flags, are to blame."""
    log.info("%s: %d of %d samples are flagged", path, lost["flagged"], lost["samples"])
    if lost["weightless"] or lost["not finite"]:
        log.warning(
            "%s: %d unflagged samples have no positive weight and %d are not finite; they are left out",
            path, lost["weightless"], lost["not finite"],
        )  # fmt: skip
    if lost["copied"]:
        log.warning(
            "%s: %d samples repeat those of another row to the last bit; they are left out",
            path, lost["copied"],
        )  # fmt: skip


def _by_kind(raws: list[Raw], lost: Counter) -> Iterator[tuple[tuple[float, float], xr.Dataset]]:
    """Stokes I of one pointing and spectral window, for each kind of baseline (two dish sizes, smaller first)."""
    parts: dict[tuple[float, float], list[xr.Dataset]] = {}
    for raw in raws:
        visibility, weight = stokes_i(raw.visibility, raw.usable_weight(lost), raw.correlations)
        copied = copies.copied(raw.time_mjd_s, raw.antenna1, raw.antenna2, visibility, weight)
        lost["copied"] += int(np.count_nonzero(copied))
        weight = np.where(copied, 0.0, weight)
        sizes = np.stack([raw.diameter_m[raw.antenna1], raw.diameter_m[raw.antenna2]], 1)
        site = _site_m(raw)
        attrs = {} if site is None else {"site_m": [float(x) for x in site]}
        for dishes, kind in _kinds(sizes):
            rows = kind & (weight > 0).any(axis=1)
            if rows.any():
                part = _window(raw, rows, visibility, weight)
                parts.setdefault(dishes, []).append(part.assign_attrs(raw.attrs | attrs, dishes_m=[*dishes]))
    for dishes, same in parts.items():
        yield dishes, _joined(same)


def _site_m(raw: Raw) -> np.ndarray | None:
    """Where on Earth the array stands; ALMA's place is known, and some sets of it have a mirrored one."""
    return pads.itrf(["A001"])[0] if raw.attrs["telescope"].upper().startswith("ALMA") else raw.site_m


def _joined(windows: Sequence[xr.Dataset]) -> xr.Dataset:
    """Rows of several windows with the same channels in one; attributes of the first."""
    if len(windows) == 1:
        return windows[0]
    return xr.concat(
        windows, "row", data_vars="minimal", coords="minimal", compat="override", join="override",
        combine_attrs="override",
    )  # fmt: skip


def _kinds(sizes_m: np.ndarray) -> Iterator[tuple[tuple[float, float], np.ndarray]]:
    """Kinds of baselines and their rows, from the dish sizes (row, 2)."""
    kinds, of_row = np.unique(np.sort(np.round(sizes_m, 3), axis=1), axis=0, return_inverse=True)
    for number, (smaller, larger) in enumerate(kinds.tolist()):
        yield (smaller, larger), of_row.ravel() == number


def _window(raw: Raw, rows: np.ndarray, visibility: np.ndarray, weight: np.ndarray) -> xr.Dataset:
    """A dataset of some rows; channels in rising frequency."""
    order = np.argsort(raw.frequency_hz, kind="stable")
    return xr.Dataset(
        {
            "uvw_m": (("row", "axis"), raw.uvw_m[rows]),
            "time_mjd_s": ("row", raw.time_mjd_s[rows]),
            "antenna1": ("row", raw.antenna1[rows]),
            "antenna2": ("row", raw.antenna2[rows]),
            "visibility": (("row", "channel"), visibility[rows][:, order].astype(complex)),
            "weight": (("row", "channel"), weight[rows][:, order]),
            "frequency_hz": ("channel", raw.frequency_hz[order]),
            "channel_width_hz": ("channel", raw.channel_width_hz[order]),
            "number": ("channel", order),
        }
    )


def _named(parts: dict[tuple[int, int, tuple[float, float]], xr.Dataset], key: str) -> dict[str, xr.Dataset]:
    """Windows of one data set under their names, noise measured, from parts by spectral window, pointing, dishes."""
    several_kinds = len({dishes for _, _, dishes in parts}) > 1
    several = several_kinds or len({pointing for _, pointing, _ in parts}) > 1
    windows: dict[str, xr.Dataset] = {}
    groups: dict[str, list[str]] = {}
    for (spectral, pointing, dishes), part in parts.items():
        kind = f".{_kind_name(dishes)}" if several_kinds else ""
        name = f"spw{spectral}.p{pointing}{kind}" if several else f"spw{spectral}"
        group = f"{key}.spw{spectral}{kind}"
        windows[name] = part.assign_attrs(noise_group=group, spectral_window=spectral)
        groups.setdefault(group, []).append(name)
    for names in groups.values():
        # Before channels are interpolated or averaged, while their noise is independent and neighbours are many.
        factor = _pooled_noise_factor([windows[name] for name in names])
        windows |= {name: windows[name].assign_attrs(noise_factor=factor) for name in names}
    return windows


def _finished(windows: dict[str, xr.Dataset], settings: VisibilitySettings) -> dict[str, xr.Dataset]:
    """The windows in the frame asked for, with the channels asked for, averaged."""
    groups = lsrk.regrid(windows) if settings.frame == "LSRK" else _by_grid(windows)
    finished = {}
    for group in groups:
        asked = settings.channels
        if isinstance(asked, dict):
            asked = asked.get(next(iter(group.values())).attrs["spectral_window"], "auto")
        chosen = channels.choose(asked, list(group.values()), next(iter(group)))
        for name, window in group.items():
            window = window.isel(channel=chosen)
            finished[name] = window.isel(row=(window.weight.values > 0).any(axis=1))
    for name in windows:
        window = average_channels(finished[name], settings.average_channels)
        window = average_time(window, settings.average_time_s)
        finished[name] = window.drop_vars("number", errors="ignore")
        for key in ("site_m", "spectral_window"):
            finished[name].attrs.pop(key, None)
    left = {name: finished[name] for name in windows if finished[name].sizes["row"]}
    for name in set(windows) - set(left):
        log.warning("%s has no usable visibility in the channels chosen and is left out", name)
    if not left:
        raise UserError("none of the channels chosen has a usable visibility; correct the key 'channels'")
    return left


def _by_grid(windows: dict[str, xr.Dataset]) -> list[dict[str, xr.Dataset]]:
    """Windows of the same channels in groups: the pointings and kinds of one spectral window of one data set."""
    groups: dict[tuple, dict[str, xr.Dataset]] = {}
    for name, window in windows.items():
        key = name.rpartition("spw")[0], window.attrs["spectral_window"]
        groups.setdefault(key, {})[name] = window
    return list(groups.values())


def _kind_name(dishes: tuple[float, float]) -> str:
    return "-".join(f"{size:g}m" for size in dict.fromkeys(dishes))


def _pooled_noise_factor(windows: list[xr.Dataset]) -> float:
    """σ seen / σ claimed of windows together: a short visit to one pointing has too few neighbouring samples."""
    return noise_factor(_joined([_set_apart(window, number) for number, window in enumerate(windows)]))


def from_simulation(path: str | Path, simulation: str, settings: VisibilitySettings) -> dict[str, xr.Dataset]:
    """The windows of one simulation of a `simulate` store (see `from_data`): Stokes I of its channels that are
    truly free of lines, unless `settings.channels` asks for others.

    Flagged rows are left out. The field that was simulated goes along as the attribute `field_arcsec`. Raises
    UserError where the store has no such simulation or no visibilities of it.
    """
    groups = [name for name in store.names(path) if name.startswith(f"{simulation}/spw")]
    if not groups:
        raise UserError(f"{path} holds no simulation '{simulation}'; it holds {', '.join(store.names(path))}")
    pointings = store.read(path, f"{simulation}/pointings")
    diameter = store.read(path, f"{simulation}/antennas")["diameter_m"].values
    parts = {}
    for group in groups:
        data = store.read(path, group)
        if "visibility" not in data:
            raise UserError(
                f"{path} holds no visibilities of {simulation}; simulate it with visibilities kept"
            )
        free = np.ones(data.sizes["channel"], bool)
        if settings.channels == "auto" and "line_free" in data:
            free = data.line_free.values.astype(bool)
        if not free.any():
            log.warning("%s of %s has no line-free channel and is left out", group, path)
            continue
        visibility = data.visibility.values[:, free].astype(complex)
        weight = 1 / np.square(data.sigma_jy.values[:, free].astype(float))[..., None]
        weight = np.where(data.flag.values[:, None, None], 0.0, weight)
        attrs = {"frame": data.attrs["frame"], "telescope": "ALMA", "source": f"{path}::{simulation}"}
        attrs |= {
            "simulated": True,
            "field_arcsec": float(data.attrs["cell_arcsec"]) * int(data.attrs["n_pix"]),
        }
        raw = Raw(
            data.uvw_m.values.astype(float),
            *(data[name].values for name in ("time_mjd_s", "antenna1", "antenna2")),
            visibility, np.broadcast_to(weight, visibility.shape), np.zeros(1, bool),
            ["XX", "YY"][: visibility.shape[-1]], data.frequency_hz.values[free].astype(float),
            data.channel_width_hz.values[free].astype(float), diameter, None, attrs,
        )  # fmt: skip
        of_row = data.pointing.values if "pointing" in data else np.zeros(data.sizes["row"], int)
        spectral = int(group.rsplit("spw", 1)[1])
        for pointing in np.unique(of_row).tolist():
            place = {name: float(pointings[name].values[pointing]) for name in ("ra_deg", "dec_deg")}
            for dishes, part in _by_kind([_rows(raw, of_row == pointing)], Counter()):
                parts[spectral, pointing, dishes] = part.assign_attrs(place)
    return _checked(_finished(_named(parts, simulation), settings), path)


def _rows(raw: Raw, rows: np.ndarray) -> Raw:
    """Some rows of simulated visibilities."""
    kept = {name: getattr(raw, name)[rows] for name in ("uvw_m", "time_mjd_s", "antenna1", "antenna2")}
    return replace(raw, **kept, visibility=raw.visibility[rows], weight=raw.weight[rows])


def _checked(windows: dict[str, xr.Dataset], path: str | Path) -> dict[str, xr.Dataset]:
    """The windows, if an image can be made of them at all."""
    pairs = set()
    for data in windows.values():
        if (data.antenna1 == UNKNOWN_ANTENNA).all():
            # Each place in the uv plane for itself: one baseline and its turn cannot be told from several.
            pairs |= set(map(tuple, np.round(data.uvw_m.values[:, :2], 6).tolist()))
        else:
            pairs |= set(zip(data.antenna1.values.tolist(), data.antenna2.values.tolist(), strict=True))
    if len(pairs) < 2:
        raise UserError(
            f"{path} has visibilities of {len(pairs)} baseline; an image needs at least two: unflag antennas"
        )
    return windows


def read(path: str | Path) -> dict[str, xr.Dataset]:
    """All windows of a visibilities file, sorted by name."""
    return {name: store.read(path, name) for name in store.names(path) if name != TOTAL_POWER}


def read_total_power(path: str | Path) -> xr.Dataset | None:
    """The single dishes' map of a visibilities file, None where there is none; see `total_power`."""
    return store.read(path, TOTAL_POWER) if TOTAL_POWER in store.names(path) else None
