"""From visibilities back to the sky: dirty images, point spread functions, the adjoint."""

import numpy as np

from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import n_minus_one
from almabrain.response.predict import gridder_options

LARGEST_PLANAR_PHASE = 1e-3


def adjoint(
    uvw_m: np.ndarray,
    frequency_hz: np.ndarray,
    visibility: np.ndarray,
    n_pix: int,
    cell_rad: float,
    epsilon: float = 1e-6,
    planar: bool = False,
    threads: int = 1,
    centre: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Re Σ V exp(−2πi(ul + vm + w(n−1))) at the pixels (y, x): the exact adjoint of `predict_image`.

    `uvw_m` (row, 3), `frequency_hz` (chan,), `visibility` (row, chan), already weighted; unnormalised;
    direction cosines `centre` at pixel N//2. In single precision where the visibilities are (`epsilon` 1e-5 or
    more): half the time, 1e-6 of the peak off.
    """
    import ducc0

    options = gridder_options(cell_rad, epsilon, planar, threads, centre)
    dirty = ducc0.wgridder.vis2dirty(
        uvw=np.ascontiguousarray(uvw_m, float),
        freq=np.asarray(frequency_hz, float),
        vis=np.ascontiguousarray(visibility, _precision(visibility)),
        npix_x=n_pix,
        npix_y=n_pix,
        **options,
    )
    return np.ascontiguousarray(dirty.T)


def dirty_image(
    uvw_m: np.ndarray,
    frequency_hz: np.ndarray,
    visibility: np.ndarray,
    weight: np.ndarray,
    n_pix: int,
    cell_rad: float,
    epsilon: float = 1e-6,
    planar: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """The dirty image (y, x) in Jy/beam: Re Σ w V exp(−2πi(ul + vm + w(n−1))) / Σ w.

    `visibility` and `weight` are (row, chan); all channels go into one image. A sample of zero weight
    does not count, whatever its visibility. All weights zero give zeros.
    """
    weight = np.broadcast_to(np.asarray(weight, float), np.shape(visibility))
    total = weight.sum()
    if not total > 0:
        return np.zeros((n_pix, n_pix))
    precision = _precision(visibility)
    share = (weight / total).astype(np.finfo(precision).dtype)
    weighted = np.where(weight > 0, np.asarray(visibility, precision), precision(0)) * share
    return adjoint(uvw_m, frequency_hz, weighted, n_pix, cell_rad, epsilon, planar, threads)


def _precision(visibility) -> type:
    return np.complex64 if np.asarray(visibility).dtype == np.complex64 else np.complex128


def psf(
    uvw_m: np.ndarray,
    frequency_hz: np.ndarray,
    weight: np.ndarray,
    n_pix: int,
    cell_rad: float,
    epsilon: float = 1e-6,
    planar: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """The point spread function (y, x): the dirty image of 1 Jy at the phase centre, 1 at pixel N//2."""
    ones = np.ones(np.shape(weight), complex)
    return dirty_image(uvw_m, frequency_hz, ones, weight, n_pix, cell_rad, epsilon, planar, threads)


def largest_w_phase(uvw_m: np.ndarray, frequency_hz: np.ndarray, field_rad: float) -> float:
    """The largest 2π|w(n−1)|, radians, of all samples up to the corners of a field `field_rad` wide.

    Below LARGEST_PLANAR_PHASE w can be left out.
    """
    w_largest = np.abs(np.asarray(uvw_m)[:, 2]).max(initial=0.0) * np.max(frequency_hz) / SPEED_OF_LIGHT_M_S
    corner = min(field_rad / 2, 0.5)
    return float(2 * np.pi * w_largest * abs(n_minus_one(corner, corner)))
