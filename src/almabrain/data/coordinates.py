"""Where things are: direction cosines, sky positions and pixels of one tangent (SIN) projection."""

import numpy as np
from astropy.wcs import WCS

from almabrain.data.constants import ARCSEC

# Spectral frames as Measurement Sets name them, and as FITS does (Greisen et al. 2006, table 2).
FITS_FRAMES = {
    "TOPO": "TOPOCENT",
    "LSRK": "LSRK",
    "LSRD": "LSRD",
    "BARY": "BARYCENT",
    "GEO": "GEOCENTR",
    "GALACTO": "GALACTOC",
    "LGROUP": "LOCALGRP",
    "CMB": "CMBDIPOL",
    "REST": "SOURCE",
}


def lm_from_radec(ra_deg, dec_deg, ra0_deg, dec0_deg):
    """Direction cosines (l east, m north; radians) of positions about a phase centre.

    Orthographic projection: Thompson, Moran & Swenson (2017), eq. 3.12.
    """
    ra, dec, ra0, dec0 = (np.deg2rad(value) for value in (ra_deg, dec_deg, ra0_deg, dec0_deg))
    l_cosine = np.cos(dec) * np.sin(ra - ra0)
    m_cosine = np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra - ra0)
    return l_cosine, m_cosine


def radec_from_lm(l_cosine, m_cosine, ra0_deg, dec0_deg):
    """Positions (RA in 0-360, Dec; degrees) of direction cosines; the inverse of `lm_from_radec`."""
    l_cosine, m_cosine = np.asarray(l_cosine, float), np.asarray(m_cosine, float)
    ra0, dec0 = np.deg2rad(ra0_deg), np.deg2rad(dec0_deg)
    n_cosine = np.sqrt(1 - l_cosine**2 - m_cosine**2)
    dec = np.arcsin(m_cosine * np.cos(dec0) + n_cosine * np.sin(dec0))
    ra = ra0 + np.arctan2(l_cosine, n_cosine * np.cos(dec0) - m_cosine * np.sin(dec0))
    return np.rad2deg(ra) % 360, np.rad2deg(dec)


def n_minus_one(l, m):
    """n − 1 = √(1 − l² − m²) − 1 of direction cosines, without the loss of digits near the centre."""
    radius2 = np.square(l) + np.square(m)
    return -radius2 / (1 + np.sqrt(1 - radius2))


def sphere_axes(longitude_rad: float, latitude_rad: float) -> np.ndarray:
    """Unit vectors east, north and outward (3, 3) of a place on a sphere, along its x, y and z axes."""
    (sin_longitude, cos_longitude), (sin_latitude, cos_latitude) = (
        (np.sin(angle), np.cos(angle)) for angle in (longitude_rad, latitude_rad)
    )
    return np.array(
        [
            [-sin_longitude, cos_longitude, 0],
            [-sin_latitude * cos_longitude, -sin_latitude * sin_longitude, cos_latitude],
            [cos_latitude * cos_longitude, cos_latitude * sin_longitude, sin_latitude],
        ]
    )


def pixel_from_lm(l_cosine, m_cosine, n_pix: int, cell_arcsec: float):
    """Pixel indices (x, y; from 0, not rounded) of direction cosines; x grows to the west."""
    cell = cell_arcsec * ARCSEC
    return n_pix // 2 - np.asarray(l_cosine) / cell, n_pix // 2 + np.asarray(m_cosine) / cell


def lm_grid(n_pix: int, cell_arcsec: float):
    """Direction cosines (l, m; radians) of every pixel of a square image, each of shape (y, x)."""
    offset = (np.arange(n_pix) - n_pix // 2) * cell_arcsec * ARCSEC
    m_cosine, l_cosine = np.meshgrid(offset, -offset, indexing="ij")
    return l_cosine, m_cosine


def image_wcs(
    n_pix: int, cell_arcsec: float, ra_deg: float, dec_deg: float, frequency_hz=None, frame: str = "TOPO"
) -> WCS:
    """The WCS of a square image, or of a cube where `frequency_hz` (channel) is given.

    The phase centre lies on pixel n_pix // 2 (from 0). The cube's channels must be evenly spaced, as
    FITS holds one increment; a single channel gets an increment of 1 Hz. Positions are ICRS. A spectral
    `frame` that FITS has no name for is left out.
    """
    cell_deg = cell_arcsec / 3600
    ctype, cunit = ["RA---SIN", "DEC--SIN"], ["deg", "deg"]
    crval, crpix, cdelt = [ra_deg, dec_deg], [n_pix // 2 + 1] * 2, [-cell_deg, cell_deg]
    if frequency_hz is not None:
        frequency = np.atleast_1d(frequency_hz)
        ctype, cunit = [*ctype, "FREQ"], [*cunit, "Hz"]
        crval, crpix = [*crval, frequency[0]], [*crpix, 1]
        cdelt = [*cdelt, (frequency[-1] - frequency[0]) / (frequency.size - 1) if frequency.size > 1 else 1.0]
    wcs = WCS(naxis=len(ctype))
    wcs.wcs.ctype, wcs.wcs.cunit = ctype, cunit
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = crval, crpix, cdelt
    wcs.wcs.radesys = "ICRS"
    if frequency_hz is not None:
        wcs.wcs.specsys = FITS_FRAMES.get(frame, "")
    return wcs
