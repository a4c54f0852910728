"""From the shards of a campaign to a trained network with its history and card on disk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from almabrain.config.train import TrainSettings
from almabrain.console.errors import UserError
from almabrain.data.constants import FWHM_PER_SIGMA
from almabrain.data.files import atomic
from almabrain.data.seeds import generator
from almabrain.data.tables import read_table
from almabrain.networks.infer import save
from almabrain.train.card import card
from almabrain.train.judge import Detections, collect
from almabrain.train.learn import Trained, train
from almabrain.train.planes import Plane, Response, executions, groups_of, load, split
from almabrain.train.scenes import SceneMaker

MOST_PLANES = 4000  # half a gigabyte at 128 x 128; a random choice of a larger campaign
MOST_VALIDATION_PLANES = 400
YARDSTICK_FLOOR = 3.0  # sigma
HISTORY = ("epoch", "train_loss", "validation_loss", "purity", "completeness")


def train_on_campaign(
    draws: Sequence[Path],
    truths: Sequence[Path],
    lines: Sequence[Path],
    settings: TrainSettings,
    seed: int,
    folder: Path,
) -> Trained:
    """Train on all shards and write weights.safetensors, history.csv and card.md into `folder`."""
    groups = groups_of(draws)
    if not groups:
        raise UserError(f"{', '.join(map(str, draws))} hold no simulations; run the stage noise first")
    known = [vstack([_trimmed(read_table(path)) for path in paths]) for paths in (truths, lines)]
    inside, held_out = split(groups, settings.holdout_fraction)
    rng = generator(seed, "train", "choice of planes")
    planes, responses = load(inside, *known, rng, MOST_PLANES, "read training planes")
    validation, unseen = load(held_out, *known, rng, MOST_VALIDATION_PLANES, "read validation planes")
    _check_size([*responses, *unseen], settings)
    makers = [SceneMaker(response, settings) for response in unseen]
    rng = generator(seed, "train", "validation scenes")
    validation += [makers[i % len(makers)].draw(rng) for i in range(settings.validation_scenes)]
    trained = train(planes, responses, validation, settings, seed)
    facts = _facts(executions(groups), inside, held_out, planes, responses, validation) | {"seed": seed}
    facts["calibration"] = trained.detections.calibration()
    _write(folder, trained, _yardsticks(validation, settings), settings, facts)
    return trained


def _trimmed(table: Table) -> Table:
    # Tables of different shards need not agree in their metadata, which vstack would complain about.
    table.meta.clear()
    return table


def _check_size(responses: list[Response], settings: TrainSettings) -> None:
    smallest = min(response.psf.shape[-1] for response in responses)
    if smallest < settings.patch_pix:
        raise UserError(
            f"key 'train.patch_pix' is {settings.patch_pix}, but the campaign's smallest image has "
            f"{smallest} pixels a side; lower it or make larger images"
        )


def _yardsticks(validation: list[Plane], settings: TrainSettings) -> dict[str, Detections]:
    return {
        name: collect(
            validation, [plane.maps[index] for plane in validation], YARDSTICK_FLOOR, settings.scored_snr
        )
        for name, index in (("matched filter", 1), ("plane", 0))
    }


def _facts(execution, inside, held_out, planes, responses, validation) -> dict:
    widths = [FWHM_PER_SIGMA * np.linalg.det(response.beam_covariance) ** 0.25 for response in responses]
    simulations, unseen = (sorted({name.split("/")[0] for _, name in part}) for part in (inside, held_out))
    if not set(simulations).isdisjoint(unseen):
        apart = " (also trained on: the campaign has one simulation)"
    elif {execution[name] for name in simulations} & {execution[name] for name in unseen}:
        apart = " (of the execution that was trained on: the campaign has one)"
    else:
        apart = ""
    return {
        "beam_low": float(min(widths)),
        "beam_high": float(max(widths)),
        "planes": len(planes),
        "simulations": len(simulations),
        "trained_on": simulations,
        "responses": len(responses),
        "held_out": ", ".join(unseen[:8]) + (" ..." if len(unseen) > 8 else "") + apart,
        "validation": len(validation),
    }


def _write(folder: Path, trained: Trained, yardsticks, settings: TrainSettings, facts: dict) -> None:
    save(folder / "weights.safetensors", trained.network, settings.model_dump(mode="json") | facts)
    with atomic(folder / "history.csv") as temporary:
        Table(rows=trained.history, names=HISTORY).write(temporary, format="ascii.csv")
    with atomic(folder / "card.md") as temporary:
        temporary.write_text(card(trained, yardsticks, settings, facts))
