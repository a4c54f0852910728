"""The lines of pictures with velocities of their own: their profile, and how dense light is in velocity."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from almabrain.data.coordinates import lm_grid
from almabrain.data.line import SPEED_OF_LIGHT_KM_S
from almabrain.response.beam import Beam, convolve
from almabrain.sky.field import Field, Window
from almabrain.sky.shape import Shape
from almabrain.sky.spectral_lines import Form, Line

# The profile is looked up in so many bins to a FWHM, and in no more in all.
_BINS_PER_WIDTH, _MOST_BINS = 32, 512
# The apparent peak is looked for in at most so many channels, side by side over the FWHM.
_MOST_LOOKS = 24
# Light lost or found between the ends of a profile: pictures in single precision keep theirs to 1e-6.
_CLOSURE = 1e-4
# Pictures are asked for so many pixels at a time: 128 MB.
_MOST_PIXELS = 2**24


@dataclass(frozen=True)
class Profile:
    """The line of a picture with velocities of its own: shares of its light, and where that light stands."""

    edges_kms: np.ndarray  # (bin + 1,), rising
    below: np.ndarray  # (bin + 1,) share of the light at velocities below
    pixels: np.ndarray  # (y, x), of the light at all velocities
    form: Form

    def flux_density(self, line: Line, window: Window) -> np.ndarray:
        """Mean flux density, Jy, of a line with this profile in every channel of the window."""
        below = np.interp(velocities_kms(line, window), self.edges_kms, self.below)
        return mean_jy(line, window, np.diff(below)[::-1])


def profile_of(shape: Shape, width_kms: float) -> Profile:
    """The profile of a picture's lines, of this FWHM where the picture takes any.

    ValueError where the bins do not hold all light.
    """
    low, high, dispersion = shape.line_extent_kms(width_kms)
    number = min(int(np.ceil((high - low) / width_kms * _BINS_PER_WIDTH)), _MOST_BINS)
    edges = np.linspace(low, high, number + 1)
    share, pixels = [], np.zeros(shape.pixels.shape)
    for chunk in edge_chunks(edges, shape):
        light = shape.line_pixels(chunk, width_kms)
        share.append(light.sum(axis=(1, 2), dtype=float))
        pixels += light.sum(axis=0)
    share = np.concatenate(share)
    if abs(share.sum() - 1) > _CLOSURE:
        raise ValueError(f"the line of a {shape.kind} has {share.sum():g} of its light in its own extent")
    peak = float((share / np.diff(edges)).max())
    form = Form(width_kms, peak, float(1 / (np.sqrt(2 * np.pi) * dispersion)))
    return Profile(edges, np.append(0.0, np.cumsum(share)) / share.sum(), pixels, form)


def peak_share(shape: Shape, field: Field, line: Line, channel_kms: float) -> float:
    """Apparent peak, Jy/beam, of a moving picture's line of 1 Jy km/s, in channels of this width.

    Behind the primary beam at the line, in the field's beam; the highest of channels within the FWHM, or in
    the one about the line's centre where that is broader.
    """
    room = max(line.width_kms - channel_kms, 0.0)
    number = min(int(np.ceil(room / channel_kms)) + 1, _MOST_LOOKS)
    l, m = lm_grid(shape.pixels.shape[0], shape.cell_arcsec)
    power = field.primary_beam(l, m, line.frequency_hz)
    beam = Beam(field.beam_arcsec, field.beam_arcsec, 0.0)
    highest = 0.0
    for middle in np.linspace(-room / 2, room / 2, number):
        edges = middle + channel_kms * np.array([-0.5, 0.5])
        light = shape.line_pixels(edges, line.width_kms)[0] * power
        highest = max(highest, float(convolve(light, shape.cell_arcsec, beam).max()))
    return highest / channel_kms


def velocities_kms(line: Line, window: Window) -> np.ndarray:
    """Radio velocities (channel + 1,) of the channels' edges about a line, rising: the last channel's first."""
    return ((1 - window.edges_hz / line.frequency_hz) * SPEED_OF_LIGHT_KM_S)[::-1]


def mean_jy(line: Line, window: Window, share: np.ndarray) -> np.ndarray:
    """Mean flux density, Jy, of channels which hold these shares (channel, ...) of a line's flux."""
    hz_per_kms = line.frequency_hz / SPEED_OF_LIGHT_KM_S
    scale = line.flux_jy_kms * hz_per_kms / window.channel_width_hz
    return scale.reshape(-1, *[1] * (share.ndim - 1)) * share


def edge_chunks(edges: np.ndarray, shape: Shape) -> Iterator[np.ndarray]:
    """Edges of successive channels, so many that their pictures fit into memory."""
    step = max(_MOST_PIXELS // shape.pixels.size, 1)
    for start in range(0, edges.size - 1, step):
        yield edges[start : start + step + 1]
