"""The plane in which sources are looked for: of a FITS image or cube, or of the campaign's dirty cubes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.wcs import WCS

from almabrain.console.errors import UserError
from almabrain.data import coordinates, fits, store
from almabrain.data.continuum import continuum_weights
from almabrain.data.statistics import robust_rms
from almabrain.networks.shapes import pixel_covariance
from almabrain.response.beam import Beam


@dataclass(frozen=True)
class SkyPlane:
    """An image in Jy/beam with flat noise (not divided by the primary beam), and how to read it."""

    values: np.ndarray  # (y, x), Jy/beam, NaN where blank
    pb: np.ndarray | None  # (y, x), primary beam, peak 1
    beam: Beam
    cell_arcsec: float
    frequency_hz: float
    wcs: WCS
    source: str
    realisation: str = "observed"  # whose noise it has: radiometer, empirical, mixed, observed

    @property
    def beam_covariance(self) -> np.ndarray:
        """Pixel covariance (2, 2) of the beam."""
        beam = self.beam
        return pixel_covariance(beam.major_arcsec, beam.minor_arcsec, beam.pa_deg, self.cell_arcsec)

    def searched(self, min_pb: float) -> np.ndarray:
        """Where (y, x) to look: finite pixels, inside the primary beam's level `min_pb`."""
        finite = np.isfinite(self.values)
        return finite if self.pb is None else finite & (np.nan_to_num(self.pb) >= min_pb)

    def searched_radius_arcsec(self, min_pb: float) -> float:
        """How far from the middle pixel the farthest pixel lies that is searched; 0 where none is."""
        y, x = np.nonzero(self.searched(min_pb))
        n_y, n_x = self.values.shape
        return float(self.cell_arcsec * np.hypot(y - n_y // 2, x - n_x // 2).max(initial=0.0))


def from_fits(path: str | Path, pb_path: str | Path | None = None) -> SkyPlane:
    """The plane of a FITS image, or the noise-weighted mean over the channels of a FITS cube.

    Raises UserError where the file is no image in Jy/beam with a beam in its header.
    """
    image = _read(path)
    if "bmaj_arcsec" not in image.attrs:
        raise UserError(
            f"{path} has no beam in its header (BMAJ, BMIN, BPA); add it, or give a restored image"
        )
    try:
        # Miriad and AIPS write the unit in capitals, which the FITS standard does not know.
        unit = image.attrs["bunit"].replace("JY/BEAM", "Jy/beam")
        scale = u.Unit(unit).to(u.Jy / u.beam)
    except (ValueError, u.UnitConversionError):
        raise UserError(f"{path} is in '{unit}' (BUNIT), but catalogues need Jy/beam; convert it") from None
    values, frequency, weight = _flatten(image)
    if not robust_rms(values) > 0:
        raise UserError(
            f"{path} has no noise (it is constant), so nothing can be found in it; give another image"
        )
    attrs = image.attrs
    return SkyPlane(
        values * scale,
        None if pb_path is None else _primary_beam(pb_path, values.shape, weight),
        Beam(attrs["bmaj_arcsec"], attrs["bmin_arcsec"], attrs["bpa_deg"]),
        attrs["cell_arcsec"],
        frequency,
        attrs["wcs"],
        str(path),
    )


def from_store(path: str | Path, simulation: str) -> SkyPlane:
    """The dirty continuum plane of a simulation: noise-weighted mean of all windows' line-free channels.

    A window without any is left out; UserError where none is left. Beam axes are averaged with the same
    weights, exact to second order in the windows' spread.
    """
    names = [name for name in store.names(path) if name.startswith(f"{simulation}/spw")]
    if not names:
        held = sorted({name.split("/")[0] for name in store.names(path)})
        raise UserError(f"{path} holds no simulation '{simulation}'; it holds {', '.join(held)}")
    windows = [window for name in names if continuum_weights(window := store.read(path, name)).any()]
    if not windows:
        raise UserError(
            f"{path} holds no line-free channel of {simulation}, so it has no continuum plane; "
            "simulate narrower lines or more windows"
        )
    weights = np.concatenate([continuum_weights(window) for window in windows])
    mean = {
        name: np.tensordot(weights / weights.sum(), np.concatenate([w[name].values for w in windows]), axes=1)
        for name in ("dirty", "pb", "bmaj_arcsec", "bmin_arcsec", "frequency_hz")
    }
    attrs = windows[0].attrs
    cell = float(attrs["cell_arcsec"])
    wcs = coordinates.image_wcs(mean["dirty"].shape[-1], cell, attrs["ra_deg"], attrs["dec_deg"])
    # Position angles are averaged on the doubled circle: -90 and 90 degrees are the same.
    doubled = np.exp(2j * np.radians(np.concatenate([w.bpa_deg.values for w in windows])))
    pa_deg = np.degrees(np.angle(np.sum(weights * doubled))) / 2
    beam = Beam(float(mean["bmaj_arcsec"]), float(mean["bmin_arcsec"]), float(pa_deg))
    realisation = attrs.get("realisation", "radiometer")
    return SkyPlane(
        mean["dirty"], mean["pb"], beam, cell, float(mean["frequency_hz"]), wcs, str(path), realisation
    )


def _read(path: str | Path) -> xr.DataArray:
    """An image whose x grows to the west, as position angles are understood here; mirrored where it did not."""
    image = fits.read_image(path)
    wcs, n_x = image.attrs["wcs"], image.shape[-1]
    if np.linalg.det(wcs.pixel_scale_matrix) < 0:
        return image
    header = wcs.to_header()
    header["CRPIX1"] = n_x + 1 - wcs.wcs.crpix[0]
    header["PC1_1"], header["PC2_1"] = -header.get("PC1_1", 1.0), -header.get("PC2_1", 0.0)
    return image.isel(x=slice(None, None, -1)).assign_attrs(wcs=WCS(header))


def _flatten(image: xr.DataArray) -> tuple[np.ndarray, float, np.ndarray]:
    if image.ndim == 2:
        return image.values, float(image.attrs.get("frequency_hz", np.nan)), np.ones(1)
    rms = np.array([robust_rms(plane) for plane in image.values])
    weight = np.where(rms > 0, 1 / np.square(np.where(rms > 0, rms, 1)), 0)
    frequency = (
        image.coords["frequency_hz"].values if "frequency_hz" in image.coords else np.full(len(rms), np.nan)
    )
    if not weight.any():
        return image.values[0], float(frequency[0]), np.ones(1)
    used = weight > 0
    mean = np.tensordot(weight[used] / weight.sum(), image.values[used], axes=1)
    return mean, float(np.average(frequency[used], weights=weight[used])), weight


def _primary_beam(path: str | Path, shape: tuple[int, int], weight: np.ndarray) -> np.ndarray:
    pb = _read(path).values
    if pb.ndim == 3:
        pb = np.average(pb, axis=0, weights=weight if len(weight) == len(pb) else None)
    if pb.shape != shape:
        raise UserError(f"{path} has {pb.shape} pixels, but the image has {shape}; give the image's own pb")
    return pb
