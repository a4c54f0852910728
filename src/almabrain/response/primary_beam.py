"""The primary beam on the sky: as a picture, and on components that it shines through unevenly."""

from typing import NamedTuple

import numpy as np

from almabrain.instrument import primary_beam
from almabrain.response.beam import ARCSEC_RAD, axes_of, covariance_of

_NODES = 16  # a side: exact to 1e-4 for components up to half as wide as the beam


class Apparent(NamedTuple):
    """Components behind the beam: what is left of 1 Jy (component, channel); the rest (component,)."""

    response: np.ndarray
    l: np.ndarray  # noqa: E741
    m: np.ndarray
    major_arcsec: np.ndarray
    minor_arcsec: np.ndarray
    pa_deg: np.ndarray


def image(n_pix: int, cell_arcsec: float, frequency_hz: float, diameter_m: float) -> np.ndarray:
    """Power pattern (y, x) of a dish at the pixels of an image, 1 at the phase centre N//2.

    Pixels are direction cosines (SIN projection), so the offset from the axis is arcsin √(l² + m²).
    """
    offset = (np.arange(n_pix) - n_pix // 2) * cell_arcsec * ARCSEC_RAD
    return _power(offset[None, :], offset[:, None], frequency_hz, diameter_m)


def attenuate(frequency_hz, diameter_m: float, l, m, major_arcsec, minor_arcsec, pa_deg) -> Apparent:
    """Points and elliptical Gaussians (component,) as a dish of `diameter_m` shows them.

    `frequency_hz` (channel,), direction cosines `l`, `m`, FWHM axes in arcsec (0 for a point), position angle
    in degrees. A Gaussian behind the beam is nearly a Gaussian again: fainter, narrower and closer to the
    axis. Integral, centroid and covariance of the product are its own, by Gauss-Hermite quadrature; the
    integral is that of every channel, place and shape are those of the mean frequency.
    """
    frequency = np.atleast_1d(np.asarray(frequency_hz, float))
    columns = [np.atleast_1d(np.asarray(x, float)) for x in (l, m, major_arcsec, minor_arcsec, pa_deg)]
    l, m, major, minor, pa = (column.copy() for column in np.broadcast_arrays(*columns))  # noqa: E741
    response = _power(l[:, None], m[:, None], frequency, diameter_m)
    node, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(node, node)])
    weight = np.outer(weight, weight).ravel() / weight.sum() ** 2
    for k in np.flatnonzero(major > 0):
        root = np.linalg.cholesky(covariance_of(major[k], max(minor[k], 1e-6 * major[k]), pa[k]))
        offset = root @ nodes  # arcsec, (east/north, node)
        at = l[k] + offset[0] * ARCSEC_RAD, m[k] + offset[1] * ARCSEC_RAD
        response[k] = weight @ _power(at[0][:, None], at[1][:, None], frequency, diameter_m)
        seen = weight * _power(*at, frequency.mean(), diameter_m)
        seen /= seen.sum()
        shift = offset @ seen
        offset -= shift[:, None]
        l[k] += shift[0] * ARCSEC_RAD
        m[k] += shift[1] * ARCSEC_RAD
        major[k], minor[k], pa[k] = axes_of((offset * seen) @ offset.T)
    return Apparent(response, l, m, major, minor, pa)


def _power(l, m, frequency_hz, diameter_m):  # noqa: E741
    # Directions off the celestial sphere see nothing that matters: hold them at the horizon.
    offset = np.arcsin(np.minimum(np.hypot(l, m), 1.0))
    return primary_beam.power(offset, frequency_hz, diameter_m)
