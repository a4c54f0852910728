"""Why a run failed, in the one sentence that the user sees last."""

import os
import shutil
from pathlib import Path

from almabrain.console.errors import UserError

_NO_SPACE_BYTES = 100_000


def require_writable(folder: str | Path) -> None:
    """Raise UserError where `folder` (or the nearest of its parents that exists) cannot be written to."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise UserError(f"key 'results' is '{folder}', but {place} is a file; give a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(
            f"key 'results' is '{folder}', but {place} is read-only; give a folder you may write to"
        )
    if shutil.disk_usage(place).free < _NO_SPACE_BYTES:
        raise UserError(
            f"key 'results' is '{folder}', but no space is left there; free some or give another folder"
        )


def first_mistake(logs: str | Path, results: str | Path, since: float) -> str:
    """The sentence with which the newest job's log ends that was written after `since` (s of the epoch).

    Where no job left one, says where else to look.
    """
    try:
        require_writable(results)
    except UserError as mistake:
        return str(mistake)
    written = {file: file.stat().st_mtime for file in Path(logs).rglob("*.log")}
    for file in sorted((file for file in written if written[file] >= since), key=written.get, reverse=True):
        lines = file.read_text(errors="replace").strip().splitlines()
        if lines and lines[-1].startswith("error: "):
            return lines[-1].removeprefix("error: ")
        if any(line.startswith("Traceback") for line in lines):
            return f"a bug in almabrain ended a job; its traceback is in {file}"
    return f"the run was interrupted or a job was killed; run again to go on where it stopped (logs: {logs})"
