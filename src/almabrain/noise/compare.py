"""A reference beside draws of its model: the arrays that a report plots and the numbers that judge.

A comparison is a dataset with `acf_*` over `lag_arcsec`, `spectrum_*` over `frequency_per_beam` (cycles per
geometric mean beam, mean 1 over the plane) and `histogram_*` (density) over `value_sigma`, each as
`real`, `drawn` (mean of the draws) and `drawn_sd` (scatter of a single draw), and `picture_drawn` (y, x) in
the model's unit. Attributes: see `_numbers`.
"""

import numpy as np
import xarray as xr
from scipy import fft

from almabrain.noise import spectrum
from almabrain.noise.draw import drawer
from almabrain.noise.model import NoiseModel, mean_beam_px

DRAWS = 16
LAGS_BEAMS = 4.0
RINGS = 24
BINS_SIGMA = np.linspace(-6, 6, 97)


def image_and_draws(
    model: NoiseModel, field: np.ndarray, use: np.ndarray, rng: np.random.Generator
) -> xr.Dataset:
    """Compare a reference `field` (n_y, n_x; mean 0) where `use` is true with draws of its model.

    Both go through the same mask and estimators. Beside the common variables, `picture_real` is the
    reference's picture and `mask` (y, x) what was left out.
    """
    local = model.rms * (1.0 if model.local_rms is None else model.local_rms)
    flat = np.where(use, field / local, 0.0)
    fields = _fields(model, rng)
    made = _assemble(model, _measured(model, flat, use), fields, use)
    made["picture_real"] = (("y", "x"), field.astype(np.float32))
    made["picture_drawn"] = (("y", "x"), (fields[0] * local).astype(np.float32))
    made["mask"] = (("y", "x"), ~use)
    ordered = np.sort(flat[use])
    steps = np.arange(len(ordered) + 1) / len(ordered)
    cdf = model.warp.cdf(ordered)
    n_eff = spectrum.independent_pixels(model.acf, float(use.sum()))
    made.attrs |= {
        "ks": float(max(np.max(cdf - steps[:-1]), np.max(steps[1:] - cdf))),
        "correlation": max(abs(float(np.corrcoef(flat[use], item[use])[0, 1])) for item in fields),
        "correlation_limit": float(3 / np.sqrt(n_eff)),
    }
    return made


def facts_and_draws(model: NoiseModel, rng: np.random.Generator) -> xr.Dataset:
    """Compare what a table says (as `real`) with draws of its model; there is no picture of the reference."""
    beam_px = mean_beam_px(model.beam, model.cell_arcsec)
    lag_edges, frequency_edges = _edges(model)
    k_y, k_x = (fft.fftfreq(n) * beam_px for n in model.power.shape)
    real = {
        "acf": spectrum.radial_mean(model.acf, lag_edges),
        "spectrum": spectrum.ring_mean(model.power, np.hypot(k_y[:, None], k_x), frequency_edges),
        "histogram": np.diff(model.warp.cdf(BINS_SIGMA)) / np.diff(BINS_SIGMA),
    }
    fields = _fields(model, rng)
    made = _assemble(model, real, fields, np.ones(model.shape, bool))
    made["picture_drawn"] = (("y", "x"), (fields[0] * model.rms).astype(np.float32))
    return made


def _fields(model: NoiseModel, rng: np.random.Generator) -> list[np.ndarray]:
    draw = drawer(model)
    return [draw(rng) for _ in range(DRAWS)]


def _edges(model: NoiseModel) -> tuple[np.ndarray, np.ndarray]:
    beam_px = mean_beam_px(model.beam, model.cell_arcsec)
    lag = np.arange(0, int(min(LAGS_BEAMS * beam_px, 0.25 * min(model.shape))) + 2) - 0.5
    # Beyond two cycles a beam no visibility is measured.
    return lag, np.linspace(0, min(2.0, 0.5 * beam_px), RINGS + 1)


def _measured(model: NoiseModel, field: np.ndarray, use: np.ndarray) -> dict[str, np.ndarray]:
    """ACF and windowed periodogram in rings, and histogram, of one field of unit variance."""
    weight = use * spectrum.edge_taper(use.shape)
    lag_edges, frequency_edges = _edges(model)
    acf = spectrum.masked_acf(field, weight)
    v, u = (fft.fftfreq(n) * mean_beam_px(model.beam, model.cell_arcsec) for n in field.shape)
    periodogram = np.abs(fft.fft2(field * weight)) ** 2 / np.sum(weight**2)
    return {
        "acf": spectrum.radial_mean(acf / acf[0, 0], lag_edges),
        "spectrum": spectrum.ring_mean(periodogram, np.hypot(v[:, None], u), frequency_edges),
        "histogram": np.histogram(field[use], BINS_SIGMA, density=True)[0],
    }


def _assemble(model: NoiseModel, real: dict, fields: list[np.ndarray], use: np.ndarray) -> xr.Dataset:
    drawn = [_measured(model, field, use) for field in fields]
    lag, frequency, value = (0.5 * (edges[1:] + edges[:-1]) for edges in (*_edges(model), BINS_SIGMA))
    coords = {"lag_arcsec": lag * model.cell_arcsec, "frequency_per_beam": frequency, "value_sigma": value}
    data = {}
    for name, dim in zip(("acf", "spectrum", "histogram"), coords, strict=True):
        stack = np.array([item[name] for item in drawn])
        data[f"{name}_real"] = (dim, real[name])
        data[f"{name}_drawn"] = (dim, stack.mean(axis=0))
        data[f"{name}_drawn_sd"] = (dim, stack.std(axis=0, ddof=1))
    made = xr.Dataset(data, coords=coords)
    made.attrs = _numbers(made)
    return made


def _numbers(made: xr.Dataset) -> dict[str, float]:
    """How far the draws are from the reference.

    `acf_difference`: largest difference of the ACFs; `spectrum_bad_rings`: share of the rings that hold
    power which are off by more than 10 % and 2 sd of a draw. With an image also `ks`, the Kolmogorov-Smirnov
    distance of its pixels from the model's distribution, `correlation`, the largest one of a draw with
    the reference, and `correlation_limit`, 3 / sqrt(N_eff), that new noise stays below.
    """
    off = np.abs(made.spectrum_real - made.spectrum_drawn)
    bad = (off > 0.1 * made.spectrum_real) & (off > 2 * made.spectrum_drawn_sd)
    held = made.spectrum_drawn > 0.01 * made.spectrum_drawn.max()
    return {
        "acf_difference": float(np.abs(made.acf_real - made.acf_drawn).max()),
        "spectrum_bad_rings": float((bad & held).sum() / held.sum()),
    }
