"""Observe the sky models of one shard as ALMA did on the nights of the archive rows.

The rows of simulation i are its executions: their antennas and times, one target, one set of windows.
Visibilities get the radiometer's noise; every spectral window becomes a cube of dirty images, with and
without that noise, beside its PSF, primary beam and predicted rms.
"""

import logging

from almabrain.config.base import check
from almabrain.config.simulate import SimulateSettings
from almabrain.console.progress import Progress
from almabrain.console.script import parser, run
from almabrain.data import store
from almabrain.data.seeds import generator
from almabrain.data.tables import read_table
from almabrain.simulate.observe import check_observable, observe
from almabrain.simulate.shard import simulations
from almabrain.simulate.shared import Shared


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seed", type=int, required=True, help="seed of the run")
    options.add_argument("--observations", required=True, help="observations.ecsv of the stage query")
    options.add_argument("--sky", required=True, help="a shard of the stage sky (.zarr.zip)")
    options.add_argument("--output", required=True, help="the shard to write (.zarr.zip)")
    options.add_argument("--threads", type=int, default=1, help="threads of the gridder")
    args = options.parse_args()
    settings = check(SimulateSettings, args.settings, "simulate")
    rows = read_table(args.observations)
    todo = simulations(args.sky, rows, args.observations)
    check_observable([list(executions) for executions, _ in todo.values()], settings)
    progress, shared = Progress("simulate", len(todo)), Shared()

    def observed():
        for name, (executions, windows) in todo.items():
            sky = {window: store.read(args.sky, f"{name}/{window}") for window in windows}
            rng = generator(args.seed, "simulate", name)
            made = observe(list(executions), sky, settings, rng, args.threads, shared)
            observations = ", ".join(executions["observation"])
            logging.getLogger(__name__).info("%s: %s, windows %s", name, observations, ", ".join(sky))
            yield from ((f"{name}/{group}", data) for group, data in made)
            progress.step(name)

    store.write(args.output, observed())


if __name__ == "__main__":
    run(main)
