"""The command line of scripts/train.py on a campaign of two tiny simulations."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from almabrain.config.base import check
from almabrain.config.train import TrainSettings
from almabrain.console.errors import UserError
from almabrain.networks.infer import load
from almabrain.train.campaign import train_on_campaign

SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"
SETTINGS = {"epochs": 2, "patches_per_epoch": 8, "validation_scenes": 2, "patch_pix": 32, "base_channels": 4}


def run(campaign, folder, settings):
    draws, truths, lines = campaign
    command = [sys.executable, SCRIPT, "--settings", json.dumps(settings), "--seed", "4", "--draws", *draws]
    command += ["--truth", *truths, "--lines", *lines, "--output-folder", folder]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_writes_weights_history_and_card(campaign, tmp_path):
    done = run(campaign, tmp_path / "blobs", SETTINGS)
    assert done.returncode == 0, done.stderr
    assert "epoch 2/2" in done.stderr
    network, facts = load(tmp_path / "blobs/weights.safetensors")
    assert facts["base_channels"] == 4 and facts["seed"] == 4 and facts["held_out"] == "sim-000001"
    assert facts["trained_on"] == ["sim-000000"]
    with open(tmp_path / "blobs/history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"train_loss", "validation_loss", "purity", "completeness"} <= set(rows[0])
    card = (tmp_path / "blobs/card.md").read_text()
    assert "matched filter" in card and f"{network.size:,} parameters" in card and "{" not in card


def test_patches_larger_than_the_images_are_a_sentence(campaign, tmp_path):
    settings = check(TrainSettings, SETTINGS | {"patch_pix": 128}, "train")
    with pytest.raises(
        UserError, match="key 'train.patch_pix' is 128, but the campaign's smallest image has 64"
    ):
        train_on_campaign(*campaign, settings, 4, tmp_path / "blobs")
    assert not (tmp_path / "blobs").exists()


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"snr_min": 50, "snr_max": 20}, "snr_min is 50.0, but it must be below snr_max"),
        ({"patch_pix": 40, "levels": 5}, "need a multiple of 16"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, sentence):
    with pytest.raises(UserError, match=sentence):
        check(TrainSettings, values, "train")
