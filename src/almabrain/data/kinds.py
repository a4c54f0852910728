"""What kind of data a path holds, from its first bytes: the workflow asks this before it plans a rule."""

from pathlib import Path
from typing import Literal

Kind = Literal["measurement set", "uvfits", "npz", "fits"]
_BLOCK = 2880  # of FITS


def kind(path: str | Path) -> Kind:
    """A folder is a Measurement Set, a zip file npz, FITS of random groups uvfits, any other file a FITS image."""
    path = Path(path)
    if path.is_dir():
        return "measurement set"
    with open(path, "rb") as stream:
        begin = stream.read(_BLOCK).decode("ascii", "replace")
    if begin.startswith("PK"):
        return "npz"
    cards = {
        begin[at : at + 8].strip(): begin[at + 10 : at + 80].split("/")[0].strip() for at in _cards(begin)
    }
    groups = cards.get("NAXIS1") == "0" and cards.get("NAXIS", "0") > "1"
    return "uvfits" if groups and cards.get("GROUPS", "T") == "T" else "fits"


def _cards(header: str) -> range:
    return range(0, len(header), 80)
