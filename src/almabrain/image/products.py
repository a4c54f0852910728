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
from almabrain.image.inference import State, excitations, residual_image
from almabrain.image.likelihood import chi2_by_baseline, delta_log_likelihood, residuals
from almabrain.image.scales import largest_recoverable_scale_arcsec, wide_part
from almabrain.image.verdict import judge
from almabrain.response.beam import convolve


def sample_skies(state: State, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The samples' true skies (sample, y, x) in Jy/arcsec²: exact for any beam, and drawn for the eye.

    They differ in the points only, see `points.draw` and `points.deposit`.
    """
    exact, shown = [], []
    for vector in excitations(state):
        _, point_part = sky_model.split(vector, grid.n_pix)
        diffuse = np.asarray(sky_model.field_sky(state.model, vector))
        exact.append(diffuse + np.asarray(points.draw(state.model.points, point_part, grid.n_pix)))
        shown.append(diffuse + np.asarray(points.deposit(state.model.points, point_part, grid.n_pix)))
    return np.stack(exact) / grid.cell_arcsec**2, np.stack(shown) / grid.cell_arcsec**2


def write(folder: str | Path, state: State, grid: Grid, samples: int, timings: dict[str, float]) -> dict:
    """Write all products into `folder` and return the summary; each file is whole or not there.

    Images are corrected for the primary beam, and NaN where it is below 0.1; `*_beam` are at the resolution
    of the CLEAN beam, in Jy/beam. The deviations are over samples, so they know of correlations.
    """
    exact, shown = sample_skies(state, grid)
    skies = exact * grid.cell_arcsec**2
    # Behind the primary beam, or what nobody knows of outside would be blurred into the field.
    blurred = np.stack([convolve(sky, grid.cell_arcsec, grid.beam) for sky in skies * grid.primary_beam])
    blurred /= grid.primary_beam
    summary = summarise(state, grid, skies, samples, timings)
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
    write_table(folder / "power_spectrum.ecsv", power_table(state, grid))
    with atomic(folder / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1))
    return summary


def power_table(state: State, grid: Grid) -> Table:
    """Power of the log brightness per mode against wavenumber: learned law, and the samples' own.

    Columns: k [1/arcsec], mean (geometric) with low and high (16 % and 84 % of samples), learned.
    """
    amplitude = np.asarray(state.model.amplitude)
    spectra = []
    for vector in excitations(state):
        modes, _ = sky_model.split(vector, grid.n_pix)
        wavenumber, power, count = field.radial_power((amplitude * np.asarray(modes)) ** 2)
        spectra.append(power)
    edges = np.geomspace(0.99, wavenumber.max() * 1.01, 40)
    index = np.digitize(wavenumber, edges)
    used = np.unique(index)
    total = np.bincount(index, count)[used]
    binned = np.stack([np.bincount(index, power * count)[used] / total for power in spectra])
    centre = np.bincount(index, wavenumber * count)[used] / total
    low, high = np.quantile(binned, [0.16, 0.84], axis=0)
    table = Table(
        {
            "k": centre / (grid.n_pix * grid.cell_arcsec) / u.arcsec,
            "mean": np.exp(np.log(binned).mean(0)),
            "low": low,
            "high": high,
            "learned": state.spectrum.power(centre),
        }
    )
    table.meta["description"] = "variance of the natural log of the brightness per Fourier mode"
    return table


def summarise(state: State, grid: Grid, skies: np.ndarray, samples: int, timings: dict[str, float]) -> dict:
    """The summary: verdict, fit, noise, fluxes and times; `skies` (sample, y, x) in Jy/pixel."""
    mean, likelihood = skies.mean(0), state.model.likelihood
    octiles, edges = chi2_by_baseline(state.windows, residuals(state.windows, mean, grid))
    peak = float(np.abs(residual_image(state)[grid.primary_beam >= SEEN_WELL]).max())
    difference = delta_log_likelihood(likelihood, state.windows, mean, grid)
    verdict, reasons = judge(
        state.history, octiles, peak, difference, likelihood.n_data, samples, grid.shortfall
    )
    last = state.history[-1]
    inside = grid.primary_beam >= SEEN_WELL
    totals = skies[:, inside].sum(1)
    scale = largest_recoverable_scale_arcsec(state.windows)
    apparent = mean * grid.primary_beam
    wide = (wide_part(apparent, grid.cell_arcsec, scale) / grid.primary_beam)[inside].sum()
    return {
        "verdict": verdict,
        "reasons": reasons,
        "reduced_chi2": last.chi2,
        "chi2_by_baseline": {"edges_klambda": (edges / 1e3).tolist(), "reduced_chi2": octiles.tolist()},
        "residual_peak_sigma": peak,
        "delta_log_likelihood": difference,
        "noise_factors": state.noise_factors,
        "noise_factors_by_baseline": state.baseline_factors.tolist(),
        "noise_tails": {name: window.attrs.get("tail", 0.0) for name, window in state.windows.items()},
        "noise_model": "Student-t, by window and baseline length"
        if state.learned_noise
        else "weights as they are",
        "samples": len(skies),
        "rounds": len(state.history),
        "history": [asdict(item) for item in state.history],
        "flux_jy": float(totals.mean()),
        "flux_error_jy": float(totals.std(ddof=1)),
        "flux_wide_jy": float(wide),
        "largest_recoverable_scale_arcsec": scale,
        "flux_region": f"primary beam >= {SEEN_WELL}",
        "points": point_list(state, grid),
        "spectrum": dict(zip(("ln_std", "ln_k0", "slope"), state.spectrum.parameters.tolist(), strict=True)),
        "offset": float(state.model.offset),
        "cell_arcsec": grid.cell_arcsec,
        "n_pix": grid.n_pix,
        "frequency_hz": grid.frequency_hz,
        "beam": asdict(grid.beam),
        "timings_s": timings,
    }


def point_list(state: State, grid: Grid) -> list[dict[str, float]]:
    """The point sources: pixel position and flux, each with its standard deviation over samples."""
    drawn = [sky_model.split(vector, grid.n_pix)[1] for vector in excitations(state)]
    columns = {
        "flux_jy": np.stack([points.flux(state.model.points, part) for part in drawn]),
        "x": np.stack([points.positions(state.model.points, part)[0] for part in drawn]),
        "y": np.stack([points.positions(state.model.points, part)[1] for part in drawn]),
    }
    found = []
    for slot in np.flatnonzero(np.asarray(state.model.points.on)):
        entry = {name: float(values[:, slot].mean()) for name, values in columns.items()}
        entry |= {f"{name}_error": float(values[:, slot].std(ddof=1)) for name, values in columns.items()}
        found.append(entry)
    return found
