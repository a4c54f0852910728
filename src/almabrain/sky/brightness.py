"""How bright a source looks behind the primary beam, and how bright it is made."""

from typing import NamedTuple

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import lm_grid
from almabrain.response.beam import Beam, convolve
from almabrain.response.primary_beam import attenuate
from almabrain.sky.field import Field
from almabrain.sky.place import log_uniform
from almabrain.sky.shape import Shape

DEFAULT_SNR = (10.0, 100.0)


class Seen(NamedTuple):
    """What is left behind the primary beam of a source of 1 Jy, at the reference frequency."""

    centre: float  # response at the source's centroid
    flux_jy: float
    peak_jy: float  # per field's beam; where the source is brightest, or deepest

    def snr(self, flux_jy: float, field: Field) -> float:
        """Signal-to-noise ratio of the peak of a source of this flux, in the noise predicted for the field."""
        return abs(flux_jy * self.peak_jy) / field.sensitivity_jy


def seen(shape: Shape, field: Field) -> Seen:
    """A shape as the field's noiseless image shows it; of a picture the peak is that of its pixels' image."""
    centre = float(field.primary_beam(shape.l, shape.m))
    if shape.pixels is None:
        return _component(shape, field, centre)
    l, m = lm_grid(shape.pixels.shape[0], shape.cell_arcsec)
    # One Jy in all, whatever the sign of the picture.
    apparent = shape.pixels / shape.pixels.sum() * field.primary_beam(l, m)
    image = convolve(apparent, shape.cell_arcsec, Beam(field.beam_arcsec, field.beam_arcsec, 0.0))
    return Seen(centre, float(apparent.sum()), float(image.flat[np.abs(image).argmax()]))


def flux_response(shape: Shape, field: Field, frequency_hz: float, pixels: np.ndarray | None = None) -> float:
    """Share of a source's flux that is left behind the primary beam at a frequency.

    `pixels`: of light that a picture has elsewhere than its continuum.
    """
    pixels = shape.pixels if pixels is None else pixels
    if pixels is not None:
        l, m = lm_grid(pixels.shape[0], shape.cell_arcsec)
        return float((pixels * field.primary_beam(l, m, frequency_hz)).sum() / pixels.sum())
    geometry = shape.l, shape.m, shape.major_arcsec, shape.minor_arcsec, shape.pa_deg
    return float(attenuate(frequency_hz, field.array.power, *geometry).response[0, 0])


def draw_flux(seen: Seen, field: Field, settings: SkySettings, rng: np.random.Generator) -> float:
    """A flux density, Jy: drawn evenly in its logarithm, or from the SNR that its peak shall have."""
    if settings.flux_jy:
        return log_uniform(rng, settings.flux_jy)
    return log_uniform(rng, settings.snr or DEFAULT_SNR) * field.sensitivity_jy / abs(seen.peak_jy)


def _component(shape: Shape, field: Field, centre: float) -> Seen:
    geometry = shape.l, shape.m, shape.major_arcsec, shape.minor_arcsec, shape.pa_deg
    behind = attenuate(field.reference_frequency_hz, field.array.power, *geometry)
    response = float(behind.response[0, 0])
    # Behind a round beam a Gaussian's peak is its flux times the ratio of the two solid angles.
    axes = np.array([behind.major_arcsec[0], behind.minor_arcsec[0]])
    dilution = float(field.beam_arcsec**2 / np.sqrt(np.prod(field.beam_arcsec**2 + axes**2)))
    return Seen(centre, response, response * dilution)
