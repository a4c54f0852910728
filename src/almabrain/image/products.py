"""Files of the Bayesian image: pictures, samples, tables and summary."""

import logging
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.config.image import Recipe
from almabrain.data import store
from almabrain.data.constants import SPEED_OF_LIGHT_KM_S
from almabrain.data.files import finite, write_json
from almabrain.data.fits import write_image
from almabrain.data.tables import write_table
from almabrain.image import field, points, posterior_tables, resolution, spectral
from almabrain.image import model as sky_model
from almabrain.image.dirty import Imager
from almabrain.image.grid import SEEN_WELL, SIGNAL_FLOOR, Grid, Windows, as_image
from almabrain.image.inference import State
from almabrain.image.likelihood import (
    chi2_by_baseline,
    chi2_by_channel,
    delta_log_likelihood,
    in_sigma,
    left_over,
    residuals,
)
from almabrain.image.refine import Samples, refine, skies, thinned
from almabrain.image.scales import largest_recoverable_scale_arcsec, wide_part
from almabrain.image.verdict import judge
from almabrain.response.beam import convolve, fit_beam

log = logging.getLogger(__name__)

_FAST = 0.2  # of light's speed: there radio velocities are far from true ones, and the rest frequency may be another


def write(
    folder: str | Path,
    state: State,
    grid: Grid,
    recipe: Recipe,
    seed: int,
    timings: dict[str, float],
) -> dict:
    """Write all products of the recipe's number of samples into `folder` and return what is in summary.json.

    Each file is whole or not there. Images are corrected for the primary beam, and NaN where it is below 0.1; `*_beam`
    are at the resolution of the CLEAN beam, in Jy/beam. The deviations are over samples, so they know of correlations.
    Of a cube all are cubes; with a spectral index they are at the reference frequency. See `spectral_maps`.
    """
    # A run that was stopped in its warm-up has no draws that count; what it has is shown, and marked.
    worked = Samples(state.model, thinned(state.draws or state.vectors, recipe.samples))
    samples = refine(worked, grid.n_pix)
    exact, shown = (each / grid.cell_arcsec**2 for each in skies(samples))
    true = exact * grid.cell_arcsec**2
    blurred, pictured, spectrum = at_beam(true, grid), grid, None
    maps = spectral_maps(blurred, grid, recipe)
    if recipe.spectral.mode == "index":
        spectrum = np.ones(exact.shape[1])
        exact, shown, blurred = (
            spectral.indices(each, grid.channels.frequency_hz)[0] for each in (exact, shown, blurred)
        )
        pictured = replace(grid, channels=None, frequency_hz=state.spectral["reference_hz"])
    elif recipe.spectral.mode == "cube":
        brightest = np.abs(true * grid.primary_beam).sum((0, 2, 3)).argmax()
        spectrum = np.eye(exact.shape[1])[brightest]
    begun = time.monotonic()
    probes = resolution.measure(state.model, worked.vectors, state.grid, spectrum=spectrum)
    timings = timings | {"resolution": time.monotonic() - begun}
    summary = summarise(state, samples, grid, true, timings)
    if grid.channels is not None:
        summary |= spectral_summary(state, shown, pictured, recipe, summary)
    summary["resolution_arcsec"] = list(probes.typical())
    _doubt(summary)
    cards = header(summary, seed)
    if recipe.spectral.mode == "cube":
        cards["RESTFRQ"] = (_rest_hz(grid.channels.frequency_hz, recipe), "[Hz] of velocity 0")
    folder = Path(folder)
    for title, (values, unit) in (pictures(shown, blurred, grid) | maps).items():
        image = as_image(values, pictured, unit, at_beam=title in maps)
        write_image(folder / f"{title}.fits", image, cards)
    write_image(folder / "residual.fits", *residual(state, true.mean(0), grid, cards, pictured))
    mean = shown.mean(0) if shown.ndim == 3 else np.tensordot(spectrum, shown.mean(0), 1)
    planes = resolution.picture(probes, mean * grid.primary_beam, grid.n_pix / state.grid.n_pix)
    write_image(folder / "resolution.fits", *_planes(planes, grid, cards))
    store.write(folder / "samples.zarr.zip", {"samples": _kept(exact, grid)})
    octiles = summary["chi2_by_baseline"]
    edges, chi2 = (np.array(octiles[key]) for key in ("edges_klambda", "reduced_chi2"))
    for title, table in (
        ("power_spectrum", posterior_tables.power(worked, state.grid)),
        ("parameters", posterior_tables.parameters(worked, summary["offset"], state.grid)),
        ("history", posterior_tables.history(state.history)),
        ("noise", posterior_tables.noise(edges, chi2, state.data.noise)),
        ("fluxes", posterior_tables.fluxes(shown, pictured, recipe)),
    ):
        write_table(folder / f"{title}.ecsv", table)
    write_json(folder / "summary.json", summary)
    return finite(summary)


def _kept(skies: np.ndarray, grid: Grid) -> xr.Dataset:
    """Samples (sample, [channel,] y, x) [Jy/arcsec²] with their axes."""
    cube = skies.ndim == 4
    axes = ("sample", *(["channel"] if cube else []), "y", "x")
    frequency = {"frequency_hz": ("channel", grid.channels.frequency_hz)} if cube else {}
    return xr.Dataset(
        {"sky": (axes, skies.astype(np.float32)), **frequency},
        attrs={"bunit": "Jy/arcsec2", "cell_arcsec": grid.cell_arcsec, "n_pix": grid.n_pix},
    )


def _doubt(summary: dict) -> None:
    """Let no summary converge in which a number is missing; only what resolves nothing has no resolution."""
    lost = [
        key
        for key, value in summary.items()
        if key not in ("history", "resolution_arcsec") and finite(value) != value
    ]
    if lost and not summary["reasons"]:
        summary["reasons"] = [f"{', '.join(lost)} came out as no finite number"]
        summary["verdict"] = f"not converged: {summary['reasons'][0]}"


def at_beam(true: np.ndarray, grid: Grid) -> np.ndarray:
    """Skies (..., y, x) in Jy/pixel at the resolution of the CLEAN beam, in Jy/beam."""
    # Behind the primary beam, or what nobody knows of outside would be blurred into the field.
    flat = (true * grid.primary_beam).reshape(-1, *grid.primary_beam.shape)
    blurred = np.stack([convolve(sky, grid.cell_arcsec, grid.beam) for sky in flat])
    return blurred.reshape(true.shape) / grid.primary_beam


def pictures(shown: np.ndarray, blurred: np.ndarray, grid: Grid) -> dict[str, tuple[np.ndarray, str]]:
    """Images ([channel,] y, x) and their units by name, of samples (sample, [channel,] y, x).

    `shown` in Jy/arcsec² are for the eye, `true` in Jy/pixel exact for any beam; see `refine.skies`.
    """
    mean, std = shown.mean(0), shown.std(0, ddof=1)
    made = {
        "mean": (mean, "Jy/arcsec2"),
        "std": (std, "Jy/arcsec2"),
        "median": (np.median(shown, axis=0), "Jy/arcsec2"),
        "relative_std": (std / np.abs(mean), ""),
        "mean_beam": (blurred.mean(0), "Jy/beam"),
        "std_beam": (blurred.std(0, ddof=1), "Jy/beam"),
    }
    seen = grid.primary_beam >= SIGNAL_FLOOR
    made = {name: (np.where(seen, values, np.nan), unit) for name, (values, unit) in made.items()}
    return made | {"mean_flat": (mean * grid.primary_beam, "Jy/arcsec2")}


def spectral_maps(blurred: np.ndarray, grid: Grid, recipe: Recipe) -> dict[str, tuple[np.ndarray, str]]:
    """Maps (y, x) of draws (sample, channel, y, x) [Jy/beam], with their standard deviations, and their units.

    Moments 0 and 1 of a cube, and spectral indices; the latter two where S/N of the brightness is 5 or more, and not
    at all where it is nowhere.
    """
    if grid.channels is None:
        return {}
    frequency, seen = grid.channels.frequency_hz, grid.primary_beam >= SIGNAL_FLOOR
    if recipe.spectral.mode == "index":
        brightness, index = spectral.indices(blurred, frequency)
        found = {"spectral_index": (*spectral.where_detected(index, brightness), "")}
    else:
        velocity = spectral.velocities_kms(frequency, _rest_hz(frequency, recipe))
        if np.abs(velocity).max() > _FAST * SPEED_OF_LIGHT_KM_S:
            log.warning(
                "key 'spectral.rest_frequency_ghz' puts channels at up to %.3g km/s; give the line's frequency in the "
                "frame of the data",
                np.abs(velocity).max(),
            )
        total, centre = spectral.moments(blurred, velocity)
        found = {
            "moment0": (total.mean(0), total.std(0, ddof=1), "Jy/beam.km/s"),
            "moment1": (*spectral.where_detected(centre, total), "km/s"),
        }
    maps = {}
    for name, (mean, std, unit) in found.items():
        maps[name] = np.where(seen, mean, np.nan), unit
        maps[f"{name}_std"] = np.where(seen, std, np.nan), unit
    return {name: each for name, each in maps.items() if np.isfinite(each[0]).any()}


def _rest_hz(frequency: np.ndarray, recipe: Recipe) -> float:
    rest = recipe.spectral.rest_frequency_ghz
    return rest * 1e9 if rest else float(frequency[len(frequency) // 2])


def spectral_summary(state: State, shown: np.ndarray, grid: Grid, recipe: Recipe, summary: dict) -> dict:
    """What the summary tells of channels: the prior, and fluxes in the region of `flux_jy`.

    `shown` (sample, [channel,] y, x) in Jy/arcsec², on a `grid` at their frequencies; fluxes that are told beside the
    channels' are of the mean of a cube's channels. `summary` is that of `summarise`.
    """
    fluxes = shown[..., grid.primary_beam >= SEEN_WELL].sum(-1) * grid.cell_arcsec**2
    told = {"mode": recipe.spectral.mode, **state.spectral, **summary["spectral"]}
    told["frequency_hz"] = state.grid.channels.frequency_hz.tolist()
    if fluxes.ndim == 2:
        told |= {"flux_jy": fluxes.mean(0).tolist(), "flux_error_jy": fluxes.std(0, ddof=1).tolist()}
        fluxes = fluxes.mean(1)
    mean = shown.reshape(-1, *shown.shape[-2:]).mean(0) * grid.cell_arcsec**2
    return {
        "spectral": told,
        "frequency_hz": grid.frequency_hz,
        "flux_jy": float(fluxes.mean()),
        "flux_error_jy": float(fluxes.std(ddof=1)),
        "flux_wide_jy": _flux_wide(mean, grid, summary["largest_recoverable_scale_arcsec"]),
    }


def header(summary: dict, seed: int) -> dict[str, tuple]:
    """FITS cards, with comments: what made the image, what it resolves, and what was learned."""
    beam, spectrum = summary["beam"], summary["spectrum"]
    factors = list(summary["noise_factors"].values())
    cards = {
        "VERDICT": (summary["verdict"].split(":")[0], "convergence, reasons in summary.json"),
        "NSAMPLES": (summary["samples"], "posterior samples"),
        "SEED": (seed, "of the random numbers"),
        "REDCHI2": (summary["reduced_chi2"], "reduced chi2 of the posterior mean"),
        "NOISEFAC": (float(np.median(factors)), "noise / claimed by weights, median of windows"),
        "RESMAJ": (summary["resolution_arcsec"][0], "[arcsec] median resolution, major axis"),
        "RESMIN": (summary["resolution_arcsec"][1], "[arcsec] median resolution, minor axis"),
        "CLNBMAJ": (beam["major_arcsec"] / 3600, "[deg] CLEAN beam, major axis"),
        "CLNBMIN": (beam["minor_arcsec"] / 3600, "[deg] CLEAN beam, minor axis"),
        "CLNBPA": (beam["pa_deg"], "[deg] CLEAN beam, position angle"),
    }
    for name, learned in spectrum.items():
        card = name.upper().replace("_", "")[:6]
        cards[card] = (learned["mean"], f"power spectrum: {name}")
        cards[f"{card}_E"] = (learned["std"], f"power spectrum: {name}, std")
    # FITS knows no NaN.
    return {key: each for key, each in cards.items() if isinstance(each[0], str) or np.isfinite(each[0])}


def residual(
    state: State, mean: np.ndarray, grid: Grid, cards: dict, picture: Grid | None = None
) -> tuple[xr.DataArray, dict]:
    """The natural dirty image [Jy/beam] of what the posterior mean ([channel,] y, x) [Jy/pixel] leaves, and its cards.

    Its noise is flat, and its beam the natural one of all data, not CLEAN's; both are in the header, of a cube the
    channels' median noise. The `picture` has the channels of `grid`, as by default, or none.
    """
    windows, picture = state.data.now, picture or grid
    imager = _natural(windows, picture)
    beam, noise = fit_beam(imager.psf(), grid.cell_arcsec), imager.noise
    if grid.channels is None:
        left = imager.dirty(mean * imager.response)
    else:
        seen = residuals(windows, mean, grid)
        windows = {
            name: one.assign(visibility=(("row", "channel"), seen[name])) for name, one in windows.items()
        }
        imagers = [_natural(windows, picture)]
        if picture.channels is not None:
            imagers = [_natural(part, picture) for part in grid.channels.split(windows)]
        left = np.squeeze([one.dirty() for one in imagers])
        noise = np.nanmedian([one.noise for one in imagers])
    image = as_image(left, replace(picture, beam=beam), "Jy/beam")
    return image, cards | ({"NOISE": (noise, "[Jy/beam] by the weights")} if np.isfinite(noise) else {})


def _natural(windows: Windows, grid: Grid) -> Imager:
    weight = {name: window.weight.values for name, window in windows.items()}
    return Imager(windows, replace(grid, imaging_weight=weight))


def _planes(planes: np.ndarray, grid: Grid, cards: dict) -> tuple[xr.DataArray, dict]:
    """The resolution's planes where fluxes are believed, and cards that name them."""
    planes = np.where(grid.primary_beam >= SEEN_WELL, planes, np.nan)
    attrs = {
        key: value for key, value in as_image(planes[0], grid, "").attrs.items() if key != "frequency_hz"
    }
    axis = {"WCSAXES": 3, "CTYPE3": "PLANE", "CRPIX3": 1.0, "CRVAL3": 1.0, "CDELT3": 1.0}
    titles = {f"PLANE{number}": title for number, title in enumerate(resolution.PLANES, 1)}
    return xr.DataArray(planes, dims=("channel", "y", "x"), attrs=attrs), cards | axis | titles


def summarise(
    state: State, samples: Samples, grid: Grid, true: np.ndarray, timings: dict[str, float]
) -> dict:
    """The summary: verdict, fit, noise, fluxes and times; `true` skies (sample, [channel,] y, x) in Jy/pixel."""
    mean, data, likelihood = true.mean(0), state.data, state.model.likelihood
    missed = residuals(data.now, mean, grid)
    octiles, edges = chi2_by_baseline(data.now, missed)
    worked = np.mean([sky_model.sky(state.model, vector) for vector in state.draws or state.vectors], axis=0)
    left = in_sigma(left_over(likelihood, worked), likelihood)
    peak = float(np.abs(left[..., state.grid.primary_beam >= SEEN_WELL]).max())
    difference = delta_log_likelihood(likelihood, data.now, worked, state.grid)
    if state.grid.metric == state.grid.approximation:
        difference = max(difference, state.likelihood_error, key=abs)
    by_channel, told = None, {}
    if grid.channels is not None:
        of, count = grid.channels.of, len(grid.channels.frequency_hz)
        by_channel = chi2_by_channel(data.now, missed, of, count)
        chi2, held = by_channel
        told["spectral"] = {"reduced_chi2": [float(one) if n else None for one, n in zip(chi2, held)]}
    verdict, reasons = judge(
        state.history, octiles, peak, difference, likelihood.n_data, grid.shortfall, by_channel
    )
    last = state.history[-1]
    inside = grid.primary_beam >= SEEN_WELL
    totals = true[..., inside].sum(-1)
    scale = largest_recoverable_scale_arcsec(data.now)
    return {
        "verdict": verdict,
        "reasons": reasons,
        "reduced_chi2": last.chi2,
        "chi2_by_baseline": {"edges_klambda": (edges / 1e3).tolist(), "reduced_chi2": octiles.tolist()},
        **told,
        "residual_peak_sigma": peak,
        "delta_log_likelihood": difference,
        **_noise(state),
        "samples": len(true),
        "rounds": len(state.history),
        "history": [asdict(item) for item in state.history],
        "flux_jy": float(totals.mean()),
        "flux_error_jy": float(totals.std(ddof=1)),
        "flux_wide_jy": _flux_wide(mean if mean.ndim == 2 else mean.mean(0), grid, scale),
        "largest_recoverable_scale_arcsec": scale,
        "flux_region": f"primary beam >= {SEEN_WELL}",
        "points": point_list(samples),
        "spectrum": _spectrum(samples),
        "gains": data.gains.summary() if data.gains else [],
        "offset": float(np.mean(state.model.offset)),
        "cell_arcsec": grid.cell_arcsec,
        "n_pix": grid.n_pix,
        "frequency_hz": grid.frequency_hz,
        "beam": asdict(grid.beam),
        "timings_s": timings,
    }


def _flux_wide(mean: np.ndarray, grid: Grid, scale_arcsec: float) -> float:
    """The flux of what is wider than the scale in a sky (y, x) in Jy/pixel."""
    wide = wide_part(mean * grid.primary_beam, grid.cell_arcsec, scale_arcsec) / grid.primary_beam
    return float(wide[grid.primary_beam >= SEEN_WELL].sum())


def _noise(state: State) -> dict:
    """The noise: σ over the claimed one by window, baseline length [kλ] and antenna; errors are relative."""
    data, learned = state.data, state.data.noise
    made = {
        "noise_factors": data.factors or dict.fromkeys(data.now, 1.0),
        "noise_tails": {name: window.attrs.get("tail", 0.0) for name, window in data.now.items()},
        "noise_model": "weights as they are" if data.factors is None else "as neighbouring samples differ",
    }
    if learned is None:
        return made
    curve = {key: values.tolist() for key, values in asdict(learned.baseline).items()}
    antennas = [
        {"antenna": number, "factor": factor, "error": error}
        for number, (factor, error) in learned.antennas.items()
    ]
    return made | {
        "noise_factors": learned.factors,
        "noise_factor_errors": learned.errors,
        "noise_by_baseline": curve,
        "noise_by_antenna": antennas,
        "noise_model": f"Student-t, by window{', antenna' if antennas else ''} and baseline length",
    }


def _spectrum(samples: Samples) -> dict[str, dict[str, float]]:
    """The spectrum's parameters: mean and standard deviation of the samples, and those of the prior."""
    prior = samples.model.prior
    drawn = np.array([field.parameters(vector[-prior.excitations :], prior) for vector in samples.vectors])
    columns = zip(field.PARAMETERS, drawn.mean(0), drawn.std(0, ddof=1), prior.mean, prior.std, strict=True)
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
