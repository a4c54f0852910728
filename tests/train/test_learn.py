"""Training: it learns, repeats itself, says when it fails, and is judged fairly."""

import numpy as np
import pytest
import torch

from almabrain.config.train import TrainSettings
from almabrain.console.errors import UserError
from almabrain.networks.detect import peaks
from almabrain.train.judge import Detections, collect
from almabrain.train.learn import score_maps, train
from almabrain.train.scenes import SceneMaker

TINY = {"patch_pix": 32, "base_channels": 4, "levels": 3, "batch": 8, "snr_min": 5, "max_sources": 3}
CPU = torch.device("cpu")


def scenes(response, count, **changes):
    maker, rng = SceneMaker(response, TrainSettings(**(TINY | changes))), np.random.default_rng(3)
    return [maker.draw(rng) for _ in range(count)]


def test_overfits_a_tiny_set(made_response):
    planes = scenes(made_response, 2, empty_fraction=0, snr_min=20, extended_fraction=0, max_sources=2)
    settings = TrainSettings(
        **TINY, epochs=6, patches_per_epoch=240, campaign_fraction=1.0, learning_rate=0.01
    )
    trained = train(planes, [made_response], planes, settings, seed=1)
    assert trained.history[-1]["train_loss"] < trained.history[0]["train_loss"] / 2
    assert trained.detections.completeness(0.0) > 0.8 and trained.detections.purity(0.0) > 0.8


@pytest.fixture(scope="module")
def trained():
    from .conftest import response

    settings = TrainSettings(**TINY, epochs=3, patches_per_epoch=480)
    return train([], [response()], scenes(response(), 8), settings, seed=1)


def test_finds_a_strong_source_and_leaves_empty_fields_empty(trained, made_response):
    made_response.pb[:] = 1
    strong = {"empty_fraction": 0, "max_sources": 1, "extended_fraction": 0, "snr_min": 10, "snr_max": 20}
    planes = scenes(made_response, 20, **strong)
    maps = score_maps(trained.network, [plane.maps for plane in planes], CPU)
    assert collect(planes, maps, 0.0, 5.0).completeness(0.0) >= 0.8
    empty = score_maps(trained.network, [p.maps for p in scenes(made_response, 20, empty_fraction=1)], CPU)
    assert sum(len(peaks(score, 0.0, 2.0)) for score in empty) <= 4


def test_the_same_seed_gives_the_same_weights(made_response):
    settings = TrainSettings(**TINY, epochs=1, patches_per_epoch=16)
    validation = scenes(made_response, 2)
    one, two, other = (train([], [made_response], validation, settings, seed).network for seed in (1, 1, 2))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_few_steps_are_enough(made_response, steps):
    settings = TrainSettings(**(TINY | {"base_channels": 2}), epochs=1, patches_per_epoch=8 * steps)
    assert len(train([], [made_response], scenes(made_response, 1), settings, seed=1).history) == 1


def test_a_loss_that_is_no_number_is_a_sentence(made_response):
    planes = scenes(made_response, 2)
    planes[0].maps[:] = np.nan
    settings = TrainSettings(**TINY, epochs=1, patches_per_epoch=16, campaign_fraction=1.0)
    with pytest.raises(UserError, match="train.learning_rate"):
        train(planes[:1], [made_response], planes, settings, seed=1)


def test_completeness_at_equal_purity():
    detections = Detections(np.array([9.0, 8, 7, 6, 5, 4]), np.array([1, 1, 0, 1, -1, 0]), sources=5)
    assert detections.purity(3.0) == pytest.approx(3 / 5)  # the faint one counts for neither side
    assert detections.completeness(3.0) == pytest.approx(3 / 5)
    threshold, completeness, purity = detections.at_purity(0.75)
    assert (completeness, purity) == pytest.approx((3 / 5, 3 / 4)) and threshold < 6
    assert detections.at_purity(1.0)[1] == pytest.approx(2 / 5)


def test_calibration_recovers_the_odds_of_a_detection():
    rng = np.random.default_rng(0)
    score = rng.normal(0, 3, 4000)
    true = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 * score - 1)))).astype(int)
    assert Detections(score, true, 1000).calibration() == pytest.approx((0.5, -1.0), abs=0.12)


def test_calibration_without_a_mistake_stays_finite():
    slope, offset = Detections(np.array([2.0, 3.0]), np.array([1, 1]), 2).calibration()
    assert slope > 0 and np.isfinite(offset)
    assert Detections(np.empty(0), np.empty(0, int), 0).calibration() == pytest.approx((1.0, 0.0))


def test_two_peaks_of_one_source_are_one_hit_and_one_false(made_response):
    plane = scenes(made_response, 1, empty_fraction=0, max_sources=1, extended_fraction=0)[0]
    score = np.zeros(plane.maps.shape[1:])
    x, y = np.rint(plane.position[0]).astype(int)
    score[y, x], score[(y + 20) % 64, x] = 9.0, 8.0
    found = collect([plane], [score], 1.0, scored_snr=0.0)
    assert found.true.tolist() == [1, 0] and found.sources == 1
