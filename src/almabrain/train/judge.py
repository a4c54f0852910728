"""How well a network finds, against the matched filter: completeness at equal purity."""

from dataclasses import dataclass

import numpy as np

from almabrain.networks.detect import peaks
from almabrain.networks.matching import one_to_one
from almabrain.networks.shapes import FWHM_PER_SIGMA
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

    def at_purity(self, purity: float) -> tuple[float, float, float]:
        """Threshold, completeness and purity of the most complete cut that is at least as pure."""
        best = (np.inf, 0.0, 1.0)
        for threshold in np.unique(self.score) - 1e-9:
            reached = self.purity(threshold), self.completeness(threshold)
            if reached[0] >= purity and reached[1] > best[1]:
                best = (float(threshold), reached[1], reached[0])
        return best


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
