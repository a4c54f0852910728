"""Where sources are: by thresholds on the local noise (sep), or by the trained network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sep
from scipy.special import expit, logit

from almabrain.catalogue.plane import SkyPlane
from almabrain.config.catalogue import CatalogueSettings
from almabrain.console.errors import UserError
from almabrain.data.constants import FWHM_PER_SIGMA
from almabrain.networks.normalise import local_noise

SMALLEST_MESH_PIX = 32
LEAST_AREA_BEAMS = 0.2  # a real peak at threshold shows about half a beam above the island level


@dataclass(frozen=True)
class Candidates:
    """Where to fit (n, 2; x, y in pixels) and how sure the finder is (n,), brightest first."""

    position: np.ndarray
    probability: np.ndarray


def local_rms(plane: SkyPlane, settings: CatalogueSettings) -> np.ndarray:
    """Local rms (y, x) in the plane's unit: robust statistics in cells many beams wide.

    Cells are at least 4 x 4 beams by the setting's lower limit, so that a source does not fill its own. Noise
    is flat, so pixels beyond the primary beam count too. The level itself is not subtracted: an
    interferometer's zero is zero. (sep's own background map answers 1 where a cell is mostly masked.)
    """
    if not plane.searched(settings.min_pb).any():
        raise UserError(
            f"{plane.source} has no pixel to search: all are blank or below the key 'catalogue.min_pb' "
            f"({settings.min_pb}); lower it, or give an image with data"
        )
    beam_pix = plane.beam.major_arcsec / plane.cell_arcsec
    return local_noise(plane.values, max(round(settings.mesh_beams * beam_pix), SMALLEST_MESH_PIX))


def find_sep(plane: SkyPlane, rms: np.ndarray, settings: CatalogueSettings) -> Candidates:
    """Islands above `island_sigma` of the local rms (y, x) with a peak above `threshold_sigma`, deblended.

    The probability is that of no peak so high in Gaussian noise anywhere in the searched area A: e^-E with E
    expected peaks above u sigma, E = A |Lambda|^1/2 (2 pi)^-3/2 u e^(-u^2 / 2) (Adler 1981, ch. 6), where
    Lambda is the inverse of the beam's covariance, as the beam is the noise's autocorrelation.
    """
    searched = plane.searched(settings.min_pb)
    beam_area = 2 * np.pi * np.sqrt(np.linalg.det(plane.beam_covariance))
    sep.set_extract_pixstack(max(searched.size, 300_000))
    objects = sep.extract(
        _values(plane),
        settings.island_sigma,
        err=rms,
        mask=~searched,
        minarea=max(round(LEAST_AREA_BEAMS * beam_area), 3),
        # sep's smoothing assumes independent pixels; the beam has smoothed these already.
        filter_kernel=None,
    )
    x, y = objects["xpeak"], objects["ypeak"]
    snr = plane.values[y, x] / rms[y, x]
    order = np.argsort(-snr)
    order = order[snr[order] >= settings.threshold_sigma]
    peak = snr[order]
    expected = 2 * np.pi * searched.sum() / beam_area * (2 * np.pi) ** -1.5 * peak * np.exp(-(peak**2) / 2)
    probability = np.exp(-expected)
    return Candidates(np.column_stack([x, y])[order].astype(float), probability)


def find_network(plane: SkyPlane, weights: str | Path, settings: CatalogueSettings) -> Candidates:
    """Peaks whose calibrated probability exceeds `probability`, placed at their weighted centroids.

    The network's logits are turned into the probability that a detection is a source by the logistic curve
    that training fitted to validation fields and saved with the weights.
    """
    from almabrain.networks.detect import centroids, peaks
    from almabrain.networks.infer import load, logits

    network, facts = load(weights)
    slope, offset = facts["calibration"]
    scores = slope * logits(network, plane.values, plane.beam_covariance) + offset
    scores = np.where(plane.searched(settings.min_pb), scores, -np.inf)
    beam_fwhm = FWHM_PER_SIGMA * np.linalg.det(plane.beam_covariance) ** 0.25
    tops = peaks(scores, float(logit(settings.probability)), beam_fwhm / 2)
    x, y = tops.astype(int).T
    probability = expit(scores)
    return Candidates(centroids(probability, tops, beam_fwhm / 2), probability[y, x].astype(float))


def held_out(finder: str, weights: str | Path | None, data: str) -> bool:
    """Whether `finder` meets these data for the first time: not so a network with what it was trained on."""
    if finder != "network":
        return True
    from almabrain.networks.infer import load

    return data not in load(weights)[1]["trained_on"]


def _values(plane: SkyPlane) -> np.ndarray:
    return np.ascontiguousarray(np.nan_to_num(plane.values))
