"""Make visibilities ready for imaging: Stokes I and weights of one field, in one file.

The source is a calibrated Measurement Set, which is only read, or one simulation of a shard. Fields, windows and
data column are chosen, flags applied, channels and times averaged where asked; and how far the weights are from
the noise that neighbouring samples show is measured and noted.
"""

import logging
from pathlib import Path

from almabrain.config.base import check
from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.console.script import parser, run

log = logging.getLogger(__name__)


def main():
    made = parser(__doc__)
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--measurement-set", type=Path, help="calibrated Measurement Set (a folder)")
    source.add_argument("--store", type=Path, help="shard of simulate, with --simulation")
    made.add_argument("--simulation", help="simulation in the store, e.g. sim-000012")
    made.add_argument("--name", help="name of the data; from the output's path by default")
    made.add_argument("--output", type=Path, required=True, help="visibilities/<data>.zarr.zip")
    args = made.parse_args()
    settings = check(VisibilitySettings, args.settings, args.name or "")
    if args.store and not args.simulation:
        raise UserError("--store needs --simulation; name one that is in it, e.g. sim-000000")

    from almabrain.data import store
    from almabrain.image import visibilities

    if args.store:
        windows = visibilities.from_simulation(args.store, args.simulation, settings)
    else:
        windows = visibilities.from_measurement_set(args.measurement_set, settings)
    for name, window in windows.items():
        log.info(
            "%s: %d visibilities, noise seen / claimed %.3f",
            name, int((window.weight.values > 0).sum()), window.attrs["noise_factor"],
        )  # fmt: skip
    store.write(args.output, windows)


if __name__ == "__main__":
    run(main)
