"""Image visibilities the Bayesian way: a posterior of the sky, with uncertainty, and a verdict on it.

The sky is a log-normal random field with point sources; what comes out are mean, standard deviation and samples of
the posterior, what it resolves, fluxes, the learned power spectrum, and summary.json, which says whether the
inference converged.
"""

import logging
import os
import shutil
import time
from pathlib import Path

from almabrain.config.base import check
from almabrain.config.image import Recipe
from almabrain.console.errors import UserError
from almabrain.console.script import parser, run

log = logging.getLogger(__name__)


def main():
    made = parser(__doc__)
    made.add_argument("--visibilities", type=Path, required=True, help="file of the rule visibilities")
    made.add_argument("--name", help="name of the data; from the file by default")
    made.add_argument("--seed", type=int, default=0, help="seed of the whole run")
    made.add_argument("--threads", type=int, default=1, help="chains that run at the same time")
    made.add_argument("--output-folder", type=Path, required=True, help="image/<data>/<recipe>")
    args = made.parse_args()
    recipe = check(Recipe, args.settings, "recipe")

    import jax

    from almabrain.image import checkpoint, grid, inference, noise, products, regions, visibilities

    # What was compiled once serves every later run on this machine.
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    jax.config.update("jax_compilation_cache_dir", f"{cache}/almabrain/jax")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    if recipe.regions:
        regions.read(recipe.regions)  # a mistake in it had better be told now
    begun = time.monotonic()
    windows = visibilities.read(args.visibilities)
    measured, factors = noise.as_measured(windows, recipe.reweight)
    chosen = grid.choose_grid(measured, recipe)
    worked = grid.working(measured, chosen)
    log.info(
        "%d x %d pixels of %.4g arcsec, inference on %d x %d",
        *(chosen.n_pix, chosen.n_pix, chosen.cell_arcsec, worked.n_pix, worked.n_pix),
    )
    name = args.name or args.visibilities.name.split(".")[0]
    total_power = visibilities.read_total_power(args.visibilities)
    if total_power is not None and chosen.channels is not None:
        raise UserError(
            f"spectral.mode is '{recipe.spectral.mode}', but the data have a total power map, which is of one channel; "
            "set it to continuum, or leave the map out"
        )
    by_antenna = recipe.reweight == "antennas"
    data = inference.Data(windows, total_power, factors, recipe.self_calibration, antennas=by_antenna)
    kept = args.output_folder / checkpoint.FOLDER
    how = args.threads, recipe.field, recipe.prior, kept, recipe.spectral
    state = inference.infer(data, worked, recipe.max_iterations, args.seed, name, *how)
    timings = {"inference": time.monotonic() - begun}
    summary = products.write(args.output_folder, state, chosen, recipe, args.seed, timings)
    shutil.rmtree(kept, ignore_errors=True)
    chi2 = summary["reduced_chi2"]
    log.info("%s, reduced chi2 %s", summary["verdict"], "unknown" if chi2 is None else f"{chi2:.3f}")


if __name__ == "__main__":
    run(main)
