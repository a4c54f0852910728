"""The cubes of one spectral window: dirty images with and without noise, PSF, primary beam, predicted rms."""

from collections.abc import Mapping

import numpy as np

from almabrain.console.errors import UserError
from almabrain.response import primary_beam
from almabrain.response.beam import ARCSEC_RAD, fit_beam
from almabrain.response.grid import dirty_image, is_planar, psf
from almabrain.response.weights import briggs, natural

_EPSILON = 1e-6
_N_POL = 2  # XX and YY


def image_window(
    uvw_m, frequency_hz, visibility, radiometer, sigma_jy, grid: Mapping, threads: int = 1
) -> dict:
    """Cubes, predicted rms and beams of one window, as variables of a dataset.

    `visibility` noiseless Stokes I and `radiometer` its noise (row, chan) in Jy, `sigma_jy` (row, chan) per
    polarisation; `grid` has n_pix, cell_arcsec, weighting, robust, dish_diameter_m. Every channel is weighted
    by itself. The predicted rms is √Σω²σ_I² / Σω of the imaging weights ω, with σ_I² = σ²/2.
    """
    n_pix, cell = grid["n_pix"], grid["cell_arcsec"]
    cell_rad = cell * ARCSEC_RAD
    planar = is_planar(uvw_m, frequency_hz, n_pix * cell_rad)
    names = ("dirty_noiseless", "dirty", "psf", "pb")
    cubes = {name: np.empty((len(frequency_hz), n_pix, n_pix), np.float32) for name in names}
    per_channel = {name: [] for name in ("rms_jy_beam", "bmaj_arcsec", "bmin_arcsec", "bpa_deg")}
    for k, frequency in enumerate(frequency_hz):
        channel = slice(k, k + 1)
        inverse_variance = _N_POL / sigma_jy[:, channel] ** 2
        weight = natural(inverse_variance)
        if grid["weighting"] == "briggs":
            weight = briggs(uvw_m, frequency_hz[channel], weight, n_pix, cell_rad, grid["robust"])
        options = (weight, n_pix, cell_rad, _EPSILON, planar, threads)
        here = (uvw_m, frequency_hz[channel])
        noiseless = dirty_image(*here, visibility[:, channel], *options)
        cubes["dirty_noiseless"][k] = noiseless
        cubes["dirty"][k] = noiseless + dirty_image(*here, radiometer[:, channel], *options)
        cubes["psf"][k] = psf(*here, *options)
        cubes["pb"][k] = primary_beam.image(n_pix, cell, frequency, primary_beam.dish(grid["dish_diameter_m"]))
        beam = _beam(cubes["psf"][k], cell)
        rms = np.sqrt((weight**2 / inverse_variance).sum()) / weight.sum()
        values = (rms, beam.major_arcsec, beam.minor_arcsec, beam.pa_deg)
        for series, value in zip(per_channel.values(), values, strict=True):
            series.append(value)
    made = {name: (("channel", "y", "x"), cube) for name, cube in cubes.items()}
    return made | {name: ("channel", np.array(series)) for name, series in per_channel.items()}


def _beam(response, cell):
    try:
        return fit_beam(response, cell)
    except ValueError as error:
        raise UserError(
            f"no beam can be fitted ({error}); observe for longer or with more antennas"
        ) from None
