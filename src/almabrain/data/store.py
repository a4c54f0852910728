"""Shards: named xarray datasets in one Zarr file (a zip), written whole or not at all."""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import xarray as xr
import zarr

from almabrain.console.errors import UserError
from almabrain.data.files import atomic


def write(path: str | Path, groups: Mapping[str, xr.Dataset] | Iterable[tuple[str, xr.Dataset]]) -> None:
    """Write datasets under their group names (`sim-000000/spw0`) into one zip file.

    Pairs from a generator are written as they come, so that a shard need not fit into memory.
    """
    with atomic(path) as temporary:
        store = zarr.storage.ZipStore(temporary, mode="w")
        # Opens the file, which otherwise the first dataset does: if making that one fails, closing would too.
        zarr.open_group(store, mode="w")
        try:
            for name, dataset in groups.items() if isinstance(groups, Mapping) else groups:
                with warnings.catch_warnings():
                    # Zarr rewrites a group's metadata as xarray adds to it; the last one counts.
                    warnings.filterwarnings("ignore", message="Duplicate name")
                    warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 spec.*")
                    dataset.to_zarr(store, group=name, mode="a", consolidated=False)
        finally:
            store.close()


def names(path: str | Path) -> list[str]:
    """The group names in a store that hold data, sorted."""
    with _open(path) as store:
        root = zarr.open_group(store, mode="r")
        groups = [name for name, item in root.members(max_depth=None) if isinstance(item, zarr.Group)]
        return sorted(name for name in groups if any(True for _ in root[name].array_keys()))


def read(path: str | Path, group: str) -> xr.Dataset:
    """One dataset of a store, loaded into memory; UserError where it is not there."""
    with _open(path) as store:
        try:
            return xr.open_zarr(store, group=group, consolidated=False).load()
        except (KeyError, FileNotFoundError):
            raise UserError(
                f"{path} holds no group '{group}'; it holds {', '.join(names(path)) or 'nothing'}"
            ) from None


def attributes(path: str | Path, group: str) -> dict:
    """The attributes of one dataset of a store, without reading its arrays."""
    with _open(path) as store:
        return dict(zarr.open_group(store, path=group, mode="r").attrs)


def _open(path: str | Path) -> zarr.storage.ZipStore:
    import zipfile

    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; run the stage that makes it first")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is not a whole Zarr zip file; remove it and run its stage again")
    return zarr.storage.ZipStore(path, mode="r")
