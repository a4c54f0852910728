"""CASA's side of the engine casa: run in a folder with vis.ms and settings.json, which holds tclean's arguments.

It runs under the Python that has casatasks, which need not have this library. Writes made.npz (pictures
(plane, y, x)) and made.json (how it went); exit code 3 where CASA is not installed.
"""

import json
import sys
from pathlib import Path

import numpy as np

try:
    import casatasks
    import casatools
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

settings = json.loads(Path("settings.json").read_text())
tool = casatools.image()


def picture(kind):
    """A product of tclean's, whose axes are x, y, Stokes, channel, as (plane, y, x)."""
    tool.open(f"made.{kind}")
    values = tool.getchunk()[:, :, 0, :].T
    tool.close()
    return values


told = casatasks.tclean(**settings)
residual = picture("residual")
# Without an iteration there is no model.
model = picture("model") if Path("made.model").exists() else np.zeros_like(residual)
np.savez("made.npz", model=model, residual=residual)
how = {
    "version": casatools.version_string(),
    "iterations": int(told.get("iterdone", 0)),
    "major_cycles": int(told.get("nmajordone", 0)),
    "stopcode": int(told.get("stopcode", 0)),
    "said": str(told.get("stopDescription", "")),
}
Path("made.json").write_text(json.dumps(how))
