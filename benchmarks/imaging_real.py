"""Real sets, whose sky nobody knows: the noise against neighbouring samples, and data that were held out."""

import json
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.io import fits
from scipy import stats

from almabrain.config.image import Recipe
from almabrain.data import store
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.seeds import generator
from almabrain.image import visibilities
from almabrain.image.grid import choose_grid
from almabrain.image.likelihood import residuals
from almabrain.response.beam import Beam

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
    """By window, of the visibilities held out and the noise as learned from the others: what should be 1.

    `sky` (y, x) is the posterior-mean true sky in Jy/arcsec². σ is the claimed one times the factors of window and
    baseline bin, tails are those of Student's t with ν degrees of freedom. `chi2` is the mean of |r|²/2σ² over its
    expectation ν/(ν − 2), infinite from ν = 2 down and slow to settle below 4; `weighted` the mean of u|r|²/2σ² with
    u = (ν + 2)/(ν + |r|²/σ²), whose expectation is 1 for any ν; `mad` the squared MAD over the distribution's.
    """
    n_pix, cell = summary["n_pix"], summary["cell_arcsec"]
    windows = visibilities.read(path)
    grid = choose_grid(windows, Recipe(n_pix=n_pix, cell_arcsec=cell))
    residual = residuals(windows, np.nan_to_num(sky) * cell**2, grid)
    found = {}
    for name, out in masks.items():
        window = windows[name]
        shape = _shape(window, summary)
        sigma = summary["noise_factors"][name] * (shape / np.sqrt(np.maximum(window.weight.values, 1e-300)))
        squared = np.abs(residual[name][out] / sigma[out]) ** 2
        parts = np.concatenate([residual[name][out].real, residual[name][out].imag]) / np.tile(sigma[out], 2)
        tail = float(summary.get("noise_tails", {}).get(name, 0.0))
        found[name] = {
            "chi2": float(squared.mean() / 2 * (1 - 2 * tail)),
            "weighted": float(((1 + 2 * tail) / (1 + tail * squared) * squared).mean() / 2),
            "mad": float((1.4826 * np.median(np.abs(parts))) ** 2 / _mad2(tail)),
            "tail": tail,
            "number": int(out.sum()),
        }
    return found


def beside_clean(made: Path, cleaned: Path) -> dict[str, float]:
    """The posterior mean in folder `made` beside CLEAN in `cleaned`, same pixels, in CLEAN's mask: its image > 5 σ.

    `flux` [Jy], its error `flux_error`, `clean_flux` [Jy], both corrected for the primary beam; `correlation` of the
    two images [Jy/beam] there.
    """
    picture, beam_response = (fits.getdata(cleaned / f"{name}.fits").squeeze() for name in ("clean", "pb"))
    said = json.loads((cleaned / "clean.json").read_text())
    summary = json.loads((made / "summary.json").read_text())
    mask = (picture > 5 * np.ravel(said["noise_jy_beam"])[0]) & (beam_response > 0.2)
    cell = summary["cell_arcsec"]
    ours = fits.getdata(made / "mean_beam.fits").squeeze()
    draws = np.nan_to_num(store.read(made / "samples.zarr.zip", "samples")["sky"].values[:, mask]) * cell**2
    area = (Beam(**item["beam"]).area_pixels(cell) for item in (summary, said))
    flux, theirs = (
        float(image[mask].sum() / size)
        for image, size in zip((ours, picture / np.maximum(beam_response, 1e-6)), area)
    )
    return {
        "flux": flux,
        "flux_error": float(draws.sum(1).std(ddof=1)),
        "clean_flux": theirs,
        "ratio": flux / theirs,
        "correlation": float(np.corrcoef(ours[mask], (picture / beam_response)[mask])[0, 1]),
        "pixels": int(mask.sum()),
    }


def factors(path: Path, summary: dict) -> dict[str, tuple[float, float]]:
    """By window: σ seen / σ claimed as learned, and as neighbouring times differ, both in terms of the MAD.

    The learned noise is a mixture of Student-t distributions, one scale for each baseline bin.
    """
    found = {}
    for name, learned in summary["noise_factors"].items():
        window = store.read(path, name)
        tail = float(summary.get("noise_tails", {}).get(name, 0.0))
        scale = learned * _shape(window, summary)[window.weight.values > 0]
        low, high = 0.3 * scale.min(), 3 * scale.max()
        distribution = stats.t(1 / tail) if tail else stats.norm
        # The median of |x|, by bisection; scales are few.
        values, counts = np.unique(scale, return_counts=True)
        for _ in range(50):
            middle = (low + high) / 2
            inside = np.average(2 * distribution.cdf(middle / values) - 1, weights=counts)
            low, high = (middle, high) if inside < 0.5 else (low, middle)
        found[name] = middle / stats.norm.ppf(0.75), neighbours(window)
    return found


def neighbours(window: xr.Dataset) -> float:
    """σ seen / σ claimed by the MAD of differences of neighbouring times of a baseline, as `noise.noise_factor`.

    Here samples of one time are not neighbours: merged sidebands of calibrated sets differ by more than noise.
    """
    order = np.lexsort((window.time_mjd_s.values, window.antenna2.values, window.antenna1.values))
    visibility, weight = window.visibility.values[order], window.weight.values[order]
    time, pair = (
        window.time_mjd_s.values[order],
        np.stack([window.antenna1.values, window.antenna2.values])[:, order],
    )
    gap = np.diff(time)
    same = (np.diff(pair, axis=1) == 0).all(0) & (gap > 1.0)
    same &= gap <= 3 * np.median(gap[same])
    good = same[:, None] & (weight[1:] > 0) & (weight[:-1] > 0)
    with np.errstate(divide="ignore"):
        scaled = ((visibility[1:] - visibility[:-1]) / np.sqrt(1 / weight[1:] + 1 / weight[:-1]))[good]
    return float(1.4826 * np.median(np.abs(np.concatenate([scaled.real, scaled.imag]))))


def _shape(window: xr.Dataset, summary: dict) -> np.ndarray:
    """The learned factor (row, channel) of each baseline's bin."""
    edges = np.array(summary["chi2_by_baseline"]["edges_klambda"])[1:-1] * 1e3
    length = np.hypot(*window.uvw_m.values[:, :2].T)[:, None] * window.frequency_hz.values
    by_length = np.array(summary["noise_factors_by_baseline"])
    return by_length[np.searchsorted(edges, length / SPEED_OF_LIGHT_M_S, side="right")]


def _mad2(tail: float) -> float:
    """Square of the scaled MAD of one real part of Student-t noise of unit scale and ν = 1/tail."""
    return float((stats.t.ppf(0.75, 1 / tail) / stats.norm.ppf(0.75)) ** 2) if tail else 1.0
