"""Write one simulation for other programs: Measurement Set, FITS, npz, HDF5, or a preview.

Campaigns keep their products in shards; what somebody wants to open in CASA, DS9 or a notebook is taken
out of its shard here, one format per call.
"""

import logging
from pathlib import Path

from almabrain.console.script import parser, run
from almabrain.simulate.export import WRITERS, export


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--store", required=True, help="a shard of the stage simulate (.zarr.zip)")
    options.add_argument("--simulation", required=True, help="name of the simulation: sim-000000")
    options.add_argument("--format", required=True, help=f"one of {', '.join(WRITERS)}")
    options.add_argument(
        "--output", required=True, help="what to write: a folder for ms and fits, else a file"
    )
    args = options.parse_args()
    export(args.store, args.simulation, args.format, args.output)
    logging.getLogger(__name__).info(
        "%s of %s as %s: %s", args.simulation, args.store, args.format, Path(args.output)
    )


if __name__ == "__main__":
    run(main)
