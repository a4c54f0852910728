"""One execution of ALMA on a known sky: visibilities with radiometer noise, and their dirty cubes."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from almabrain.config.simulate import SimulateSettings
from almabrain.instrument import noise
from almabrain.response import primary_beam
from almabrain.response.beam import ARCSEC_RAD
from almabrain.response.grid import is_planar
from almabrain.response.predict import predict_components, predict_image
from almabrain.simulate.cubes import image_window
from almabrain.simulate.field import choose_grid, component_geometry
from almabrain.simulate.track import Antennas, Track, antennas, track

_EPSILON = 1e-6
_N_POL = 2  # XX and YY


def observe(
    row,
    sky: Mapping[str, xr.Dataset],
    settings: SimulateSettings,
    rng: np.random.Generator,
    threads: int = 1,
) -> dict[str, xr.Dataset]:
    """Observe one sky as the execution in `row` did: `spw<k>` datasets and `antennas`.

    `row` is a row of observations.ecsv (or a mapping with its columns), `sky` a window's sky model under
    every `spw<k>`. Each result holds per channel the dirty image with and without noise, PSF and primary
    beam (channel, y, x), the predicted rms [Jy/beam] and the fitted beam; and, unless
    `settings.visibilities` is false, uvw_m (row, 3) and the visibilities in Jy. Raises UserError for
    antennas, a source or a pixel grid that make no observation.
    """
    attrs = next(iter(sky.values())).attrs
    array = antennas(row["antenna_arrays"], row["observation"])
    path = track(row, array, attrs["ra_deg"], attrs["dec_deg"], settings)
    n_pix, cell = choose_grid(sky, path.uvw_m, array.diameter_m, settings)
    common = {
        **{key: attrs[key] for key in ("simulation", "ra_deg", "dec_deg", "frame") if key in attrs},
        "observation": str(row["observation"]),
        "target_name": str(row["target_name"]),
        "cell_arcsec": cell,
        "n_pix": n_pix,
        "weighting": settings.weighting,
        "robust": settings.robust,
        "dish_diameter_m": array.diameter_m,
        "integration_s": path.integration_s,
        "noise_bandwidth": "channel width",
        "telescope": "ALMA",
        "bunit": "Jy/beam",
    }
    made = {}
    for name, window in sky.items():
        sigma = _sigma_jy(row, window, array, path)
        made[name] = _window(window, path, sigma, common, settings, rng, threads)
    made["antennas"] = _antenna_table(array)
    return made


def _sigma_jy(row, window, array: Antennas, path: Track) -> np.ndarray:
    """σ per polarisation and per real part (time, chan): the channel's width is its noise bandwidth."""
    return noise.visibility_sigma(
        window["frequency_hz"].values[None, :],
        np.abs(window["channel_width_hz"].values)[None, :],
        path.integration_s,
        array.diameter_m,
        float(row["pwv"]),
        path.elevation_rad[:, None],
        int(row["band_list"]),
    )


def model_visibility(
    window: xr.Dataset, uvw_m: np.ndarray, diameter_m: float, threads: int = 1
) -> np.ndarray:
    """Noiseless Stokes I visibilities (row, chan) in Jy of a sky model seen through the primary beam.

    The beam acts on the whole of each component (`response.primary_beam.attenuate`) and on each pixel.
    """
    frequency = window["frequency_hz"].values
    response, l, m, major, minor, pa = primary_beam.attenuate(
        frequency, primary_beam.dish(diameter_m), *component_geometry(window)
    )
    flux = window["component_flux_jy"].values * response
    axes = major * ARCSEC_RAD, minor * ARCSEC_RAD, np.radians(pa)
    visibility = predict_components(uvw_m, frequency, flux, l, m, *axes)
    if "pixel_model_jy" in window:
        model = window["pixel_model_jy"]
        cell, n_pix = model.attrs["pixel_cell_arcsec"], model.shape[-1]
        seen = np.stack([
            plane * primary_beam.image(n_pix, cell, f, primary_beam.dish(diameter_m))
            for plane, f in zip(model.values, frequency, strict=True)
        ])  # fmt: skip
        cell_rad = cell * ARCSEC_RAD
        planar = is_planar(uvw_m, frequency, n_pix * cell_rad)
        visibility += predict_image(uvw_m, frequency, seen, cell_rad, _EPSILON, planar, threads)
    return visibility


def _window(window, path: Track, sigma, common, settings, rng, threads) -> xr.Dataset:
    visibility = model_visibility(window, path.uvw_m, common["dish_diameter_m"], threads)
    per_time = len(path.antenna1)
    sigma = np.repeat(sigma, per_time, axis=0)
    draw = rng.standard_normal((*visibility.shape, _N_POL, 2), np.float32).view(np.complex64)[..., 0]
    radiometer = draw * sigma[..., None].astype(np.float32)
    cubes = image_window(
        path.uvw_m,
        window["frequency_hz"].values,
        visibility,
        radiometer.mean(axis=-1),
        sigma,
        common,
        threads,
    )
    made = xr.Dataset(cubes, attrs=common)
    for key in ("frequency_hz", "channel_width_hz", "line_free"):
        made[key] = "channel", window[key].values
    made = made.set_coords("frequency_hz")
    if settings.visibilities:
        made["uvw_m"] = ("row", "uvw"), path.uvw_m
        made["time_mjd_s"] = "row", np.repeat(path.time_mjd_s, per_time)
        made["antenna1"] = "row", np.tile(path.antenna1, len(path.time_mjd_s)).astype(np.int32)
        made["antenna2"] = "row", np.tile(path.antenna2, len(path.time_mjd_s)).astype(np.int32)
        noisy = (visibility[..., None] + radiometer).astype(np.complex64)
        made["visibility"] = ("row", "channel", "polarisation"), noisy
        made["visibility_noiseless"] = ("row", "channel"), visibility.astype(np.complex64)
        made["sigma_jy"] = ("row", "channel"), sigma.astype(np.float32)
    return made


def _antenna_table(array: Antennas) -> xr.Dataset:
    return xr.Dataset(
        {
            "name": ("antenna", array.name),
            "pad": ("antenna", array.pad),
            "itrf_m": (("antenna", "xyz"), array.itrf_m),
            "diameter_m": ("antenna", np.full(len(array.name), array.diameter_m)),
        }
    )
