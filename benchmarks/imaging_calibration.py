"""Whether posteriors are calibrated: fields drawn from the model's own prior, imaged, and ranks of the truth.

Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788): where truth and data come from the model, the rank
of the truth among independent posterior draws is uniform, for any scalar of the sky. TARP (Lemos et al. 2023,
arXiv:2302.03026) asks the same of vectors: the rank of the truth's distance from a random reference point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats

from almabrain.data.seeds import generator

BOXES = 4  # a side
BINS = 8


@dataclass(frozen=True)
class Drawn:
    """One field of the prior: windows as the rule `visibilities` makes them, the sky (N, N) as the telescope sees it in
    Jy/pixel, and the parameters of the prior by name."""

    windows: dict[str, xr.Dataset]
    sky: np.ndarray
    parameters: dict[str, float]


@dataclass(frozen=True)
class Posterior:
    """Independent draws: skies (sample, N, N) as in `Drawn`, parameters (sample,) by name, and the verdict."""

    skies: np.ndarray
    parameters: dict[str, np.ndarray]
    verdict: str


def box_fluxes(sky: np.ndarray) -> np.ndarray:
    """Fluxes (..., BOXES²) in equal squares of images (..., N, N), N a multiple of BOXES."""
    *front, n_pix, _ = sky.shape
    side = n_pix // BOXES
    return sky.reshape(*front, BOXES, side, BOXES, side).sum(axis=(-3, -1)).reshape(*front, BOXES**2)


def statistics(sky: np.ndarray) -> dict[str, np.ndarray]:
    """Scalars (...) of skies (..., N, N): total flux, those of the middle boxes, and a corner's."""
    boxes = box_fluxes(sky)
    middle = [BOXES * y + x for y in (1, 2) for x in (1, 2)]
    made = {"total": sky.sum(axis=(-1, -2)), "corner": boxes[..., 0]}
    return made | {f"box{number}": boxes[..., index] for number, index in enumerate(middle)}


def calibrate(
    folder: Path,
    count: int,
    draw_prior: Callable[[int], Drawn],
    infer: Callable[[dict[str, xr.Dataset], int], Posterior],
    first: int = 0,
) -> None:
    """Draw and image the fields `first` to `first + count − 1` that have no file in `folder` yet.

    Every file seed.npz has, for each statistic, the truth `t_NAME` and the draws `d_NAME`, and the boxes' fluxes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        path = folder / f"{seed:05d}.npz"
        if path.exists():
            continue
        drawn = draw_prior(seed)
        posterior = infer(drawn.windows, seed)
        truth = statistics(drawn.sky) | drawn.parameters
        draws = statistics(posterior.skies) | posterior.parameters
        held = {f"t_{name}": np.asarray(truth[name]) for name in draws if name in truth}
        held |= {f"d_{name}": np.asarray(values) for name, values in draws.items() if name in truth}
        boxes = {"boxes": box_fluxes(drawn.sky), "drawn_boxes": box_fluxes(posterior.skies)}
        np.savez_compressed(path, verdict=posterior.verdict, **held, **boxes)


def load(folder: Path) -> list[dict[str, np.ndarray]]:
    """What `calibrate` has written."""
    made = []
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path) as held:
            made.append({name: held[name] for name in held.files})
    return made


def ranks(truth: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Rank (field,) from 0 to S of the truth (field,) among draws (field, S)."""
    return (draws < truth[:, None]).sum(axis=1)


def uniformity(rank: np.ndarray, count: int, bins: int = BINS) -> float:
    """p-value of χ² that ranks from 0 to `count` are uniform; bins of nearly as many ranks each."""
    edges = np.round(np.linspace(0, count + 1, bins + 1)).astype(int)
    seen = np.array([((rank >= low) & (rank < high)).sum() for low, high in zip(edges[:-1], edges[1:])])
    expected = len(rank) * np.diff(edges) / (count + 1)
    return float(stats.chisquare(seen, expected).pvalue)


def tarp_ranks(truth: np.ndarray, draws: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ranks (field,) of TARP: among distances of draws (field, S, D) from a reference, that of the truth (field, D).

    The references are the truths of other fields, a random one each: distributed as the prior, and independent of the
    field's own. Coordinates are divided by their scatter over fields.
    """
    scale = np.maximum(truth.std(axis=0), 1e-300)
    shift = rng.integers(1, len(truth), len(truth))
    reference = truth[(np.arange(len(truth)) + shift) % len(truth)]
    own = (((truth - reference) / scale) ** 2).sum(axis=-1)
    theirs = (((draws - reference[:, None]) / scale) ** 2).sum(axis=-1)
    return ranks(own, theirs)


def report(folder: Path, seed: int = 0, converged: bool = False) -> dict[str, dict[str, float]]:
    """For every statistic, and TARP on the boxes' fluxes: number of fields, p-value, coverage of 68 and 95 %.

    `converged` leaves out the runs whose verdict was another.
    """
    fields = [field for field in load(folder) if not converged or str(field["verdict"]) == "converged"]
    names = sorted({key[2:] for field in fields for key in field if key.startswith("d_")})
    found = {}
    for name in names:
        truth = np.array([field[f"t_{name}"] for field in fields])
        draws = np.stack([field[f"d_{name}"] for field in fields])
        found[name] = _judged(ranks(truth, draws), draws.shape[1])
    # Fluxes go over decades, and where there is nothing points may take some off an empty box.
    boxes = np.stack([field["boxes"] for field in fields])
    faint = np.quantile(np.abs(boxes), 0.1)
    truth = np.arcsinh(boxes / faint)
    draws = np.arcsinh(np.stack([field["drawn_boxes"] for field in fields]) / faint)
    found["TARP"] = _judged(tarp_ranks(truth, draws, generator(seed, "tarp", "references")), draws.shape[1])
    return found


def _judged(rank: np.ndarray, count: int) -> dict[str, float]:
    place = (rank + 0.5) / (count + 1)
    return {
        "fields": len(rank),
        "p": uniformity(rank, count),
        "mean_place": float(place.mean()),
        "cover68": float(np.mean(np.abs(place - 0.5) < 0.34)),
        "cover95": float(np.mean(np.abs(place - 0.5) < 0.475)),
    }
