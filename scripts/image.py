"""Image visibilities the Bayesian way: a posterior of the sky, with uncertainty, and a verdict on it.

The sky is a log-normal random field with point sources; what comes out are mean, standard deviation and samples of
the posterior, the learned power spectrum, and summary.json, which says whether the inference converged.
"""

import logging
import time
from pathlib import Path

from almabrain.config.base import check
from almabrain.config.image import Recipe
from almabrain.console.script import parser, run

log = logging.getLogger(__name__)


def main():
    made = parser(__doc__)
    made.add_argument("--visibilities", type=Path, required=True, help="file of the rule visibilities")
    made.add_argument("--name", help="name of the data; from the file by default")
    made.add_argument("--seed", type=int, default=0, help="seed of the whole run")
    made.add_argument("--output-folder", type=Path, required=True, help="image/<data>/<recipe>")
    args = made.parse_args()
    recipe = check(Recipe, args.settings, "recipe")

    from almabrain.image import grid, inference, noise, products, visibilities

    begun = time.monotonic()
    windows = visibilities.read(args.visibilities)
    measured, factors = noise.as_measured(windows, recipe.reweight)
    chosen = grid.choose_grid(measured, recipe)
    log.info("%d x %d pixels of %.4g arcsec", chosen.n_pix, chosen.n_pix, chosen.cell_arcsec)
    name = args.name or args.visibilities.name.split(".")[0]
    state = inference.infer(windows, chosen, recipe.samples, recipe.max_iterations, args.seed, name, factors)
    timings = {"inference": time.monotonic() - begun}
    summary = products.write(args.output_folder, state, chosen, recipe.samples, timings)
    log.info("%s, reduced chi2 %.3f", summary["verdict"], summary["reduced_chi2"])


if __name__ == "__main__":
    run(main)
