"""Give every dirty cube of a shard its noise, once, and say how bright each source is against it.

Mode theoretical carries the radiometer noise of the simulation over; empirical adds a field drawn from the
reference's model to the noiseless cube; mixed adds both by their shares of the variance.
"""

import logging

from almabrain.config.base import check
from almabrain.config.noise import NoiseSettings
from almabrain.console.errors import UserError
from almabrain.console.progress import track
from almabrain.console.script import parser, run
from almabrain.data import store
from almabrain.data.tables import read_table, write_table
from almabrain.noise.inject import inject
from almabrain.noise.model import load
from almabrain.noise.snr import measured_snr, sensitivity


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--seed", type=int, required=True, help="seed of the run")
    arguments.add_argument("--simulated", required=True, help="shard of the rule simulate (.zarr.zip)")
    arguments.add_argument("--model", help="noise model (.zarr.zip); not needed in mode theoretical")
    arguments.add_argument("--truth", required=True, help="truth table of the rule sky (.ecsv)")
    arguments.add_argument("--output", required=True, help="noisy cubes to write (.zarr.zip)")
    arguments.add_argument("--output-truth", required=True, help="truth with SNR to write (.ecsv)")
    args = arguments.parse_args()
    settings = check(NoiseSettings, args.settings, "noise")
    if settings.mode != "theoretical" and not args.model:
        raise UserError(f"noise.mode is {settings.mode}, which needs a noise model; give --model")
    model = load(args.model) if args.model else None
    groups = [name for name in store.names(args.simulated) if name.rpartition("/")[2].startswith("spw")]
    windows: dict[str, list] = {}

    def noisy():
        # One window at a time: the cubes of a large shard do not fit into memory together.
        for name in track(groups, "noise"):
            simulated = store.read(args.simulated, name)
            cube = inject(simulated, settings, model, args.seed, name)
            windows.setdefault(name.split("/")[0], []).append(sensitivity(cube, simulated))
            yield name, cube

    store.write(args.output, noisy())
    write_table(args.output_truth, measured_snr(read_table(args.truth), windows))
    logging.getLogger(__name__).info("noise of %d windows drawn (%s)", len(groups), settings.mode)


if __name__ == "__main__":
    run(main)
