"""Real sets, whose sky nobody knows: the noise against neighbouring samples, and data that were held out."""

from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats

from almabrain.data import store
from almabrain.data.constants import ARCSEC
from almabrain.data.seeds import generator
from almabrain.response import predict, primary_beam

HELD_OUT = 0.1


def split(path: Path, output: Path, seed: int) -> dict[str, np.ndarray]:
    """Write a visibilities file without a random tenth of its visibilities; which those are, by window (row, channel).

    What is held out has weight 0 in the file.
    """
    kept, masks = {}, {}
    for name in store.names(path):
        window = store.read(path, name)
        if "weight" not in window:
            kept[name] = window
            continue
        rng = generator(seed, "held out", name)
        out = (rng.random(window.weight.shape) < HELD_OUT) & (window.weight.values > 0)
        kept[name] = window.assign(
            weight=window.weight.where(~xr.DataArray(out, dims=window.weight.dims), 0.0)
        )
        masks[name] = out
    store.write(output, kept)
    return masks


def held_out_chi2(
    path: Path, masks: dict[str, np.ndarray], sky: np.ndarray, summary: dict
) -> dict[str, dict[str, float]]:
    """By window: mean of |r|²/2σ² over the visibilities held out, and what it is by the residuals' MAD; σ as learned.

    `sky` (y, x) is the posterior-mean true sky in Jy/arcsec², of one pointing. `expected` is the mean for noise of the
    tails that were learned, ν/(ν − 2): infinite from ν = 2 down.
    """
    n_pix, cell = summary["n_pix"], summary["cell_arcsec"]
    found = {}
    for name, out in masks.items():
        window = store.read(path, name)
        dishes = window.attrs.get("dishes_m") or [window.attrs["dish_diameter_m"]] * 2
        pattern = primary_beam.image(n_pix, cell, summary["frequency_hz"], primary_beam.baseline(*dishes))
        model = np.nan_to_num(sky) * pattern * cell**2
        predicted = predict.predict_image(
            window.uvw_m.values, window.frequency_hz.values, model, cell * ARCSEC
        )
        sigma = summary["noise_factors"][name] / np.sqrt(window.weight.values[out])
        r = (window.visibility.values - predicted)[out] / sigma
        parts = np.concatenate([r.real, r.imag])
        tail = float(summary.get("noise_tails", {}).get(name, 0.0))
        found[name] = {
            "chi2": float(np.mean(parts**2)),
            "expected": 1 / (1 - 2 * tail) if tail < 0.5 else np.inf,
            "chi2_mad": float((1.4826 * np.median(np.abs(parts))) ** 2 / _mad2(tail)),
            "number": int(out.sum()),
        }
    return found


def factors(path: Path, summary: dict) -> dict[str, tuple[float, float]]:
    """By window: σ seen / σ claimed as learned, in terms of the MAD, and from differences of neighbouring samples."""
    found = {}
    for name, learned in summary["noise_factors"].items():
        tail = float(summary.get("noise_tails", {}).get(name, 0.0))
        found[name] = float(learned * np.sqrt(_mad2(tail))), store.attributes(path, name)["noise_factor"]
    return found


def _mad2(tail: float) -> float:
    """Square of the scaled MAD of one real part of Student-t noise of unit scale and ν = 1/tail."""
    return float((stats.t.ppf(0.75, 1 / tail) / stats.norm.ppf(0.75)) ** 2) if tail else 1.0
