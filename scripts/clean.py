"""CLEAN visibilities: the yardstick beside the Bayesian image, on the same data, pixels and beam.

Multiscale CLEAN with Briggs' weights, an automatic mask, thresholds in units of the weights' noise, and a verdict;
the restored image is not corrected for the primary beam, which is written beside it.
"""

import logging
from pathlib import Path

from almabrain.config.base import check
from almabrain.config.image import Recipe
from almabrain.console.script import parser, run

log = logging.getLogger(__name__)


def main():
    made = parser(__doc__)
    made.add_argument("--visibilities", type=Path, required=True, help="file of the rule visibilities")
    made.add_argument("--name", help="name of the data; from the file by default")
    made.add_argument("--output-folder", type=Path, required=True, help="image/<data>/<recipe>")
    args = made.parse_args()
    recipe = check(Recipe, args.settings, "recipe")

    from almabrain.image import clean, grid, noise, visibilities

    windows, _ = noise.as_measured(visibilities.read(args.visibilities), recipe.reweight)
    chosen = grid.choose_grid(windows, recipe)
    summary = clean.write(
        args.output_folder, clean.clean(windows, chosen, recipe.clean), chosen, recipe.clean
    )
    log.info(
        "%s: %d components in %d major cycles, residual rms %.3g Jy/beam, noise %.3g Jy/beam",
        summary["verdict"], summary["iterations"], summary["major_cycles"], summary["residual_rms_jy_beam"],
        summary["noise_jy_beam"],
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
