"""Tables of the Bayesian image: what was learned of the prior, the noise and the fluxes, and how it went."""

from dataclasses import asdict

import numpy as np
from astropy import units as u
from astropy.table import Table, vstack
from scipy.special import ndtri

from almabrain.config.image import Recipe
from almabrain.data.coordinates import image_wcs
from almabrain.image import field, points, regions
from almabrain.image import model as sky_model
from almabrain.image.grid import SEEN_WELL, Grid
from almabrain.image.inference import Round
from almabrain.image.noise_model import Curve, Learned
from almabrain.image.refine import Samples

_LOW, _HIGH = 0.16, 0.84


def power(samples: Samples, grid: Grid) -> Table:
    """Power of the log brightness per mode against wavenumber: the samples' own, and their law's.

    Columns: k [1/arcsec], mean (geometric) with low and high (16 % and 84 % of samples), learned (the law, mean).
    """
    modes, amplitude = field.modes(samples.n_pix), np.asarray(samples.model.amplitude)
    wavenumber, count = np.asarray(modes.length)[1:], np.asarray(modes.count)[1:]
    spectra, laws = [], []
    for vector in samples.vectors:
        own, _, spectrum = sky_model.split(vector, samples.n_pix)
        squared = (amplitude * np.asarray(own)).reshape(-1, *amplitude.shape) ** 2
        spectra.append(field.radial_mean(squared.mean(0), modes)[1:])
        laws.append(2 * field.log_amplitude(spectrum, modes, samples.model.prior)[1:])
    edges = np.geomspace(0.99, wavenumber.max() * 1.01, 40)
    index = np.digitize(wavenumber, edges)
    used = np.unique(index)
    total = np.bincount(index, count)[used]
    binned = np.stack([np.bincount(index, power * count)[used] / total for power in spectra])
    law = np.exp(np.bincount(index, np.mean(laws, axis=0) * count)[used] / total)
    centre = np.bincount(index, wavenumber * count)[used] / total
    low, high = np.quantile(binned, [_LOW, _HIGH], axis=0)
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


def parameters(samples: Samples, offset: float, grid: Grid) -> Table:
    """Every parameter of the prior: its law and quantiles a priori, and mean, std and quantiles of the samples.

    The spectrum's (k0 in cycles per field, excitations of what deviates from its law), the field's mean log brightness
    (offset, which is held, and zero mode, its deviation), and each point's flux [Jy] and place east and north of the
    image's centre [arcsec]. `samples` as they were drawn, on `grid`. The prior of fluxes has no mean.
    """
    n_pix, places, prior = samples.n_pix, samples.model.points, samples.model.prior
    parts = [sky_model.split(vector, n_pix) for vector in samples.vectors]
    spectra = np.array([field.parameters(spectrum, prior) for _, _, spectrum in parts])
    rows = [
        _row(name, "", "normal", _normal(mean, std), spectra[:, number])
        for number, (name, mean, std) in enumerate(zip(field.PARAMETERS, prior.mean, prior.std, strict=True))
    ]
    further = np.array([spectrum[field.EXCITATIONS :] for _, _, spectrum in parts])
    rows += [
        _row(f"deviation {number}", "", "normal", _normal(0.0, 1.0), drawn)
        for number, drawn in enumerate(further.T, 1)
    ]
    first = samples.model.amplitude[0, 0]
    # With channels, their mean's.
    basis = samples.model.basis
    share = np.ones(1) if basis is None else np.asarray(basis).mean(0)
    zero = np.array([float(first * share @ np.ravel(modes[..., 0, 0])) for modes, _, _ in parts])
    width = float(prior.zero_mode) * np.linalg.norm(share)
    rows.append(_row("zero_mode", "", "normal", _normal(0.0, width), zero))
    rows.append(_row("offset", "", "held", (offset, 0.0, offset, offset), np.full(len(parts), offset)))
    fluxes = np.array([points.flux(places, part) for _, part, _ in parts])
    seats = np.array([points.positions(places, part) for _, part, _ in parts])
    cell, middle = grid.cell_arcsec, n_pix // 2
    for number, slot in enumerate(np.flatnonzero(np.asarray(places.on)), 1):
        low, high = (-float(places.scale[slot]) / np.log(share) for share in (_LOW, _HIGH))
        law = (np.nan, np.nan, low, high)
        rows.append(_row(f"point {number} flux", "Jy", "inverse gamma, index 1", law, fluxes[:, slot]))
        for name, axis, step in (("east", 0, -cell), ("north", 1, cell)):
            prior = step * (float(places[axis][slot]) - middle), points.POSITION_STD_PIXELS * cell
            drawn = step * (seats[:, axis, slot] - middle)
            rows.append(_row(f"point {number} {name}", "arcsec", "normal", _normal(*prior), drawn))
    names = ["parameter", "unit", "prior", "prior_mean", "prior_std", "prior_p16", "prior_p84"]
    return Table(rows=rows, names=[*names, "mean", "std", "p16", "p84"])


def _normal(mean: float, std: float) -> tuple[float, float, float, float]:
    step = float(ndtri(_HIGH)) * std
    return float(mean), float(std), float(mean - step), float(mean + step)


def _row(name: str, unit: str, law: str, prior: tuple, drawn: np.ndarray) -> tuple:
    return name, unit, law, *prior, drawn.mean(), drawn.std(ddof=1), *np.quantile(drawn, [_LOW, _HIGH])


def history(rounds: list[Round]) -> Table:
    """What every round did, from the first of the warm-up: a row each, columns as in `inference.Round`.

    Without their times, which no two runs share (the summary has them): tables are the same wherever they are made.
    """
    rows = [{"round": number, **asdict(each)} for number, each in enumerate(rounds, 1)]
    return Table(rows=[{key: value for key, value in row.items() if key != "seconds"} for row in rows])


def noise(edges: np.ndarray, chi2: np.ndarray, learned: Learned | None) -> Table:
    """By baseline length [kλ]: the noise over what the weights claimed, its relative error, and reduced χ².

    The function that was learned, beside each window's own factor; None where weights are as they were. `chi2` (bin,)
    between `edges` (bin + 1,) [kλ] is that of the bin around.
    """
    middle = (edges[1:] + edges[:-1]) / 2
    curve = learned.baseline if learned else Curve(middle, np.ones(len(chi2)), np.zeros(len(chi2)))
    around = np.clip(np.searchsorted(edges, curve.klambda, side="right") - 1, 0, len(chi2) - 1)
    table = Table(
        [curve.klambda, curve.factor, curve.error, chi2[around]],
        names=["baseline", "factor", "error", "reduced_chi2"],
    )
    table.meta["description"] = (
        "baseline: length in kilowavelengths; factor: noise seen / claimed; error: relative"
    )
    return table


class Seen:
    """The region where the primary beam is high enough for a flux to be summed; used like a `regions.Region`."""

    name = f"primary beam >= {SEEN_WELL}"

    def __init__(self, grid: Grid):
        self.inside = (grid.primary_beam >= SEEN_WELL).astype(float)

    def mask(self, _wcs, _shape) -> tuple[np.ndarray, float]:
        """1 within and 0 without (y, x); and all of it is in the image."""
        return self.inside, 1.0


def fluxes(skies: np.ndarray, grid: Grid, recipe: Recipe) -> Table:
    """Fluxes of all that is seen and of the recipe's regions; `skies` (sample, y, x) in Jy/arcsec², see `regions`.

    Of skies (sample, channel, y, x) those of every channel, with the columns channel (from 0) and frequency.
    """
    if skies.ndim == 4:
        tables = []
        for number, frequency in enumerate(grid.channels.frequency_hz):
            table = fluxes(skies[:, number], grid, recipe)
            rows = len(table)
            columns = np.full(rows, number), np.full(rows, frequency) * u.Hz
            table.add_columns(columns, [1, 1], ["channel", "frequency"])
            tables.append(table)
        return vstack(tables)
    wanted = [Seen(grid), *regions.circles(recipe.radii_arcsec, *grid.centre)]
    if recipe.regions:
        wanted += regions.read(recipe.regions)
    wcs = image_wcs(grid.n_pix, grid.cell_arcsec, *grid.centre)
    return regions.fluxes(skies, wcs, grid.cell_arcsec, wanted, recipe.flux_scale_error)
