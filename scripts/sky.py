"""Draw the skies of a shard of simulations, and write down the truth about them.

Each simulation belongs to one row of the observations, which says where the telescope points, what it can
resolve and how sensitive it is; the settings say what stands there. Components keep their exact positions.
"""

from pathlib import Path

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.console.progress import track
from almabrain.console.script import parser, run
from almabrain.data import store
from almabrain.data.seeds import generator
from almabrain.data.tables import read_table, write_table
from almabrain.sky import scene


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--seed", type=int, required=True, help="the run's seed")
    made.add_argument("--observations", type=Path, required=True, help="table of the stage query")
    made.add_argument("--simulations", nargs="+", required=True, help="simulations to draw: sim-000000 ...")
    made.add_argument("--output", type=Path, required=True, help="sky models to write, .zarr.zip")
    made.add_argument("--truth", type=Path, required=True, help="truth table to write, ECSV")
    args = made.parse_args()
    settings = check(SkySettings, args.settings, "sky")
    rows = read_table(args.observations)
    scenes = {}
    for name in track(args.simulations, "sky"):
        index = int(name.removeprefix("sim-"))
        if index >= len(rows):
            raise UserError(
                f"{args.observations} has {len(rows)} rows, none for {name}; run the stage query again"
            )
        scenes[name] = scene.draw(rows[index], settings, generator(args.seed, "sky", name), name)
    store.write(
        args.output,
        {f"{name}/{window}": data for name, made in scenes.items() for window, data in made.windows.items()},
    )
    write_table(args.truth, scene.truth_of(list(scenes.values())))


if __name__ == "__main__":
    run(main)
