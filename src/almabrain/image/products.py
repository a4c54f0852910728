"""Files of the Bayesian image: mean, standard deviation, samples, power spectrum and summary."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import Table

from almabrain.data import store
from almabrain.data.files import atomic
from almabrain.data.fits import write_image
from almabrain.data.tables import write_table
from almabrain.image import field, points
from almabrain.image import model as sky_model
from almabrain.image.grid import SEEN_WELL, SIGNAL_FLOOR, Grid, as_image
from almabrain.image.inference import State
from almabrain.image.likelihood import chi2_by_baseline, delta_log_likelihood, in_sigma, left_over, residuals
from almabrain.image.refine import Samples, refine, skies, thinned
from almabrain.image.scales import largest_recoverable_scale_arcsec, wide_part
from almabrain.image.verdict import judge
from almabrain.response.beam import convolve


def write(
    folder: str | Path,
    state: State,
    grid: Grid,
    count: int,
    seed: int,
    name: str,
    timings: dict[str, float],
) -> dict:
    """Write all products of `count` samples into `folder` and return the summary; each file is whole or not there.

    Images are corrected for the primary beam, and NaN where it is below 0.1; `*_beam` are at the resolution
    of the CLEAN beam, in Jy/beam. The deviations are over samples, so they know of correlations.
    """
    # A run that was stopped in its warm-up has no draws that count; what it has is shown, and marked.
    worked = Samples(state.model, thinned(state.draws or state.vectors, count))
    samples = refine(worked, grid.n_pix, seed, name)
    exact, shown = (each / grid.cell_arcsec**2 for each in skies(samples))
    true = exact * grid.cell_arcsec**2
    # Behind the primary beam, or what nobody knows of outside would be blurred into the field.
    blurred = np.stack([convolve(sky, grid.cell_arcsec, grid.beam) for sky in true * grid.primary_beam])
    blurred /= grid.primary_beam
    summary = summarise(state, samples, grid, true, timings)
    folder = Path(folder)
    cards = {
        "VERDICT": (summary["verdict"].split(":")[0], "convergence, reasons in summary.json"),
        "NSAMPLES": len(exact),
    }
    for name, values, unit in (
        ("mean", shown.mean(0), "Jy/arcsec2"),
        ("std", shown.std(0, ddof=1), "Jy/arcsec2"),
        ("mean_beam", blurred.mean(0), "Jy/beam"),
        ("std_beam", blurred.std(0, ddof=1), "Jy/beam"),
    ):
        seen = np.where(grid.primary_beam >= SIGNAL_FLOOR, values, np.nan)
        write_image(folder / f"{name}.fits", as_image(seen, grid, unit), cards)
    kept = xr.Dataset(
        {"sky": (("sample", "y", "x"), exact.astype(np.float32))},
        attrs={"bunit": "Jy/arcsec2", "cell_arcsec": grid.cell_arcsec, "n_pix": grid.n_pix},
    )
    store.write(folder / "samples.zarr.zip", {"samples": kept})
    write_table(folder / "power_spectrum.ecsv", power_table(samples, grid))
    with atomic(folder / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1))
    return summary


def power_table(samples: Samples, grid: Grid) -> Table:
    """Power of the log brightness per mode against wavenumber: the samples' own, and their law's.

    Columns: k [1/arcsec], mean (geometric) with low and high (16 % and 84 % of samples), learned (the law, mean).
    """
    modes, amplitude = field.modes(samples.n_pix), np.asarray(samples.model.amplitude)
    wavenumber, count = np.asarray(modes.length)[1:], np.asarray(modes.count)[1:]
    spectra, laws = [], []
    for vector in samples.vectors:
        own, _, spectrum = sky_model.split(vector, samples.n_pix)
        spectra.append(field.radial_mean((amplitude * np.asarray(own)) ** 2, modes)[1:])
        laws.append(2 * field.log_amplitude(field.parameters(spectrum), modes)[1:])
    edges = np.geomspace(0.99, wavenumber.max() * 1.01, 40)
    index = np.digitize(wavenumber, edges)
    used = np.unique(index)
    total = np.bincount(index, count)[used]
    binned = np.stack([np.bincount(index, power * count)[used] / total for power in spectra])
    law = np.exp(np.bincount(index, np.mean(laws, axis=0) * count)[used] / total)
    centre = np.bincount(index, wavenumber * count)[used] / total
    low, high = np.quantile(binned, [0.16, 0.84], axis=0)
    table = Table(
        {
            "k": centre / (grid.n_pix * grid.cell_arcsec) / u.arcsec,
            "mean": np.exp(np.log(binned).mean(0)),
            "low": low,
            "high": high,
            "learned": law,
        }
    )
    table.meta["description"] = "variance of the natural log of the brightness per Fourier mode"
    return table


def summarise(
    state: State, samples: Samples, grid: Grid, true: np.ndarray, timings: dict[str, float]
) -> dict:
    """The summary: verdict, fit, noise, fluxes and times; `true` skies (sample, y, x) in Jy/pixel."""
    mean, data, likelihood = true.mean(0), state.data, state.model.likelihood
    octiles, edges = chi2_by_baseline(data.now, residuals(data.now, mean, grid))
    worked = np.mean([sky_model.sky(state.model, vector) for vector in state.draws or state.vectors], axis=0)
    left = in_sigma(left_over(likelihood, worked), likelihood)
    peak = float(np.abs(left[state.grid.primary_beam >= SEEN_WELL]).max())
    difference = delta_log_likelihood(likelihood, data.now, worked, state.grid)
    if state.grid.metric == state.grid.approximation:
        difference = max(difference, state.likelihood_error, key=abs)
    verdict, reasons = judge(state.history, octiles, peak, difference, likelihood.n_data, grid.shortfall)
    last = state.history[-1]
    inside = grid.primary_beam >= SEEN_WELL
    totals = true[:, inside].sum(1)
    scale = largest_recoverable_scale_arcsec(data.now)
    apparent = mean * grid.primary_beam
    wide = (wide_part(apparent, grid.cell_arcsec, scale) / grid.primary_beam)[inside].sum()
    return {
        "verdict": verdict,
        "reasons": reasons,
        "reduced_chi2": last.chi2,
        "chi2_by_baseline": {"edges_klambda": (edges / 1e3).tolist(), "reduced_chi2": octiles.tolist()},
        "residual_peak_sigma": peak,
        "delta_log_likelihood": difference,
        "noise_factors": data.factors or dict.fromkeys(data.now, 1.0),
        "noise_factors_by_baseline": np.ones(8).tolist()
        if data.baseline_factors is None
        else data.baseline_factors.tolist(),
        "noise_tails": {name: window.attrs.get("tail", 0.0) for name, window in data.now.items()},
        "noise_model": "Student-t, by window and baseline length" if data.factors else "weights as they are",
        "samples": len(true),
        "rounds": len(state.history),
        "history": [asdict(item) for item in state.history],
        "flux_jy": float(totals.mean()),
        "flux_error_jy": float(totals.std(ddof=1)),
        "flux_wide_jy": float(wide),
        "largest_recoverable_scale_arcsec": scale,
        "flux_region": f"primary beam >= {SEEN_WELL}",
        "points": point_list(samples),
        "spectrum": _spectrum(samples),
        "gains": data.gains.summary() if data.gains else [],
        "offset": float(state.model.offset),
        "cell_arcsec": grid.cell_arcsec,
        "n_pix": grid.n_pix,
        "frequency_hz": grid.frequency_hz,
        "beam": asdict(grid.beam),
        "timings_s": timings,
    }


def _spectrum(samples: Samples) -> dict[str, dict[str, float]]:
    """The spectrum's parameters: mean and standard deviation of the samples, and those of the prior."""
    drawn = np.array([field.parameters(vector[-field.EXCITATIONS :]) for vector in samples.vectors])
    columns = zip(field.PARAMETERS, drawn.mean(0), drawn.std(0, ddof=1), field.MEAN, field.STD, strict=True)
    keys = ("mean", "std", "prior_mean", "prior_std")
    return {name: dict(zip(keys, map(float, values), strict=True)) for name, *values in columns}


def point_list(samples: Samples) -> list[dict[str, float]]:
    """The point sources: pixel position and flux, each with its standard deviation over samples."""
    places = samples.model.points
    drawn = [sky_model.split(vector, samples.n_pix)[1] for vector in samples.vectors]
    columns = {
        "flux_jy": np.stack([points.flux(places, part) for part in drawn]),
        "x": np.stack([points.positions(places, part)[0] for part in drawn]),
        "y": np.stack([points.positions(places, part)[1] for part in drawn]),
    }
    found = []
    for slot in np.flatnonzero(np.asarray(places.on)):
        entry = {name: float(values[:, slot].mean()) for name, values in columns.items()}
        entry |= {f"{name}_error": float(values[:, slot].std(ddof=1)) for name, values in columns.items()}
        found.append(entry)
    return found
