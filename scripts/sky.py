"""Draw the skies of a shard of simulations, and write down the truth about them.

Each simulation belongs to one or more rows of the observations, its executions, which say where the telescope
points, what it can resolve and how sensitive it is; the settings say what stands there. Components keep their
exact positions.
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
    arguments = parser(__doc__)
    arguments.add_argument("--seed", type=int, required=True, help="the run's seed")
    arguments.add_argument("--observations", type=Path, required=True, help="table of the stage query")
    arguments.add_argument(
        "--simulations", nargs="+", required=True, help="simulations to draw: sim-000000 ..."
    )
    arguments.add_argument("--output", type=Path, required=True, help="sky models to write, .zarr.zip")
    arguments.add_argument("--truth", type=Path, required=True, help="table of the sources to write, ECSV")
    arguments.add_argument("--lines", type=Path, required=True, help="table of their lines to write, ECSV")
    args = arguments.parse_args()
    settings = check(SkySettings, args.settings, "sky")
    table = read_table(args.observations)
    rows = {}
    for name in args.simulations:
        rows[name] = list(table[table["simulation"] == int(name.removeprefix("sim-"))])
        if not rows[name]:
            raise UserError(
                f"{args.observations} has {len(set(table['simulation']))} simulations, none is {name}; run the "
                "stage query again"
            )
        scene.check(rows[name], settings, name)
    truths, lines = [], []

    def drawn():
        # One scene and one window at a time: the cubes of a shard do not fit into memory together.
        for name in track(args.simulations, "sky"):
            one = scene.draw(rows[name], settings, generator(args.seed, "sky", name), name)
            truths.append(one.truth)
            lines.append(one.lines)
            yield from ((f"{name}/{window}", data) for window, data in one.windows())

    store.write(args.output, drawn())
    write_table(args.truth, scene.together(truths))
    write_table(args.lines, scene.together(lines))


if __name__ == "__main__":
    run(main)
