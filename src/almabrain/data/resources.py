"""Facts that ship with the package: `resources/` in a checkout, `almabrain/resources/` in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_PACKAGE / "resources", _PACKAGE.parent.parent / "resources")


def path(name: str) -> Path:
    """The path of the resource `name` (`pads.ecsv`); FileNotFoundError where the installation lacks it."""
    for folder in _FOLDERS:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"resource '{name}' lies in neither {' nor '.join(map(str, _FOLDERS))}")
