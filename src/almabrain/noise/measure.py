"""Measuring the noise of a reference FITS image."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import ndimage, stats

from almabrain.console.errors import UserError
from almabrain.data.fits import read_image
from almabrain.data.provenance import versions
from almabrain.data.seeds import generator
from almabrain.data.statistics import robust_rms
from almabrain.noise import compare, spectrum
from almabrain.noise.draw import Drawer
from almabrain.noise.mask import source_mask
from almabrain.noise.model import NoiseModel
from almabrain.noise.warp import Warp, fit_warp
from almabrain.response.beam import Beam, fit_beam

MIN_SIDE_PX = 32
MIN_BEAMS = 30
# Scales of the local rms as shares of the side, and which share of the variance of the log local variance
# must be more than stationary noise shows by chance.
LOCAL_RMS_SCALES = (1 / 5, 1 / 10, 1 / 20)
MIN_LOCAL_RMS_GAIN = 0.35
STATIONARY_DRAWS = 12
NON_GAUSSIAN_SD = 2.5
CARD_LAGS_PX = (1, 2, 3, 4, 6, 8, 12)


def measure(
    path: str | Path, plane: int = 0, beam: Beam | None = None, mask_sources: bool = True
) -> NoiseModel:
    """Measure the noise of one plane of a FITS image: mask, local rms, spectrum, marginal, beam.

    The image must not be corrected for the primary beam (its noise would rise to the edge; what is left
    of that is measured as `local_rms`). `beam` replaces the header's. Raises UserError for a file that is no
    FITS image, is blank, too small, all sources, or whose beam can neither be read nor determined.
    """
    path = Path(path)
    image = _plane(read_image(path), plane, path)
    pixels = image.values
    beam = beam or _header_beam(image) or _core_beam(pixels, image.attrs["cell_arcsec"], path)
    cell = image.attrs["cell_arcsec"]
    beams = np.isfinite(pixels).sum() * cell**2 / (1.133 * beam.major_arcsec * beam.minor_arcsec)
    if beams < MIN_BEAMS:
        raise UserError(
            f"{path} is too small to measure noise on: {beams:.0f} beams, at least {MIN_BEAMS} are needed; "
            "give a wider image as noise.reference"
        )
    mask = source_mask(pixels, beam, cell) if mask_sources else np.zeros(pixels.shape, bool)
    use = np.isfinite(pixels) & ~mask
    if use.sum() < 0.1 * use.size or use.sum() < 0.2 * np.isfinite(pixels).sum():
        raise UserError(
            f"{path} is nearly all source: {100 * (1 - use.mean()):.0f} % of its pixels are masked or blank; "
            "give a residual or an empty field as noise.reference, or set noise.mask_sources to false"
        )
    model = _model(image, use, beam, path)
    card = {
        "reference": path.stem,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "object": image.attrs.get("object", ""),
        "plane": plane,
        "masked_fraction": float(mask[np.isfinite(pixels)].mean()),
        "blank_fraction": float(1 - np.isfinite(pixels).mean()),
        **model.card,
        "software": versions(),
    }
    return dataclasses.replace(model, card=card)


def _model(image: xr.DataArray, use: np.ndarray, beam: Beam, path: Path) -> NoiseModel:
    """The model of `image` where `use`, its comparison and the measured part of its card."""
    field = image.values - np.mean(image.values[use])
    rng = generator(0, "noise_model", path.name)
    weight = use * spectrum.edge_taper(use.shape)
    local = _local_rms(field, use, weight, rng)
    rms = float(np.std((field / local)[use]))
    flat = np.where(use, field / (rms * local), 0.0)
    acf = measured_acf(flat, weight)
    n_eff = spectrum.independent_pixels(acf, use.sum())
    warp, moments = _marginal(flat[use], acf, n_eff)
    cell, unit = float(image.attrs["cell_arcsec"]), image.attrs["bunit"]
    power = spectrum.spectrum_from_acf(acf)
    even = np.ptp(local) == 0
    model = NoiseModel(path.stem, power, cell, beam, rms, unit, warp, None if even else local)
    comparison = compare.image_and_draws(model, field, use, rng)
    card = {
        "unit": unit,
        "rms": rms,
        "rms_mad": float(robust_rms(field[use])),
        "cell_arcsec": cell,
        "beam": dataclasses.asdict(beam),
        "independent_pixels": n_eff,
        **moments,
        "acf_lag_px": list(CARD_LAGS_PX),
        "acf_along_x": [float(acf[0, lag]) for lag in CARD_LAGS_PX],
        "acf_along_y": [float(acf[lag, 0]) for lag in CARD_LAGS_PX],
        "local_rms_range": [float(local[use].min()), float(local[use].max())],
        "comparison": {key: float(value) for key, value in comparison.attrs.items()},
    }
    return dataclasses.replace(model, card=card, comparison=comparison)


def measured_acf(flat: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Tapered ACF (1 at lag zero) of a field of even rms, on the padded grid."""
    acf = spectrum.masked_acf(flat, weight)
    return spectrum.taper_acf(acf / acf[0, 0], spectrum.TAPER * min(flat.shape))


def _plane(image: xr.DataArray, plane: int, path: Path) -> xr.DataArray:
    n_planes = image.sizes.get("channel", 1)
    if plane >= n_planes:
        raise UserError(f"noise.plane is {plane}, but {path} has {n_planes} plane(s), counted from 0")
    if "channel" in image.dims:
        image = image.isel(channel=plane)
    if not np.isfinite(image.values).any():
        raise UserError(f"plane {plane} of {path} holds no finite pixel; choose another one with noise.plane")
    if min(image.shape) < MIN_SIDE_PX:
        raise UserError(
            f"{path} is {image.shape[1]} x {image.shape[0]} pixels, too small to measure noise on; at least "
            f"{MIN_SIDE_PX} a side are needed"
        )
    if np.nanstd(image.values) == 0:
        raise UserError(f"{path} holds one and the same value everywhere; give an image with noise")
    # x grows to the west in all our grids.
    eastward = image.attrs["wcs"].pixel_scale_matrix[0, 0] > 0
    return image.isel(x=slice(None, None, -1)) if eastward else image


def _header_beam(image: xr.DataArray) -> Beam | None:
    attrs = image.attrs
    if "bmaj_arcsec" not in attrs or "bmin_arcsec" not in attrs:
        return None
    return Beam(attrs["bmaj_arcsec"], attrs["bmin_arcsec"], attrs["bpa_deg"])


def _core_beam(pixels: np.ndarray, cell_arcsec: float, path: Path) -> Beam:
    """The beam as the core of the noise ACF: exact for natural weights, where the ACF is the dirty beam."""
    centred = pixels - np.nanmedian(pixels)
    # Without a beam no source finder: what is far out is left out.
    use = np.isfinite(pixels) & (np.abs(centred) < 4 * robust_rms(pixels))
    acf = spectrum.masked_acf(np.where(use, centred, 0.0), use * spectrum.edge_taper(use.shape))
    acf = np.fft.fftshift(acf / acf[0, 0])
    try:
        beam = fit_beam(acf, cell_arcsec)
    except ValueError:
        beam = None
    # A lobe narrower than this is a single pixel: white noise, which knows nothing of a beam.
    if beam is None or beam.minor_arcsec < 1.2 * cell_arcsec:
        raise UserError(
            f"{path} has no beam in its header (BMAJ, BMIN, BPA) and its noise has no core to take it from; "
            "give it as noise.reference_beam: [major arcsec, minor arcsec, PA deg]"
        )
    return beam


def _local_rms(
    field: np.ndarray, use: np.ndarray, weight: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Local rms (n_y, n_x; quadratic mean 1), coarse to fine, where it varies more than that of draws."""
    local = np.ones(field.shape)
    for share in LOCAL_RMS_SCALES:
        sigma_px = share * min(field.shape)
        flat = np.where(use, field / local, 0.0)
        acf = measured_acf(flat, weight)
        power = spectrum.spectrum_from_acf(acf)
        draws = Drawer(field.shape, np.sqrt(power[:, : field.shape[1] + 1]), Warp.identity())
        log_variance = _log_variance(flat, use, sigma_px)
        chance = [np.var(_log_variance(draws(rng), use, sigma_px)[use]) for _ in range(STATIONARY_DRAWS)]
        found = np.var(log_variance[use])
        gain = 1 - np.mean(chance) / found
        # At the coarse scale an image holds few independent places, so the mean alone is passed by chance.
        if gain > MIN_LOCAL_RMS_GAIN and found > np.mean(chance) + 3 * np.std(chance):
            local = local * np.exp(0.5 * gain * log_variance)
    return local / np.sqrt(np.mean(local[use] ** 2))


def _log_variance(flat: np.ndarray, use: np.ndarray, sigma_px: float) -> np.ndarray:
    smooth = _broad_smooth(np.where(use, flat, 0.0) ** 2, sigma_px)
    smooth /= np.maximum(_broad_smooth(use.astype(float), sigma_px), 1e-3)
    logarithm = np.log(np.maximum(smooth, 1e-12))
    return logarithm - np.median(logarithm[use])


def _broad_smooth(array: np.ndarray, sigma_px: float) -> np.ndarray:
    """Three boxes in a row: a Gaussian to a few per cent, at a cost that does not grow with its width."""
    width = max(int(round(np.sqrt(4 * sigma_px**2 + 1))), 1)
    for _ in range(3):
        array = ndimage.uniform_filter(array, width)
    return array


def _marginal(pixels: np.ndarray, acf: np.ndarray, n_eff: float) -> tuple[Warp, dict]:
    """The warp, identity unless skewness or kurtosis lie outside what Gaussian noise scatters by.

    For Gaussian pixels with correlation r(lag) the variances of skewness and kurtosis are 6 sum(r^3) / N and
    24 sum(r^4) / N, since both are means of Hermite polynomials of the pixels.
    """
    found = {"skewness": float(stats.skew(pixels)), "kurtosis": float(stats.kurtosis(pixels))}
    scatter = {
        "skewness": float(np.sqrt(6 * np.sum(acf**3) / pixels.size)),
        "kurtosis": float(np.sqrt(24 * np.sum(acf**4) / pixels.size)),
    }
    gaussian = all(abs(found[key]) <= NON_GAUSSIAN_SD * scatter[key] for key in found)
    warp = Warp.identity() if gaussian else fit_warp(pixels, n_eff)
    moments = {**found, **{f"{key}_sd_gaussian": value for key, value in scatter.items()}}
    return warp, {**moments, "marginal": "gaussian" if gaussian else "quantile table"}
