"""How well a network finds, against the matched filter: completeness at equal purity."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from almabrain.data.constants import FWHM_PER_SIGMA
from almabrain.networks.detect import peaks
from almabrain.networks.matching import one_to_one
from almabrain.train.planes import Plane


@dataclass(frozen=True)
class Detections:
    """Pooled detections of many planes, each with its score and whether it is a source, and the sources."""

    score: np.ndarray  # (detection,)
    true: np.ndarray  # (detection,) 1 a scored source, 0 nothing, -1 a source too faint to be scored
    sources: int  # how many there are to be found

    def completeness(self, threshold: float) -> float:
        """Fraction of the sources found above `threshold`."""
        return float(np.sum((self.true == 1) & (self.score > threshold)) / max(self.sources, 1))

    def purity(self, threshold: float) -> float:
        """Fraction of the detections above `threshold` that are sources; faint ones count for neither."""
        above = self.true[self.score > threshold]
        judged = np.count_nonzero(above >= 0)
        return float(np.count_nonzero(above == 1) / judged) if judged else 1.0

    def calibration(self) -> tuple[float, float]:
        """Slope and offset that turn a score into the log odds of its being a source (Platt 1999).

        Sources too faint to be scored are sources here. The slope is held positive, and targets are those of
        Platt's rule, so that a handful of detections without a single mistake does not claim certainty.
        """
        is_source = self.true != 0
        many, few = np.count_nonzero(is_source), np.count_nonzero(~is_source)
        target = np.where(is_source, (many + 1) / (many + 2), 1 / (few + 2))

        def loss(parameters):
            logit = np.exp(parameters[0]) * self.score + parameters[1]
            return np.sum(np.logaddexp(0, logit) - target * logit) + 0.5 * np.sum(np.square(parameters))

        log_slope, offset = minimize(loss, np.zeros(2)).x
        return float(np.exp(log_slope)), float(offset)

    def at_purity(self, purity: float) -> tuple[float, float, float]:
        """Threshold, completeness and purity of the most complete cut that is at least as pure."""
        order = np.argsort(-self.score, kind="stable")
        hits, misses = np.cumsum(self.true[order] == 1), np.cumsum(self.true[order] == 0)
        pure = hits >= purity * np.maximum(hits + misses, 1)
        # Equal scores stand or fall together.
        last = np.append(np.diff(self.score[order]) != 0, True)
        allowed = np.nonzero(pure & last & (hits > 0))[0]
        if not allowed.size:
            return np.inf, 0.0, 1.0
        best = allowed[np.argmax(hits[allowed])]
        threshold = np.nextafter(self.score[order[best]], -np.inf)
        reached = hits[best] / (hits[best] + misses[best])
        return float(threshold), float(hits[best] / max(self.sources, 1)), float(reached)


def collect(planes: list[Plane], scores: list[np.ndarray], floor: float, scored_snr: float) -> Detections:
    """Match the peaks of the score maps (y, x) above `floor` to the planes' sources, one to one.

    A match lies within half the source's apparent FWHM. Sources below `scored_snr` are matched last and
    count neither as found nor as false.
    """
    score, true, sources = [], [], 0
    for plane, values in zip(planes, scores, strict=True):
        beam_fwhm = FWHM_PER_SIGMA * np.linalg.det(plane.beam_covariance) ** 0.25
        tops = peaks(values, floor, beam_fwhm / 2)
        radius = FWHM_PER_SIGMA / 2 * np.sqrt(np.linalg.eigvalsh(plane.covariance)[..., -1]).reshape(-1)
        kind, scored = np.zeros(len(tops), int), plane.snr >= scored_snr
        kind[one_to_one(tops, plane.position[scored], radius[scored])[0]] = 1
        left = np.nonzero(kind == 0)[0]
        kind[left[one_to_one(tops[left], plane.position[~scored], radius[~scored])[0]]] = -1
        x, y = tops.astype(int).T
        score.append(values[y, x])
        true.append(kind)
        sources += int(scored.sum())
    return Detections(np.concatenate(score), np.concatenate(true), sources)
