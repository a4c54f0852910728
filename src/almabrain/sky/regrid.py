"""The user's model from its own pixels onto ours, with its flux and places kept."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC, pixel_from_lm
from almabrain.sky.field import Field
from almabrain.sky.fits_model import Model
from almabrain.sky.particles import cloud_in_cell
from almabrain.sky.pixels import LARGEST_SIDE, PIXELS_PER_BEAM, half_side

log = logging.getLogger(__name__)

# The model must lie in the field but for this share of its light, which is dropped.
OUTSIDE = 1e-3
# Pixels finer than a quarter of the beam are kept as they are down to this many in a beam.
FINEST_PER_BEAM = 16
# Pixels much finer than ours are summed in blocks first, still so many to the side of one of ours.
BLOCKS_PER_CELL = 5
# A model whose pixels lie on ours to this part of a cell needs no resampling.
ALIGNED = 0.01


def resampling(model: Model, field: Field) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """A function that puts a plane (y, x) of the model on our pixels, and our cell in arcsec.

    Every model pixel is cut into points, and each is shared between the four of our pixels around it: finer
    pixels are thus averaged, coarser ones spread as linear interpolation between their centres does; flux
    and centroid are kept. A model that lies on our pixels already is taken as it is.
    """
    own = _own_arcsec(model)
    reach = _reach_arcsec(model, field)
    kept = (_light(model) > 0) & (np.hypot(*_centres(model)) <= reach * ARCSEC * (1 + 1e-9))
    extent = max(np.abs(axis[kept]).max() for axis in _centres(model)) / ARCSEC
    # A coarse pixel is spread over its neighbours, which may lie across: a diagonal to either side.
    half, cell = _grid(field, extent + np.sqrt(2) * own, own)
    block = max(1, int(cell / own / BLOCKS_PER_CELL))
    small = _blocked(model, block)
    matrix = _matrix(small, reach + own * block, 2 * half, cell, own * block)

    def resample(plane: np.ndarray) -> np.ndarray:
        return (matrix @ _summed(plane, block).ravel()).reshape(2 * half, 2 * half)

    return resample, cell


def _matrix(
    model: Model, radius_arcsec: float, side: int, cell_arcsec: float, own_arcsec: float
) -> csr_array:
    """Shares (our pixel, model pixel) of every model pixel's flux that fall to each of ours."""
    l, m = _centres(model)
    bright = np.flatnonzero(_light(model) * (np.hypot(l, m) <= radius_arcsec * ARCSEC))
    x, y = (value.ravel()[bright] for value in pixel_from_lm(l, m, side, cell_arcsec))
    # How far one step along the model's axes leads on our pixels.
    (lx, mx), (ly, my) = _steps(model)
    xx, yx, xy, yy = (
        sign * step.ravel()[bright] / (cell_arcsec * ARCSEC)
        for sign, step in ((-1, lx), (1, mx), (-1, ly), (1, my))
    )
    rows, shares = [], []
    for right, up, weight in _points(x, y, own_arcsec / cell_arcsec):
        pixel, share = cloud_in_cell(x + right * xx + up * xy, y + right * yx + up * yy, side)
        rows.append(pixel.astype(np.int32))
        shares.append((weight * share).astype(np.float32))
    rows, shares = np.concatenate(rows), np.concatenate(shares)
    columns = np.broadcast_to(bright.astype(np.int32), rows.shape)
    used = shares > 0
    return csr_array((shares[used], (rows[used], columns[used])), shape=(side**2, l.size))


def _points(x, y, ratio: float) -> list[tuple[float, float, float]]:
    """Points that stand for a model pixel: offsets along its axes, in pixels, and weights that sum to 1."""
    if abs(ratio - 1) < ALIGNED and max(np.abs(at - np.round(at)).max() for at in (x, y)) < ALIGNED:
        return [(0.0, 0.0, 1.0)]
    if ratio <= 1:
        number = int(np.ceil(3 * ratio))
        offset = (np.arange(number) + 0.5) / number - 0.5
        weight = np.full(number, 1 / number)
    else:
        number = 2 * int(np.ceil(2 * ratio))
        offset = (2 * np.arange(number) + 1) / number - 1
        weight = (1 - np.abs(offset)) / (1 - np.abs(offset)).sum()
    return [
        (float(right), float(up), float(wx * wy))
        for right, wx in zip(offset, weight)
        for up, wy in zip(offset, weight)
    ]


def _grid(field: Field, extent_arcsec: float, own_arcsec: float) -> tuple[int, float]:
    """Half the side and the cell of our picture: the model's own pixels where they are fine, but not wastefully."""
    cell = max(own_arcsec, field.beam_arcsec / FINEST_PER_BEAM, extent_arcsec / (LARGEST_SIDE // 2 - 1))
    if cell < field.beam_arcsec / PIXELS_PER_BEAM:
        return int(np.ceil(extent_arcsec / cell)) + 1, cell
    return half_side(field, extent_arcsec)


def _reach_arcsec(model: Model, field: Field) -> float:
    """Radius about the phase centre that holds the model, but for OUTSIDE of its light."""
    light, distance = _light(model).ravel(), np.hypot(*_centres(model)).ravel()
    bright = light > 0
    if not bright.any():
        raise UserError(f"{model.path} holds no light; give a model that does")
    order = np.argsort(distance[bright])
    distance, below = distance[bright][order], np.cumsum(light[bright][order])
    if distance[-1] <= field.radius_rad:
        return distance[-1] / ARCSEC
    needed = distance[np.searchsorted(below, (1 - OUTSIDE) * below[-1])]
    if needed > field.radius_rad:
        raise UserError(
            f"{model.path} reaches {needed / ARCSEC:.4g} arcsec from the phase centre, but the field only "
            f"{field.radius_rad / ARCSEC:.4g} arcsec; give a smaller model, lower sky.min_primary_beam or raise "
            "sky.max_offset_beams, or set sky.fits.recentre to true if the model lies elsewhere"
        )
    inside = below[distance <= field.radius_rad][-1] / below[-1]
    log.info("%s: %.2g %% of the light lies beyond the field and is dropped", model.path, 100 * (1 - inside))
    return field.radius_rad / ARCSEC


def _light(model: Model) -> np.ndarray:
    """Light (y, x) of all channels whatever its sign; 0 where there is no sky."""
    light = np.abs(model.jy_pixel).sum(axis=0)
    return np.where(np.isfinite(light) & np.isfinite(_centres(model)[0]), light, 0.0)


def _centres(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Direction cosines l, m (y, x) of the pixels' centres."""
    return tuple(
        (corner[1:, 1:] + corner[:-1, :-1] + corner[1:, :-1] + corner[:-1, 1:]) / 4
        for corner in (model.l_corner, model.m_corner)
    )


def _steps(model: Model):
    """Changes ((l, m) along x, (l, m) along y), each (y, x), from one edge of a pixel to the other."""
    corners = model.l_corner, model.m_corner
    along_x = tuple(np.diff((corner[1:] + corner[:-1]) / 2, axis=1) for corner in corners)
    along_y = tuple(np.diff((corner[:, 1:] + corner[:, :-1]) / 2, axis=0) for corner in corners)
    return along_x, along_y


def _own_arcsec(model: Model) -> float:
    """Side of a square as large as the model's pixels."""
    (lx, mx), (ly, my) = _steps(model)
    return float(np.sqrt(np.nanmedian(np.abs(lx * my - mx * ly)))) / ARCSEC


def _blocked(model: Model, block: int) -> Model:
    """The model with block x block of its pixels taken together; a rest at the end makes smaller blocks."""
    rows, columns = (np.append(np.arange(0, number, block), number) for number in model.jy_pixel.shape[1:])
    return replace(
        model,
        jy_pixel=np.array([_summed(plane, block) for plane in model.jy_pixel]),
        l_corner=model.l_corner[np.ix_(rows, columns)],
        m_corner=model.m_corner[np.ix_(rows, columns)],
    )


def _summed(plane: np.ndarray, block: int) -> np.ndarray:
    for axis in (0, 1):
        plane = np.add.reduceat(plane, np.arange(0, plane.shape[axis], block), axis=axis)
    return plane
