"""What each group of data sees of the image: a patch of pixels, behind its primary beam, by its kernels."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import n_minus_one
from almabrain.image import groups
from almabrain.image.grid import Approximation, Grid, Windows
from almabrain.response import choose, predict, primary_beam
from almabrain.response import grid as gridder

EPSILON = 1e-9
_NEARLY_ALL = 0.9  # of the image's width: patches no smaller are the image


@dataclass(frozen=True)
class Patch:
    """n x n pixels of the image from `corner` (y, x) on, about the direction cosines `centre`."""

    n_pix: int
    corner: tuple[int, int]
    centre: tuple[float, float]
    cell_rad: float

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The patch of an image (N, N), as a view."""
        y, x = self.corner
        return image[y : y + self.n_pix, x : x + self.n_pix]

    @property
    def lm(self) -> tuple[np.ndarray, np.ndarray]:
        """Direction cosines of columns (1, n) and rows (n, 1)."""
        offset = (np.arange(self.n_pix) - self.n_pix // 2) * self.cell_rad
        return self.centre[0] - offset[None, :], self.centre[1] + offset[:, None]

    @property
    def slope(self) -> np.ndarray:
        """−dn/dl and −dn/dm at the centre."""
        return np.array(self.centre) / (1 + n_minus_one(*self.centre))

    def sag(self) -> np.ndarray:
        """φ (n, n): what n is beyond its tangent at the centre."""
        l, m = self.lm
        tangent = -self.slope[0] * (l - self.centre[0]) - self.slope[1] * (m - self.centre[1])
        return n_minus_one(l, m) - n_minus_one(*self.centre) - tangent


@dataclass(frozen=True)
class Eye:
    """One group of data with its patch."""

    group: groups.Group
    patch: Patch
    windows: Windows
    centre_deg: tuple[float, float]
    threads: int = 1

    @cached_property
    def uvw_m(self) -> dict[str, np.ndarray]:
        """By window, uvw (row, 3) about the grid's centre."""
        return {
            name: groups.uvw_about(self.windows[name], *self.centre_deg) for name in self.group.frequencies_hz
        }

    def _turn(self, name: str) -> np.ndarray | float:
        return groups.turn_to(self.windows[name], *self.centre_deg)

    def beams(self, nodes: int | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Primary beams (node, n, n), and by window what each counts in a channel (node, channel).

        One node takes the root mean square over the channels: then each pixel's weight is right, and pairs of
        pixels are wrong to second order in what their beams change differently with frequency. None: exact to 1e-6.
        """
        frequencies, shares = self.group.nodes(nodes)
        if len(frequencies) > 1 or self.group.one_channel:
            return np.stack([self._beam(frequency) for frequency in frequencies]), shares
        exact, own = self.beams()
        share = np.concatenate([*own.values()], axis=1)
        weight = np.concatenate([self.windows[name].weight.values.sum(0) for name in own]) + 1e-300
        pairs = (share * weight) @ share.T / weight.sum()
        square = np.einsum("iyx,ij,jyx->yx", exact, pairs, exact)
        sign = np.sign(self._beam(frequencies[0]))
        return (sign * np.sqrt(np.maximum(square, 0.0)))[None], shares

    def _beam(self, frequency_hz: float) -> np.ndarray:
        return _beam(self.group.dishes_m, self.group.pointing_lm, frequency_hz, self.patch)

    def information(self) -> np.ndarray:
        """A R†N⁻¹d (n, n), exact: with w, and the primary beam of every channel."""
        return self.to_sky(
            {
                name: self.windows[name].weight.values * self.windows[name].visibility.values
                for name in self.group.frequencies_hz
            }
        )

    def to_sky(self, weighted: dict[str, np.ndarray]) -> np.ndarray:
        """A R† (n, n) of weighted visibilities (row, channel), exact as `predict` is."""
        turned = {name: values * self._turn(name) for name, values in weighted.items()}
        return self.adjoint(turned, None, flat=False)

    def adjoint(self, visibilities: dict[str, np.ndarray], nodes: int | None, flat: bool) -> np.ndarray:
        """A R† (n, n) of weighted visibilities (row, channel) about the grid's centre; `flat` leaves φ out."""
        image = np.zeros((self.patch.n_pix, self.patch.n_pix))
        beams, shares = self.beams(nodes)
        for name, own in shares.items():
            uvw = self._flat_uvw(name) if flat else self.uvw_m[name]
            for beam, share in zip(beams, own, strict=True):
                image += beam * gridder.adjoint(
                    uvw, self.group.frequencies_hz[name], visibilities[name] * share, self.patch.n_pix,
                    self.patch.cell_rad, EPSILON, flat, self.threads, self.patch.centre,
                )  # fmt: skip
        return image

    def _flat_uvw(self, name: str) -> np.ndarray:
        """A window's uvw (row, 3) on the patch's own tangent plane."""
        uvw = self.uvw_m[name].copy()
        uvw[:, :2] -= uvw[:, 2:] * self.patch.slope
        return uvw

    def kernel(self, shares: dict[str, np.ndarray], odd: bool = False) -> np.ndarray:
        """Σ w exp(2πi u·Δ) (2n, 2n), zero lag at n, with weights times `shares` (channel,); or its odd partner.

        That is −2π Σ w w sin(2π u·Δ): what φ − φ' is multiplied by where w is taken to first order.
        """
        kernel = np.zeros((2 * self.patch.n_pix, 2 * self.patch.n_pix))
        for name, frequency in self.group.frequencies_hz.items():
            uvw, weight = self._flat_uvw(name), self.windows[name].weight.values * shares[name]
            if odd:
                weight = -2j * np.pi * weight * np.multiply.outer(uvw[:, 2], frequency / SPEED_OF_LIGHT_M_S)
            kernel += gridder.adjoint(
                uvw, frequency, weight, len(kernel), self.patch.cell_rad, EPSILON, True, self.threads
            )
        # Lag −n has no partner at +n, and no pair of pixels of the patch is that far apart.
        kernel[0], kernel[:, 0] = 0.0, 0.0
        return kernel

    def predict(self, sky: np.ndarray) -> dict[str, np.ndarray]:
        """By window, visibilities (row, channel) of a true sky (n, n) in Jy/pixel: exact, with w."""
        beams, shares = self.beams()
        apparent = [beam * np.asarray(sky) for beam in beams]
        model = {}
        for name, uvw in self.uvw_m.items():
            model[name] = np.conj(self._turn(name)) * sum(
                share
                * predict.predict_image(
                    uvw, self.group.frequencies_hz[name], image, self.patch.cell_rad, EPSILON, False,
                    self.threads, self.patch.centre,
                )
                for share, image in zip(shares[name], apparent, strict=True)
            )  # fmt: skip
        return model


@lru_cache(maxsize=64)
def _beam(dishes_m, pointing_lm, frequency_hz: float, patch: Patch) -> np.ndarray:
    """A primary beam (n, n) at a patch's pixels."""
    return primary_beam.baseline(*dishes_m, pointing_lm)(*patch.lm, frequency_hz)


def eyes(windows: Windows, grid: Grid, approximation: Approximation, threads: int = 1) -> Iterator[Eye]:
    """All groups of data, each with the patch where its primary beam matters."""
    views = groups.split(windows, *grid.centre)
    for view in views:
        whole = len(views) == 1 or not approximation.least_beam > 0 or approximation.order > 1
        n_pix = grid.n_pix if whole else _size(view, views, grid, approximation.least_beam)
        yield Eye(view, _about(view, n_pix, grid), windows, grid.centre, threads)


def _size(view: groups.Group, views: list[groups.Group], grid: Grid, limit: float) -> int:
    """Pixels a side of the patch on which a group's primary beam is above `limit`."""
    cell_rad = grid.cell_arcsec * ARCSEC
    lowest = min(other.frequency_hz for other in views if other.dishes_m == view.dishes_m)
    offset = np.linspace(0, grid.n_pix * cell_rad, 4000)
    power = primary_beam.baseline(*view.dishes_m)(offset, 0.0, lowest)
    own = choose.image_size(2 * offset[np.abs(power) >= limit].max(), cell_rad)
    return own if own < _NEARLY_ALL * grid.n_pix else grid.n_pix


def _about(view: groups.Group, n_pix: int, grid: Grid) -> Patch:
    """The patch of n_pix a side about a group's pointing, within the image."""
    half, most, cell_rad = grid.n_pix // 2, grid.n_pix - n_pix, grid.cell_arcsec * ARCSEC
    l, m = view.pointing_lm
    x, y = (int(np.clip(round(half + shift / cell_rad) - n_pix // 2, 0, most)) for shift in (-l, m))
    centre = -(x + n_pix // 2 - half) * cell_rad, (y + n_pix // 2 - half) * cell_rad
    return Patch(n_pix, (y, x), centre, cell_rad)
