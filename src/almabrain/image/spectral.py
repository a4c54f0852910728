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


def rising(windows: dict[str, xr.Dataset], key: str, instead: str) -> np.ndarray:
    """The order of rising frequency of the channels, which all windows share and which are evenly spaced.

    Raises UserError, which says that `key` is cube and what to choose `instead`, where that is not so.
    """
    first = next(iter(windows.values())).frequency_hz.values
    order = np.argsort(first)
    steps = np.diff(first[order])
    step = np.median(steps) if steps.size else np.inf
    for name, window in windows.items():
        other = window.frequency_hz.values
        if other.shape != first.shape or np.abs(other - first).max() > EVEN * step:
            raise UserError(
                f"{key} is 'cube', but window {name} has other channels than the first; choose one with "
                f"spectral_windows, or image them as {instead}"
            )
    if steps.size and np.abs(steps - step).max() > EVEN * step:
        raise UserError(f"{key} is 'cube', but the channels are not evenly spaced; image them as {instead}")
    return order


def _cube(windows: dict[str, xr.Dataset]) -> Channels:
    order = rising(windows, "spectral.mode", "continuum")
    if len(order) < 2:
        raise UserError(
            "spectral.mode is 'cube', but the data have one channel; give data with channels, with average_channels 1 "
            "if that made one of them, or set it to continuum"
        )
    frequency = next(iter(windows.values())).frequency_hz.values[order]
    return Channels(frequency, {name: np.argsort(order) for name in windows})


def _bands(windows: dict[str, xr.Dataset], count: int) -> Channels:
    """So many bands of equal weight, at their weighted mean frequencies."""
    frequency = np.concatenate([window.frequency_hz.values for window in windows.values()])
    weight = np.concatenate([window.weight.values.sum(0) for window in windows.values()])
    if len(np.unique(frequency[weight > 0])) < 2:
        raise UserError(
            "spectral.mode is 'index', but the data have one frequency; give several channels or spectral windows, or "
            "set it to continuum"
        )
    present, place = np.unique(frequency, return_inverse=True)
    total = np.bincount(place.ravel(), weight)
    middle = (np.cumsum(total) - total / 2) / total.sum()
    band = np.minimum((count * middle).astype(int), count - 1)
    if len(np.unique(band[total > 0])) < 2:  # nearly all weight at one frequency: all others are one band too
        band = (np.arange(len(present)) > np.argmax(total)).astype(int)
    kept = np.unique(band[total > 0])
    band = np.clip(np.searchsorted(kept, band), 0, len(kept) - 1)
    centre = np.bincount(band, total * present) / np.bincount(band, total)
    of = {name: band[np.searchsorted(present, one.frequency_hz.values)] for name, one in windows.items()}
    return Channels(centre, of)


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
