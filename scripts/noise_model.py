"""Measure the noise of one reference image, once per campaign.

A reference is a FITS image (a residual, or a field that is nearly empty) or the name of a table in
resources/noise. Its power spectrum, pixel distribution and rms go to a model store, from which the rule
`noise` draws; the numbers, and how real and drawn noise compare, go to a card.
"""

import json
import logging

from almabrain.config.base import check
from almabrain.config.noise import NoiseSettings
from almabrain.console.script import parser, run
from almabrain.data.files import atomic
from almabrain.noise.model import save
from almabrain.noise.reference import reference_model


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--reference", help="FITS image or table name; default: noise.reference")
    arguments.add_argument("--output", required=True, help="model store to write (.zarr.zip)")
    arguments.add_argument("--card", required=True, help="card to write (.json)")
    args = arguments.parse_args()
    settings = check(NoiseSettings, args.settings, "noise")
    model = reference_model(args.reference or settings.reference, settings)
    save(args.output, model)
    with atomic(args.card) as temporary:
        temporary.write_text(json.dumps(model.card, indent=2) + "\n")
    logging.getLogger(__name__).info(
        "noise of %s: rms %.4g %s, beam %.3g x %.3g arcsec",
        model.name,
        model.rms,
        model.unit,
        model.beam.major_arcsec,
        model.beam.minor_arcsec,
    )


if __name__ == "__main__":
    run(main)
