"""Find and measure the sources of one image: a catalogue with the same columns for every finder.

The image is a FITS file (a CLEAN image, somebody's own image or cube) or the dirty continuum plane of a
simulation in a shard. `sep` finds by thresholds on the local noise, `network` by the trained network.
Both are measured alike, by Gaussian fits whose errors know that the noise is correlated.
"""

from pathlib import Path

from almabrain.config.base import check
from almabrain.config.catalogue import CatalogueSettings
from almabrain.console.errors import UserError
from almabrain.console.script import parser, run


def main():
    made = parser(__doc__)
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--image", type=Path, help="FITS image or cube in Jy/beam, noise flat")
    source.add_argument("--store", type=Path, help="shard of noise/draws, with --simulation")
    made.add_argument("--simulation", help="simulation in the store, e.g. sim-000012")
    made.add_argument("--pb", type=Path, help="FITS primary beam of the image")
    made.add_argument("--weights", type=Path, help="weights of the finder network")
    made.add_argument("--finder", choices=["sep", "network"], required=True)
    made.add_argument("--realisation", help="whose noise the image has, where the store does not say")
    made.add_argument("--name", help="name of the data; from the output's path by default")
    made.add_argument("--output", type=Path, required=True, help=".../<data>/<recipe>/<finder>.ecsv")
    args = made.parse_args()
    settings = check(CatalogueSettings, args.settings, "catalogue")
    if args.finder == "network" and args.weights is None:
        raise UserError("--finder network needs --weights; give the weights.safetensors that train made")
    if args.store and not args.simulation:
        raise UserError("--store needs --simulation; name one that is in it, e.g. sim-000000")

    from almabrain.catalogue.plane import from_fits, from_store
    from almabrain.catalogue.table import make_catalogue
    from almabrain.data.tables import write_table

    plane = from_store(args.store, args.simulation) if args.store else from_fits(args.image, args.pb)
    output = args.output.absolute()
    data = args.name or output.parent.parent.name
    table = make_catalogue(plane, args.finder, settings, args.weights, args.realisation, data)
    table.meta["recipe"] = output.parent.name
    write_table(output, table)


if __name__ == "__main__":
    run(main)
