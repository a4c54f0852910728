"""Trained networks in use: weights that carry their own settings, and images of any size."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from almabrain.console.errors import UserError
from almabrain.data.files import atomic
from almabrain.networks.inputs import network_input
from almabrain.networks.unet import BlobsFinder

FORMAT = "almabrain blobs finder 2"


def choose_device(device: str) -> torch.device:
    """The torch device for the setting `device`: auto takes CUDA where there is a device for it."""
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError("key 'train.device' is 'cuda', but no CUDA device is here; say 'auto' or 'cpu'")
    return torch.device("cuda" if available and device != "cpu" else "cpu")


def save(path: str | Path, network: BlobsFinder, facts: dict) -> None:
    """Write weights and `facts` (JSON-able).

    They must hold the network's `base_channels` and `levels`, the `calibration` (slope, offset) of its logits,
    and `trained_on`, the names of the simulations that it learned from.
    """
    tensors = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={"format": FORMAT, "facts": json.dumps(facts, sort_keys=True)})


def load(path: str | Path) -> tuple[BlobsFinder, dict]:
    """The network of a weights file, ready for use, and the facts saved with it."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; train a network first or give its weights")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a whole safetensors file ({error}); train again") from None
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path} holds '{metadata.get('format')}', not '{FORMAT}'; give weights made by train"
        )
    facts = json.loads(metadata["facts"])
    network = BlobsFinder(facts["base_channels"], facts["levels"])
    network.load_state_dict(tensors)
    return network.eval(), facts


def logits(
    network: BlobsFinder, plane: np.ndarray, beam_covariance: np.ndarray, tile_pix: int = 512
) -> np.ndarray:
    """The network's logits (y, x) for a plane of any size in any flux unit.

    `beam_covariance` (2, 2) in pixels. Tiles of `tile_pix` overlap by the network's reach and only their
    cores are kept, so seams cannot be. Blank pixels (NaN) get minus infinity.
    """
    n_y, n_x = plane.shape
    maps, step = network_input(plane, beam_covariance), network.step
    maps = np.pad(maps, [(0, 0), (0, -n_y % step), (0, -n_x % step)])
    halo = -(-network.reach_pix // step) * step
    core = max(tile_pix // step * step, step)
    device = next(network.parameters()).device
    result = np.empty(maps.shape[1:], np.float32)
    with torch.no_grad():
        for y in range(0, maps.shape[1], core):
            for x in range(0, maps.shape[2], core):
                y0, x0 = max(y - halo, 0), max(x - halo, 0)
                tile = np.ascontiguousarray(maps[None, :, y0 : y + core + halo, x0 : x + core + halo])
                output = network(torch.from_numpy(tile).to(device))[0, 0].cpu().numpy()
                result[y : y + core, x : x + core] = output[y - y0 :, x - x0 :][:core, :core]
    return np.where(np.isfinite(plane), result[:n_y, :n_x], -np.inf)
