"""Which channels of a spectral window are imaged: all, those without lines, or those that the user lists."""

import logging
import re
from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.stats import norm

from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.statistics import robust_rms

log = logging.getLogger(__name__)

_FEWEST_CHANNELS = 8  # below that nobody can tell a line from a continuum
_FEWEST_FREE = 0.05
_SHORT = 1 / 3  # of the samples at least, those on the shortest baselines: there lines are brightest
_SHORT_DISHES = 12.0  # baselines of so many dishes are all used
_CELLS_PER_DISH = 2  # uv cells of half a dish: sources within the primary beam add up within each
_FALSE_ALARMS = 0.2  # in a spectral window without lines: a few channels lost cost less than a line missed
_MARGIN = 0.3  # of a line's channels, on either side
_CROWDED = 0.2
_ALIKE = 0.7
_MOST_ROUNDS = 10
_ENOUGH = 200_000


def ranges(text: str, frequency_hz: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Channels (channel,) that ranges name: `5~20;30` by number as stored, `230.1~230.4GHz` by frequency.

    `number` (channel,) of the channels as stored. Raises UserError for a range that holds no channel.
    """
    chosen = np.zeros(len(frequency_hz), bool)
    for item in filter(None, (part.strip() for part in text.split(";"))):
        in_ghz = item.endswith("GHz")
        ends = sorted(float(end) for end in re.split("~", item.removesuffix("GHz")))
        value = frequency_hz / 1e9 if in_ghz else number
        found = (value >= ends[0]) & (value <= ends[-1])
        if not found.any():
            span = f"{value.min():.6g} to {value.max():.6g}" + (" GHz" if in_ghz else "")
            raise UserError(
                f"key 'channels' has {item}, but the window's channels are {span}; correct the range"
            )
        chosen |= found
    return chosen


def line_free(windows: Sequence[xr.Dataset]) -> np.ndarray:
    """Channels (channel,) without lines, found in the visibilities of all pointings of one spectral window.

    Short baselines are averaged in cells of the uv plane within which sources of the field add up, and these
    summed towards every place of each primary beam. What is left of each such spectrum without a straight
    continuum is tested against its σ, at a level that one window in five without lines reaches by chance: first
    channel by channel, then in boxes of 2, 4, ... channels, for then the brighter lines bend the continuum no more.
    What looks as the channels found so far do is tested too, which reaches further into their wings. Margins are
    added. Lines that fill more than half of the channels pass for the continuum. All channels where there are
    fewer than 8.
    """
    count = windows[0].sizes["channel"]
    if count < _FEWEST_CHANNELS:
        return np.ones(count, bool)
    pointings = [_cells(window) for window in windows]
    cells, weight = (np.concatenate(part) for part in zip(*(pointing[:2] for pointing in pointings)))
    spectra, roots = (np.concatenate(part) for part in zip(*(_towards(*pointing) for pointing in pointings)))
    known = weight.sum(axis=0) > 0
    line, width = np.zeros(count, bool), 1
    left = spectra - np.median(spectra[:, known], axis=1, keepdims=True)
    while width <= count // 4 and line.mean() <= 1 - _FEWEST_FREE:
        scaled = left * roots
        factor = _spread(scaled[:, known & ~line])  # how wrong the weights are
        # Nothing new in wider boxes spares the whole round, but for the last one.
        wider = _outstanding(scaled / factor, line, known, width, width)
        if line.any():
            wider |= _outstanding(_seen_as(cells, weight, line) / factor, line, known, width, width)
        if (wider == line).all() and (2 * width <= count // 4 or not line.any()):
            width *= 2
            continue
        for _ in range(_MOST_ROUNDS):
            found = _outstanding(scaled / factor, np.zeros(count, bool), known, 1, width)
            if found.any() and not found.all():
                found = _outstanding(_seen_as(cells, weight, found) / factor, found, known, 1, width)
            if (found == line).all() or found.mean() > 1 - _FEWEST_FREE:
                break
            line, left = found, spectra - _straight(spectra, roots**2, ~found).real
            scaled = left * roots
            factor = _spread(scaled[:, known & ~line])
        line, width = found, 2 * width
    _warn_of_crowds(line, cells, weight)
    return ~_widened(line) & known


def _cells(window: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Mean visibility and weight (cell, channel) of short baselines by uv cells, their uv, the beam's width.

    uv (cell, 2) in wavelengths, the width in radians.
    """
    uv = window.uvw_m.values[:, :2]
    length, dish = np.hypot(*uv.T), min(window.attrs["dishes_m"])
    short = length <= max(np.quantile(length, _SHORT), _SHORT_DISHES * dish)
    # V(−u) is the conjugate of V(u): one half of the plane holds all.
    mirrored = (uv[:, 0] < 0)[short, None]
    uv = np.where(mirrored, -uv[short], uv[short])
    weight, value = window.weight.values[short], window.visibility.values[short]
    value = np.where(mirrored, value.conj(), value)
    _, cell = np.unique(np.floor(uv * _CELLS_PER_DISH / dish), axis=0, return_inverse=True)
    order = np.argsort(cell.ravel(), kind="stable")
    starts = np.flatnonzero(np.diff(cell.ravel()[order], prepend=-1))
    total, summed = (np.add.reduceat(x[order], starts, axis=0) for x in (weight, weight * value))
    places = np.add.reduceat(uv[order], starts, axis=0) / np.diff(np.append(starts, len(order)))[:, None]
    wave_m = SPEED_OF_LIGHT_M_S / window.frequency_hz.values.mean()
    mean = np.divide(summed, total, out=np.zeros_like(summed), where=total > 0)
    return mean, total, places / wave_m, 1.2 * wave_m / dish


def _towards(cells, weight, uv, width_rad: float) -> tuple[np.ndarray, np.ndarray]:
    """Flux densities and 1/σ of them (place, channel) all over a primary beam, half a fringe apart."""
    step = 0.5 / max(np.hypot(*uv.T).max(), 1 / width_rad)
    half = max(1, int(np.ceil(width_rad / 2 / step)))
    offset = np.arange(-half, half + 1) * step
    l, m = (axis.ravel() for axis in np.meshgrid(offset, offset))
    inside = np.hypot(l, m) <= max(width_rad / 2, step)
    turn = np.exp(-2j * np.pi * (np.outer(l[inside], uv[:, 0]) + np.outer(m[inside], uv[:, 1])))
    total = np.maximum(weight.sum(0), 1e-300)
    flux = ((turn @ (weight * cells)).real / total).astype(np.float32)
    return flux, np.broadcast_to(np.sqrt(total).astype(np.float32), flux.shape)


def _seen_as(cells: np.ndarray, weight: np.ndarray, line: np.ndarray) -> np.ndarray:
    """The spectrum (1, channel), in σ, of what looks as the channels `line` do on average, without continuum."""
    left = weight * (cells - _straight(cells, weight, ~line))
    shape = left[:, line].sum(1) / np.maximum(weight[:, line].sum(1), 1e-300)
    length = np.sqrt(np.maximum((weight * np.abs(shape[:, None]) ** 2).sum(0), 1e-300))
    return ((left * shape[:, None].conj()).sum(0).real / length)[None]


def _straight(spectra: np.ndarray, weight: np.ndarray, use: np.ndarray) -> np.ndarray:
    """The straight line (cell, channel) through the channels `use` of each cell's spectrum."""
    x = np.linspace(-1, 1, spectra.shape[1])
    w = weight * use
    s0, s1, s2 = ((w * x**power).sum(1) for power in range(3))
    s0 = np.maximum(s0, 1e-300)
    t0, t1 = (w * spectra).sum(1), (w * x * spectra).sum(1)
    determinant = s0 * s2 - s1**2
    sloped = determinant > 1e-6 * s0 * np.maximum(s2, 1e-300)
    slope = np.divide(s0 * t1 - s1 * t0, determinant, out=np.zeros_like(t0), where=sloped)
    offset = (t0 - slope * s1) / s0
    return offset[:, None] + slope[:, None] * x


def _outstanding(
    spectra: np.ndarray, line: np.ndarray, known: np.ndarray, narrowest: int, widest: int
) -> np.ndarray:
    """Channels in boxes whose mean is too far off in any spectrum (in σ), narrow boxes first; `line` with them."""
    found, width = line.copy(), narrowest
    widths = np.log2(spectra.shape[1] / 2)  # of boxes up to a quarter of the channels; they overlap
    threshold = norm.isf(_FALSE_ALARMS / 2 / (widths * spectra.size))
    while width <= widest:
        free = known & ~found
        inside = _boxes(free[None].astype(float), width)[0]
        use = inside >= width / 2
        if not use.any():
            break
        mean = _boxes(np.where(free, spectra, 0.0), width) / np.sqrt(np.maximum(inside, 1)).astype(
            spectra.dtype
        )
        # Neighbours whose noise is correlated, or a bent continuum, spread wider than independent noise.
        scatter = max(1.0, _spread(mean[:, use]))
        high = use & (np.maximum(mean.max(axis=0), -mean.min(axis=0)) > threshold * scatter)
        for start in np.flatnonzero(high):
            found[start : start + width] = True
        width *= 2
    return found


def _spread(values: np.ndarray) -> float:
    """The robust σ of values, of a part of them where they are many."""
    return max(float(robust_rms(values.ravel()[:: 1 + values.size // _ENOUGH])), 1e-30)  # 0 without any noise


def _boxes(values: np.ndarray, width: int) -> np.ndarray:
    """Sums of `width` neighbours along the last axis."""
    if width == 1:
        return values
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    return total[:, width:] - total[:, :-width]


def _warn_of_crowds(line: np.ndarray, cells: np.ndarray, weight: np.ndarray) -> None:
    """Say so where many channels show less of what passes for the continuum: that may be made of lines."""
    if line.mean() <= _CROWDED or line.all():
        return
    continuum = _straight(cells, weight, ~line).mean(1)
    total = weight[:, line].sum(1)
    here = (weight * cells)[:, line].sum(1) / np.maximum(total, 1e-300) - continuum
    size = [np.sqrt((total * np.abs(part) ** 2).sum()) for part in (here, continuum)]
    if (total * here * continuum.conj()).real.sum() < -_ALIKE * size[0] * size[1]:
        log.warning(
            "%.0f %% of the channels lie below the continuum that was found: if these are the continuum, and the rest "
            "lines, list ranges with the key 'channels'", 100 * line.mean(),
        )  # fmt: skip


def _widened(line: np.ndarray) -> np.ndarray:
    """Lines with their wings, and with the gaps within them."""
    wide = np.zeros(len(line), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(int)))
    for start, stop in edges.reshape(-1, 2):
        margin = max(1, round(_MARGIN * (stop - start)))
        wide[max(0, start - margin) : stop + margin] = True
    return wide


def choose(asked: str, windows: Sequence[xr.Dataset], name: str) -> np.ndarray:
    """Channels (channel,) of one spectral window that `asked` means; `windows` are its pointings and kinds.

    They have the variables frequency_hz and number. Raises UserError where none is left.
    """
    first = windows[0]
    count = first.sizes["channel"]
    if asked in ("auto", "all"):
        return np.ones(count, bool)
    if asked != "line_free":
        return ranges(asked, first.frequency_hz.values, first.number.values)
    free = line_free(windows)
    if free.sum() < max(1, _FEWEST_FREE * count):
        raise UserError(
            f"key 'channels' is line_free, but hardly any of the {count} channels of {name} is free of lines; list "
            "ranges of continuum there, or leave the window out"
        )
    log.info("%s: %d of %d channels are free of lines: %s", name, free.sum(), count, _listed(first, free))
    return free


def _listed(window: xr.Dataset, free: np.ndarray) -> str:
    """The channels as ranges by number, as the key `channels` takes them."""
    number = np.sort(window.number.values[free])
    parts = np.split(number, np.flatnonzero(np.diff(number) > 1) + 1)
    return ";".join(f"{part[0]}~{part[-1]}" for part in parts)
