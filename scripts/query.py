"""Choose the observations that a campaign simulates.

Reads rows (snapshot, TAP service, file or plan), keeps those that the settings select, makes one consistent
array of each, and writes one row per execution; its column simulation says which simulation it belongs to.
"""

import logging
from pathlib import Path

from almabrain.config.base import check
from almabrain.config.query import QuerySettings
from almabrain.console.script import parser, run
from almabrain.data.tables import write_table
from almabrain.query import selection, simulations, sources


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--simulations", type=int, required=True, help="how many simulations there will be")
    made.add_argument("--seed", type=int, required=True, help="the run's seed")
    made.add_argument("--output", type=Path, required=True, help="table to write, ECSV")
    args = made.parse_args()
    settings = check(QuerySettings, args.settings, "query")
    rows, source = sources.rows(settings)
    executions = selection.select(rows, settings, source)
    groups = simulations.gather(executions, settings.combine)
    chosen = simulations.choose(groups, args.simulations, args.seed)
    write_table(args.output, selection.as_table(chosen))
    log = logging.getLogger(__name__)
    log.info(
        "%d simulations from %d executions of %s (%d rows)",
        len(chosen),
        len(executions),
        source,
        len(rows),
    )


if __name__ == "__main__":
    run(main)
