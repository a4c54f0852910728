"""Total power: what single dishes map of the same sky, short spacings and zero spacing included."""

import logging
from collections.abc import Mapping

import numpy as np
import xarray as xr

from almabrain.config.simulate import TotalPowerSettings
from almabrain.data.constants import ARCSEC, FWHM_PER_SIGMA
from almabrain.instrument import noise, primary_beam
from almabrain.response.beam import Beam, render_components
from almabrain.simulate.field import component_geometry

DIAMETER_M = 12.0
# On-the-fly samples are averaged under a kernel (Mangum, Emerson & Greisen 2007, A&A 474, 679), here a Gaussian
# of a third of the beam, as in GILDAS. It widens the beam by 5 % and is what correlates the noise.
_KERNEL_PER_BEAM = 1 / 3
_WIDENING = np.sqrt(1 + _KERNEL_PER_BEAM**2)
_MARGIN_BEAMS = 1.5  # a beam centred this far from the edge keeps all but 2e-4 of its flux
_REACH_SIGMA = 5
_LOG = logging.getLogger(__name__)


def single_dish(
    window: xr.Dataset,
    n_pix: int,
    cell_arcsec: float,
    settings: TotalPowerSettings,
    context: Mapping,
    rng: np.random.Generator,
) -> dict:
    """Maps of one spectral window by 12 m dishes, as variables of a dataset.

    `window` is a sky model with Jy per component and pixel, `context` has pwv [mm], band_list and
    elevation_rad. Returns total_power and total_power_noiseless (channel, y, x) in Jy/beam on the given grid,
    total_power_beam_arcsec (channel), the FWHM of the round Gaussian beam, and total_power_rms (channel). No
    primary beam attenuates the map. Light from beyond the grid's edges is in it as far as the beam reaches.
    """
    frequency = window["frequency_hz"].values
    beam = beam_arcsec(frequency)
    field_arcsec = n_pix * cell_arcsec
    if field_arcsec < covering_arcsec(window):
        _LOG.info(
            "%s: the total power map is %.4g arcsec wide and so misses light at its edges; all of the flux "
            "takes %.4g arcsec",
            window.attrs.get("simulation", "sky"),
            field_arcsec,
            covering_arcsec(window),
        )
    rms = _rms_jy_beam(window, field_arcsec, settings, context)
    noiseless, total = np.empty((2, len(frequency), n_pix, n_pix), np.float32)
    for k, width in enumerate(beam):
        plane = _convolved(window, k, n_pix, cell_arcsec, width)
        noiseless[k], total[k] = plane, plane + rms[k] * _texture(n_pix, cell_arcsec, width, rng)
    axes = ("channel", "y", "x")
    return {
        "total_power": (axes, total),
        "total_power_noiseless": (axes, noiseless),
        "total_power_beam_arcsec": ("channel", beam),
        "total_power_rms": ("channel", rms),
    }


def beam_arcsec(frequency_hz) -> np.ndarray:
    """FWHM [arcsec] of the maps' Gaussian beam: the 12 m dish's half-power width, widened by the gridding."""
    width = primary_beam.half_power_width_rad(frequency_hz, DIAMETER_M)
    return _WIDENING * np.atleast_1d(width) / ARCSEC


def covering_arcsec(window: xr.Dataset) -> float:
    """Width [arcsec] of a grid on which a map holds all of a sky model's flux, to better than 1e-3."""
    l, m, major, *_ = component_geometry(window)
    reach = np.maximum(np.abs(l), np.abs(m)) / ARCSEC
    beam = beam_arcsec(window["frequency_hz"].values).max()
    half = reach + _MARGIN_BEAMS * np.hypot(beam, major)
    if "pixel_model_jy" in window:
        model = window["pixel_model_jy"]
        half = np.append(half, model.shape[-1] / 2 * model.attrs["pixel_cell_arcsec"] + _MARGIN_BEAMS * beam)
    return 2 * float(half.max(initial=0.0))


def _convolved(window, channel, n_pix, cell_arcsec, width_arcsec) -> np.ndarray:
    """The sky under the beam (y, x) in Jy/beam: in closed form for components, pixel by pixel for models."""
    flux = window["component_flux_jy"].values[:, channel]
    beam = Beam(width_arcsec, width_arcsec, 0.0)
    picture = render_components(n_pix, cell_arcsec, flux, *component_geometry(window), beam)
    if "pixel_model_jy" in window:
        model = window["pixel_model_jy"]
        to = (np.arange(n_pix) - n_pix // 2) * cell_arcsec
        # A round Gaussian is a product of two of one axis each: two matrices, exact for any two grids.
        rows, columns = (
            _gaussian(to, (np.arange(size) - size // 2) * model.attrs["pixel_cell_arcsec"], width_arcsec)
            for size in model.shape[1:]
        )
        picture += rows @ model.values[channel].astype(float) @ columns.T
    return picture


def _gaussian(to, origin, width):
    return np.exp(-4 * np.log(2) * (np.subtract.outer(to, origin) / width) ** 2)


def _rms_jy_beam(window, field_arcsec, settings, context) -> np.ndarray:
    """Radiometer noise (channel,) of Stokes I [Jy/beam], from the time that a kernel's area gets.

    The dishes spread their time evenly over the field and half a beam around it. A Gaussian kernel of FWHM k
    averages like an even one of area π k² / (2 ln 2). σ = SEFD / √(N n_pol Δν t) with n_pol = 2, which is
    one visibility's σ after N t. Noise of the off positions is left out.
    """
    frequency = window["frequency_hz"].values
    dish = beam_arcsec(frequency) / _WIDENING
    seconds_per_arcsec2 = settings.time_s / (field_arcsec + dish.mean()) ** 2
    effective_s = seconds_per_arcsec2 * np.pi * (_KERNEL_PER_BEAM * dish) ** 2 / (2 * np.log(2))
    sigma = noise.visibility_sigma(
        frequency,
        np.abs(window["channel_width_hz"].values),
        settings.antennas * effective_s,
        DIAMETER_M,
        float(context["pwv"]),
        context["elevation_rad"],
        int(context["band_list"]),
    )
    return sigma * _WIDENING**2  # the peak of a point falls under the kernel, and is scaled back to its flux


def _texture(n_pix, cell_arcsec, width_arcsec, rng) -> np.ndarray:
    """Noise (y, x) of rms 1 with the gridding kernel's correlation: a Gaussian √2 times as wide.

    White noise on nodes one σ of the kernel apart, whose lattice leaves no more than 1e-4 of a trace in the
    variance, under the kernel along both axes.
    """
    kernel = width_arcsec / _WIDENING * _KERNEL_PER_BEAM
    sigma = kernel / FWHM_PER_SIGMA
    to = (np.arange(n_pix) - n_pix // 2) * cell_arcsec
    count = int(np.ceil(n_pix * cell_arcsec / 2 / sigma)) + _REACH_SIGMA
    spread = _gaussian(to, np.arange(-count, count + 1) * sigma, kernel)
    spread /= np.sqrt((spread**2).sum(axis=1, keepdims=True))
    return spread @ rng.standard_normal((2 * count + 1,) * 2) @ spread.T
