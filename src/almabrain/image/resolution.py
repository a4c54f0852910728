"""What the image resolves, and where the data rather than the prior decide: its answer to a point that is injected.

A point at x adds K e_x to what the data say. About the mean sky the posterior mean then changes by J M⁻¹ J†K e_x, with
J the sky's derivative by the excitations, K the data's curvature and M = 1 + J†KJ the metric. The width of this answer
is the effective resolution; the part of the point's flux that arrives within a beam of its place is the data's share.
It is the answer to a faint point: a bright one would brighten the sky, and so be seen more sharply.

With channels the point has a spectrum (C,), whose share in the answer is what counts: in one channel of a cube, or the
same in all.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from almabrain.image import field, points, solver
from almabrain.image import model as sky_model
from almabrain.image.field import gather, hartley, spread
from almabrain.image.grid import SEEN_WELL, Grid
from almabrain.image.likelihood import metric, rms
from almabrain.response.beam import axes_of, covariance_of, fit_beam

CELLS = 30  # of the lattice; each has two probes, where it is brightest and where it is typical
PRECISION, MOST_STEPS = 0.01, 100  # of the answers, and of conjugate gradients (few are needed)
DECIDED = 0.5  # share above which data decide
_LEAST_SHARE = 0.05  # for an answer to have a width
# Between probes: weights by distance (in cells) and by contrast (in factors of e), and how far they are smoothed.
_CONTRAST, _SMOOTH = 1.0, 0.05
_DARK_SIGMA = 1e-3  # brightness below which all is alike, in units of the noise per beam
PLANES = ("major axis [arcsec]", "minor axis [arcsec]", "position angle [deg]", "share of the data")


@dataclass(frozen=True)
class Probes:
    """Places (probe,) in pixels of a grid, their apparent `brightness` [Jy/arcsec²], and the answers there.

    `major`, `minor` [arcsec, FWHM] and `pa_deg` of the Gaussian that fits the answer, no narrower than a pixel, NaN
    where none fits or next to nothing arrives; `share` of the flux that arrives.
    """

    x: np.ndarray
    y: np.ndarray
    brightness: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    pa_deg: np.ndarray
    share: np.ndarray

    def typical(self) -> tuple[float, float]:
        """Median axes [arcsec] where data decide; NaN where they do nowhere."""
        used = (self.share > DECIDED) & np.isfinite(self.major)
        if not used.any():
            return float("nan"), float("nan")
        return float(np.median(self.major[used])), float(np.median(self.minor[used]))


def measure(
    model: sky_model.Model, vectors: list[jax.Array], grid: Grid, cells: int = CELLS, spectrum=None
) -> Probes:
    """The answers about the mean of draws `vectors` of a `model` that lives on `grid`, to points of a `spectrum`."""
    system = system_about(model, vectors)
    apparent = np.mean([_shown(model, vector) for vector in vectors], axis=0)
    if spectrum is not None:
        apparent = np.tensordot(spectrum, apparent, 1) / np.sum(spectrum)
    apparent = np.abs(apparent) * grid.primary_beam / grid.cell_arcsec**2
    floor = _DARK_SIGMA * rms(model.likelihood) / grid.natural_beam_arcsec2
    y, x = lattice(apparent, grid.primary_beam >= SEEN_WELL, cells)
    answers = (answer(system, *place, spectrum=spectrum) for place in zip(x, y, strict=True))
    rows = [_measured(np.asarray(each), *place, grid) for each, *place in zip(answers, x, y, strict=True)]
    return Probes(x, y, np.maximum(apparent[y, x], floor), *np.transpose(rows))


def system_about(model: sky_model.Model, vectors: list[jax.Array]) -> solver.System:
    """The metric at the mean sky of draws, under their mean spectrum, which is held."""
    mean = jnp.stack(vectors).mean(0)
    steepness = jnp.stack([sky_model.field_sky(model, vector)[1] for vector in vectors]).mean(0)
    modes = field.modes(len(model.amplitude))
    spectrum = sky_model.split(mean, len(model.amplitude))[2]
    amplitude = jnp.exp(field.log_amplitude(spectrum, modes, model.prior)[modes.index])
    # With an empty bend these are the functions that were compiled for the start.
    bend = jnp.zeros_like(steepness), jnp.zeros(points.EXCITATIONS)
    return solver.metric_at(model._replace(amplitude=amplitude), mean, steepness, *bend)


def answer(
    system: solver.System, x: int, y: int, precision: float = PRECISION, spectrum: np.ndarray | None = None
) -> jax.Array:
    """The change (N, N) of the posterior mean, per Jy of a point on the pixel x, y; its share of a `spectrum` (C,)."""
    flux = jnp.ones(()) if spectrum is None else jnp.asarray(spectrum, float)
    right = _told(system, x, y, flux)
    # rᵀM⁻¹r of the right side r is next to the smaller of these.
    told = float(jnp.sum(system.likelihood.diagonal[..., y, x] * flux**2))
    most = min(told, float(jnp.vdot(right, right)))
    solved, _, _ = solver.solve(system, right, jnp.zeros_like(right), precision**2 * most, MOST_STEPS)
    shift = _shift(system, solved)
    return shift if spectrum is None else jnp.tensordot(flux, shift, 1) / jnp.vdot(flux, flux)


@jax.jit
def _told(system: solver.System, x: int, y: int, flux: jax.Array) -> jax.Array:
    """J†K e: what a point of `flux` () or (C,) Jy tells the excitations (vector)."""
    answer = metric(system.likelihood, jnp.zeros_like(system.sky).at[..., y, x].add(flux))
    point_answer = jnp.einsum("qy,yx,qx->q", system.rows, sky_model.all_channels(answer), system.columns)
    held = jnp.zeros(len(system.known))
    field_answer = hartley(gather(system.basis, system.sky * answer))
    return sky_model.join(system.amplitude * field_answer, point_answer, held)


@jax.jit
def _shift(system: solver.System, vector: jax.Array) -> jax.Array:
    """J v: what excitations (vector) change of the sky ([C,] N, N)."""
    modes, point_part, _ = sky_model.split(vector, len(system.amplitude))
    image = (point_part[:, None] * system.rows).T @ system.columns
    return image + system.sky * spread(system.basis, hartley(system.amplitude * modes))


def _shown(model: sky_model.Model, vector: jax.Array) -> np.ndarray:
    n_pix = len(model.amplitude)
    point_part = sky_model.split(vector, n_pix)[1]
    return np.asarray(sky_model.field_sky(model, vector)[0] + points.deposit(model.points, point_part, n_pix))


def lattice(image: np.ndarray, inside: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (y, x) to probe: of each of some `cells` squares `inside`, the brightest and the median one."""
    side = max(round(np.sqrt(np.count_nonzero(inside) / cells)), 2)
    chosen = set()
    for top in range(0, len(image), side):
        for left in range(0, len(image), side):
            box = slice(top, top + side), slice(left, left + side)
            if 2 * np.count_nonzero(inside[box]) < side**2:
                continue
            y, x = np.nonzero(inside[box])
            order = np.argsort(image[box][y, x], kind="stable")
            chosen |= {(int(y[k]) + top, int(x[k]) + left) for k in (order[-1], order[len(order) // 2])}
    places = np.array(sorted(chosen, key=lambda place: -image[place]))
    return places[:, 0], places[:, 1]


def _measured(answer: np.ndarray, x: int, y: int, grid: Grid) -> tuple[float, float, float, float]:
    """Axes [arcsec], position angle and share of the answer (N, N) to a point of 1 Jy at a pixel."""
    pixel, beam = np.arange(grid.n_pix), grid.beam.major_arcsec / grid.cell_arcsec
    distance = np.hypot(pixel[None, :] - x, pixel[:, None] - y)
    share = float(answer[distance <= max(beam, 1.0)].sum())
    # The answer leans towards where the sky is brighter.
    peak = np.unravel_index(np.where(distance <= max(beam / 2, 1.0), answer, -np.inf).argmax(), answer.shape)
    if not share > _LEAST_SHARE:
        return np.nan, np.nan, np.nan, share
    middle = grid.n_pix // 2
    around = np.roll(answer, (middle - peak[0], middle - peak[1]), (0, 1))
    try:
        found = fit_beam(around, grid.cell_arcsec)
    except ValueError:
        return np.nan, np.nan, np.nan, share
    if not np.isfinite(found.major_arcsec) or found.major_arcsec > grid.n_pix * grid.cell_arcsec:
        return np.nan, np.nan, np.nan, share
    axes = np.maximum([found.major_arcsec, found.minor_arcsec], grid.cell_arcsec)
    return *axes.tolist(), found.pa_deg, share


def picture(probes: Probes, apparent: np.ndarray, coarser: float) -> np.ndarray:
    """PLANES (4, N, N) of the answers, between probes by distance and by brightness.

    `apparent` (N, N) is the mean sky behind the primary beam [Jy/arcsec²] on a grid whose pixels are `coarser` times
    as many along a side as those of the probes.
    """
    n_pix = len(apparent)
    fitted = np.isfinite(probes.major)
    shapes = np.zeros((len(fitted), 3))
    for index in np.flatnonzero(fitted):
        form = covariance_of(probes.major[index], probes.minor[index], probes.pa_deg[index])
        shapes[index] = form[0, 0], form[0, 1], form[1, 1]
    side = max(np.sqrt(np.ptp(probes.x) * np.ptp(probes.y) / max(len(fitted) / 2, 1)), 1.0) * coarser
    contrast = np.log(np.maximum(np.abs(apparent), probes.brightness.min()))
    total, fitted_total = np.zeros((2, n_pix, n_pix))
    share, shape = np.zeros((n_pix, n_pix)), np.zeros((3, n_pix, n_pix))
    pixel = np.arange(n_pix)
    for index, bright in enumerate(np.log(probes.brightness)):
        across = ((pixel - coarser * probes.x[index]) / side) ** 2
        along = ((pixel - coarser * probes.y[index]) / side) ** 2
        near = along[:, None] + across[None, :] + ((contrast - bright) / _CONTRAST) ** 2
        weight = (near + _SMOOTH) ** -2
        total += weight
        share += weight * probes.share[index]
        if fitted[index]:
            fitted_total += weight
            shape += weight * shapes[index][:, None, None]
    if not fitted.any():
        return np.stack([*np.full((3, n_pix, n_pix), np.nan), share / total])
    return np.stack([*_axes(shape / fitted_total), share / total])


def _axes(shape: np.ndarray) -> np.ndarray:
    """FWHM axes and position angle (3, N, N) of covariances by their elements (3, N, N): as `beam.axes_of`."""
    east, mixed, north = shape
    mean, half = (east + north) / 2, np.hypot((east - north) / 2, mixed)
    scale = axes_of(np.eye(2))[0]
    pa_deg = np.degrees(0.5 * np.arctan2(2 * mixed, north - east))
    return np.stack([scale * np.sqrt(mean + half), scale * np.sqrt(np.maximum(mean - half, 0)), pa_deg])
