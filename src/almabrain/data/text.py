"""Words and positions set out for people to read."""

import json
import re
from pathlib import Path


def lay_out(rows: list[tuple[str, str]]) -> str:
    """Rows of (name, value) as text in two columns; a value of several lines keeps its indent."""
    width = max(len(name) for name, _ in rows) + 2
    indent = "\n" + " " * (width + 2)
    return "\n".join(f"  {name:<{width}}{value.replace(chr(10), indent)}".rstrip() for name, value in rows)


def sexagesimal(ra_deg: float, dec_deg: float) -> str:
    """A position as `15h56m41.88s -42d19m23.3s`."""
    from astropy.coordinates import SkyCoord

    return SkyCoord(ra_deg, dec_deg, unit="deg").to_string("hmsdms", precision=2)


def suggested(path: Path, name: str, keys: list[str]) -> str:
    """The lines of a configuration that hand this file to the workflow, ready to be pasted."""
    short = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "mine"
    lines = ["To use it, paste into your configuration:", "", "observations:", f"  {short}:"]
    place = str(path.resolve())
    quoted = place if re.fullmatch(r"[\w./-]+", place) else json.dumps(place)
    return "\n".join([*lines, f"    path: {quoted}", *(f"    {key}" for key in keys)])
