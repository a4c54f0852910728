"""The likelihood of a total power map: what single dishes know, above all the flux that no baseline measures.

The map is the sky under a round Gaussian beam B of FWHM θ, with noise of rms σ whose correlation is a Gaussian of
FWHM c, since the map was gridded. In Fourier space that noise has the power N = σ² g c² exp(−a c² k²), with
g = π/(4 ln 2) and a = π²/(4 ln 2), and B̂ = g θ² exp(−a θ² k²). So j = B†N⁻¹d is the map under a Gaussian of FWHM
√(θ² − c²), and K = B†N⁻¹B a Gaussian of FWHM √(2θ² − c²), with K(0) = θ⁴ / (σ² c² (2θ² − c²)). A point's flux has
the error σ where the noise is correlated like the beam (c = θ), and a smaller one otherwise: then more than one
number was measured in a beam. K is taken as a sum over a lattice of points within the map, each of which sees the
sky through a Gaussian of FWHM √(θ² − c²/2) with noise of its own.
"""

from typing import NamedTuple

import jax
import numpy as np
import xarray as xr

from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_from_radec
from almabrain.image.grid import Grid

# On-the-fly maps are gridded under a kernel of a third of the dish's beam, which it widens to the map's.
_NOISE_PER_BEAM = np.sqrt(2) / 3 / np.sqrt(1 + 1 / 9)
_LATTICE_PER_BEAM = 2.5  # points in a FWHM: their sum is the integral to 2e-5
_COARSEST, _WIDEST_NOISE = 0.5, 0.95  # of the beam: a map's cells, its noise's correlation
_G, _A = np.pi / (4 * np.log(2)), np.pi**2 / (4 * np.log(2))
_LEAST_POWER = 1e-6  # of the largest in K: modes below count as not measured


class Mapped(NamedTuple):
    """A total power map for `curvature`: `rows` and `columns` (lattice, N), weights included.

    `information` (N, N) is j; `energy` dᵀN⁻¹d of the `n_data` modes that the dishes measure.
    """

    rows: jax.Array
    columns: jax.Array
    information: jax.Array
    energy: float
    n_data: float


def build(total_power: xr.Dataset, grid: Grid) -> Mapped:
    """The likelihood of a map, see `visibilities.read_total_power`, about an image's pixels.

    Its attribute `noise_fwhm_arcsec`, if there is one, says how far noise is correlated; if not, a gridding kernel
    of a third of the dishes' beam is assumed. Raises UserError for cells wider than half of the beam.
    """
    attrs, values = total_power.attrs, total_power["map"].values
    beam, rms, cell = (float(attrs[key]) for key in ("beam_arcsec", "rms_jy_beam", "cell_arcsec"))
    if cell > _COARSEST * beam:
        raise UserError(
            f"the total power map has cells of {cell:.3g} arcsec under a beam of {beam:.3g} arcsec; give one with "
            f"cells of {_COARSEST * beam:.3g} arcsec or less"
        )
    noise = _noise_fwhm(total_power)
    own = [(np.arange(size) - size // 2) * cell for size in values.shape]
    middle = lm_from_radec(attrs["ra_deg"], attrs["dec_deg"], grid.attrs["ra_deg"], grid.attrs["dec_deg"])
    # Pixels count from the image's centre, y to the north and x to the west.
    own[0] += middle[1] / ARCSEC
    own[1] -= middle[0] / ARCSEC
    pixel = (np.arange(grid.n_pix) - grid.n_pix // 2) * grid.cell_arcsec
    sharp = np.sqrt(beam**2 - noise**2)
    scale = cell**2 * beam**2 / (rms**2 * noise**2 * _G * sharp**2)
    smear = [_gaussian(pixel, places, sharp) for places in own]
    lattice, white = _lattice(own, cell, beam, noise)
    # κ, so that κ ∫ B_w² = K(0).
    weight = 4 * beam**4 / (_G * rms**2 * noise**2 * (2 * beam**2 - noise**2) ** 2)
    rows, columns = (
        np.sqrt(np.sqrt(weight) * (places[1] - places[0])) * _gaussian(places, pixel, white)
        for places in lattice
    )
    energy, n_data = _energy(values, cell, beam, rms, noise)
    return Mapped(rows, columns, scale * smear[0] @ values @ smear[1].T, energy, n_data)


def _noise_fwhm(total_power: xr.Dataset) -> float:
    beam = float(total_power.attrs["beam_arcsec"])
    own = float(total_power.attrs.get("noise_fwhm_arcsec", _NOISE_PER_BEAM * beam))
    # At least that of pixels of independent noise; and the map cannot be noise as wide as its beam alone.
    return min(max(own, float(total_power.attrs["cell_arcsec"]) / np.sqrt(_G)), _WIDEST_NOISE * beam)


def _lattice(own: list[np.ndarray], cell: float, beam: float, noise: float) -> tuple[list[np.ndarray], float]:
    """Places along y and x, evenly over the map's width, and the FWHM through which they see."""
    white = np.sqrt(beam**2 - noise**2 / 2)
    places = []
    for along in own:
        width = len(along) * cell
        count = max(int(np.ceil(width / (white / _LATTICE_PER_BEAM))), 2)
        places.append(along[0] - cell / 2 + (np.arange(count) + 0.5) * width / count)
    return places, white


def _gaussian(to: np.ndarray, origin: np.ndarray, fwhm: float) -> np.ndarray:
    return np.exp(-4 * np.log(2) * (np.subtract.outer(to, origin) / fwhm) ** 2)


def _energy(values, cell, beam, rms, noise) -> tuple[float, float]:
    """dᵀN⁻¹d and the number of the map's Fourier modes in which K is not below _LEAST_POWER of its largest."""
    k2 = np.add.outer(*(np.fft.fftfreq(size, cell) ** 2 for size in values.shape))
    measured = _A * (2 * beam**2 - noise**2) * k2 < -np.log(_LEAST_POWER)
    power = rms**2 * _G * noise**2 * np.exp(-_A * noise**2 * k2[measured])
    modes = np.abs(np.fft.fft2(values)[measured]) ** 2 * cell**2 / values.size
    return float((modes / power).sum()), float(np.count_nonzero(measured))


def curvature(part: Mapped, sky: jax.Array) -> jax.Array:
    """K s of a true sky (N, N) in Jy/pixel."""
    return part.rows.T @ (part.rows @ sky @ part.columns.T) @ part.columns


def chi2(part: Mapped, sky: jax.Array) -> float:
    """Reduced χ² of the map for a true sky (N, N) in Jy/pixel."""
    value = part.energy + (sky * (curvature(part, sky) - 2 * part.information)).sum()
    return float(value / part.n_data)


def noise_information(part: Mapped, rng: np.random.Generator) -> np.ndarray:
    """A random image (N, N) whose covariance is K, from one number for each point of the lattice."""
    rows, columns = np.asarray(part.rows), np.asarray(part.columns)
    return rows.T @ rng.standard_normal((len(rows), len(columns))) @ columns


def periodic(part: Mapped) -> np.ndarray:
    """The transform (N, N) of K in the middle of the image, on the N x N torus."""
    middle = part.rows.shape[1] // 2
    lags = np.multiply.outer(
        *(np.asarray(along)[:, middle] @ np.asarray(along) for along in (part.rows, part.columns))
    )
    return np.clip(np.fft.fft2(np.fft.ifftshift(lags)).real, 0, None)
