"""Images with channels: which data make which channel, and how the prior joins the channels.

The log brightness of a channel is a sum of E independent fields, all with the spatial spectrum of `field`, through a
`basis` U (C, E) with orthogonal columns. In a cube U Uᵀ is the prior's correlation of channels, exp(−lag / length):
each channel has the prior of a continuum image. With a spectral index there are two fields, the log brightness at the
reference frequency and α, τ_c = m0 + ᾱ x_c + Ĥ(a ∘ ξ_0) + x_c σ_α/σ_τ Ĥ(a ∘ ξ_1), x_c = ln(ν_c/ν_0).
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from almabrain.config.image import Spectral
from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_KM_S

EVEN = 0.01  # of a channel: how far the channels of a cube may lie from even steps
MOST = 256  # channels of a cube
_GAP, _GAP_CHANNELS = 0.01, 5.0  # of the frequency, and channels: no band straddles more without data
UNKNOWN_LENGTH = 3.0  # channels, where too little is seen for a correlation
_SEEN_SIGMA = 5.0  # of the power of all dirty images, for their correlation to be believed
_LEAST, _MOST = 0.05, 0.99  # correlation of neighbours
DETECTED = 5.0  # S/N from which moments of a line and spectral indices are shown


@dataclass(frozen=True)
class Channels:
    """Channels of an image, in the order of rising frequency.

    `frequency_hz` (C,); `of` has by window the image's channel that each of the window's channels belongs to.
    """

    frequency_hz: np.ndarray
    of: dict[str, np.ndarray]

    def split(self, windows: dict[str, xr.Dataset]) -> list[dict[str, xr.Dataset]]:
        """The windows' parts of each channel."""
        parts = []
        for number in range(len(self.frequency_hz)):
            own = {name: np.flatnonzero(self.of[name] == number) for name in windows}
            parts.append(
                {name: windows[name].isel(channel=index) for name, index in own.items() if index.size}
            )
        return parts

    def join(self, parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Values by window (row, channel) of such values for each channel: the inverse of `split`."""
        joined = {}
        for name, of in self.of.items():
            held = [(number, part[name]) for number, part in enumerate(parts) if name in part]
            joined[name] = np.zeros((len(held[0][1]), len(of)), held[0][1].dtype)
            for number, values in held:
                joined[name][:, of == number] = values
        return joined


def channels(windows: dict[str, xr.Dataset], settings: Spectral) -> Channels | None:
    """The image's channels; None for a continuum image.

    Raises UserError where the data have not the channels for it.
    """
    match settings.mode:
        case "cube":
            return _cube(windows)
        case "index":
            return _bands(windows, settings.bands)
    return None


def rising(windows: dict[str, xr.Dataset], key: str, instead: str) -> dict[str, np.ndarray]:
    """By window the order of rising frequency of the channels, which all windows share and which are evenly spaced.

    Raises UserError, which says that `key` is cube and what to choose `instead`, where that is not so.
    """
    order = {name: np.argsort(window.frequency_hz.values) for name, window in windows.items()}
    risen = {name: window.frequency_hz.values[order[name]] for name, window in windows.items()}
    first = next(iter(risen.values()))
    even = np.linspace(first[0], first[-1], len(first))
    step = even[1] - even[0] if len(first) > 1 else np.inf
    for name, other in risen.items():
        if other.shape != first.shape or np.abs(other - first).max() > EVEN * step:
            raise UserError(
                f"{key} is 'cube', but window {name} has other channels than the first; choose one with "
                f"spectral_windows, or image them as {instead}"
            )
    # What FITS can say of a frequency axis is one straight line.
    if np.abs(first - even).max() > EVEN * step:
        raise UserError(f"{key} is 'cube', but the channels are not evenly spaced; image them as {instead}")
    return order


def _cube(windows: dict[str, xr.Dataset]) -> Channels:
    order = rising(windows, "spectral.mode", "continuum")
    name, window = next(iter(windows.items()))
    count = window.sizes["channel"]
    if count < 2:
        raise UserError(
            "spectral.mode is 'cube', but the data have one channel; give data with channels, with average_channels 1 "
            "if that made one of them, or set it to continuum"
        )
    if count > MOST:
        raise UserError(
            f"spectral.mode is 'cube', but the data have {count} channels and a cube has at most {MOST}; set "
            "average_channels, or image ranges of them with channels"
        )
    return Channels(
        window.frequency_hz.values[order[name]], {name: np.argsort(own) for name, own in order.items()}
    )


def _bands(windows: dict[str, xr.Dataset], count: int) -> Channels:
    """So many bands, at their weighted mean frequencies, or one for each piece between gaps where these are more.

    Over a gap a band would stand for a frequency where it has no data, and no power law is straight so far. Pieces are
    cut into bands of equal weight, always the one whose bands have most.
    """
    weight = np.concatenate([window.weight.values.sum(0) for window in windows.values()])
    frequency, width = (
        np.concatenate([window[key].values for window in windows.values()])[weight > 0]
        for key in ("frequency_hz", "channel_width_hz")
    )
    present, place = np.unique(frequency, return_inverse=True)
    if len(present) < 2:
        raise UserError(
            "spectral.mode is 'index', but the data have one frequency; give several channels or spectral windows, or "
            "set it to continuum"
        )
    total, widest = np.bincount(place, weight[weight > 0]), np.zeros(len(present))
    np.maximum.at(widest, place, np.abs(width))
    wide = np.maximum(_GAP * present[:-1], _GAP_CHANNELS * np.maximum(widest[:-1], widest[1:]))
    piece = np.concatenate([[0], np.cumsum(np.diff(present) > wide)])
    band = _cut(piece, total, count)
    if band[-1] == 0:  # nearly all weight at one frequency: all others are one band too
        band = (np.arange(len(present)) >= max(np.argmax(total), 1)).astype(int)
    centre = np.bincount(band, total * present) / np.bincount(band, total)

    def nearest_below(hz):
        return np.maximum(np.searchsorted(present, hz, side="right") - 1, 0)

    of = {name: band[nearest_below(window.frequency_hz.values)] for name, window in windows.items()}
    return Channels(centre, of)


def _cut(piece: np.ndarray, weight: np.ndarray, count: int) -> np.ndarray:
    """The band of each frequency, by its piece and weight; `count` bands, as far as weights can be shared."""
    held, most = np.bincount(piece, weight), np.bincount(piece)
    bands = np.ones(len(held), int)
    while bands.sum() < min(count, len(piece)):
        bands[np.argmax(np.where(bands < most, held / bands, -1.0))] += 1
    below = np.cumsum(weight) - weight / 2 - (np.cumsum(held) - held)[piece]
    within = np.minimum((bands[piece] * below / held[piece]).astype(int), bands[piece] - 1)
    return np.unique((np.cumsum(bands) - bands)[piece] + within, return_inverse=True)[1]


@dataclass(frozen=True)
class Prior:
    """How channels hang together: `basis` (C, E), what their `offset` (C, 1, 1) has beyond m0, and `told` of it."""

    basis: np.ndarray
    offset: np.ndarray
    told: dict[str, float]


def prior(
    settings: Spectral, image_channels: Channels, dirty_sigma: np.ndarray, beam_pixels: float, std: float
) -> Prior:
    """The prior of an image's channels.

    `dirty_sigma` (C, N, N) are dirty images in units of their noise, whose natural beam has `beam_pixels`; `std` is
    the log brightness's standard deviation.
    """
    frequency = image_channels.frequency_hz
    flat = np.zeros((len(frequency), 1, 1))
    if settings.mode == "index":
        x = log_frequency(frequency)
        basis = np.stack([np.ones_like(x), x * settings.index_std / std], axis=1)
        reference = float(np.exp(np.log(frequency).mean()))
        told = {"index_mean": settings.index_mean, "index_std": settings.index_std}
        return Prior(basis, settings.index_mean * x[:, None, None] + flat, told | {"reference_hz": reference})
    neighbours = correlation(dirty_sigma, beam_pixels)
    length = settings.correlation_channels
    if length is None:
        length = UNKNOWN_LENGTH if neighbours is None else -1 / np.log(np.clip(neighbours, _LEAST, _MOST))
    told = {"correlation_channels": float(length), "correlation_of_neighbours": neighbours}
    return Prior(correlated(len(frequency), length), flat, told)


def log_frequency(frequency_hz: np.ndarray) -> np.ndarray:
    """ln(ν/ν_0) about the geometric mean ν_0, so that it is orthogonal to a constant."""
    x = np.log(frequency_hz)
    return x - x.mean()


def correlated(count: int, length: float) -> np.ndarray:
    """A basis U (C, C) with U Uᵀ = exp(−lag / length), both in channels."""
    place = np.arange(count)
    values, vectors = np.linalg.eigh(np.exp(-np.abs(place[:, None] - place) / length))
    # Rounding may make the least of them negative where the length is great.
    return np.where(vectors[0] < 0, -1.0, 1.0) * vectors * np.sqrt(np.maximum(values, 1e-12))


def correlation(dirty_sigma: np.ndarray, beam_pixels: float) -> float | None:
    """The correlation of neighbouring channels' skies, from dirty images (C, N, N) in units of their noise.

    Noise is independent between channels, and its power is taken off; None where little is left. It is used for the
    log brightness, which varies more along a line than the brightness does: on the safe side.
    """
    images = dirty_sigma.reshape(len(dirty_sigma), -1)
    seen = np.count_nonzero(images, axis=1)
    power = (images**2).sum(1) - seen
    if not power.sum() > _SEEN_SIGMA * np.sqrt(2 * seen.sum() * beam_pixels):
        return None
    together = (images[1:] * images[:-1]).sum()
    return float(together / (0.5 * (power[1:] + power[:-1]).sum()))


def velocities_kms(frequency_hz: np.ndarray, rest_hz: float) -> np.ndarray:
    """Radio velocities [km/s] about a rest frequency."""
    return SPEED_OF_LIGHT_KM_S * (1 - np.asarray(frequency_hz) / rest_hz)


def moments(skies: np.ndarray, velocity_kms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moments 0 [times km/s] and 1 [km/s] of each of the skies (sample, C, y, x)."""
    step = np.abs(np.diff(velocity_kms)).mean()
    total = skies.sum(1)
    first = np.tensordot(skies, velocity_kms, (1, 0))
    return step * total, np.divide(first, total, out=np.full_like(first, np.nan), where=total != 0)


def indices(skies: np.ndarray, frequency_hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skies at the geometric mean frequency, and spectral indices, both (sample, y, x), of skies (sample, C, y, x) > 0.

    Exact for power laws; else the straight line through ln brightness.
    """
    # What transforms make of a dark sky may be 0.
    x, brightness = log_frequency(frequency_hz), np.log(np.maximum(skies, 1e-300))
    return np.exp(brightness.mean(1)), np.tensordot(brightness, x, (1, 0)) / (x @ x)


def where_detected(draws: np.ndarray, brightness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (y, x) of draws (sample, y, x); NaN where the `brightness` has an S/N below 5."""
    seen = np.abs(brightness.mean(0)) >= DETECTED * brightness.std(0, ddof=1)
    return np.where(seen, draws.mean(0), np.nan), np.where(seen, draws.std(0, ddof=1), np.nan)
