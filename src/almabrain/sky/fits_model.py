"""A model image or cube of the user's: its FITS axes, coordinates and units, read into Jy per pixel."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from scipy.constants import c, k

from almabrain.console.errors import UserError
from almabrain.data.coordinates import lm_from_radec
from almabrain.data.fits import first_image

UNITS = "Jy/pixel, Jy/beam, K, Jy/sr or Jy/arcsec2, with prefixes as in mJy and MJy"
JANSKY = 1e-26
STOKES_I = 1


@dataclass(frozen=True)
class Model:
    """`jy_pixel` (channel, y, x), of one channel for an image; x and y run as in the file.

    `l_corner`, `m_corner` (y + 1, x + 1) are the direction cosines of the pixels' corners. `edges_hz`
    (channel + 1,) rises; None where an image has no frequency.
    """

    path: Path
    jy_pixel: np.ndarray
    l_corner: np.ndarray
    m_corner: np.ndarray
    edges_hz: np.ndarray | None

    @property
    def is_cube(self) -> bool:
        """Whether it has several channels."""
        return len(self.jy_pixel) > 1

    @property
    def frequency_hz(self) -> float | None:
        """The middle of its frequencies."""
        return None if self.edges_hz is None else float(self.edges_hz[[0, -1]].mean())


def load(path: str | Path, centre_deg: tuple[float, float] | None) -> Model:
    """Read a model; its directions are taken about `centre_deg` (ICRS), or about its own pixel n // 2.

    Any projection, orientation and celestial frame; a spectral axis in frequency, velocity or wavelength.
    Axes of length 1 are dropped, and of a Stokes axis all but I; blank pixels are dark. UserError for a file
    that is none, or that lacks an image, coordinates, or a unit and what this needs (beam, frequency).
    """
    path = Path(path)
    values, header = _image(path)
    wcs = _wcs(path, header)
    values = _planes(path, values, wcs)
    if not np.isfinite(values).any():
        raise UserError(f"{path} holds no finite pixel; give a model with light in it")
    edges = _frequency_edges(path, wcs, len(values))
    if edges is not None and edges[0] > edges[-1]:
        values, edges = values[::-1], edges[::-1]
    l, m = _corners(path, wcs.celestial, values.shape[1:], centre_deg)
    flux = values * _jy_pixel(path, header, edges, _solid_angle_sr(l, m))
    return Model(path, np.where(np.isfinite(flux), flux, 0.0), l, m, edges)


def _image(path: Path) -> tuple[np.ndarray, fits.Header]:
    """The first image of two axes or more, and its header."""
    if not path.is_file():
        raise UserError(f"sky.fits.path is {path}, which is no file; give the path of a FITS image or cube")
    try:
        return first_image(path)
    except ValueError as error:
        raise UserError(f"{path} {error}; copy it again, or give a FITS image or cube") from None


def _wcs(path: Path, header: fits.Header) -> WCS:
    """The file's coordinates; older dialects (velocity axes of AIPS) are translated by wcslib."""
    header = header.copy()
    if any(card.startswith("CD1_") for card in header):
        # Such a header's increments count for the sky axes only, if at all, and wcslib drops all of them.
        for axis in range(3, header["NAXIS"] + 1):
            if f"CDELT{axis}" in header:
                header.setdefault(f"CD{axis}_{axis}", header[f"CDELT{axis}"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        try:
            wcs = WCS(header)
        except (ValueError, AssertionError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{path} has coordinates that cannot be read ({reason}); mend its header"
            ) from None
    if not wcs.has_celestial:
        raise UserError(
            f"{path} has no celestial coordinates (WCS) in its header; "
            "add CTYPE, CRVAL, CRPIX and CDELT of both axes"
        )
    return wcs


def _planes(path: Path, values: np.ndarray, wcs: WCS) -> np.ndarray:
    """The image as (channel, y, x): the spectral axis, if there is one, and the two celestial ones."""
    extra = values.ndim - wcs.naxis
    shape = values.shape if extra <= 0 or max(values.shape[:extra]) > 1 else values.shape[extra:]
    values = values.reshape([1] * (wcs.naxis - len(shape)) + list(shape))
    x_axis, y_axis = sorted((wcs.wcs.lng, wcs.wcs.lat))
    kept = [axis for axis in (wcs.wcs.spec, y_axis, x_axis) if axis >= 0]
    plane = [slice(None)] * values.ndim
    for axis, length in enumerate(reversed(values.shape)):
        if axis not in kept:
            plane[values.ndim - 1 - axis] = _only(path, wcs, axis, length)
    taken = values[tuple(plane)]
    # Axes of numpy run against those of FITS, and those taken at one index are gone.
    order = sorted(kept, reverse=True)
    taken = taken.transpose([order.index(axis) for axis in kept])
    return taken.reshape(-1, *taken.shape[-2:])


def _only(path: Path, wcs: WCS, axis: int, length: int) -> int:
    """The index to take of an axis that is neither celestial nor spectral."""
    if length == 1:
        return 0
    ctype = wcs.wcs.ctype[axis] if axis < wcs.naxis else ""
    if ctype == "STOKES":
        index = round(
            wcs.wcs.crpix[axis] - 1 + (STOKES_I - wcs.wcs.crval[axis]) / wcs.pixel_scale_matrix[axis, axis]
        )
        if 0 <= index < length:
            return index
        raise UserError(f"{path} has {length} Stokes planes and none of them is I; add the plane of Stokes I")
    raise UserError(
        f"{path} has an axis {axis + 1} ('{ctype}') of length {length} that is neither sky nor frequency, "
        "velocity or wavelength; give an image or a cube"
    )


def _frequency_edges(path: Path, wcs: WCS, number: int) -> np.ndarray | None:
    """Edges of the channels (channel + 1,), Hz, as the file runs; for an image also of its rest frequency."""
    rest = wcs.wcs.restfrq or (c / wcs.wcs.restwav if wcs.wcs.restwav else 0.0)
    if wcs.wcs.spec < 0:
        return np.array([rest, rest]) if rest else None
    spectral = _spectral(wcs)
    try:
        spectral.wcs.sptr("FREQ-???")
        edges = spectral.wcs_pix2world(np.arange(number + 1) - 0.5, 0)[0]
    except ValueError:
        edges = np.array([np.nan])
    if np.isfinite(edges).all() and (edges > 0).all():
        return edges
    if number == 1:
        return np.array([rest, rest]) if rest else None
    raise UserError(
        f"{path} has a spectral axis '{wcs.wcs.ctype[wcs.wcs.spec]}' that gives no frequencies; "
        "mend CTYPE, CRVAL, CDELT or CUNIT, and add RESTFRQ for velocities"
    )


def _spectral(wcs: WCS) -> WCS:
    """The spectral axis alone, with an increment (wcslib translates no axis that is given by a CD matrix)."""
    axis, spectral = wcs.wcs.spec, WCS(naxis=1)
    spectral.wcs.ctype, spectral.wcs.cunit = [wcs.wcs.ctype[axis]], [wcs.wcs.cunit[axis]]
    spectral.wcs.crval, spectral.wcs.crpix = [wcs.wcs.crval[axis]], [wcs.wcs.crpix[axis]]
    spectral.wcs.cdelt = [wcs.pixel_scale_matrix[axis, axis]]
    spectral.wcs.restfrq, spectral.wcs.restwav = wcs.wcs.restfrq, wcs.wcs.restwav
    return spectral


def _corners(path: Path, celestial: WCS, shape, centre_deg) -> tuple[np.ndarray, np.ndarray]:
    """Direction cosines (l, m) of the pixels' corners (y + 1, x + 1); NaN where there is no sky."""
    y, x = np.meshgrid(*(np.arange(number + 1) - 0.5 for number in shape), indexing="ij")
    if centre_deg is None:
        centre = celestial.pixel_to_world(shape[1] // 2, shape[0] // 2).icrs
    else:
        centre = SkyCoord(*centre_deg, unit="deg")
    if not np.isfinite(centre.ra.deg):
        raise UserError(
            f"{path} has no sky at its middle pixel; mend CRPIX, or set sky.fits.recentre to false"
        )
    sky = celestial.pixel_to_world(x, y).icrs
    behind = ~(centre.separation(sky).deg < 90)  # the far half of the sky folds onto the near one
    l, m = (
        np.where(behind, np.nan, cosine)
        for cosine in lm_from_radec(sky.ra.deg, sky.dec.deg, centre.ra.deg, centre.dec.deg)
    )
    if not np.isfinite(l).any():
        raise UserError(
            f"{path} lies on the other half of the sky; set sky.fits.recentre to true to move it here"
        )
    return l, m


def _solid_angle_sr(l: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Solid angle (y, x) of every pixel from its corners; NaN where there is no sky."""
    rising = l[1:, 1:] - l[:-1, :-1], m[1:, 1:] - m[:-1, :-1]
    falling = l[:-1, 1:] - l[1:, :-1], m[:-1, 1:] - m[1:, :-1]
    area = np.abs(rising[0] * falling[1] - rising[1] * falling[0]) / 2
    return area / np.sqrt(1 - np.minimum(l[:-1, :-1] ** 2 + m[:-1, :-1] ** 2, 1))


def _jy_pixel(path: Path, header: fits.Header, edges_hz, solid_angle_sr: np.ndarray) -> np.ndarray:
    """What the file's numbers are to be multiplied by, (channel or 1, y, x) or less."""
    text = str(header.get("BUNIT", "")).strip()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)
        unit = u.Unit(_spelt(text), parse_strict="silent")
    if unit.is_equivalent(u.Jy / u.pix):
        return unit.to(u.Jy / u.pix)
    if unit.is_equivalent(u.Jy / u.sr):
        return unit.to(u.Jy / u.sr) * solid_angle_sr
    if unit.is_equivalent(u.Jy / u.beam):
        major, minor = (float(header.get(card) or 0) for card in ("BMAJ", "BMIN"))
        if not (major > 0 and minor > 0):
            raise UserError(f"{path} is in {text} but has no BMAJ and BMIN; add the beam's axes, in degrees")
        beam_sr = np.pi / (4 * np.log(2)) * np.deg2rad(major) * np.deg2rad(minor)
        return unit.to(u.Jy / u.beam) * solid_angle_sr / beam_sr
    if unit.is_equivalent(u.K):
        if edges_hz is None:
            raise UserError(f"{path} is in {text} but has no frequency; add RESTFRQ, or an axis FREQ, in Hz")
        frequency = (edges_hz[1:] + edges_hz[:-1])[:, None, None] / 2
        return unit.to(u.K) * 2 * k * (frequency / c) ** 2 / JANSKY * solid_angle_sr
    found = f"the unit '{text}'" if text else "no unit"
    raise UserError(f"{path} has {found} (BUNIT); give {UNITS}")


def _spelt(unit: str) -> str:
    """A unit as astropy spells it: headers write JY/BEAM, Jy/px, KELVIN and the like."""
    for found, spelt in [
        ("jy", "Jy"),
        ("beam", "beam"),
        (r"pi?x(els?)?", "pix"),
        ("kelvin", "K"),
        ("sr", "sr"),
    ]:
        unit = re.sub(rf"(?i){found}(?![a-z])", spelt, unit)
    return unit
