"""Gaussian fits to sources in correlated noise: fluxes, positions and sizes with honest errors."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares
from scipy.signal import fftconvolve

from almabrain.console.progress import Progress
from almabrain.data.constants import FWHM_PER_SIGMA
from almabrain.networks.shapes import axes_from_covariance, gaussian

WINDOW_SIGMA = FWHM_PER_SIGMA  # a fit uses the pixels within one FWHM of the centre
RESOLVED_SIGMA = 2.0  # significance from which a source counts as larger than the beam
LARGEST_AREA = 100.0  # beams; a larger fit has run away
PASSES = 2


@dataclass(frozen=True)
class Fit:
    """One source as fitted: `parameters` and their `covariance`, in the order of `_model`.

    Amplitude, x, y, and the Cholesky factor [[exp p, 0], [r, exp q]] of the shape's pixel covariance.
    """

    parameters: np.ndarray  # (6,)
    errors: np.ndarray  # (6, 6) covariance of the parameters; zero rows for those held fixed
    good: bool
    resolved: bool = False
    at_edge: bool = False
    shape: "Fit | None" = None  # of an unresolved source: the free fit, for its size

    @property
    def shape_covariance(self) -> np.ndarray:
        """Pixel covariance (2, 2) of the fitted Gaussian."""
        return _shape(self.parameters)

    @property
    def centre(self) -> np.ndarray:
        """Position (x, y) in pixels."""
        return self.parameters[1:3]

    def derived(self, function) -> tuple[np.ndarray, np.ndarray]:
        """Values of `function(parameters)` -> (k,) and their errors by linear propagation."""
        value, gradient = function(self.parameters), []
        for index in range(6):
            step = np.zeros(6)
            step[index] = 1e-4 * max(abs(self.parameters[index]), 1e-3)
            difference = function(self.parameters + step) - function(self.parameters - step)
            gradient.append(difference / (2 * step[index]))
        gradient = np.array(gradient)
        return value, np.sqrt(np.clip(np.einsum("ik,ij,jk->k", gradient, self.errors, gradient), 0, None))


def fit_sources(
    image: np.ndarray, starts: np.ndarray, rms: np.ndarray, beam_covariance: np.ndarray
) -> list[Fit]:
    """Fit every source that starts at pixels `starts` (n, 2; x, y), each with the others subtracted.

    `image` (y, x; NaN where blank) and `rms` (y, x) in the same unit; `beam_covariance` (2, 2) in pixels.
    Least squares of an elliptical Gaussian; where that is not significantly larger than the beam, of the
    beam's own shape, which has the smaller error. Errors propagate the noise's covariance, taken to be a
    Gaussian of the beam's shape, through the fit: exact to first order where Condon (1997) approximates.
    """
    fits: list[Fit | None] = [None] * len(starts)
    residual, progress = image.copy(), Progress("fit sources", PASSES * len(starts))
    for _ in range(PASSES):
        for index, start in enumerate(starts):
            if fits[index] is not None:
                _add(residual, fits[index], +1)
            fits[index] = _fit_one(residual, start, rms, beam_covariance)
            _add(residual, fits[index], -1)
            progress.step()
    return fits


def _fit_one(image, start, rms, beam) -> Fit:
    x, y = np.rint(start).astype(int)
    cholesky = np.linalg.cholesky(beam)
    shape = [np.log(cholesky[0, 0]), cholesky[1, 0], np.log(cholesky[1, 1])]
    first = np.array([image[y, x], *start, *shape])
    sigma, free = rms[y, x], np.arange(6)
    point = _solve(image, first, free[:3], beam, beam, sigma)
    if not point.good:
        return replace(point, parameters=first, errors=np.diag([sigma**2, 0, 0, 0, 0, 0]))
    extended = _solve(image, point.parameters, free, beam, beam, sigma)
    if extended.good:
        extended = _solve(image, extended.parameters, free, extended.shape_covariance, beam, sigma)
    if not extended.good:
        return point
    growth, error = extended.derived(lambda p: np.array([p[3] + p[5] - shape[0] - shape[2]]))
    if growth[0] > RESOLVED_SIGMA * error[0]:
        return replace(extended, resolved=True)
    return replace(point, shape=extended)


def _solve(image, first, free, window_shape, beam, sigma) -> Fit:
    y, x, at_edge = _window(image, first[1:3], window_shape)
    values = image[y, x]
    kept = np.isfinite(values)
    y, x, values = y[kept], x[kept], values[kept]
    if len(values) <= len(free):
        return Fit(first, np.zeros((6, 6)), good=False, at_edge=True)
    scale = max(abs(first[0]), 1e-30)

    def full(part):
        parameters = first.copy()
        parameters[free] = part
        return parameters

    def residual(part):
        return (_model(full(part), x, y) - values) / scale

    # Amplitudes are a billion times smaller than pixel positions: tell the solver each one's scale.
    typical = np.array([scale, 1.0, 1.0, 0.3, 0.3, 0.3])[free]
    limits = np.array([np.inf, np.inf, np.inf, 8.0, 100.0, 8.0])[free]
    begin = np.clip(first[free], -limits, limits)
    solution = least_squares(residual, begin, x_scale=typical, bounds=(-limits, limits), max_nfev=60)
    parameters = full(solution.x)
    area = np.exp(parameters[3] + parameters[5]) / np.sqrt(np.linalg.det(beam))
    moved = np.sqrt(
        (parameters - first)[1:3] @ np.linalg.solve(beam + window_shape, (parameters - first)[1:3])
    )
    good = bool(parameters[0] > 0 and area < LARGEST_AREA and moved < WINDOW_SIGMA / 2)
    errors = np.zeros((6, 6))
    if good:
        errors[np.ix_(free, free)] = _propagate(solution.jac * scale, x, y, beam) * sigma**2
    return Fit(parameters, errors, good and bool(np.isfinite(errors).all()), at_edge=at_edge)


def _propagate(jacobian, x, y, beam) -> np.ndarray:
    """Covariance of a least-squares fit's parameters under unit noise with the beam as autocorrelation."""
    grids = np.zeros((np.ptp(y) + 1, np.ptp(x) + 1, jacobian.shape[1]))
    grids[y - y.min(), x - x.min()] = jacobian
    lag_y, lag_x = (np.arange(-n + 1, n) for n in grids.shape[:2])
    correlation = gaussian(lag_x[None, :], lag_y[:, None], 0, 0, beam)
    full = fftconvolve(grids, correlation[..., None], mode="full", axes=(0, 1))
    spread = full[len(lag_y) // 2 :, len(lag_x) // 2 :][: grids.shape[0], : grids.shape[1]]
    inverse = np.linalg.pinv(jacobian.T @ jacobian)
    return inverse @ np.einsum("yxi,yxj->ij", grids, spread) @ inverse


def _window(image, centre, covariance):
    reach = WINDOW_SIGMA * np.sqrt(np.diag(covariance))
    low = np.floor(centre - reach).astype(int)
    high = np.ceil(centre + reach).astype(int) + 1
    bounds = np.array(image.shape[::-1])
    at_edge = bool(np.any(low < 0) or np.any(high > bounds))
    low, high = np.clip(low, 0, bounds), np.clip(high, 0, bounds)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    inside = gaussian(x, y, *centre, covariance) >= np.exp(-0.5 * WINDOW_SIGMA**2)
    y, x = y[inside], x[inside]
    return y, x, at_edge or not np.isfinite(image[y, x]).all()


def _shape(parameters) -> np.ndarray:
    p, r, q = parameters[3:]
    return np.array([[np.exp(2 * p), r * np.exp(p)], [r * np.exp(p), r**2 + np.exp(2 * q)]])


def _model(parameters, x, y):
    return parameters[0] * gaussian(x, y, *parameters[1:3], _shape(parameters))


def _add(image, fit: Fit, sign: int) -> None:
    reach = np.ceil(5 * np.sqrt(np.diag(fit.shape_covariance))).astype(int)
    low = np.clip(np.rint(fit.centre).astype(int) - reach, 0, None)
    high = np.clip(np.rint(fit.centre).astype(int) + reach + 1, 0, image.shape[::-1])
    if np.all(high > low):
        y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
        image[y, x] += sign * _model(fit.parameters, x, y)


def flux_and_size(fit: Fit, beam_covariance: np.ndarray, cell_arcsec: float):
    """((flux, error), size, size error): the image's unit times beams; major, minor [arcsec] and PA [deg].

    The flux is amplitude times area in beams; the size is the fitted, that is beam-convolved, one.
    """
    beam_root = np.sqrt(np.linalg.det(beam_covariance))
    flux, flux_error = fit.derived(lambda p: np.array([p[0] * np.exp(p[3] + p[5]) / beam_root]))
    sized = fit.shape or fit
    size, size_error = sized.derived(lambda p: np.array(axes_from_covariance(_shape(p), cell_arcsec)))
    size_error[2] = min(size_error[2], 90.0)
    return (float(flux[0]), float(flux_error[0])), size, size_error
