"""The training loop: scenes and campaign planes in, a network and its history out."""

import os
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from almabrain.config.train import TrainSettings
from almabrain.console.errors import UserError
from almabrain.console.progress import Progress
from almabrain.data.seeds import generator
from almabrain.networks.infer import choose_device
from almabrain.networks.shapes import blobs
from almabrain.networks.unet import BlobsFinder
from almabrain.train.judge import Detections, collect
from almabrain.train.planes import Plane, Response
from almabrain.train.scenes import SceneMaker

CUTS_PER_PLANE = 4  # drawing a plane costs as much as learning from it, so each is cut more than once
WEIGHT_MEMORY = 0.98  # the network kept is a running mean over about 50 steps, which single steps shake
FLOOR_LOGIT = -4.0  # peaks below are not even candidates


@dataclass
class Trained:
    """A trained network with its history (one dict an epoch) and its last validation detections."""

    network: BlobsFinder
    history: list[dict] = field(default_factory=list)
    detections: Detections | None = None
    device: str = "cpu"


def target_of(plane: Plane, snr_min: float) -> np.ndarray:
    """What the network should answer for a plane: blobs of the sources that a finder could see at all."""
    seen = plane.snr >= snr_min
    return blobs(plane.maps.shape[1:], *plane.position[seen].T, plane.covariance[seen])


def train(
    planes: list[Plane],
    responses: list[Response],
    validation: list[Plane],
    settings: TrainSettings,
    seed: int,
) -> Trained:
    """Train a blobs finder on `planes` and on scenes drawn with `responses`; validate on `validation`.

    Binary cross-entropy per pixel, so that the output is a probability. Repeats exactly on a CPU with the
    same seed and number of threads. Raises UserError where the loss is no number any more.
    """
    _make_repeatable(seed, settings.threads)
    device = choose_device(settings.device)
    network = BlobsFinder(settings.base_channels, settings.levels)
    network = network.to(device, memory_format=torch.channels_last)
    batches = max(settings.patches_per_epoch // settings.batch, 1)
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _annealing(settings.epochs * batches))
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(WEIGHT_MEMORY), use_buffers=True)
    makers = [SceneMaker(response, settings) for response in responses]
    targets = [target_of(plane, settings.snr_min) for plane in validation]
    trained, progress = (
        Trained(averaged.module, device=str(device)),
        Progress("train", settings.epochs * batches),
    )
    for epoch in range(settings.epochs):
        rng, losses = generator(seed, "train", f"epoch-{epoch}"), []
        for _ in range(batches):
            loss = _loss(network.train(), _batch(rng, planes, makers, settings), device)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            losses.append(_finite(loss, epoch))
            progress.step(f"epoch {epoch + 1}/{settings.epochs} loss={losses[-1]:.4f}")
        entry = {"epoch": epoch + 1, "train_loss": float(np.mean(losses))}
        trained.history.append(entry | _validate(trained, validation, targets, settings, device))
    return trained


def score_maps(network: BlobsFinder, maps: list[np.ndarray], device: torch.device) -> list[np.ndarray]:
    """Logits (y, x) of whole planes given as maps (2, y, x); padded to the sides the network needs."""
    results = []
    with torch.no_grad():
        for values in maps:
            n_y, n_x = values.shape[1:]
            padded = np.pad(values, [(0, 0), (0, -n_y % network.step), (0, -n_x % network.step)])
            output = network.eval()(_to_torch(padded[None], device))
            results.append(output[0, 0, :n_y, :n_x].cpu().numpy())
    return results


def _annealing(steps: int):
    """Step size over its peak: a linear rise over the first fifth, then half a cosine down to nothing."""
    return lambda step: min(1, (step + 1) / max(steps // 5, 1)) * (1 + np.cos(np.pi * step / steps)) / 2


def _make_repeatable(seed: int, threads: int) -> None:
    # CUDA's matrix library repeats its sums only with a fixed workspace.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    torch.set_num_threads(threads)
    torch.manual_seed(int(generator(seed, "train", "weights").integers(2**62)))


def _batch(rng, planes, makers, settings) -> tuple[np.ndarray, np.ndarray]:
    """Maps (batch, 2, y, x) and targets (batch, 1, y, x): turned and mirrored cuts of a few planes."""
    cuts = []
    for _ in range(-(-settings.batch // CUTS_PER_PLANE)):
        if planes and rng.random() < settings.campaign_fraction:
            plane = planes[rng.integers(len(planes))]
        else:
            plane = makers[rng.integers(len(makers))].draw(rng)
        arrays = plane.maps, target_of(plane, settings.snr_min)[None]
        cuts += [_cut(rng, arrays, settings.patch_pix) for _ in range(CUTS_PER_PLANE)]
    return tuple(np.stack(arrays) for arrays in zip(*cuts[: settings.batch], strict=True))


def _cut(rng, arrays, patch_pix):
    y, x = (int(rng.integers(0, n - patch_pix + 1)) for n in arrays[0].shape[1:])
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    cuts = [array[:, y : y + patch_pix, x : x + patch_pix] for array in arrays]
    turned = [np.rot90(cut, turns, axes=(1, 2)) for cut in cuts]
    return tuple(cut[..., ::-1] if flip else cut for cut in turned)


def _loss(network, batch, device) -> torch.Tensor:
    inputs, targets = (_to_torch(array, device) for array in batch)
    return binary_cross_entropy_with_logits(network(inputs), targets)


def _to_torch(array: np.ndarray, device: torch.device) -> torch.Tensor:
    # Channels last is a quarter faster for convolutions on a CPU.
    return torch.from_numpy(array).to(device).contiguous(memory_format=torch.channels_last)


def _finite(loss: torch.Tensor, epoch: int) -> float:
    value = float(loss.detach())
    if not np.isfinite(value):
        raise UserError(
            f"training failed in epoch {epoch + 1}: the loss is {value}; lower the key 'train.learning_rate' "
            "and check the draws for pixels that are not numbers"
        )
    return value


def _validate(trained, validation, targets, settings, device) -> dict:
    scores = score_maps(trained.network, [plane.maps for plane in validation], device)
    loss = np.mean(
        [
            float(binary_cross_entropy_with_logits(torch.from_numpy(score), torch.from_numpy(target)))
            for score, target in zip(scores, targets, strict=True)
        ]
    )
    trained.detections = collect(validation, scores, FLOOR_LOGIT, settings.scored_snr)
    slope, offset = trained.detections.calibration()
    return {
        "validation_loss": float(loss),
        # At even odds.
        "purity": trained.detections.purity(-offset / slope),
        "completeness": trained.detections.completeness(-offset / slope),
    }
