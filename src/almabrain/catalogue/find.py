"""Where sources are: by thresholds on the local noise (sep), or by the trained network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sep
from scipy.special import expit, logit
from scipy.stats import norm

from almabrain.catalogue.plane import SkyPlane
from almabrain.config.catalogue import CatalogueSettings
from almabrain.console.errors import UserError
from almabrain.networks.shapes import FWHM_PER_SIGMA

SMALLEST_MESH_PIX = 32
LEAST_AREA_BEAMS = 0.2  # a real peak at threshold shows about half a beam above the island level


@dataclass(frozen=True)
class Candidates:
    """Where to fit (n, 2; x, y in pixels) and how sure the finder is (n,), brightest first."""

    position: np.ndarray
    probability: np.ndarray


def local_rms(plane: SkyPlane, settings: CatalogueSettings) -> np.ndarray:
    """Local rms (y, x) in the plane's unit: clipped statistics in cells many beams wide.

    Cells have at least 4 x 4 beams by the setting's lower limit, so that a source does not fill its own and
    the rms is not itself noisy; a small image is one cell. The level itself is not subtracted: an
    interferometer's zero is zero.
    """
    mask = ~plane.searched(settings.min_pb)
    beam_pix = plane.beam.major_arcsec / plane.cell_arcsec
    mesh = round(min(max(settings.mesh_beams * beam_pix, SMALLEST_MESH_PIX), max(mask.shape)))
    if mask.all():
        raise UserError(
            f"{plane.source} has no pixel to search: all are blank or below the key 'catalogue.min_pb' "
            f"({settings.min_pb}); lower it, or give an image with data"
        )
    return sep.Background(_values(plane), mask=mask, bw=mesh, bh=mesh, fw=3, fh=3).rms()


def find_sep(plane: SkyPlane, rms: np.ndarray, settings: CatalogueSettings) -> Candidates:
    """Islands above `island_sigma` of the local rms (y, x) with a peak above `threshold_sigma`, deblended.

    The probability is that of no such peak in Gaussian noise anywhere in the searched area, taking one
    independent sample for each beam area.
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
    beams = max(searched.sum() / beam_area, 1)
    probability = np.exp(beams * norm.logcdf(snr[order]))
    return Candidates(np.column_stack([x, y])[order].astype(float), probability)


def find_network(plane: SkyPlane, weights: str | Path, settings: CatalogueSettings) -> Candidates:
    """Peaks of the network's probability above `probability`, placed at their weighted centroids."""
    from almabrain.networks.detect import centroids, peaks
    from almabrain.networks.infer import load, logits

    network, _ = load(weights)
    scores = logits(network, plane.values, plane.beam_covariance)
    scores = np.where(plane.searched(settings.min_pb), scores, -np.inf)
    beam_fwhm = FWHM_PER_SIGMA * np.linalg.det(plane.beam_covariance) ** 0.25
    tops = peaks(scores, float(logit(settings.probability)), beam_fwhm / 2)
    x, y = tops.astype(int).T
    probability = expit(scores)
    return Candidates(centroids(probability, tops, beam_fwhm / 2), probability[y, x].astype(float))


def _values(plane: SkyPlane) -> np.ndarray:
    return np.ascontiguousarray(np.nan_to_num(plane.values))
