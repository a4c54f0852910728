"""FITS images and cubes, in and out, with coordinates, units and beam."""

import unicodedata
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import image_wcs
from almabrain.data.files import atomic
from almabrain.data.provenance import versions

BEAM_CARDS = {"bmaj_arcsec": "BMAJ", "bmin_arcsec": "BMIN"}


def write_image(path: str | Path, array: xr.DataArray, cards: Mapping[str, object] | None = None) -> None:
    """Write an image (y, x) or a cube (channel, y, x) as float32 FITS.

    The array's attributes give the header: `ra_deg`, `dec_deg` (phase centre), `cell_arcsec`, `bunit`,
    and where they exist `bmaj_arcsec`, `bmin_arcsec`, `bpa_deg`, `frame`, `object`; a coordinate or
    attribute `frequency_hz` gives the frequency, for an image as an axis of one channel. `cards` are added
    to the header as they are.
    """
    attrs, values = array.attrs, np.asarray(array.values, np.float32)
    frequency = array.coords["frequency_hz"].values if "frequency_hz" in array.coords else None
    if array.ndim == 2:
        frequency = attrs.get("frequency_hz", frequency)
        values = values if frequency is None else values[None]
    wcs = image_wcs(
        array.shape[-1],
        attrs["cell_arcsec"],
        attrs["ra_deg"],
        attrs["dec_deg"],
        frequency,
        attrs.get("frame", "TOPO"),
    )
    header = wcs.to_header()
    header["BUNIT"] = attrs["bunit"]
    header["TELESCOP"] = attrs.get("telescope", "ALMA")
    if "object" in attrs:
        # FITS cards hold ASCII only (Pence et al. 2010, sect. 4.2.1).
        plain = unicodedata.normalize("NFKD", str(attrs["object"]))
        header["OBJECT"] = "".join(sign for sign in plain if " " <= sign <= "~") or "unnamed"
    for key, card in BEAM_CARDS.items():
        if key in attrs:
            header[card] = attrs[key] / 3600
    if "bpa_deg" in attrs:
        header["BPA"] = attrs["bpa_deg"]
    for key, value in (cards or {}).items():
        header[key] = value
    header["ORIGIN"] = f"almabrain {versions().get('almabrain', '')}".strip()
    with atomic(path) as temporary:
        fits.PrimaryHDU(values, header).writeto(temporary)


def read_image(path: str | Path) -> xr.DataArray:
    """Read a FITS image (y, x) or cube (channel, y, x); degenerate axes are dropped.

    Attributes: `bunit`, `cell_arcsec`, `ra_deg`, `dec_deg` (of pixel n // 2), `wcs` (celestial), and where
    the header has them `bmaj_arcsec`, `bmin_arcsec`, `bpa_deg`, `object`; coordinate or attribute
    `frequency_hz`. Raises UserError for a file that is no whole FITS image or holds no finite pixel.
    """
    path = Path(path)
    values, header = _read_hdu(path)
    if not np.isfinite(values).any():
        raise UserError(f"{path} holds no finite pixel (all NaN); give an image with data")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        wcs = WCS(header)
    if not wcs.has_celestial:
        raise UserError(
            f"{path} has no celestial coordinates in its header; add CTYPE, CRVAL, CRPIX and CDELT"
        )
    celestial = wcs.celestial
    scale = proj_plane_pixel_scales(celestial)
    if not np.isclose(scale[0], scale[1], rtol=1e-3):
        raise UserError(f"{path} has pixels of {scale[0]} x {scale[1]} deg; regrid it to square pixels first")
    frequency = _frequencies(wcs, header, values.shape)
    values = values.reshape([n for n in values.shape[:-2] if n > 1] + list(values.shape[-2:]))
    if values.ndim > 3:
        raise UserError(
            f"{path} has {values.ndim} axes longer than 1; give one Stokes plane (an image or a cube)"
        )
    n_y, n_x = values.shape[-2:]
    ra, dec = celestial.wcs_pix2world(n_x // 2, n_y // 2, 0)
    attrs = {
        "bunit": str(header.get("BUNIT", "")).strip(),
        "cell_arcsec": float(scale[1]) * 3600,
        "ra_deg": float(ra) % 360,
        "dec_deg": float(dec),
        "wcs": celestial,
        "source": str(path),
    }
    for key, card in BEAM_CARDS.items():
        if header.get(card, 0) and header[card] > 0:
            attrs[key] = header[card] * 3600
    if "bmaj_arcsec" in attrs:
        attrs["bpa_deg"] = float(header.get("BPA", 0.0))
    if header.get("OBJECT"):
        attrs["object"] = str(header["OBJECT"]).strip()
    if values.ndim == 3:
        coords = {} if frequency is None else {"frequency_hz": ("channel", frequency)}
        return xr.DataArray(values, dims=("channel", "y", "x"), coords=coords, attrs=attrs)
    if frequency is not None:
        attrs["frequency_hz"] = float(frequency[0])
    return xr.DataArray(values, dims=("y", "x"), attrs=attrs)


def first_image(path: Path) -> tuple[np.ndarray, fits.Header]:
    """Values (float64) and header of the first image of two axes or more in a FITS file that is there.

    ValueError with the rest of a sentence about the file ("is cut short ...") where it holds none.
    """
    # Only the last of these warnings is fatal: real files carry odd cards that astropy grumbles about.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with fits.open(path, memmap=False) as hdus:
                images = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
                found = [(np.asarray(hdu.data, np.float64), hdu.header) for hdu in images[:1]]
            reason = ""
        except (OSError, TypeError, ValueError) as error:
            found, reason = [], str(error).split(". ")[0]
    if any("truncated" in str(warning.message) for warning in caught):
        raise ValueError("is cut short (its header promises more data)")
    if reason:
        raise ValueError(f"is not a whole FITS file ({reason})")
    if not found:
        raise ValueError("holds no image of two or more axes")
    return found[0]


def _read_hdu(path: Path) -> tuple[np.ndarray, fits.Header]:
    if not path.exists():
        raise UserError(f"{path} does not exist; give the path of a FITS image")
    try:
        return first_image(path)
    except ValueError as error:
        raise UserError(f"{path} {error}; copy it again, or give a FITS image") from None


def _frequencies(wcs: WCS, header: fits.Header, shape: tuple[int, ...]) -> np.ndarray | None:
    """Frequencies [Hz] of the spectral axis (radio velocities converted).

    Without such an axis that of the rest frequency card, near which other programs' images were made.
    """
    rest = header.get("RESTFRQ", header.get("RESTFREQ")) or None
    if wcs.has_spectral:
        n_channel = shape[wcs.naxis - 1 - wcs.wcs.spec]
        world = np.atleast_1d(wcs.spectral.wcs_pix2world(np.arange(n_channel), 0)[0])
        if wcs.wcs.ctype[wcs.wcs.spec].startswith("FREQ"):
            return world
        if wcs.wcs.ctype[wcs.wcs.spec].startswith(("VRAD", "VELO")) and rest:
            return rest * (1 - world / SPEED_OF_LIGHT_M_S)
    return None if rest is None else np.array([float(rest)])
