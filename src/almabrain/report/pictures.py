"""The pictures of one data set at one resolution: truth, dirty, CLEAN and posterior, all in Jy/beam."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from almabrain.data import naming
from almabrain.data.coordinates import ARCSEC
from almabrain.report.products import Products
from almabrain.report.truth import apparent_sky
from almabrain.response.beam import Beam, convolve
from almabrain.response.grid import dirty_image, is_planar
from almabrain.response.weights import briggs


@dataclass(frozen=True)
class Pictures:
    """Pictures (y, x) in Jy/beam at the CLEAN beam, not corrected for the primary beam; None where absent."""

    clean: xr.DataArray
    beam: Beam
    noise_jy: float
    residual: np.ndarray | None
    dirty: np.ndarray | None
    mean: np.ndarray | None
    std: np.ndarray | None
    truth: np.ndarray | None


def robust_rms(picture: np.ndarray) -> float:
    """Standard deviation of a picture's noise by the median absolute deviation."""
    finite = picture[np.isfinite(picture)]
    return float(1.4826 * np.median(np.abs(finite - np.median(finite))))


def load(products: Products, data: str, recipe: str) -> Pictures | None:
    """The pictures of `data` with `recipe`, None where CLEAN has not run: its beam is the common one."""
    folder = f"image/{data}/{recipe}"
    clean = products.image(f"{folder}/clean.fits")
    if clean is None or "bmaj_arcsec" not in clean.attrs:
        return None
    beam = Beam(clean.attrs["bmaj_arcsec"], clean.attrs["bmin_arcsec"], clean.attrs["bpa_deg"])
    residual = products.image(f"{folder}/clean_residual.fits")
    mean, std = _posterior(products, folder, clean, beam)
    windows = products.groups(f"visibilities/{data}.zarr.zip")
    return Pictures(
        clean,
        beam,
        robust_rms(clean.values if residual is None else residual.values),
        None if residual is None else residual.values,
        _dirty(windows, clean, _robust(products.settings, recipe)) if windows else None,
        mean,
        std,
        _truth(products, data, windows, clean, beam) if windows and naming.is_simulation(data) else None,
    )


def _robust(settings: dict, recipe: str) -> float:
    return settings.get("image", {}).get("recipes", {}).get(recipe, {}).get("clean", {}).get("robust", 0.5)


def _posterior(products: Products, folder: str, clean: xr.DataArray, beam: Beam):
    """Mean and standard deviation of the posterior at the beam, of the samples convolved one by one.

    The deviation of a convolved picture is not the convolved deviation: neighbouring pixels are correlated.
    """
    samples = products.group(f"{folder}/samples.zarr.zip", "samples")
    if samples is None:
        return None, None
    cell, pb = clean.attrs["cell_arcsec"], products.image(f"{folder}/pb.fits")
    attenuation = 1.0 if pb is None else pb.values
    blurred = np.stack([convolve(sky * attenuation * cell**2, cell, beam) for sky in samples["sky"].values])
    return blurred.mean(axis=0), blurred.std(axis=0, ddof=1)


def _dirty(windows: dict, clean: xr.DataArray, robust: float) -> np.ndarray:
    """The dirty image of all windows with the weights of CLEAN, on its pixels."""
    n_pix, cell = clean.shape[-1], clean.attrs["cell_arcsec"] * ARCSEC
    total, picture = 0.0, np.zeros((n_pix, n_pix))
    for window in windows.values():
        uvw, frequency = window["uvw_m"].values, window["frequency_hz"].values
        weight = briggs(uvw, frequency, window["weight"].values, n_pix, cell, robust)
        planar = is_planar(uvw, frequency, n_pix * cell)
        own = dirty_image(uvw, frequency, window["visibility"].values, weight, n_pix, cell, planar=planar)
        picture += weight.sum() * own
        total += weight.sum()
    return picture / total


def _truth(
    products: Products, data: str, windows: dict, clean: xr.DataArray, beam: Beam
) -> np.ndarray | None:
    sky = products.groups(f"sky/{products.shard(data)}.zarr.zip", f"{data}/")
    if not set(windows) <= set(sky):
        return None
    weights = {name: window["weight"].values.sum(axis=0) for name, window in windows.items()}
    grid = {
        "n_pix": clean.shape[-1],
        **{key: clean.attrs[key] for key in ("cell_arcsec", "ra_deg", "dec_deg")},
    }
    return apparent_sky(sky, weights, next(iter(windows.values())).attrs["dish_diameter_m"], grid, beam)
