"""Hold the campaign's catalogues against the truth: completeness, purity, recovered fluxes.

Every detection is matched with one source at most and the other way round. Two tables are written: the
scores of each image, recipe and finder with those over many images, a network's apart by whether it was
trained on them, and the matched pairs themselves.
"""

from pathlib import Path

from almabrain.config.base import check
from almabrain.config.catalogue import CatalogueSettings
from almabrain.console.script import parser, run


def main():
    made = parser(__doc__)
    made.add_argument("--catalogues", nargs="+", type=Path, required=True, help="catalogues of simulations")
    made.add_argument("--truth", nargs="+", type=Path, required=True, help="truth tables of noise/draws")
    made.add_argument("--output", type=Path, required=True, help="scores.ecsv")
    made.add_argument("--matches", type=Path, help="matches.ecsv; beside the scores by default")
    args = made.parse_args()
    settings = check(CatalogueSettings, args.settings, "catalogue")

    from almabrain.catalogue.match import match_all
    from almabrain.catalogue.score import matches_table, scores_table
    from almabrain.data.tables import read_table, write_table

    catalogues = [read_table(path) for path in args.catalogues]
    matched = match_all(catalogues, [read_table(path) for path in args.truth], settings)
    write_table(args.matches or args.output.with_name("matches.ecsv"), matches_table(matched))
    write_table(args.output, scores_table(matched, settings))


if __name__ == "__main__":
    run(main)
