"""Noise models as small tables of facts: a spectrum in units of the beam, and quantiles of the pixels."""

import dataclasses
from pathlib import Path

import numpy as np
from astropy.table import Table
from scipy import fft

from almabrain.console.errors import UserError, nearest
from almabrain.data import resources
from almabrain.data.seeds import generator
from almabrain.data.tables import read_table
from almabrain.noise import compare, spectrum
from almabrain.noise.model import NoiseModel, beam_root
from almabrain.noise.warp import Warp
from almabrain.response.beam import Beam

ROWS = 101
HIGHEST_PER_BEAM = 2.5
OUTERMOST_SIGMA = 3.0
DESCRIPTIONS = {
    "frequency": "spatial frequency in cycles per FWHM of the beam",
    "power": "power spectrum, mean over the directions in beam-scaled coordinates, peak 1",
    "normal_score": "quantile of the unit normal distribution",
    "quantile": "quantile of the pixels at the same probability, in units of the rms",
}
# The grid a table's model lives on: wide enough for the tapered ACF, fine enough for the highest frequency.
SIDE_PX = 256
PIXELS_PER_BEAM = 6.0


def as_table(model: NoiseModel, source: str) -> Table:
    """The facts of a measured model as a table of `ROWS` rows; `source` says where the image comes from.

    Columns: see `DESCRIPTIONS`. No pixel is kept, and the directions of the spectrum are averaged, so the
    reference cannot be rebuilt from it. The numbers of the card go to the header.
    """
    k_north, k_west = (fft.fftfreq(n, model.cell_arcsec) for n in model.power.shape)
    m, l = np.meshgrid(k_north, -k_west, indexing="ij")
    radius = np.hypot(*np.tensordot(beam_root(model.beam), [l, m], axes=1))
    step = HIGHEST_PER_BEAM / (ROWS - 1)
    frequency = np.arange(ROWS) * step
    power = spectrum.ring_mean(model.power, radius, (np.arange(ROWS + 1) - 0.5) * step)
    known = np.isfinite(power)
    power = np.interp(frequency, frequency[known], power[known], right=0.0)
    score = np.linspace(-OUTERMOST_SIGMA, OUTERMOST_SIGMA, ROWS)
    columns = (frequency, power / power.max(), score, model.warp(score))
    made = Table({name: np.round(column, 6) for name, column in zip(DESCRIPTIONS, columns, strict=True)})
    for name, description in DESCRIPTIONS.items():
        made[name].description = description
    kept = ("sha256", "skewness", "kurtosis", "masked_fraction", "marginal")
    made.meta = {
        "source": source,
        "cell_arcsec": round(model.cell_arcsec, 6),
        "beam": [round(float(value), 6) for value in dataclasses.astuple(model.beam)],
        "rms": float(f"{model.rms:.4g}"),
        "unit": model.unit,
        **{key: model.card[key] for key in kept},
    }
    return made


def from_table(name: str) -> NoiseModel:
    """The model of the table `name` in resources/noise: isotropic in units of the beam, stationary.

    Its beam is round, with the geometric mean of the reference's axes. UserError for an unknown name.
    """
    path = _find(name)
    table = read_table(path)
    major, minor, _ = table.meta["beam"]
    mean_arcsec = float(np.sqrt(major * minor))
    k = fft.fftfreq(2 * SIDE_PX, 1 / PIXELS_PER_BEAM)
    power = np.interp(np.hypot(k[:, None], k), table["frequency"], table["power"], right=0.0)
    gaussian = table.meta["marginal"] == "gaussian"
    warp = Warp.identity() if gaussian else Warp(table["normal_score"].data, table["quantile"].data)
    model = NoiseModel(
        name=name,
        power=power / power.mean(),
        cell_arcsec=mean_arcsec / PIXELS_PER_BEAM,
        beam=Beam(mean_arcsec, mean_arcsec, 0.0),
        rms=float(table.meta["rms"]),
        unit=table.meta["unit"],
        warp=warp,
    )
    comparison = compare.facts_and_draws(model, generator(0, "noise_model", name))
    card = {"reference": name, "table": path.name, **table.meta, "comparison": comparison.attrs}
    return dataclasses.replace(model, card=card, comparison=comparison)


def _find(name: str) -> Path:
    try:
        return resources.path(f"noise/{name}.ecsv")
    except FileNotFoundError:
        known = _known()
        raise UserError(
            f"noise.reference is '{name}', which is neither a FITS file nor a table in resources/noise"
            f"{nearest(name, known)}; tables there: {', '.join(known) or 'none'}"
        ) from None


def _known() -> list[str]:
    try:
        return sorted(file.stem for file in resources.path("noise").glob("*.ecsv"))
    except FileNotFoundError:
        return []
