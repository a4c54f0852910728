"""Files that are either whole or not there."""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from almabrain.console.errors import UserError


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it on success, remove it on failure.

    Works for files and for folders (a Measurement Set). The temporary name keeps the ending, since
    writers such as astropy and zarr choose the format by it. Raises UserError where the folder
    cannot be written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; choose another folder with the key 'results'"
        ) from None
    try:
        temporary = scratch / path.name
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def finite(values: Any) -> Any:
    """The values, in dictionaries and lists too, with None for numbers that are not finite."""
    if isinstance(values, dict):
        return {key: finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)(finite(value) for value in values)
    return None if isinstance(values, float) and not math.isfinite(values) else values


def write_json(path: str | Path, values: Any) -> None:
    """Write JSON that every program reads: null for numbers that are not finite, for which it has no word."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(finite(values), indent=1, allow_nan=False))
