"""How right images are: coverage of intervals, errors, fluxes; every number at the resolution of the CLEAN beam.

All images are as the telescope sees the sky, behind its primary beam, in Jy/beam of one beam, where the noise is the
same everywhere; what is compared with is the truth at that beam.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, stats

LEVELS = (0.68, 0.95)
BOX_BEAMS = (1.5, 3.0, 6.0)
LEAST_BEAM = 0.2  # of the primary beam
DECADES = (1, 10, 100, 1000, np.inf)
_SOURCE_SIGMA, _SOURCE_SNR = 5.0, 10.0


@dataclass(frozen=True)
class Frame:
    """What a scene's images have in common: truth (N, N) and noise in Jy/beam, primary beam (N, N), beam in pixels.

    `beam_pixels` is the beam's area, `width_pixels` its FWHM (geometric mean).
    """

    truth: np.ndarray
    noise: float
    primary_beam: np.ndarray
    beam_pixels: float
    width_pixels: float

    @property
    def seen(self) -> np.ndarray:
        """Where the primary beam is at least 0.2."""
        return self.primary_beam >= LEAST_BEAM


def covered(draws: np.ndarray, truth: np.ndarray, mirrored: bool) -> dict[str, np.ndarray]:
    """Whether the truth (...) lies in the central intervals of posterior draws (sample, ...).

    `rank68`, `rank95`: between the draws themselves, quantiles at p(S+1) so that the truth, one more draw, is inside
    as often as the level says (Weibull's plotting position); of mirrored pairs (m + r, m − r) the same for the
    distances |r|, which are S/2. NaN where so few draws have no such interval. `student68`, `student95`: mean ± t σ,
    with the degrees of freedom that the draws have. Pairs have the mean exactly and half as many degrees;
    independent draws add 1/S of the variance.
    """
    count, made = len(draws), {}
    ordered = np.sort(draws, axis=0)
    mean = draws.mean(axis=0)
    if mirrored:
        degrees, width = count / 2, draws.std(axis=0)
    else:
        degrees, width = count - 1, draws.std(axis=0, ddof=1) * np.sqrt(1 + 1 / count)
    for level in LEVELS:
        name = f"{level * 100:.0f}"
        # How many draws, from the lowest and from the highest, the interval leaves out.
        place = count / 2 - level * (count / 2 + 1) if mirrored else (1 - level) / 2 * (count + 1) - 1
        inside = np.full(truth.shape, np.nan)
        if place >= 0:
            low, share = int(place), place - int(place)
            bottom = (1 - share) * ordered[low] + share * ordered[low + 1]
            top = (1 - share) * ordered[-1 - low] + share * ordered[-2 - low]
            inside = ((truth >= bottom) & (truth <= top)).astype(float)
        made[f"rank{name}"] = inside
        reach = stats.t.ppf(0.5 + level / 2, degrees) * width
        made[f"student{name}"] = (np.abs(truth - mean) <= reach).astype(float)
    return made


def pixel_coverage(frame: Frame, draws: np.ndarray, mirrored: bool) -> dict[str, np.ndarray]:
    """Pixels with PB ≥ 0.2 and true S/N ≥ 1: `snr`, what they count in independent beams, whether covered, and z."""
    snr = frame.truth / frame.noise
    used = frame.seen & (snr >= 1)
    picked = draws[:, used]
    z = (frame.truth[used] - picked.mean(0)) / np.maximum(picked.std(0), 1e-30)
    made = {"snr": snr[used], "beams": np.full(used.sum(), 1 / frame.beam_pixels), "z": z}
    return made | covered(picked, frame.truth[used], mirrored)


def region_coverage(frame: Frame, draws: np.ndarray, mirrored: bool) -> dict[str, dict[str, np.ndarray]]:
    """The same for fluxes [Jy] of boxes of 1.5, 3 and 6 beams a side, and of whole sources, by name.

    Boxes tile the field; those count whose true flux is at least their noise and that lie where PB ≥ 0.2.
    """
    labels = {f"box {beams:g}": _boxes(frame, beams) for beams in BOX_BEAMS} | {"source": outlines(frame)}
    return {name: _regions(frame, draws, label, mirrored) for name, label in labels.items()}


def _regions(frame: Frame, draws: np.ndarray, label: np.ndarray, mirrored: bool) -> dict[str, np.ndarray]:
    number = int(label.max())
    truth = fluxes(frame.truth, label, frame)
    size = np.bincount(label.ravel(), minlength=number + 1)[1:]
    noise = frame.noise * np.sqrt(size / frame.beam_pixels)
    drawn = np.array([fluxes(draw, label, frame) for draw in draws]).reshape(len(draws), number)
    used = truth >= noise
    drawn, truth = drawn[:, used], truth[used]
    made = {"snr": truth / noise[used], "beams": np.ones(used.sum())}
    made["z"] = (truth - drawn.mean(0)) / np.maximum(drawn.std(0), 1e-30)
    made["relative"] = drawn.mean(0) / truth - 1
    return made | covered(drawn, truth, mirrored)


def fluxes(image: np.ndarray, label: np.ndarray, frame: Frame) -> np.ndarray:
    """Flux [Jy] in every labelled region (label − 1,)."""
    return np.bincount(label.ravel(), image.ravel(), int(label.max()) + 1)[1:] / frame.beam_pixels


def _boxes(frame: Frame, beams: float) -> np.ndarray:
    """Labels (N, N) of square boxes that tile the field from its centre, 0 where the primary beam ends."""
    n_pix, side = frame.truth.shape[0], beams * frame.width_pixels
    index = np.floor((np.arange(n_pix) - n_pix // 2) / side + 0.5).astype(int)
    index -= index.min()
    label = index[:, None] * (index.max() + 1) + index[None, :] + 1
    size = np.bincount(label.ravel())
    whole = size >= 0.8 * side**2
    outside = np.bincount(label[~frame.seen], minlength=len(size)) > 0
    keep = whole & ~outside
    numbers = np.cumsum(keep) * keep
    return numbers[label]


def outlines(frame: Frame) -> np.ndarray:
    """Labels (N, N) of whole sources: what hangs together above 5 σ of the truth, and a beam around it.

    Only those that peak at 10 σ or more, where PB ≥ 0.2.
    """
    core = frame.truth >= _SOURCE_SIGMA * frame.noise
    reach = ndimage.distance_transform_edt(~core) <= frame.width_pixels if core.any() else core
    label, number = ndimage.label(reach)
    if not number:
        return label
    which = np.arange(1, number + 1)
    peak = ndimage.maximum(frame.truth, label, which)
    inside = ndimage.minimum(frame.primary_beam, label, which) >= LEAST_BEAM
    keep = np.concatenate([[False], (peak >= _SOURCE_SNR * frame.noise) & inside])
    return (np.cumsum(keep) * keep)[label]


def rms_errors(frame: Frame, image: np.ndarray) -> dict[str, float]:
    """rms of image − truth in units of the noise: `bright` where the truth is at least 3 σ, `empty` below 1 σ."""
    error = (image - frame.truth) / frame.noise
    snr = frame.truth / frame.noise
    return {
        name: float(np.sqrt(np.mean(error[where] ** 2))) if where.any() else np.nan
        for name, where in (("bright", frame.seen & (snr >= 3)), ("empty", frame.seen & (snr < 1)))
    }


def source_fluxes(frame: Frame, image: np.ndarray) -> np.ndarray:
    """Relative errors of the fluxes of whole sources."""
    label = outlines(frame)
    return fluxes(image, label, frame) / fluxes(frame.truth, label, frame) - 1


def share(parts: list[dict[str, np.ndarray]], key: str, low: float = 0.0, high: float = np.inf) -> tuple:
    """Coverage over all parts with low ≤ S/N < high, its standard error, and how many beams or regions are behind it.

    The error is that of resampling whole fields (jackknife): what is wrong with a field is wrong all over it.
    """
    inside = [(part["snr"] >= low) & (part["snr"] < high) for part in parts]
    hits = np.array([(part[key][here] * part["beams"][here]).sum() for part, here in zip(parts, inside)])
    weight = np.array([part["beams"][here].sum() for part, here in zip(parts, inside)])
    used = weight > 0
    total, count = weight.sum(), np.count_nonzero(used)
    if not count:
        return np.nan, np.nan, 0.0
    value = hits.sum() / total
    error = np.nan
    if count > 1:
        error = np.sqrt(count / (count - 1) * ((hits - value * weight)[used] ** 2).sum()) / total
    return float(value), float(error), float(total)


def median_bias(errors: np.ndarray) -> tuple[float, float]:
    """Median of relative errors and its standard error, from the median absolute deviation."""
    if not len(errors):
        return np.nan, np.nan
    spread = 1.4826 * np.median(np.abs(errors - np.median(errors)))
    return float(np.median(errors)), float(1.2533 * spread / np.sqrt(len(errors)))


def table(header: list[str], rows: list[list]) -> str:
    """A table as Markdown has it."""
    cells = [[f"{value:.3g}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    lines = [header, ["---"] * len(header), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
