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
from almabrain.data.statistics import robust_rms
from almabrain.image import visibilities
from almabrain.image.grid import choose_grid
from almabrain.image.likelihood import residuals
from almabrain.image.noise_model import Curve
from almabrain.response.beam import Beam

HELD_OUT = 0.1
_DRAWS = 400_000


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

    `sky` (y, x) is the posterior-mean true sky in Jy/arcsec². σ is the claimed one times the factors of window,
    baseline length and antennas, tails are those of Student's t with ν degrees of freedom. `chi2` is the mean of
    |r|²/2σ² over its expectation ν/(ν − 2), infinite from ν = 2 down and slow to settle below 4; `weighted` the mean of
    u|r|²/2σ² with u = (ν + 2)/(ν + |r|²/σ²), whose expectation is 1 for any ν; `mad` the squared MAD over the
    distribution's.
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
    """By window: σ seen / σ claimed as learned, and as measured; both the MAD of neighbours' differences.

    Those of what is learned are drawn: two Student-t numbers of one scale, their difference over √2.
    """
    rng, found = np.random.default_rng(0), {}
    for name, learned in summary["noise_factors"].items():
        window = store.read(path, name)
        tail = float(summary.get("noise_tails", {}).get(name, 0.0))
        scale = rng.choice(learned * _shape(window, summary)[window.weight.values > 0], _DRAWS)
        one, other = (stats.t(1 / tail) if tail else stats.norm()).rvs((2, _DRAWS), random_state=rng)
        found[name] = float(robust_rms(scale * (one - other) / np.sqrt(2))), window.attrs["noise_factor"]
    return found


def _shape(window: xr.Dataset, summary: dict) -> np.ndarray:
    """The learned factor (row, channel) of each baseline's length and antennas."""
    klambda = np.hypot(*window.uvw_m.values[:, :2].T)[:, None] * window.frequency_hz.values
    curve = Curve(**{key: np.array(values) for key, values in summary["noise_by_baseline"].items()})
    shape = curve.at(klambda / SPEED_OF_LIGHT_M_S / 1e3)
    own = {item["antenna"]: item["factor"] for item in summary["noise_by_antenna"]}
    for end in ("antenna1", "antenna2"):
        shape = shape * np.array([own.get(number, 1.0) for number in window[end].values.tolist()])[:, None]
    return shape


def _mad2(tail: float) -> float:
    """Square of the scaled MAD of one real part of Student-t noise of unit scale and ν = 1/tail."""
    return float((stats.t.ppf(0.75, 1 / tail) / stats.norm.ppf(0.75)) ** 2) if tail else 1.0
