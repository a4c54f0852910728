"""The primary beam on the sky: of dishes, arrays and mosaics, as a picture, and on components behind it.

A `power` is any function of direction cosines l, m (radians) about the target's position and frequency
(Hz), which it broadcasts, that returns the response to a source there: 1 where the dishes point.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import n_minus_one
from almabrain.data.interpolation import chebyshev, lagrange
from almabrain.instrument import mosaic, noise, primary_beam
from almabrain.instrument.frequency_support import parse
from almabrain.response.beam import axes_of, covariance_of

Power = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
_STEPS_UPHILL = 20
_NODES = 9  # over the frequency
_QUADRATURE = 16  # a side: exact to 1e-4 for components up to half as wide as the beam


class Apparent(NamedTuple):
    """Components behind the beam: what is left of 1 Jy (component, channel); the rest (component,)."""

    response: np.ndarray
    l: np.ndarray  # noqa: E741
    m: np.ndarray
    major_arcsec: np.ndarray
    minor_arcsec: np.ndarray
    pa_deg: np.ndarray


def dish(diameter_m: float) -> Power:
    """The power pattern of one kind of dish, pointed at the target."""
    return baseline(diameter_m, diameter_m)


def baseline(diameter1_m: float, diameter2_m: float, pointing=(0.0, 0.0), pointing2=None) -> Power:
    """What a pair of dishes sees that point at direction cosines `pointing`: the product of voltage patterns.

    Where `pointing2` is given, the second dish points there. Below 0 where only one of the two is in a
    negative ring.
    """

    def power(l, m, frequency_hz):  # noqa: E741
        offset = _offset_rad(l, m, pointing)
        first = primary_beam.voltage(offset, frequency_hz, diameter1_m)
        if pointing2 is None and diameter2_m == diameter1_m:
            return first**2
        offset2 = offset if pointing2 is None else _offset_rad(l, m, pointing2)
        return first * primary_beam.voltage(offset2, frequency_hz, diameter2_m)

    return power


def _offset_rad(l, m, pointing):  # noqa: E741
    """Angle from a pointing, by the chord between the two directions, which keeps its digits when small."""
    l, m = np.asarray(l, float), np.asarray(m, float)  # noqa: E741
    # Directions off the celestial sphere see nothing that matters: hold them at the horizon.
    excess = np.maximum(np.hypot(l, m) * (1 + 1e-12), 1.0)
    l, m = l / excess, m / excess  # noqa: E741
    depth = n_minus_one(l, m) - n_minus_one(*pointing)
    chord = np.sqrt((l - pointing[0]) ** 2 + (m - pointing[1]) ** 2 + depth**2)
    return 2 * np.arcsin(np.minimum(chord / 2, 1.0))


@dataclass(frozen=True, eq=False)
class ArrayBeam:
    """The response of the dirty image of an array, of dishes of one size or two, to one pointing or a mosaic.

    `pointings_lm` (pointing, 2) direction cosines about the target; `kinds` (diameter1_m, diameter2_m,
    share) of baselines, the shares of the natural weight adding up to 1. All pointings weigh the same.
    """

    pointings_lm: np.ndarray
    kinds: tuple[tuple[float, float, float], ...]

    @classmethod
    def of_rows(cls, rows: Sequence) -> "ArrayBeam":
        """The beam of one simulation: `rows` of observations.ecsv (or mappings with its columns).

        Raises UserError for pointings that cannot be read or antennas of no known kind.
        """
        return cls(mosaic.directions(rows[0]["pointings"]), _kinds(rows))

    def power(self, l, m, frequency_hz):  # noqa: E741
        """Response of the dirty image at direction cosines; broadcasts over places and frequencies.

        One pointing: the weighted mean A of the baselines' beams. A mosaic is the sum of its pointings' images
        that makes the noise flat, and responds as √Σ A² (Cornwell 1988, A&A 202, 316; Sault et al. 1996,
        A&AS 120, 375), as a fraction of the largest such response.
        """
        if len(self.pointings_lm) == 1:
            return self.pointing_power(0)(l, m, frequency_hz)
        return self._root(l, m, frequency_hz) / self.peak(frequency_hz)

    def pointing_power(self, pointing: int) -> Power:
        """What one pointing's own dirty image responds with."""
        parts = [(share, baseline(*sizes, self.pointings_lm[pointing])) for *sizes, share in self.kinds]
        return lambda l, m, frequency_hz: sum(share * part(l, m, frequency_hz) for share, part in parts)

    def peak(self, frequency_hz):
        """The largest √Σ A² of a mosaic, which `power` calls 1; shape of `frequency_hz`.

        Uphill from the pointing that is covered best, each step to the mean of the pointings as seen from
        there (mean shift, which has its fixed points at a sum of Gaussians' maxima; beams are nearly such).
        """
        frequency = np.asarray(frequency_hz, float)
        at_pointings = self._root(*self.pointings_lm.T, frequency[..., None])
        place = self.pointings_lm[at_pointings.argmax(axis=-1)]
        for _ in range(_STEPS_UPHILL):
            squares = self._squares(place[..., 0], place[..., 1], frequency)
            place = np.tensordot(squares, self.pointings_lm, (0, 0)) / squares.sum(axis=0)[..., None]
        return np.maximum(self._root(place[..., 0], place[..., 1], frequency), at_pointings.max(axis=-1))

    def _root(self, l, m, frequency_hz):  # noqa: E741
        return np.sqrt(self._squares(l, m, frequency_hz).sum(axis=0))

    def _squares(self, l, m, frequency_hz):  # noqa: E741
        """A² of every pointing, (pointing, ...)."""
        every = range(len(self.pointings_lm))
        return np.stack([self.pointing_power(k)(l, m, frequency_hz) ** 2 for k in every])


def _kinds(rows) -> tuple[tuple[float, float, float], ...]:
    """Kinds of baselines with their shares of the natural weight at the windows' mean frequency."""
    weight = Counter()
    for row in rows:
        frequency = np.mean([span.centre_hz for span in parse(row["frequency_support"])])
        weight.update(noise.pair_weights(row, frequency, 1.0))
    total = sum(weight.values())
    return tuple((*sizes, float(value / total)) for sizes, value in weight.items())


def image(n_pix: int, cell_arcsec: float, frequency_hz: float, power: Power) -> np.ndarray:
    """`power` (y, x) at the pixels of an image with the target at N//2; pixels are direction cosines (SIN)."""
    offset = (np.arange(n_pix) - n_pix // 2) * cell_arcsec * ARCSEC
    return power(-offset[None, :], offset[:, None], frequency_hz)


def images(n_pix: int, cell_arcsec: float, frequency_hz: np.ndarray, power: Power) -> Iterator[np.ndarray]:
    """`image` at every frequency (channel,), one after the other.

    Where there are many, by the polynomial through Chebyshev's nodes: within 1e-6 over a tenth of the
    frequency, out to the fifth ring.
    """
    frequency = np.asarray(frequency_hz, float)
    if len(frequency) <= _NODES:
        yield from (image(n_pix, cell_arcsec, here, power) for here in frequency)
        return
    middle, half, nodes = (frequency.max() + frequency.min()) / 2, np.ptp(frequency) / 2, chebyshev(_NODES)
    known = np.stack([image(n_pix, cell_arcsec, middle + half * x, power).ravel() for x in nodes])
    for share in lagrange(nodes, (frequency - middle) / half):
        # einsum, as BLAS would start threads for so little.
        yield np.einsum("i,ij->j", share, known).reshape(n_pix, n_pix)


def attenuate(frequency_hz, power: Power, l, m, major_arcsec, minor_arcsec, pa_deg) -> Apparent:  # noqa: E741
    """Points and elliptical Gaussians (component,) as they are seen behind `power`.

    `frequency_hz` (channel,), direction cosines `l`, `m`, FWHM axes in arcsec (0 for a point), position angle
    in degrees. A Gaussian behind the beam is nearly a Gaussian again: fainter, narrower and closer to the
    axis. Integral, centroid and covariance of the product are its own, by Gauss-Hermite quadrature; the
    integral is that of every channel, place and shape are those of the mean frequency.
    """
    frequency = np.atleast_1d(np.asarray(frequency_hz, float))
    columns = [np.atleast_1d(np.asarray(x, float)) for x in (l, m, major_arcsec, minor_arcsec, pa_deg)]
    l, m, major, minor, pa = (column.copy() for column in np.broadcast_arrays(*columns))  # noqa: E741
    response = power(l[:, None], m[:, None], frequency)
    node, weight = np.polynomial.hermite_e.hermegauss(_QUADRATURE)
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(node, node)])
    weight = np.outer(weight, weight).ravel() / weight.sum() ** 2
    for k in np.flatnonzero(major > 0):
        root = np.linalg.cholesky(covariance_of(major[k], max(minor[k], 1e-6 * major[k]), pa[k]))
        offset = root @ nodes  # arcsec, (east/north, node)
        at = l[k] + offset[0] * ARCSEC, m[k] + offset[1] * ARCSEC
        response[k] = weight @ power(at[0][:, None], at[1][:, None], frequency)
        # Unlike dishes see negatively in places; no moment of a shape may.
        seen = weight * np.abs(power(*at, frequency.mean()))
        seen /= seen.sum()
        shift = offset @ seen
        offset -= shift[:, None]
        l[k] += shift[0] * ARCSEC
        m[k] += shift[1] * ARCSEC
        major[k], minor[k], pa[k] = axes_of((offset * seen) @ offset.T)
    return Apparent(response, l, m, major, minor, pa)
