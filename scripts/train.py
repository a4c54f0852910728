"""Train the blobs finder, the network that marks where emission is, on the campaign's own cubes.

It learns from the dirty planes of all simulations but the last ones, which are held out with all others of
their archive executions, and from scenes drawn on the fly through the same dirty beams, empty fields among
them. Every plane is shown in units of its own noise. Written are the weights with the settings inside, the
history of the training, and a model card, in which the network stands beside the matched filter.
"""

from pathlib import Path

from almabrain.config.base import check
from almabrain.config.train import TrainSettings
from almabrain.console.script import parser, run


def main():
    made = parser(__doc__)
    made.add_argument("--seed", type=int, required=True, help="seed of the run")
    made.add_argument("--draws", nargs="+", type=Path, required=True, help="shards of noise/draws")
    made.add_argument("--truth", nargs="+", type=Path, required=True, help="their truth tables")
    made.add_argument("--lines", nargs="+", type=Path, required=True, help="the lines of their sources")
    made.add_argument("--output-folder", type=Path, required=True)
    args = made.parse_args()
    settings = check(TrainSettings, args.settings, "train")

    from almabrain.train.campaign import train_on_campaign

    train_on_campaign(args.draws, args.truth, args.lines, settings, args.seed, args.output_folder)


if __name__ == "__main__":
    run(main)
