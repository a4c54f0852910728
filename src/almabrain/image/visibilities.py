"""Visibilities made ready for imaging: Stokes I and weights of one field, window by window."""

import logging
from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.data import store
from almabrain.image.measurement_set import MeasurementSet
from almabrain.image.noise import noise_factor

log = logging.getLogger(__name__)

PARALLEL_HANDS = {"XX": "YY", "RR": "LL"}


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
    """Weighted means of `width` neighbouring channels; frequencies are plain means of the centres."""
    n_channel = window.sizes["channel"]
    if width <= 1 or n_channel == 1:
        return window
    starts = np.arange(0, n_channel, width)
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


def _averaged(window: xr.Dataset, settings: VisibilitySettings) -> xr.Dataset:
    # The noise is measured before averaging, while there are neighbours enough to difference.
    window.attrs["noise_factor"] = noise_factor(window)
    window = average_channels(window, settings.average_channels)
    return average_time(window, settings.average_time_s)


def from_measurement_set(path: str | Path, settings: VisibilitySettings) -> dict[str, xr.Dataset]:
    """The windows `spw<k>` of one field of a calibrated Measurement Set (v2), which is only read.

    Every dataset has uvw_m (row, axis), frequency_hz and channel_width_hz (channel), time_mjd_s (row),
    visibility [Jy] and weight [1/Jy²] (row, channel); frame, phase centre and dish size are attributes.
    Raises UserError where the set is none, or nothing in it is usable.
    """
    windows = {}
    with MeasurementSet(path) as measured:
        field = measured.choose_field(settings.fields)
        for window in measured.choose_windows(settings.spectral_windows):
            raw = measured.read(field, window, settings.data_column)
            if raw is None:
                continue
            visibility, weight = stokes_i(raw.visibility, raw.weight, raw.correlations)
            keep = (weight > 0).any(axis=1)
            if not keep.any():
                log.warning("window %d of %s holds no usable visibility and is left out", window, path)
                continue
            dataset = xr.Dataset(
                {
                    "uvw_m": (("row", "axis"), raw.uvw_m[keep]),
                    "time_mjd_s": ("row", raw.time_mjd_s[keep]),
                    "antenna1": ("row", raw.antenna1[keep]),
                    "antenna2": ("row", raw.antenna2[keep]),
                    "visibility": (("row", "channel"), visibility[keep].astype(complex)),
                    "weight": (("row", "channel"), weight[keep]),
                    "frequency_hz": ("channel", raw.frequency_hz),
                    "channel_width_hz": ("channel", raw.channel_width_hz),
                },
                attrs=raw.attrs | {"source": str(path)},
            )
            windows[f"spw{window}"] = _averaged(dataset, settings)
        if not windows:
            measured.explain_nothing_usable(field)
    return _checked(windows, path)


def from_simulation(path: str | Path, simulation: str, settings: VisibilitySettings) -> dict[str, xr.Dataset]:
    """The windows `spw<k>` of one simulation of a `simulate` store: Stokes I of its line-free channels.

    Flagged rows are left out. The field that was simulated goes along as the attribute `field_arcsec`. Raises
    UserError where the store has no such simulation or no visibilities of it, or where it is a mosaic or of
    dishes of two sizes, as imaging knows one primary beam only.
    """
    groups = [name for name in store.names(path) if name.startswith(f"{simulation}/spw")]
    if not groups:
        raise UserError(f"{path} holds no simulation '{simulation}'; it holds {', '.join(store.names(path))}")
    centre = _only_pointing(path, simulation)
    windows = {}
    for group in groups:
        data = store.read(path, group)
        if "visibility" not in data:
            raise UserError(
                f"{path} holds no visibilities of {simulation}; simulate it with visibilities kept"
            )
        free = (
            data.line_free.values.astype(bool)
            if "line_free" in data
            else np.ones(data.sizes["channel"], bool)
        )
        if not free.any():
            log.warning("%s of %s has no line-free channel and is left out", group, path)
            continue
        data = data.isel(row=~data.flag.values)
        visibility = data.visibility.values[:, free].astype(complex)
        weight = 1 / np.square(data.sigma_jy.values[:, free].astype(float))[..., None]
        hands = ["XX", "YY"][: visibility.shape[-1]]
        visibility, weight = stokes_i(visibility, np.broadcast_to(weight, visibility.shape), hands)
        attrs = centre | {key: data.attrs[key] for key in ("frame", "dish_diameter_m")}
        attrs |= {"telescope": "ALMA", "source": f"{path}::{simulation}", "simulated": True}
        attrs["field_arcsec"] = float(data.attrs["cell_arcsec"]) * int(data.attrs["n_pix"])
        dataset = xr.Dataset(
            {
                "uvw_m": (("row", "axis"), data.uvw_m.values.astype(float)),
                **{name: ("row", data[name].values) for name in ("time_mjd_s", "antenna1", "antenna2")},
                "visibility": (("row", "channel"), visibility),
                "weight": (("row", "channel"), weight),
                "frequency_hz": ("channel", data.frequency_hz.values[free].astype(float)),
                "channel_width_hz": ("channel", data.channel_width_hz.values[free].astype(float)),
            },
            attrs=attrs,
        )
        windows[group.split("/")[1]] = _averaged(dataset, settings)
    return _checked(windows, path)


def _only_pointing(path: str | Path, simulation: str) -> dict[str, float]:
    """Phase centre (ra_deg, dec_deg) of a simulation; UserError unless it has one, and dishes of one size."""
    pointings = store.read(path, f"{simulation}/pointings")
    dishes = np.unique(store.read(path, f"{simulation}/antennas")["diameter_m"].values)
    if (count := pointings.sizes["pointing"]) > 1 or dishes.size > 1:
        found = f"{count} pointings" if count > 1 else f"dishes of {dishes[0]:g} and {dishes[1]:g} m"
        raise UserError(
            f"{simulation} of {path} has {found}, but imaging knows one primary beam only; image a simulation of "
            "one pointing and one array, or export it as ms for CASA"
        )
    return {key: float(pointings[key].values[0]) for key in ("ra_deg", "dec_deg")}


def _checked(windows: dict[str, xr.Dataset], path: str | Path) -> dict[str, xr.Dataset]:
    """The windows, if an image can be made of them at all."""
    pairs = {
        pair
        for data in windows.values()
        for pair in zip(data.antenna1.values.tolist(), data.antenna2.values.tolist(), strict=True)
    }
    if len(pairs) < 2:
        raise UserError(
            f"{path} has visibilities of {len(pairs)} baseline; an image needs at least two: unflag antennas"
        )
    return windows


def read(path: str | Path) -> dict[str, xr.Dataset]:
    """All windows of a visibilities file, sorted by name."""
    return {name: store.read(path, name) for name in store.names(path)}
