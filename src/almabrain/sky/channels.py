"""The light of sources in the channels of a window."""

from collections.abc import Iterator, Sequence

import numpy as np

from almabrain.sky.field import Window
from almabrain.sky.profile import edge_chunks, mean_jy, velocities_kms
from almabrain.sky.shape import Shape
from almabrain.sky.source import Source
from almabrain.sky.spectral_lines import Line

# A channel is free of lines where it holds less than this share of the strongest channel's line light.
FREE_BELOW = 1e-3
# A channel of a cube is free of lines where it is no farther than this above the faint ones, in peaks.
_CUBE_FREE_BELOW = 0.05


def spectrum(source: Source, window: Window) -> np.ndarray:
    """Flux density, Jy, of a source in every channel: the continuum at its centre, the lines' means."""
    return source.continuum_jy(window.frequency_hz) + line_light(source, window)


def line_light(source: Source, window: Window) -> np.ndarray:
    """Mean flux density, Jy, of a source's lines in every channel."""
    light = np.zeros(window.frequency_hz.size)
    for line in source.lines:
        light += source.profile.flux_density(line, window) if source.profile else line.flux_density(window)
    return light


def line_free(sources: Sequence[Source], windows: Sequence[Window]) -> list[np.ndarray]:
    """For every window a mask (channel,) of the channels without line light of any source."""
    light = [
        sum((np.abs(line_light(one, window)) for one in sources), np.zeros(window.frequency_hz.size))
        for window in windows
    ]
    threshold = FREE_BELOW * max(held.max() for held in light)
    free = [(held < threshold) | (held == 0) for held in light]
    for one in sources:
        if one.shape.cube_jy:
            free = [mask & _cube_free(one.shape, window) for mask, window in zip(free, windows)]
    return free


def pixel_model(source: Source, window: Window) -> np.ndarray:
    """A picture in every channel (channel, y, x), Jy/pixel, float32: half the memory, and exact to 1e-7."""
    shape = source.shape
    model = np.empty((window.frequency_hz.size, *shape.pixels.shape), np.float32)
    if shape.cube_jy:
        for channels, chunk in _cube(shape, window):
            model[channels] = chunk
        return model
    flux = source.continuum_jy(window.frequency_hz) if source.profile else spectrum(source, window)
    unit = shape.pixels / shape.pixels.sum()
    for channel, jansky in enumerate(flux):
        model[channel] = jansky * unit
    if source.profile:
        for line in source.lines:
            _add_line(model, source, line, window)
    return model


def cube_flux_jy(shape: Shape, windows: Sequence[Window]) -> float:
    """Mean flux density, Jy, of a cube over all windows."""
    width = np.array([window.bandwidth_hz for window in windows])
    mean = [float(shape.cube_jy(window.edges_hz[[0, -1]]).sum(dtype=float)) for window in windows]
    return float(np.average(mean, weights=width))


def _add_line(model: np.ndarray, source: Source, line: Line, window: Window) -> None:
    """Add a line of a picture with velocities of its own to the channels of a window, where it has light."""
    number = window.frequency_hz.size
    edges = velocities_kms(line, window)
    done = 0
    for chunk in edge_chunks(edges, source.shape):
        channels = number - 1 - np.arange(done, done + chunk.size - 1)  # velocity falls with frequency
        done += chunk.size - 1
        if source.shape.line_pixels(chunk[[0, -1]], line.width_kms).any():
            light = source.shape.line_pixels(chunk, line.width_kms)
            part = Window(window.frequency_hz[channels], window.channel_width_hz[channels])
            model[channels] += mean_jy(line, part, light)


def _cube(shape: Shape, window: Window) -> Iterator[tuple[slice, np.ndarray]]:
    done = 0
    for chunk in edge_chunks(window.edges_hz, shape):
        yield slice(done, done + chunk.size - 1), shape.cube_jy(chunk)
        done += chunk.size - 1


def _cube_free(shape: Shape, window: Window) -> np.ndarray:
    """Channels (channel,) of a cube that are as faint as its faintest tenth: what is above them is line light."""
    flux = np.concatenate([np.abs(chunk.sum(axis=(1, 2))) for _, chunk in _cube(shape, window)])
    return flux - np.quantile(flux, 0.1) <= _CUBE_FREE_BELOW * flux.max()
