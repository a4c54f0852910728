"""Make visibilities ready for imaging: Stokes I and weights, in one file.

The source is one or more calibrated data sets of one sky (Measurement Sets, uvfits, npz), which are only read, or one
simulation of a shard. Fields, windows, channels and data column are chosen, flags applied, channels moved to the LSRK
and channels and times averaged where asked; how far the weights are from the noise that neighbouring samples show is
measured and noted. A map of single dishes goes along.
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
    source.add_argument(
        "--data", type=Path, nargs="+", help="calibrated data sets (.ms folder, .uvfits, .npz)"
    )
    source.add_argument("--store", type=Path, help="shard of simulate, with --simulation")
    made.add_argument("--simulation", help="simulation in the store, e.g. sim-000012")
    made.add_argument("--total-power", type=Path, help="FITS image by single dishes, to go with --data")
    made.add_argument("--name", help="name of the data; from the output's path by default")
    made.add_argument("--output", type=Path, required=True, help="visibilities/<data>.zarr.zip")
    args = made.parse_args()
    settings = check(VisibilitySettings, args.settings, args.name or "")
    if args.store and not args.simulation:
        raise UserError("--store needs --simulation; name one that is in it, e.g. sim-000000")

    from almabrain.data import store
    from almabrain.image import total_power, visibilities

    single_dish = None
    if args.store:
        windows = visibilities.from_simulation(args.store, args.simulation, settings)
        single_dish = total_power.of_simulation(args.store, args.simulation)
    else:
        windows = visibilities.from_data(args.data, settings)
        if args.total_power:
            single_dish = total_power.of_image(args.total_power, settings.total_power_rms_jy_beam)
    for name, window in windows.items():
        log.info(
            "%s: %d visibilities, noise seen / claimed %.3f",
            name, int((window.weight.values > 0).sum()), window.attrs["noise_factor"],
        )  # fmt: skip
    store.write(
        args.output, windows | ({} if single_dish is None else {visibilities.TOTAL_POWER: single_dish})
    )


if __name__ == "__main__":
    run(main)
