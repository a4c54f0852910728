"""The state of an inference after every round, so that a run that was killed goes on where it was.

A folder beside the products, which no rule declares: Snakemake removes outputs of failed jobs, and leaves it. What is
in it belongs to one state of data, settings and software only.
"""

import dataclasses
import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from pydantic import BaseModel

from almabrain.data import provenance
from almabrain.data.files import atomic

log = logging.getLogger(__name__)

FOLDER = "checkpoint"
_STATE = "state.npz"


class Checkpoint:
    """Keeps arrays by name in `folder`, marked by a hash of all that they are `about`."""

    def __init__(self, folder: str | Path, *about: Any):
        self.folder, self.mark = Path(folder), fingerprint(*about)

    def save(self, arrays: Mapping[str, np.ndarray], pieces: Mapping[int, np.ndarray]) -> None:
        """Replace what is kept; `pieces` are large, never change under their number, and are written once.

        What was kept before stays until all is there. A disk that is full is no reason to stop.
        """
        try:
            for number in pieces.keys() - self._pieces().keys():
                with atomic(self._piece(number)) as temporary:
                    np.save(temporary, pieces[number])
            with atomic(self.folder / _STATE) as temporary:
                np.savez(temporary, mark=self.mark, pieces=np.array(sorted(pieces), int), **arrays)
        except OSError as error:
            log.warning("no checkpoint of this round: %s", error)
            return
        for number in self._pieces().keys() - pieces.keys():
            self._piece(number).unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]] | None:
        """The arrays and pieces that are kept; None, and an empty folder, where they are not about the same."""
        if not self.folder.exists():
            return None
        try:
            with np.load(self.folder / _STATE) as kept:
                arrays = {name: kept[name] for name in kept.files}
            if str(arrays.pop("mark")) == self.mark:
                pieces = {int(number): np.load(self._piece(number)) for number in arrays.pop("pieces")}
                return arrays, pieces
            log.info(
                "the checkpoint in %s is of other data, settings or software; starting anew", self.folder
            )
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            log.info("the checkpoint in %s cannot be read; starting anew", self.folder)
        self.remove()
        return None

    def remove(self) -> None:
        """Forget all, at the end of a run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _piece(self, number: int) -> Path:
        return self.folder / f"draws-{number:04d}.npy"

    def _pieces(self) -> dict[int, Path]:
        return {int(path.stem.split("-")[1]): path for path in self.folder.glob("draws-*.npy")}


def fingerprint(*about: Any) -> str:
    """Hash of arrays, data sets, settings and what holds them, and of the software that works on them."""
    digest = hashlib.sha256()
    software = provenance.source_hash("image"), provenance.versions(), jax.default_backend()
    for item in (*software, *about):
        _feed(digest, item)
    return digest.hexdigest()


def _feed(digest, item: Any) -> None:
    """Add an item to the hash, each with its kind, so that no two say the same by other words."""
    digest.update(type(item).__name__.encode())
    match item:
        case np.ndarray() if item.dtype != object:
            digest.update(f"{item.dtype.str}{item.shape}".encode())
            digest.update(np.ascontiguousarray(item).view(np.uint8).data if item.size else b"")
        case xr.Dataset():
            _feed(digest, item.attrs)
            _feed(digest, {name: item.variables[name] for name in sorted(item.variables)})
        case xr.Variable():
            _feed(digest, (item.dims, item.values))
        case BaseModel():
            digest.update(item.model_dump_json().encode())
        case Mapping():
            _feed(digest, list(item.items()))
        case list() | tuple() | np.ndarray():
            digest.update(f"{len(item)}".encode())
            for each in item:
                _feed(digest, each)
        case _ if dataclasses.is_dataclass(item):
            _feed(digest, {field.name: getattr(item, field.name) for field in dataclasses.fields(item)})
        case np.generic():
            digest.update(repr(item).encode())
        case _:
            digest.update(json.dumps(item).encode())
