"""Noiseless visibilities of a sky model behind the primary beams of an array."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import lm_grid
from almabrain.response import primary_beam, uneven
from almabrain.response.beam import covariance_of
from almabrain.response.predict import predict_components, predict_image
from almabrain.simulate.coverage import Coverage
from almabrain.simulate.field import component_geometry

# In single precision this is as near to the exact sum, 1e-6 of the flux, as 1e-6 is in double precision.
EPSILON = 2e-6
_SERIES_ERROR = 3e-6  # of the flux; Gaussians whose series is worse are drawn on pixels
_CELLS_PER_FWHM = 0.09
_REACH_FWHM = 2.8  # 4e-10 of the peak


def model_visibility(
    window: xr.Dataset, coverage: Coverage, planar: bool = False, threads: int = 1
) -> np.ndarray:
    """Noiseless Stokes I visibilities (row, chan) in Jy of a sky model, phased to the target.

    Every kind of baseline sees each pointing through its own beam.
    """
    visibility = np.empty((window.sizes["channel"], len(coverage.uvw_m)), np.complex64).T
    for aim, sizes, rows in kinds_of_rows(coverage):
        power = primary_beam.baseline(*sizes, aim)
        seen = predict(window, coverage.uvw_m[rows], power, planar, threads)
        if len(seen) == len(visibility):
            return seen
        visibility[rows] = seen
    return visibility


def kinds_of_rows(coverage: Coverage) -> Iterator[tuple[np.ndarray, tuple[float, float], np.ndarray | slice]]:
    """Pointing (l, m), dish diameters [m] and rows of all that see through one beam."""
    for pointing, aim in enumerate(coverage.pointings_lm):
        for kind, sizes in enumerate(coverage.kinds):
            rows = np.flatnonzero((coverage.pointing == pointing) & (coverage.kind == kind))
            yield aim, sizes, slice(None) if len(rows) == len(coverage.kind) else rows


def predict(
    window: xr.Dataset,
    uvw_m: np.ndarray,
    power: primary_beam.Power,
    planar: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """Visibilities (row, chan) in Jy, at `uvw_m` (row, 3) about the target, of a sky model seen through `power`.

    The beam acts on the whole of each component (`response.uneven`) and on each pixel. `planar` leaves w out
    for the pixels.
    """
    frequency = window["frequency_hz"].values
    # Channel by channel in memory, as the gridder takes them.
    visibility = np.zeros((len(frequency), len(uvw_m)), np.complex64).T
    if window.sizes["component"]:
        visibility += _components(window, uvw_m, power, threads)
    if "pixel_model_jy" in window and len(uvw_m):
        model = window["pixel_model_jy"]
        cell, n_pix = model.attrs["pixel_cell_arcsec"], model.shape[-1]
        beams = primary_beam.images(n_pix, cell, frequency, power)
        for k, (plane, beam) in enumerate(zip(model.values, beams, strict=True)):
            seen, channel = (plane * beam).astype(np.float32), slice(k, k + 1)
            visibility[:, channel] += predict_image(
                uvw_m, frequency[channel], seen, cell * ARCSEC, EPSILON, planar, threads
            )
    return visibility


def _components(window: xr.Dataset, uvw_m: np.ndarray, power: primary_beam.Power, threads: int) -> np.ndarray:
    """Visibilities (row, chan) of a model's points and Gaussians behind `power`."""
    frequency, flux = window["frequency_hz"].values, window["component_flux_jy"].values
    sky = np.array(component_geometry(window), float)
    behind = primary_beam.attenuate(frequency, power, *sky)
    columns, extended, wide = sky.copy(), {}, []
    for k in np.flatnonzero(sky[2] > 0):
        apparent = [column[k] for column in behind[1:]]
        made = uneven.expand(frequency, power, sky[:, k], apparent)
        if made.error > _SERIES_ERROR:
            wide.append((k, apparent))
        else:
            columns[:, k], extended[k] = made
    points = (sky[2] == 0)[:, None]
    drawn = flux * np.where(points, behind.response, 1.0)
    drawn[[k for k, _ in wide]] = 0.0
    l, m, major, minor, pa = columns
    axes = major * ARCSEC, minor * ARCSEC, np.radians(pa)
    visibility = predict_components(uvw_m, frequency, drawn, l, m, *axes, extended)
    for k, apparent in wide:
        _add_wide(visibility, flux[k], frequency, sky[:, k], apparent[3], uvw_m, power, threads)
    return visibility


def _add_wide(out, flux, frequency, sky, apparent_minor_arcsec, uvw_m, power, threads) -> None:
    """A Gaussian too wide for a series, on pixels fine enough for all that is left of it behind the beam.

    Its light lies at uv distances up to 2.4/FWHM (1e-9 of the flux), of the Gaussian and of what is seen of it.
    Longer baselines see nothing, and pixels would show them the image's own repetition.
    """
    l0, m0, major, minor, pa = sky
    cell = _CELLS_PER_FWHM * min(minor, apparent_minor_arcsec)
    reach = _REACH_FWHM * major + max(abs(l0), abs(m0)) / ARCSEC
    n_pix = 2 * int(np.ceil(reach / cell))
    l, m = lm_grid(n_pix, cell)
    inverse = np.linalg.inv(covariance_of(major, minor, pa) * ARCSEC**2)
    east, north = l - l0, m - m0
    form = inverse[0, 0] * east**2 + 2 * inverse[0, 1] * east * north + inverse[1, 1] * north**2
    picture = np.sqrt(np.linalg.det(inverse)) / (2 * np.pi) * (cell * ARCSEC) ** 2 * np.exp(-form / 2)
    for k, beam in enumerate(primary_beam.images(n_pix, cell, frequency, power)):
        reached = np.hypot(*uvw_m[:, :2].T) * frequency[k] / SPEED_OF_LIGHT_M_S < 0.45 / (cell * ARCSEC)
        out[reached, k : k + 1] += flux[k] * predict_image(
            uvw_m[reached],
            frequency[k : k + 1],
            (picture * beam).astype(np.float32),
            cell * ARCSEC,
            EPSILON,
            threads=threads,
        )
