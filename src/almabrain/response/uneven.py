"""Gaussians that a beam shines through unevenly, as Gaussians times a polynomial.

Behind a beam A, a Gaussian G is A G = G' Σ c_ab He_a(t₁) He_b(t₂): G' is another Gaussian, near it, with
covariance L Lᵀ, t = L⁻¹(x − centroid), He the Hermite polynomials of the normal distribution. The Fourier
transform of He_a(t) exp(−t²/2) is (iq)^a exp(−q²/2), so visibilities have a closed form too.
"""

from typing import NamedTuple

import numpy as np

from almabrain.data.constants import ARCSEC
from almabrain.response.beam import covariance_of
from almabrain.response.predict import LARGEST_TERMS, TERMS, n_curvature

_NODES = 24


class Uneven(NamedTuple):
    """G' (l, m, major_arcsec, minor_arcsec, pa_deg) and c_ab (2, channel, term) of `response.predict.TERMS`.

    The first c are those of A G; the second of A G times the form δᵀHδ with H the curvature of n: what w adds
    to the phase over the extent of the component.
    """

    shape: tuple[float, ...]
    terms: np.ndarray

    @property
    def error(self) -> float:
        """Share of the flux by which visibilities may be off: the largest of the terms kept last."""
        last = TERMS.sum(axis=1) >= TERMS.max() - 1
        return float(np.abs(self.terms[0][:, last] * LARGEST_TERMS[last]).max())


def expand(frequency_hz, power, sky, apparent) -> Uneven:
    """One Gaussian behind `power` for all frequencies (channel,).

    `sky` and `apparent` are its (l, m, major_arcsec, minor_arcsec, pa_deg) as it is and behind the beam, from
    `response.primary_beam.attenuate`. Where the component is wide, A G is nearly the latter; near a null, where A G
    has two heads, the series about the former ends sooner. Good to 1e-6 of the flux for FWHM up to a third of the
    beam's, 2e-5 up to half of it; `error` says how good it is.
    """
    both = [Uneven(tuple(shape), _terms(frequency_hz, power, sky, shape)) for shape in (apparent, sky)]
    return min(both, key=lambda made: made.error)


def _terms(frequency_hz, power, sky, shape) -> np.ndarray:
    node, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    place = np.stack([axis.ravel() for axis in np.meshgrid(node, node)])
    weight = np.outer(weight, weight).ravel() / weight.sum() ** 2
    of_sky, root = _root(*sky[2:]), _root(*shape[2:])
    offset = root @ place  # radians from the centroid of G'
    distance2 = np.linalg.solve(of_sky, offset + np.subtract(shape[:2], sky[:2])[:, None]) ** 2
    ratio = np.exp(((place**2).sum(axis=0) - distance2.sum(axis=0)) / 2)
    ratio *= np.linalg.det(root) / np.linalg.det(of_sky)
    l, m = shape[0] + offset[0], shape[1] + offset[1]  # noqa: E741
    there = power(l[:, None], m[:, None], np.asarray(frequency_hz, float)).T * (ratio * weight)
    curved = there * ((n_curvature(*shape[:2]) @ offset) * offset).sum(axis=0)
    first, second = (np.polynomial.hermite_e.hermevander(axis, TERMS.max()) / _factorials() for axis in place)
    basis = first[:, TERMS[:, 0]] * second[:, TERMS[:, 1]]
    return np.stack([there @ basis, curved @ basis])


def _root(major_arcsec, minor_arcsec, pa_deg) -> np.ndarray:
    """L (2, 2) in radians, east and north, of a Gaussian's covariance L Lᵀ."""
    axes = np.array([major_arcsec, max(minor_arcsec, 1e-6 * major_arcsec)]) * ARCSEC
    return np.linalg.cholesky(covariance_of(*axes, pa_deg))


def _factorials() -> np.ndarray:
    return np.cumprod(np.maximum(np.arange(TERMS.max() + 1), 1)).astype(float)
