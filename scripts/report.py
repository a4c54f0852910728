"""Write the report of a run.

Everything of the run that can be shown is gathered in one page that opens offline in any browser: the
rule graph, observations, noise, training, images beside the truth, catalogues and scores, software and
settings. What the run did not make is left out with a sentence that says why.
"""

import logging
from pathlib import Path

from almabrain.console.errors import UserError
from almabrain.console.script import parser, run
from almabrain.data.files import atomic
from almabrain.report.build import build


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--results", required=True, help="folder of the run")
    arguments.add_argument("--dag", required=True, help="rule graph as `snakemake --rulegraph dot` prints it")
    arguments.add_argument("--output", required=True, help="page to write (.html)")
    args = arguments.parse_args()
    if not Path(args.results).is_dir():
        raise UserError(f"--results {args.results} is no folder; give the folder of a run")
    if not Path(args.dag).is_file():
        raise UserError(f"--dag {args.dag} does not exist; write it with `snakemake --rulegraph dot`")
    html = build(args.settings, args.results, Path(args.dag).read_text())
    with atomic(args.output) as temporary:
        temporary.write_text(html)
    logging.getLogger(__name__).info("report: %s", Path(args.output).resolve())


if __name__ == "__main__":
    run(main)
