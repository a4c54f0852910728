"""Single simulations in the formats that other programs read."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.console.errors import UserError, nearest
from almabrain.data import fits, provenance, store
from almabrain.data.files import atomic
from almabrain.data.measurement_set import write_measurement_set
from almabrain.simulate.preview import preview

# FITS card: the window's attribute, and what it is.
_CARDS = {
    "DATE-OBS": ("begin_utc", "begin of the first execution, UTC"),
    "EXPTIME": ("exposure_s", "[s] time on source"),
    "INSTRUME": ("instrument", "receiver band"),
    "DISH": ("dish_diameter_m", "[m] diameter of the dishes"),
    "WEIGHTNG": ("weighting", "of the visibilities"),
    "ROBUST": ("robust", "Briggs' robustness, where weighting is that"),
    "SIMUL": ("simulation", "number of the simulation in its campaign"),
}
_FITS_UNITS = {
    "dirty": "Jy/beam",
    "dirty_noiseless": "Jy/beam",
    "psf": "Jy/beam",
    "pb": "",
    "total_power": "Jy/beam",
    "total_power_noiseless": "Jy/beam",
}
_BEAM = ("bmaj_arcsec", "bmin_arcsec", "bpa_deg")


def load(shard: str | Path, simulation: str) -> tuple[dict[str, xr.Dataset], dict[str, xr.Dataset]]:
    """The windows of one simulation of a shard, in their order, and its tables: antennas, pointings."""
    groups = [group for group in store.names(shard) if group.partition("/")[0] == simulation]
    if not groups:
        known = sorted({group.partition("/")[0] for group in store.names(shard)})
        raise UserError(
            f"{shard} holds no simulation '{simulation}'{nearest(simulation, known)}; "
            f"it holds {', '.join(known)}"
        )
    windows = [group for group in groups if group.partition("/")[2].startswith("spw")]
    windows.sort(key=lambda group: int(group.rpartition("spw")[2]))
    tables = [group for group in groups if group not in windows]
    return tuple(
        {group.rpartition("/")[2]: store.read(shard, group) for group in kind} for kind in (windows, tables)
    )


def export(shard: str | Path, simulation: str, kind: str, output: str | Path) -> None:
    """Write one simulation of a shard as `ms`, `fits` (a folder), `npz`, `h5` or `png` (a preview).

    It is written whole or not at all.

    Raises UserError for an unknown simulation or format, or one that needs what the shard does not hold.
    """
    if kind not in WRITERS:
        raise UserError(f"format is '{kind}'{nearest(kind, WRITERS)}; allowed: {', '.join(WRITERS)}")
    windows, tables = load(shard, simulation)
    if kind in ("ms", "png") and not tables:
        raise UserError(f"{shard} holds no antennas, which {kind} needs; give a shard of the stage simulate")
    with atomic(output) as temporary:
        WRITERS[kind](temporary, windows, tables)


def _write_ms(path: Path, windows: Mapping[str, xr.Dataset], tables: Mapping[str, xr.Dataset]) -> None:
    made_by = ", ".join(f"{name} {version}" for name, version in provenance.versions().items())
    write_measurement_set(path, windows, tables["antennas"], tables["pointings"], f"simulated by {made_by}")


def _write_fits(path: Path, windows: Mapping[str, xr.Dataset], tables: Mapping[str, xr.Dataset]) -> None:
    """Cubes `spw<k>_<variable>.fits` of `_FITS_UNITS`; their headers' beam is the middle channel's."""
    path.mkdir()
    for name, window in windows.items():
        attrs = {key: window.attrs[key] for key in ("ra_deg", "dec_deg", "cell_arcsec", "frame")}
        attrs["object"] = window.attrs.get("target_name", window.attrs["simulation"])
        cards = {
            card: (window.attrs[key], comment)
            for card, (key, comment) in _CARDS.items()
            if key in window.attrs
        }
        cards["SPW"] = (name, "spectral window")
        for variable, unit in _FITS_UNITS.items():
            if variable in window:
                cube = window[variable].assign_coords(frequency_hz=window["frequency_hz"])
                cube.attrs = attrs | _beam(variable, window) | {"bunit": unit}
                fits.write_image(path / f"{name}_{variable}.fits", cube, cards | {"BTYPE": variable.upper()})


def _beam(variable: str, window: xr.Dataset) -> dict[str, float]:
    """The beam of the middle channel, of the single dishes (round) or of the interferometer."""
    middle = window.sizes["channel"] // 2
    if variable.startswith("total_power"):
        width = float(window["total_power_beam_arcsec"][middle])
        return dict(zip(_BEAM, (width, width, 0.0), strict=True))
    return {key: float(window[key][middle]) for key in _BEAM}


def _write_npz(path: Path, windows: Mapping[str, xr.Dataset], tables: Mapping[str, xr.Dataset]) -> None:
    """Arrays `spw<k>_<variable>`, `antennas_<variable>` and so on; all attributes as JSON under `attributes`."""
    groups = {**windows, **tables}
    arrays = {
        f"{group}_{key}": values for group, data in groups.items() for key, values in _plain(data).items()
    }
    attributes = {group: data.attrs for group, data in groups.items()}
    np.savez(path, attributes=json.dumps(attributes), **arrays)


def _write_h5(path: Path, windows: Mapping[str, xr.Dataset], tables: Mapping[str, xr.Dataset]) -> None:
    """A group per window and per table (antennas, pointings), with their attributes."""
    import h5py

    groups = {**windows, **tables}
    with h5py.File(path, "w") as file:
        for name, data in groups.items():
            group = file.create_group(name)
            group.attrs.update(data.attrs)
            for key, values in _plain(data).items():
                group[key] = values.astype(bytes) if values.dtype.kind == "U" else values


def _write_png(path: Path, windows: Mapping[str, xr.Dataset], tables: Mapping[str, xr.Dataset]) -> None:
    # Without the software's name in the file, the same data give the same bytes.
    preview(windows, tables).savefig(path, format="png", dpi=120, metadata={"Software": None})


def _plain(data: xr.Dataset) -> dict[str, np.ndarray]:
    """Variables as arrays that need no pickling."""
    arrays = {str(key): np.asarray(variable.values) for key, variable in data.variables.items()}
    return {
        key: values.astype(str) if values.dtype.kind in "OT" else values for key, values in arrays.items()
    }


WRITERS: dict[str, Callable] = {
    "ms": _write_ms,
    "fits": _write_fits,
    "npz": _write_npz,
    "h5": _write_h5,
    "png": _write_png,
}
