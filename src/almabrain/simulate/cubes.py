"""The cubes of one spectral window: dirty images with and without noise, PSF, primary beam, predicted rms."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import factorial

import numpy as np

from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.data.interpolation import chebyshev, lagrange
from almabrain.response import primary_beam
from almabrain.response.beam import fit_beam
from almabrain.response.grid import dirty_image
from almabrain.response.primary_beam import baseline
from almabrain.response.weights import briggs, natural
from almabrain.simulate.coverage import Coverage

# With it, and in single precision, images are within 1e-5 of their peak (rms 1e-6).
_EPSILON = 1e-4
_N_POL = 2  # XX and YY
_BEAM = {"major_arcsec": "bmaj_arcsec", "minor_arcsec": "bmin_arcsec", "pa_deg": "bpa_deg"}
# What the PSFs of channels may be off that are interpolated, in units of the peak.
_PSF_ERROR = 1e-4


@dataclass(frozen=True)
class Imaging:
    """How some channels of a window are imaged: (row,) and (row, chan) as in the coverage.

    Rows under `flag` do not count; `sigma_jy` is per polarisation; `grid` has n_pix, cell_arcsec, weighting and
    robust. Every channel, and every pointing, is weighted by itself.
    """

    coverage: Coverage
    flag: np.ndarray
    frequency_hz: np.ndarray
    sigma_jy: np.ndarray
    grid: Mapping
    planar: bool
    threads: int = 1

    def response(self) -> dict:
        """PSF and primary beam (channel, y, x), predicted rms and beams (channel): variables of a dataset.

        The PSF is of a source at the target, behind the beams, scaled to 1 there. The rms is √Σω²σ_I² / Σω of
        the imaging weights ω, with σ_I² = σ²/2.
        """
        psf, pb = self._empty(), self._empty()
        per_channel = {name: [] for name in ("rms_jy_beam", *_BEAM.values())}
        middle = self.grid["n_pix"] // 2
        nodes, shares = self._psf_nodes()
        for k, parts in enumerate(self._channels(with_beams=True)):
            wanted = [lambda part, k=k: self._at_target(part, k)] if k in nodes else []
            seen, pb[k], rms = self._joined(parts, k, wanted)
            per_channel["rms_jy_beam"].append(rms)
            if wanted:
                psf[k] = seen[0] / seen[0][middle, middle]
        known = psf[nodes].reshape(len(nodes), -1)
        for k in range(len(psf)):
            if k not in nodes:
                psf[k] = np.einsum("i,ij->j", shares[k], known).reshape(psf[k].shape)
            beam = _beam(psf[k], self.grid["cell_arcsec"])
            for name, column in _BEAM.items():
                per_channel[column].append(getattr(beam, name))
        cubes = {name: (("channel", "y", "x"), cube) for name, cube in (("psf", psf), ("pb", pb))}
        return cubes | {name: ("channel", np.array(series)) for name, series in per_channel.items()}

    def dirty(self, visibility: np.ndarray, added: np.ndarray) -> dict:
        """Dirty images (channel, y, x) without and with `added`: variables of a dataset.

        `visibility` is noiseless Stokes I, `added` what noise and corruptions change of it (row, chan), in Jy
        and phased to the target.
        """
        noiseless, noisy = self._empty(), self._empty()
        for k, parts in enumerate(self._channels(with_beams=self._is_mosaic)):
            columns = [np.asarray(values[:, k : k + 1], np.complex64) for values in (visibility, added)]
            wanted = [lambda part, column=column: column[part.rows] for column in columns]
            (noiseless[k], noisy[k]), *_ = self._joined(parts, k, wanted)
            noisy[k] += noiseless[k]
        return {
            "dirty_noiseless": (("channel", "y", "x"), noiseless),
            "dirty": (("channel", "y", "x"), noisy),
        }

    @property
    def _is_mosaic(self) -> bool:
        return len(self.coverage.pointings_lm) > 1

    def _psf_nodes(self) -> tuple[list[int], np.ndarray]:
        """Channels whose PSFs are gridded, and their shares (channel, node) in those of all channels.

        Across a window a PSF changes smoothly: baseline and offset turn by at most φ to either side of the
        middle. The polynomial through n of Chebyshev's points follows that within 2 (φ/2)ⁿ/n!. Weights have to
        be as smooth, which robust ones never are, nor natural ones next to a narrow line of the air, nor a
        mosaic's where its beams have nulls.
        """
        frequency, count = self.frequency_hz, len(self.frequency_hz)
        every = list(range(count)), np.eye(count)
        longest_m = np.linalg.norm(self.coverage.uvw_m[~self.flag], axis=1).max()
        half_field = self.grid["n_pix"] * self.grid["cell_arcsec"] * ARCSEC / np.sqrt(2)
        middle, half = (frequency.max() + frequency.min()) / 2, np.ptp(frequency) / 2
        turn = 2 * np.pi * longest_m * half_field * half / SPEED_OF_LIGHT_M_S
        number = next(
            (n for n in range(3, 20) if 2 * (turn / 2) ** n / factorial(n) < 1e-3 * _PSF_ERROR), count
        )
        if self.grid["weighting"] != "natural" or self._is_mosaic or 2 * number > count:
            return every
        place = (frequency - middle) / half
        nodes = np.unique(np.abs(place - chebyshev(number)[:, None]).argmin(axis=1)).tolist()
        shares = lagrange(place[nodes], place)
        weight = self.sigma_jy[~self.flag][:: max(1, len(self.flag) // 1000)] ** -2.0
        weight /= weight.mean(axis=0)
        if np.abs(weight[:, nodes] @ shares.T - weight).mean(axis=0).max() > _PSF_ERROR:
            return every
        return nodes, shares

    def _empty(self) -> np.ndarray:
        return np.empty((len(self.frequency_hz), self.grid["n_pix"], self.grid["n_pix"]), np.float32)

    def _dirty(self, part: "_Part", channel: int, visibility: np.ndarray) -> np.ndarray:
        cell_rad = self.grid["cell_arcsec"] * ARCSEC
        options = part.weight, self.grid["n_pix"], cell_rad, _EPSILON, self.planar, self.threads
        frequency = self.frequency_hz[channel : channel + 1]
        return dirty_image(self.coverage.uvw_m[part.rows], frequency, visibility, *options)

    def _at_target(self, part: "_Part", channel: int) -> np.ndarray:
        """Visibilities (row, 1) of 1 Jy at the target behind each kind of baseline's beam."""
        frequency = self.frequency_hz[channel : channel + 1]
        kinds = [baseline(*sizes, part.aim)(0.0, 0.0, frequency) for sizes in self.coverage.kinds]
        return np.array(kinds, np.complex64)[self.coverage.kind[part.rows]]

    def _joined(self, parts: Iterable["_Part"], channel: int, wanted: list[Callable]) -> tuple:
        """Images of what `wanted` gives for every pointing's part, their primary beam and their rms.

        A mosaic is Σ A_p D_p / σ_p² / √(Σ A_p² / σ_p²), with its pointings' images D_p, rms σ_p and beams A_p:
        Cornwell (1988, A&A 202, 316), with the weights of Sault et al. (1996, A&AS 120, 375) that make the
        noise flat. Its pb is 1 where pointings cover best. Pointings are added one by one: a thousand of them
        need no more memory than two.
        """
        if not self._is_mosaic:
            (part,) = parts
            return [self._dirty(part, channel, of(part)) for of in wanted], part.pb, part.rms_jy_beam
        size = self.grid["n_pix"], self.grid["n_pix"]
        sums, squares = [np.zeros(size) for _ in wanted], np.zeros(size)
        for part in parts:
            weighted = part.pb / part.rms_jy_beam**2
            squares += part.pb * weighted
            for total, of in zip(sums, wanted, strict=True):
                total += weighted * self._dirty(part, channel, of(part))
        root = np.sqrt(squares)
        peak = float(root.max())
        # Where every beam has a null there is nothing to see, and noise of no weight.
        scale = peak * np.maximum(root, 1e-12 * peak)
        return [total / scale for total in sums], root / peak, 1 / peak

    def _channels(self, with_beams: bool) -> Iterator[Iterator["_Part"]]:
        """The pointings' parts of every channel in turn; `with_beams` also what their own images are like."""
        coverage = self.coverage
        aims = coverage.pointings_lm
        rows = [np.flatnonzero((coverage.pointing == number) & ~self.flag) for number in range(len(aims))]
        rows = [slice(None) if len(of_it) == len(self.flag) else of_it for of_it in rows]
        beams = self._beams() if with_beams else None
        for k in range(len(self.frequency_hz)):
            yield (
                self._part(k, of_it, aim, beams(k, aim) if beams else [])
                for of_it, aim in zip(rows, aims, strict=True)
            )

    def _beams(self) -> Callable[[int, np.ndarray], list[np.ndarray]]:
        """A function of channel and pointing: the primary beams (y, x) of every kind of baseline."""
        size = self.grid["n_pix"], self.grid["cell_arcsec"]
        if self._is_mosaic:
            return lambda k, aim: [
                primary_beam.image(*size, self.frequency_hz[k], baseline(*sizes, aim))
                for sizes in self.coverage.kinds
            ]
        kinds = [baseline(*sizes, self.coverage.pointings_lm[0]) for sizes in self.coverage.kinds]
        series = [primary_beam.images(*size, self.frequency_hz, power) for power in kinds]
        return lambda k, aim: [next(images) for images in series]

    def _part(self, channel: int, rows, aim: np.ndarray, beams: list[np.ndarray]) -> "_Part":
        here, grid, coverage = slice(channel, channel + 1), self.grid, self.coverage
        inverse_variance = _N_POL / self.sigma_jy[rows, here] ** 2
        weight = natural(inverse_variance)
        if grid["weighting"] == "briggs":
            cell_rad = grid["cell_arcsec"] * ARCSEC
            frequency, uvw_m = self.frequency_hz[here], coverage.uvw_m[rows]
            weight = briggs(uvw_m, frequency, weight, grid["n_pix"], cell_rad, grid["robust"])
        if not beams:
            return _Part(rows, aim, weight)
        total = weight.sum()
        shares = np.ones(1)
        if len(beams) > 1:
            shares = np.bincount(coverage.kind[rows], weight[:, 0], minlength=len(beams)) / total
        rms = float(np.sqrt((weight**2 / inverse_variance).sum()) / total)
        return _Part(
            rows, aim, weight, rms, sum(share * beam for share, beam in zip(shares, beams, strict=True))
        )


@dataclass(frozen=True)
class _Part:
    """One pointing in one channel: its rows and weights (row, 1), and rms and beam of its own image."""

    rows: np.ndarray | slice
    aim: np.ndarray
    weight: np.ndarray
    rms_jy_beam: float = np.nan
    pb: np.ndarray | None = None


def _beam(response, cell):
    try:
        return fit_beam(response, cell)
    except ValueError as error:
        raise UserError(
            f"no beam can be fitted ({error}); observe for longer, with more antennas, or flag less "
            "(simulate.corruptions.flags)"
        ) from None
