"""Fluxes in regions of the sky, with the errors of the posterior samples."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from almabrain.console.errors import UserError

log = logging.getLogger(__name__)
QUANTILES = {"median": 0.5, "p16": 0.16, "p84": 0.84, "p2.5": 0.025, "p97.5": 0.975}
_SCALES = 101  # flux scales at equal steps of probability, for each of which every sample counts once


@dataclass(frozen=True)
class Region:
    """A named area; what a file excludes is cut out of all areas of that file."""

    name: str
    shape: Any  # of astropy's regions, on the sky or in pixels (counted from 0)
    excluded: tuple = ()

    def mask(self, wcs: WCS, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
        """Share (y, x) of every pixel that lies within, exactly; and the share of the area that is in the image."""
        inside, covered = _overlap(self.shape, wcs, shape)
        for hole in self.excluded:
            inside = inside * (1 - _overlap(hole, wcs, shape)[0])
        return inside, covered


def read(path: str | Path) -> list[Region]:
    """The regions of a DS9 or CRTF (CASA) file: circle, ellipse, box, polygon, annulus.

    Coordinates as the file says: ICRS, FK5 (J2000), galactic, or pixels (DS9's from 1, CASA's from 0). Names are
    their texts, or 1, 2, ... Raises UserError for a file that is neither, or where a line would be lost.
    """
    from regions import Regions

    path = Path(path)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} cannot be read; give a region file of DS9 or CASA (CRTF)") from None
    kind = "crtf" if text.lstrip().startswith("#CRTF") else "ds9"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = Regions.parse(text, format=kind)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise UserError(f"{path} is no {kind.upper()} region file ({reason}); save it anew") from None
    lost = [str(item.message) for item in caught if issubclass(item.category, AstropyUserWarning)]
    if lost:
        raise UserError(f"{path} has a region that is not understood ({lost[0].rstrip('.')}); change it")
    included, excluded = [], []
    for item in found:
        if not _has_area(item):
            log.warning("%s: a %s has no area and is left out", path, type(item).__name__)
        elif item.meta.get("include", True):
            included.append(item)
        else:
            excluded.append(item)
    if kind == "crtf" and any(hasattr(item, "to_sky") for item in included) and "pix" not in text:
        raise UserError(f"{path} does not say its coordinates; write 'global coord=ICRS' or J2000 into it")
    if not included:
        raise UserError(
            f"{path} holds no region with an area; give circles, ellipses, boxes, polygons or annuli"
        )
    names = [str(item.meta.get("text") or item.meta.get("label") or k) for k, item in enumerate(included, 1)]
    return [Region(name, item, tuple(excluded)) for name, item in zip(_unlike(names), included)]


def circles(radii_arcsec: Sequence[float], ra_deg: float, dec_deg: float) -> list[Region]:
    """Circles of these radii about a position (ICRS)."""
    from astropy.coordinates import SkyCoord
    from regions import CircleSkyRegion

    centre = SkyCoord(ra_deg, dec_deg, unit="deg")
    return [
        Region(f"r < {radius:g} arcsec", CircleSkyRegion(centre, radius * u.arcsec))
        for radius in radii_arcsec
    ]


def fluxes(
    samples: np.ndarray,
    wcs: WCS,
    cell_arcsec: float,
    regions: Sequence[Region],
    flux_scale_error: float = 0.0,
) -> Table:
    """Flux of every region and its posterior: mean, standard deviation, quantiles [Jy], and area [arcsec²].

    `samples` (sample, y, x) are true skies in Jy/arcsec² on the pixels of `wcs`. `flux_scale_error` is the relative
    (Gaussian) error of the flux scale, common to all regions and pixels. `inside` is the share of a region that
    lies in the image; the rest counts for nothing, and a region outside has the flux NaN.
    """
    samples = np.asarray(samples)
    steps = (np.arange(_SCALES) + 0.5) / _SCALES if flux_scale_error else np.array([0.5])
    scale = 1 + flux_scale_error * _normal_quantile(steps)
    rows = []
    for region in regions:
        mask, inside = region.mask(wcs, samples.shape[1:])
        if inside < 0.999:
            log.warning("region %s: %.0f %% of it lie outside the image", region.name, 100 * (1 - inside))
        flux = np.full(len(samples), np.nan)
        y, x = np.nonzero(mask)
        if len(y):
            flux = samples[:, y, x].astype(float) @ mask[y, x] * cell_arcsec**2
        mean, std = flux.mean(), flux.std(ddof=1)
        error = np.sqrt(std**2 + flux_scale_error**2 * (mean**2 + std**2))
        spread = np.quantile(np.multiply.outer(flux, scale), list(QUANTILES.values()))
        rows.append((region.name, mean, error, *spread, mask.sum() * cell_arcsec**2, inside))
    names = ["region", "flux_jy", "error_jy", *QUANTILES, "area_arcsec2", "inside"]
    table = Table(rows=rows, names=names)
    for name in ("flux_jy", "error_jy", *QUANTILES):
        table[name].unit = u.Jy
    table["area_arcsec2"].unit = u.arcsec**2
    table.meta |= {"samples": len(samples), "flux_scale_error": float(flux_scale_error)}
    return table


def _overlap(item, wcs: WCS, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Share (y, x) of every pixel in a shape, and the share of the shape's area in the image."""
    inside, total = np.zeros(shape), 0.0
    for part, sign in _parts(item if hasattr(item, "to_sky") else item.to_pixel(wcs)):
        mask = part.to_mask(mode="exact")
        image = mask.to_image(shape)
        inside += 0 if image is None else sign * image
        total += sign * mask.data.sum()
    return inside, float(inside.sum() / total) if total > 0 else 0.0


def _parts(pixels) -> list[tuple[Any, int]]:
    """An annulus as its outer shape less its inner one, as overlaps are exact for those; other shapes as they are."""
    import regions

    kind = type(pixels).__name__
    if "Annulus" not in kind:
        return [(pixels, 1)]
    if kind.startswith("Circle"):
        sizes = [(pixels.outer_radius,), (pixels.inner_radius,)]
    else:
        ends = ("outer", "inner")
        sizes = [
            (getattr(pixels, f"{end}_width"), getattr(pixels, f"{end}_height"), pixels.angle) for end in ends
        ]
    whole = getattr(regions, kind.replace("Annulus", ""))
    return [(whole(pixels.center, *size), sign) for size, sign in zip(sizes, (1, -1))]


def _has_area(item) -> bool:
    return not any(word in type(item).__name__ for word in ("Point", "Line", "Text"))


def _unlike(names: list[str]) -> list[str]:
    """The names, with their places behind those that occur more than once."""
    return [f"{name} ({k})" if names.count(name) > 1 else name for k, name in enumerate(names, 1)]


def _normal_quantile(probability: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri

    return ndtri(probability)
