"""Scenes drawn on the fly: random sources through the campaign's own dirty beams, in noise of its colour."""

import numpy as np
from scipy import fft

from almabrain.config.train import TrainSettings
from almabrain.networks.inputs import network_input
from almabrain.networks.shapes import pixel_covariance
from almabrain.train.planes import Plane, Response

MIN_PB = 0.2


class SceneMaker:
    """Draws planes for one telescope response, of its size or of twice the training patch if that is less.

    The sky is laid out in the Fourier domain, so positions are never snapped to pixels, and multiplied by the
    transform of the dirty beam. Noise is white noise through the square root of that transform: with
    natural weights the noise of a dirty image has the dirty beam as its autocorrelation. The scene is
    periodic, so far sidelobes of a source near the edge come in on the other side.
    """

    def __init__(self, response: Response, settings: TrainSettings):
        self.response, self.settings = response, settings
        n_pix = response.psf.shape[0]
        self.size = min(n_pix, 2 * settings.patch_pix)
        cut = slice((n_pix - self.size) // 2, (n_pix - self.size) // 2 + self.size)
        centred = fft.ifftshift(response.psf[cut, cut])
        self._pb = response.pb[cut, cut]
        self._transfer = np.clip(fft.fft2(centred).real, 0, None)
        self._k = np.meshgrid(fft.fftfreq(self.size), fft.rfftfreq(self.size), indexing="ij")

    def draw(self, rng: np.random.Generator) -> Plane:
        """A scene with its truth; a stated fraction of them is empty."""
        empty = rng.random() < self.settings.empty_fraction
        count = 0 if empty else int(rng.integers(1, self.settings.max_sources + 1))
        position, snr, own = self._sources(rng, count)
        beam = self.response.beam_covariance
        seen = beam + own
        flux = snr * np.sqrt(np.linalg.det(seen) / np.linalg.det(beam))
        transfer = self._thinned(rng)
        noise = fft.rfft2(rng.standard_normal((self.size,) * 2)) * np.sqrt(transfer)
        plane = fft.irfft2(self._sky(position, flux, own) * transfer + noise, s=(self.size,) * 2)
        return Plane(network_input(plane, beam), position, snr, seen, beam)

    def _thinned(self, rng):
        """The dirty beam's transform, half plane, as if some baselines had been missing; peak of the beam 1.

        A campaign has few arrays: thinned ones show the network sidelobes that it has not seen.
        """
        # A baseline and its reverse are one measurement, kept only if both are drawn: hence the root.
        kept = rng.random(self._transfer.shape) < np.sqrt(rng.uniform(1 - self.settings.thinning, 1))
        kept &= np.roll(kept[::-1, ::-1], 1, axis=(0, 1))
        thinned = self._transfer * kept
        return (thinned / thinned.mean())[:, : self.size // 2 + 1]

    def _sources(self, rng, count):
        settings, response = self.settings, self.response
        # Where the primary beam lets a source through at all; it dims what lies off axis.
        pixel = rng.choice(np.flatnonzero(self._pb >= MIN_PB), count)
        position = np.column_stack([pixel % self.size, pixel // self.size]).astype(float)
        position += rng.uniform(-0.5, 0.5, (count, 2))
        span = np.log([settings.snr_min, settings.snr_max])
        snr = np.exp(rng.uniform(*span, count)) * self._pb.flat[pixel]
        major = rng.uniform(0.1, settings.largest_source_beams, count) * response.beam_arcsec[0]
        major[rng.random(count) >= settings.extended_fraction] = 0.0
        minor = major * rng.uniform(0.3, 1.0, count)
        shape = pixel_covariance(major, minor, rng.uniform(-90, 90, count), response.cell_arcsec)
        return position, snr, shape

    def _sky(self, position, flux, covariance):
        ky, kx = self._k
        total = np.zeros(kx.shape, complex)
        for (x, y), jansky, ((xx, xy), (_, yy)) in zip(position, flux, covariance, strict=True):
            phase = np.exp(-2j * np.pi * ky[:, :1] * y) * np.exp(-2j * np.pi * kx[:1] * x)
            if xx:
                phase *= np.exp(-2 * np.pi**2 * (xx * kx**2 + 2 * xy * kx * ky + yy * ky**2))
            total += jansky * phase
        return total
