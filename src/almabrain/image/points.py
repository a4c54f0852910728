"""Point sources of the sky model: off the pixel grid, with flux and position inferred with the field.

A positive field on pixels cannot show a point between two pixels: it broadens it, and at high signal to
noise the halo exceeds the noise. A point is therefore a component of its own, drawn on the grid as a
Gaussian-windowed sinc, which for the measured baselines (pixels are at most 0.4 of the finest
fringe) is a delta function at the exact place.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jax.scipy.stats import norm
from scipy.optimize import minimize
from scipy.special import ndtri_exp

from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.image.grid import Grid, Windows
from almabrain.image.likelihood import Likelihood, build, curvature, in_sigma

SLOTS = 32  # fixed, so that compiled functions serve every field; unused slots are switched off
EXCITATIONS = 3 * SLOTS
POSITION_STD_PIXELS = 0.5
_FEW = (0, 6)  # slots that are drawn where no others are in use: what is switched off takes time all the same
_WINDOW_PIXELS = 6.0
DETECTION_SIGMA, RESIDUAL_SIGMA = 4.5, 5.0
_NEAREST_PIXELS = 4.0
_LEAST_BEAM = 0.05  # of the largest response: where less is seen, what is left belongs to the total power map
_PICTURE_ERROR = 0.01  # of a point: what its drawing, and a beam taken as constant around it, may leave
_EXTENDED_SHARE, _EXTENDED_SIGMA = 0.25, 4.0  # how much brighter short baselines may see a point


class Points(NamedTuple):
    """Where points may be: pixel indices `x`, `y`, `on` (1 or 0) and the prior's flux `scale` [Jy], all (SLOTS,)."""

    x: jax.Array
    y: jax.Array
    on: jax.Array
    scale: jax.Array


def none(n_pix: int) -> Points:
    """An image without points."""
    zero = jnp.zeros(SLOTS)
    return Points(zero + n_pix / 2, zero + n_pix / 2, zero, zero + 1.0)


def flux(points: Points, excitation: jax.Array) -> jax.Array:
    """Fluxes (SLOTS,) in Jy of excitations (EXCITATIONS,): flux, x and y of every slot.

    The prior is inverse-gamma with index 1, exp(−q/S) q/S²: few sources fainter than the scale q, and brighter
    ones as rare as counts of sources make them, dN/dS ∝ S⁻². S = −q / ln Φ(ξ) of a standard normal ξ has it.
    """
    return -points.on * points.scale / log_ndtr(excitation[: points.on.size])


def growth(excitation: jax.Array) -> jax.Array:
    """d ln S / dξ (SLOTS,) of excitations (EXCITATIONS,)."""
    white = excitation[: excitation.size // 3]
    return -jnp.exp(norm.logpdf(white) - log_ndtr(white)) / log_ndtr(white)


def unlikeliness(flux_jy: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The excitation ξ of a flux: the inverse of `flux`."""
    return ndtri_exp(-np.asarray(scale) / np.asarray(flux_jy))


def positions(points: Points, excitation: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Pixel indices (x, y) of the points, each (SLOTS,)."""
    _, shift_x, shift_y = excitation.reshape(3, -1)
    return points.x + POSITION_STD_PIXELS * shift_x, points.y + POSITION_STD_PIXELS * shift_y


def _profile(place: jax.Array, n_pix: int) -> jax.Array:
    offset = jnp.arange(n_pix) - place[:, None]
    return jnp.sinc(offset) * jnp.exp(-0.5 * (offset / _WINDOW_PIXELS) ** 2)


def _first(points: Points, excitation: jax.Array, count: int) -> tuple[Points, jax.Array]:
    """The points, and their excitations (3 count,), of the first slots."""
    return Points(*(item[:count] for item in points)), excitation.reshape(3, SLOTS)[:, :count].ravel()


def in_use(on: jax.Array, by_slots):
    """`by_slots(count)()` of a count of slots that has all that are `on` (SLOTS,), and not many more."""
    used = jnp.max(jnp.arange(1, SLOTS + 1) * (on != 0))
    return jax.lax.switch(sum(used > count for count in _FEW), [by_slots(count) for count in (*_FEW, SLOTS)])


def draw(points: Points, excitation: jax.Array, n_pix: int) -> jax.Array:
    """The points' image (N, N) in Jy/pixel, exact for baselines the pixels resolve."""

    def first(count):
        def drawn():
            some, part = _first(points, excitation, count)
            x, y = positions(some, part)
            return (flux(some, part)[:, None] * _profile(y, n_pix)).T @ _profile(x, n_pix)

        return drawn

    return in_use(points.on, first)


def slope(points: Points, excitation: jax.Array, image: jax.Array) -> jax.Array:
    """What changes (EXCITATIONS,) of the points add to the sum of `draw` times an image (N, N)."""

    def first(count):
        def seen():
            rows, columns = derivative(*_first(points, excitation, count), len(image))
            told = jnp.einsum("qy,yx,qx->q", rows, image, columns).reshape(3, count)
            return jnp.pad(told, ((0, 0), (0, SLOTS - count))).ravel()

        return seen

    return in_use(points.on, first)


def derivative(points: Points, excitation: jax.Array, n_pix: int) -> tuple[jax.Array, jax.Array]:
    """Rows (EXCITATIONS, N) and columns (EXCITATIONS, N): `draw`'s derivative by excitation q is row_q ⊗ column_q."""
    x, y = positions(points, excitation)
    along_x, slope_x = jax.jvp(lambda place: _profile(place, n_pix), (x,), (jnp.ones_like(x),))
    along_y, slope_y = jax.jvp(lambda place: _profile(place, n_pix), (y,), (jnp.ones_like(y),))
    scale = flux(points, excitation)[:, None]
    rows = jnp.concatenate(
        [
            growth(excitation)[:, None] * scale * along_y,
            POSITION_STD_PIXELS * scale * along_y,
            POSITION_STD_PIXELS * scale * slope_y,
        ]
    )
    return rows, jnp.concatenate([along_x, slope_x, along_x])


def deposit(points: Points, excitation: jax.Array, n_pix: int) -> jax.Array:
    """The points' image for the eye: Gaussians one pixel wide, never negative, of the same flux."""
    x, y = positions(points, excitation)

    def profile(place):
        shape = jnp.exp(-4 * jnp.log(2.0) * (jnp.arange(n_pix) - place[:, None]) ** 2)
        return shape / jnp.maximum(shape.sum(1, keepdims=True), 1e-30)

    return (flux(points, excitation)[:, None] * profile(y)).T @ profile(x)


def by_length(windows: Windows) -> tuple[Windows, Windows]:
    """The windows with only the shorter, and only the longer half of the data, by weight."""
    length = {
        name: np.multiply.outer(
            np.hypot(*window.uvw_m.values[:, :2].T), window.frequency_hz.values / SPEED_OF_LIGHT_M_S
        )
        for name, window in windows.items()
    }
    every = np.concatenate([item.ravel() for item in length.values()])
    weight = np.concatenate([window.weight.values.ravel() for window in windows.values()])
    order = np.argsort(every)
    share = np.cumsum(weight[order])
    cut = every[order][np.searchsorted(share, 0.5 * share[-1])]
    keep = [{name: length[name] < cut for name in windows}, {name: length[name] >= cut for name in windows}]
    return tuple(
        {name: window.assign(weight=window.weight.where(part[name], 0.0)) for name, window in windows.items()}
        for part in keep
    )


def noise_at(points: Points, likelihood: Likelihood) -> np.ndarray:
    """Noise (SLOTS,) in Jy of the natural image where the points are, the primary beam taken out."""
    x, y = (np.round(np.asarray(item)).astype(int) for item in (points.x, points.y))
    return _noise(likelihood)[y, x]


def _noise(likelihood: Likelihood) -> np.ndarray:
    return 1 / np.sqrt(np.maximum(np.asarray(likelihood.diagonal), 1e-300))


def find(windows: Windows, grid: Grid, likelihood: Likelihood) -> tuple[Points, np.ndarray]:
    """Candidates for points, with first excitations (EXCITATIONS,): what all baselines see equally bright.

    Peaks above 4.5 σ in the data of the longer baselines are taken one after the other, each subtracted with
    the response of those data (a CLEAN with gain 1), two at once where two explain a peak that one does not. A
    peak that shorter baselines see brighter is the crest of something extended, and the field's. Inference
    decides how much of the others is point.
    """
    short, long = (build(part, grid) for part in by_length(windows))
    found = _refitted(_peaks(long.information, long, DETECTION_SIGMA, [], SLOTS, close=True), long)
    found = _compact(found, short, long)
    # Half the peak to begin with: the other half is left to the field, and the data decide.
    halves = [(x, y, 0.5 * flux) for x, y, flux in found]
    return _placed(none(grid.n_pix), np.zeros(EXCITATIONS), halves, likelihood)


def add(
    points: Points, excitation: np.ndarray, residual: np.ndarray, likelihood: Likelihood
) -> tuple[Points, np.ndarray]:
    """Points for what is left above 5 σ in the residual image (N, N), j − Ks, in slots that are free.

    Faint points need this: the field's prior holds them for too unlikely. σ is what the whole image scatters by, where
    that is more than its noise: what a sky that does not fit yet leaves is no point. Returns points and excitations.
    """
    on, x, y = (np.asarray(item) for item in (points.on, points.x, points.y))
    known = [(x[slot], y[slot], 0.0) for slot in np.flatnonzero(on)]
    left = in_sigma(residual, likelihood)
    scatter = max(1.0, float(np.sqrt(np.mean(left[left != 0] ** 2))))
    fresh = _peaks(residual, likelihood, RESIDUAL_SIGMA * scatter, known, np.count_nonzero(on == 0))
    return _placed(points, excitation, fresh, likelihood)


def _placed(points: Points, excitation, found: list, likelihood: Likelihood) -> tuple[Points, np.ndarray]:
    """`points` with those `found` (x, y, flux) in free slots, and the excitations that mean them.

    The flux's prior is about the noise of the natural image at their place.
    """
    table = [np.array(item) for item in points]
    x, y, on, scale = table
    excitation, noise = np.array(excitation), _noise(likelihood)
    for slot, (place_x, place_y, flux) in zip(np.flatnonzero(on == 0), found, strict=False):
        x[slot], y[slot], on[slot] = place_x, place_y, 1.0
        scale[slot] = noise[round(place_y), round(place_x)]
        start = unlikeliness(flux, scale[slot])
        excitation[[slot, slot + SLOTS, slot + 2 * SLOTS]] = start, 0.0, 0.0
    return Points(*(jnp.asarray(item) for item in table)), excitation


def _peaks(residual, likelihood: Likelihood, sigma: float, known: list, most: int, close=False) -> list:
    """Peaks (x, y, flux) above `sigma`, each taken off with the response, none next to those `known`.

    `close` lets a peak be two points in one beam.
    """
    found, noise = [], _noise(likelihood)
    seen = noise < noise.min() / _LEAST_BEAM
    while len(found) < most:
        x, y, height = _peak(np.where(seen, in_sigma(residual, likelihood), 0.0), known + found)
        if height < sigma:
            break
        here = [(x, y, height * noise[round(y), round(x)])]
        if close and len(found) < most - 1:
            here = _one_or_two(residual, likelihood, here[0], sigma + _PICTURE_ERROR * height)
        found += here
        residual = residual - _response(likelihood, *np.transpose(here))
    return found


def _refitted(found: list, likelihood: Likelihood) -> list:
    """The candidates (x, y, flux) once more, brightest first, now that the others' sidelobes are off."""
    if not found:
        return found
    made, noise = [], _noise(likelihood)
    residual = likelihood.information - _response(likelihood, *np.transpose(found))
    for number, peak in enumerate(found):
        own = residual + _response(likelihood, *np.transpose([peak]))
        height = peak[2] / noise[round(peak[1]), round(peak[0])]
        here = _one_or_two(own, likelihood, peak, DETECTION_SIGMA + _PICTURE_ERROR * height)
        if len(made) + len(here) + len(found) - number - 1 > SLOTS:
            here = [peak]
        residual = own - _response(likelihood, *np.transpose(here))
        made += here
    return made


def _one_or_two(residual, likelihood: Likelihood, peak: tuple, sigma: float) -> list:
    """The point, or else the two, (x, y, flux) that leave less than `sigma` of a peak; or the peak as it is.

    Points are moved to their most likely places. So close to each other points see the same beam, and what the data
    make of one is that of another, shifted.
    """
    n_pix = residual.shape[0]
    middle, place = n_pix // 2, np.array(peak[:2])
    pixel = np.round(place).astype(int)
    kernel = _response(likelihood, *(np.array([item], float) for item in (*pixel, 1.0)))
    kernel = jnp.roll(kernel, tuple(middle - pixel[::-1]), (0, 1))

    def fitted(start: np.ndarray) -> tuple[float, np.ndarray]:
        def badness(places):
            value, slope = _lost(places, residual, kernel)
            return float(value), np.asarray(slope)

        best = minimize(badness, start.ravel(), jac=True, method="BFGS", options={"maxiter": 50})
        return best.fun, best.x.reshape(-1, 2)

    def left(places: np.ndarray) -> tuple[float, list]:
        fluxes, errors = (np.asarray(item) for item in _fluxes(places.ravel(), residual, kernel))
        if np.hypot(*(places - place).T).max() > _NEAREST_PIXELS or (fluxes < DETECTION_SIGMA * errors).any():
            return np.inf, []
        made = [(*where, flux) for where, flux in zip(places.tolist(), fluxes.tolist(), strict=True)]
        rest = in_sigma(residual - _response(likelihood, *np.transpose(made)), likelihood)
        near = np.hypot(np.arange(n_pix) - place[0], np.arange(n_pix)[:, None] - place[1]) <= _NEAREST_PIXELS
        return float(np.abs(rest[near]).max()), made

    rest, made = left(fitted(place[None])[1])
    if rest < sigma:
        return made
    angles = np.pi / 4 * np.arange(4)
    starts = [place + np.outer([-0.7, 0.7], (np.cos(angle), np.sin(angle))) for angle in angles]
    _, two = min((fitted(start) for start in starts), key=lambda fit: np.nan_to_num(fit[0]))
    rest, made = left(two)
    return made if rest < sigma else [peak]


def _coupled(places, residual, kernel):
    """Of points at `places` (2 point,): what the data say to each (point,), and how they see each other."""
    x, y = places.reshape(-1, 2).T
    n_pix = residual.shape[0]
    told = jnp.einsum("py,yx,px->p", _profile(y, n_pix), residual, _profile(x, n_pix))
    along_x, along_y = (_profile((n_pix // 2 + item[:, None] - item).ravel(), n_pix) for item in (x, y))
    mutual = jnp.einsum("py,yx,px->p", along_y, kernel, along_x).reshape(len(x), len(x))
    return told, mutual * (1 + 1e-9 * jnp.eye(len(x)))


@jax.jit
def _fluxes(places, residual, kernel) -> tuple[jax.Array, jax.Array]:
    """The most likely fluxes of points at `places` (2 point,) and their errors, (point,)."""
    told, mutual = _coupled(places, residual, kernel)
    return jnp.linalg.solve(mutual, told), jnp.sqrt(jnp.diagonal(jnp.linalg.inv(mutual)))


@jax.jit
@jax.value_and_grad
def _lost(places, residual, kernel) -> jax.Array:
    """−ln L of points at `places` (2 point,) with the fluxes that suit them, up to a constant."""
    told, mutual = _coupled(places, residual, kernel)
    return -0.5 * told @ jnp.linalg.solve(mutual, told)


@jax.jit
def _response(likelihood: Likelihood, x, y, flux) -> jax.Array:
    """What the data make (N, N) of points, all (point,)."""
    n_pix = likelihood.information.shape[0]
    return curvature(likelihood, (flux[:, None] * _profile(y, n_pix)).T @ _profile(x, n_pix))


def _compact(found: list, short: Likelihood, long: Likelihood) -> list:
    """Those of the candidates (x, y, flux) that short baselines see as bright as long ones do.

    They see the crest of something extended brighter, and its sidelobes darker.
    """
    if not found:
        return found
    left = np.asarray(short.information - _response(short, *np.transpose(found)))
    noise, kept = np.hypot(_noise(short), _noise(long)), []
    for x, y, flux in found:
        place = round(y), round(x)
        excess = left[place] * _noise(short)[place] ** 2
        if abs(excess) < _EXTENDED_SHARE * flux + _EXTENDED_SIGMA * noise[place]:
            kept.append((x, y, flux))
    return kept


def _peak(residual: np.ndarray, found: list) -> tuple[float, float, float]:
    """Sub-pixel place and height of the highest pixel that is not next to one already found."""
    n_pix = residual.shape[0]
    pixel = np.arange(n_pix)
    free = np.full(residual.shape, True)
    free[[0, -1], :] = free[:, [0, -1]] = False
    for x, y, _ in found:
        free &= np.hypot(pixel[None, :] - x, pixel[:, None] - y) > _NEAREST_PIXELS
    y, x = np.unravel_index(np.where(free, residual, -np.inf).argmax(), residual.shape)
    height, shift = residual[y, x], []
    for before, after in ((residual[y, x - 1], residual[y, x + 1]), (residual[y - 1, x], residual[y + 1, x])):
        bend = before - 2 * height + after
        shift.append(np.clip(0.5 * (before - after) / bend, -0.5, 0.5) if bend < 0 else 0.0)
    return x + shift[0], y + shift[1], float(height)
