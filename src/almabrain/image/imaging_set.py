"""The imaged visibilities as a Measurement Set, for programs that read nothing else."""

from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.console.errors import UserError
from almabrain.data.measurement_set import write_measurement_set
from almabrain.image import groups
from almabrain.image.grid import Windows
from almabrain.instrument import site

_EARTH_RADIUS_M = 6_372_000.0
_HOUR_S = 3600.0


def write(path: Path, windows: Windows, weight: dict[str, np.ndarray], telescope: str) -> None:
    """Write the windows as a Measurement Set at `path`, which must not exist.

    `weight` (row, channel) of each window become the set's weights of Stokes I, so that natural weighting images
    with them; rows without any are left out. Windows of the same channels are one spectral window, and every
    pointing is a field. Frequencies are labelled LSRK whatever their frame: CASA grids in wavelengths of the
    frequencies it has turned into LSRK, but baselines do not ride along. Antennas have the true
    diameters, and places and names that mean nothing, as times do. Raises UserError where no row has weight.
    """
    fields = {_key(window): groups.place(window) for window in windows.values()}
    times = np.concatenate([window.time_mjd_s.values for window in windows.values()])
    merged: dict[tuple, list[xr.Dataset]] = {}
    dishes: dict[tuple[float, int], int] = {}
    for name, window in windows.items():
        field = list(fields).index(_key(window))
        one = _as_written(window, weight[name], field, dishes)
        # CASA turns the phases of all rows of one time to one centre, so no time may have two fields.
        one["time_mjd_s"] = one.time_mjd_s + field * (np.ptp(times) + _HOUR_S)
        if one.sizes["row"]:
            merged.setdefault(tuple(window.frequency_hz.values), []).append(one)
    if not merged:
        raise UserError("all visibilities have weight zero; give data that are not flagged completely")
    attrs = next(iter(windows.values())).attrs
    common = {
        "ra_deg": attrs["ra_deg"],
        "dec_deg": attrs["dec_deg"],
        "frame": "LSRK",
        "telescope": telescope,
        "target_name": str(attrs.get("object", attrs.get("source", "target"))),
        "observation": "imaging",
        "simulation": "imaging",
    }
    written = {
        f"spw{number}": xr.concat(
            parts, "row", data_vars="minimal", coords="minimal", compat="override"
        ).assign_attrs(common)
        for number, parts in enumerate(merged.values())
    }
    ra, dec = np.transpose(list(fields.values()))
    pointings = xr.Dataset({"ra_deg": ("pointing", ra), "dec_deg": ("pointing", dec)})
    write_measurement_set(
        path, written, _antennas(dishes), pointings, "visibilities and imaging weights as imaged"
    )


def _key(window: xr.Dataset) -> tuple[float, float]:
    """What tells pointings apart, to a few milliarcsec."""
    ra, dec = groups.place(window)
    return round(ra, 6), round(dec, 6)


def _as_written(window, weight, field, dishes) -> xr.Dataset:
    """One window in the writer's names; `dishes` numbers every (diameter, antenna) that it meets."""
    kept = (weight > 0).any(axis=1)
    window, weight = window.isel(row=kept), weight[kept]
    ends = (
        [dishes.setdefault((diameter, int(antenna)), len(dishes)) for antenna in window[name].values]
        for name, diameter in zip(("antenna1", "antenna2"), groups.dishes_m(window), strict=True)
    )
    used = weight > 0
    visibility = np.where(used, window.visibility.values, 0)
    count = window.sizes["row"]
    time = window.time_mjd_s.values
    steps = np.diff(np.unique(time))
    first, second = (np.array(end, int) for end in ends)
    return xr.Dataset(
        {
            "visibility": (("row", "channel", "hand"), np.repeat(visibility[..., None], 2, axis=-1)),
            # Stokes I is the mean of two hands of equal weight, each half of its own.
            "sigma_jy": (("row", "channel"), np.sqrt(2 / np.where(used, weight, 1e-300))),
            "flag": (("row", "channel"), ~used),
            "uvw_m": (("row", "axis"), window.uvw_m.values),
            "time_mjd_s": ("row", time),
            "integration_s": ("row", np.full(count, steps.min() if steps.size else 1.0)),
            "antenna1": ("row", first),
            "antenna2": ("row", second),
            "pointing": (
                "row",
                np.full(count, field),
            ),
            "execution": ("row", np.zeros(count, int)),
            "scan": ("row", np.ones(count, int)),
            "frequency_hz": ("channel", window.frequency_hz.values),
            "channel_width_hz": ("channel", window.channel_width_hz.values),
        }
    )


def _antennas(dishes: dict[tuple[float, int], int]) -> xr.Dataset:
    """Stand-ins, a metre apart on the site's meridian."""
    count = len(dishes)
    latitude = site.LATITUDE_RAD + np.arange(count) / _EARTH_RADIUS_M
    place = _EARTH_RADIUS_M * np.stack(
        [
            np.cos(latitude) * np.cos(site.LONGITUDE_RAD),
            np.cos(latitude) * np.sin(site.LONGITUDE_RAD),
            np.sin(latitude),
        ],
        axis=-1,
    )
    return xr.Dataset(
        {
            "name": ("antenna", [f"A{number}" for number in range(count)]),
            "pad": ("antenna", [f"P{number}" for number in range(count)]),
            "itrf_m": (("antenna", "axis"), place),
            "diameter_m": ("antenna", [diameter for diameter, _ in dishes]),
            "execution": ("antenna", np.zeros(count, int)),
        }
    )
