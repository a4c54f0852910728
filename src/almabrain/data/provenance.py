"""What made a product: versions of the software and the hash of the code a stage can reach.

Standard library only: the workflow imports this at every parse.
"""

import hashlib
import importlib.metadata
import platform
from pathlib import Path

from almabrain.data import resources

PACKAGES = (
    "almabrain snakemake numpy scipy astropy xarray zarr jax nifty torch python-casacore ducc0 radler sep"
).split()
SHARED_ROOMS = ("console", "config", "data", "instrument", "response")


def versions() -> dict[str, str]:
    """Versions of Python and of those of our packages that are installed here."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def source_hash(*rooms: str) -> str:
    """Hash of the source of the named rooms, the shared ones and the resources, so that an edit reruns them."""
    root = Path(__file__).resolve().parent.parent
    files = [file for room in sorted({*SHARED_ROOMS, *rooms}) for file in sorted((root / room).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in [*files, *sorted(resources.path("").rglob("*.ecsv"))]:
        digest.update(f"{file.name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
