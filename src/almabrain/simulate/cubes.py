"""The cubes of one spectral window: dirty images with and without noise, PSF, primary beam, predicted rms."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from almabrain.console.errors import UserError
from almabrain.response import primary_beam
from almabrain.response.beam import ARCSEC_RAD, fit_beam
from almabrain.response.grid import dirty_image
from almabrain.response.primary_beam import ArrayBeam, baseline
from almabrain.response.weights import briggs, natural
from almabrain.simulate.coverage import Coverage

# With it, and in single precision, images are within 1e-6 of their peak.
_EPSILON = 1e-4
_N_POL = 2  # XX and YY


def image_window(
    coverage: Coverage,
    flag: np.ndarray,
    frequency_hz: np.ndarray,
    visibility: np.ndarray,
    added: np.ndarray,
    sigma_jy: np.ndarray,
    grid: Mapping,
    planar: bool,
    threads: int = 1,
) -> dict:
    """Cubes, predicted rms and beams of some channels, as variables of a dataset.

    `visibility` noiseless Stokes I, `added` what noise and corruptions change of it (row, chan) in Jy, both
    phased to the target; `sigma_jy` (row, chan) per polarisation; rows under `flag` (row,) do not count.
    `grid` has n_pix, cell_arcsec, weighting, robust. Every channel, and every pointing, is weighted by itself.
    The predicted rms is √Σω²σ_I² / Σω of the imaging weights ω, with σ_I² = σ²/2; for mosaics see `_joined`.
    """
    rows = [np.flatnonzero((coverage.pointing == k) & ~flag) for k in range(len(coverage.pointings_lm))]
    size = grid["n_pix"]
    cubes = {name: np.empty((len(frequency_hz), size, size), np.float32) for name in _Images.NAMES}
    per_channel = {name: [] for name in ("rms_jy_beam", "bmaj_arcsec", "bmin_arcsec", "bpa_deg")}
    beams = [
        [
            primary_beam.images(size, grid["cell_arcsec"], frequency_hz, baseline(*sizes, aim))
            for sizes in coverage.kinds
        ]
        for aim in coverage.pointings_lm
    ]
    for k in range(len(frequency_hz)):
        channel = slice(k, k + 1)
        data = frequency_hz[channel], visibility[:, channel], added[:, channel], sigma_jy[:, channel]
        parts = [
            _pointing_images(coverage, number, of_it, *data, map(next, beams[number]), grid, planar, threads)
            for number, of_it in enumerate(rows)
        ]
        made = parts[0] if len(parts) == 1 else _joined(parts, coverage, frequency_hz[k])
        for name, cube in cubes.items():
            cube[k] = getattr(made, name)
        cubes["psf"][k] /= cubes["psf"][k, size // 2, size // 2]
        beam = _beam(cubes["psf"][k], grid["cell_arcsec"])
        values = (made.rms_jy_beam, beam.major_arcsec, beam.minor_arcsec, beam.pa_deg)
        for series, value in zip(per_channel.values(), values, strict=True):
            series.append(value)
    variables = {name: (("channel", "y", "x"), cube) for name, cube in cubes.items()}
    return variables | {name: ("channel", np.array(series)) for name, series in per_channel.items()}


@dataclass(frozen=True)
class _Images:
    """Pictures (y, x) of one channel, their rms, and the shares that kinds of baselines have in them.

    `psf` shows a source of 1 Jy at the target, behind the beams.
    """

    NAMES = ("dirty_noiseless", "dirty", "psf", "pb")
    dirty_noiseless: np.ndarray
    dirty: np.ndarray
    psf: np.ndarray
    pb: np.ndarray
    rms_jy_beam: float
    shares: np.ndarray


def _pointing_images(
    coverage, number, rows, frequency, visibility, added, sigma, beams, grid, planar, threads
) -> _Images:
    """One pointing's own images, on the pixels about the target; `beams` (y, x) of every kind of baseline."""
    n_pix, cell_rad = grid["n_pix"], grid["cell_arcsec"] * ARCSEC_RAD
    if len(rows) < len(coverage.uvw_m):
        visibility, added, sigma = visibility[rows], added[rows], sigma[rows]
    else:
        rows = slice(None)
    uvw_m = coverage.uvw_m[rows]
    visibility, added = (np.asarray(values, np.complex64) for values in (visibility, added))
    inverse_variance = _N_POL / sigma**2
    weight = natural(inverse_variance)
    if grid["weighting"] == "briggs":
        weight = briggs(uvw_m, frequency, weight, n_pix, cell_rad, grid["robust"])
    options = (weight, n_pix, cell_rad, _EPSILON, planar, threads)
    noiseless = dirty_image(uvw_m, frequency, visibility, *options)
    total = weight.sum()
    shares = np.bincount(coverage.kind[rows], weight[:, 0], minlength=len(coverage.kinds)) / total
    aim = coverage.pointings_lm[number]
    at_target = np.array(
        [baseline(*sizes, aim)(0.0, 0.0, frequency) for sizes in coverage.kinds], np.complex64
    )
    return _Images(
        dirty_noiseless=noiseless,
        dirty=noiseless + dirty_image(uvw_m, frequency, added, *options),
        psf=dirty_image(uvw_m, frequency, at_target[coverage.kind[rows]], *options),
        pb=sum(share * beam for share, beam in zip(shares, beams, strict=True)),
        rms_jy_beam=float(np.sqrt((weight**2 / inverse_variance).sum()) / total),
        shares=shares,
    )


def _joined(parts: list[_Images], coverage: Coverage, frequency_hz: float) -> _Images:
    """The mosaic Σ A_p D_p / σ_p² / √(Σ A_p² / σ_p²) of its pointings' images D_p, of rms σ_p and beams A_p.

    Cornwell (1988, A&A 202, 316), with the weights of Sault et al. (1996, A&AS 120, 375) that make the noise
    flat. Scaled as `response.primary_beam.ArrayBeam` is: pb is 1 where pointings cover best.
    """
    beams = np.stack([part.pb for part in parts])
    weight = np.array([part.rms_jy_beam for part in parts]) ** -2.0
    root = np.sqrt(np.tensordot(weight, beams**2, 1))
    shares = np.average([part.shares for part in parts], axis=0, weights=weight)
    kinds = tuple((*sizes, share) for sizes, share in zip(coverage.kinds, shares, strict=True))
    peak = ArrayBeam(coverage.pointings_lm, kinds).peak(frequency_hz) * np.sqrt(weight.mean())
    # Where every beam has a null there is nothing to see, and noise of no weight.
    scaled = beams * weight[:, None, None] / (np.maximum(root, 1e-12 * peak) * peak)

    def mosaic(name):
        return sum(getattr(part, name) * scale for part, scale in zip(parts, scaled, strict=True))

    return _Images(
        dirty_noiseless=mosaic("dirty_noiseless"),
        dirty=mosaic("dirty"),
        psf=mosaic("psf"),
        pb=root / peak,
        rms_jy_beam=float(1 / peak),
        shares=shares,
    )


def _beam(response, cell):
    try:
        return fit_beam(response, cell)
    except ValueError as error:
        raise UserError(
            f"no beam can be fitted ({error}); observe for longer or with more antennas"
        ) from None
