"""Giving shapes their light: continuum, redshift and lines."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky import sed
from almabrain.sky.brightness import Seen, draw_flux, seen
from almabrain.sky.channels import cube_flux_jy
from almabrain.sky.field import Field
from almabrain.sky.place import log_uniform
from almabrain.sky.profile import profile_of
from almabrain.sky.shape import Shape
from almabrain.sky.source import Source
from almabrain.sky.spectral_lines import draw_lines, draw_redshift

# Share of a frequency over which a spectral index is taken.
_INDEX_STEP = 1e-3


def shine(
    shape: Shape, field: Field, settings: SkySettings, rng: np.random.Generator, role="target", dimmed=1.0
) -> Source:
    """The shape with a continuum, `dimmed` times as bright as the settings ask for.

    A shape that brings its own brightness keeps it.
    """
    if shape.continuum_jy or shape.cube_jy:
        return _own(shape, field, role)
    if settings.luminosity_lsun:
        luminosity = dimmed * log_uniform(rng, settings.luminosity_lsun)
        return of_luminosity(shape, field, settings, rng, luminosity, role)
    behind = seen(shape, field)
    flux = dimmed * draw_flux(behind, field, settings, rng)
    return of_flux(shape, field, flux, float(rng.uniform(*settings.spectral_index)), role, behind)


def of_luminosity(
    shape: Shape, field: Field, settings: SkySettings, rng: np.random.Generator, luminosity_lsun, role
) -> Source:
    """The shape with the continuum of a galaxy of this infrared luminosity, at a redshift drawn for it."""
    redshift = draw_redshift(field.windows, settings.redshift, settings.lines, rng)

    def continuum(frequency_hz):
        return sed.flux_density_jy(frequency_hz, luminosity_lsun, redshift, settings.sed)

    reference = field.reference_frequency_hz
    flux, index = float(continuum(reference)), slope(continuum, reference)
    return Source(shape, role, seen(shape, field), flux, index, continuum, redshift, luminosity_lsun)


def of_flux(
    shape: Shape, field: Field, flux_jy: float, spectral_index: float, role: str, behind: Seen | None = None
) -> Source:
    """The shape with a power law for a continuum."""

    def continuum(frequency_hz):
        return flux_jy * (np.asarray(frequency_hz) / field.reference_frequency_hz) ** spectral_index

    return Source(shape, role, behind or seen(shape, field), flux_jy, spectral_index, continuum)


def with_lines(source: Source, field: Field, settings: SkySettings, rng: np.random.Generator) -> Source:
    """The source with the lines that fall into the windows at its redshift, which is drawn where it has none."""
    shape = source.shape
    if shape.continuum_jy or shape.cube_jy or settings.lines.names == "none":
        return source
    redshift, luminosity = source.redshift, source.luminosity_lsun
    if redshift is None:
        redshift = draw_redshift(field.windows, settings.redshift, settings.lines, rng)
    if luminosity is None and (settings.luminosity_lsun or settings.lines.to_continuum is None):
        # That of a galaxy which is as bright at the reference frequency.
        one = sed.flux_density_jy(field.reference_frequency_hz, 1.0, redshift, settings.sed)
        luminosity = source.flux_jy / float(one)
    profile = None
    if shape.line_pixels:
        profile = profile_of(shape, shape.line_width_kms or log_uniform(rng, settings.lines.width_kms))
    form = profile and profile.form
    lines = draw_lines(redshift, field.windows, source.continuum_jy, settings.lines, rng, luminosity, form)
    if not lines and luminosity is None:
        return source
    return replace(
        source,
        redshift=redshift,
        luminosity_lsun=luminosity,
        lines=tuple(lines),
        profile=profile if lines else None,
    )


def slope(spectrum: Callable, frequency_hz: float) -> float:
    """The spectral index of a spectrum at a frequency; NaN where it changes its sign."""
    low, high = frequency_hz * (1 - _INDEX_STEP), frequency_hz * (1 + _INDEX_STEP)
    ratio = float(spectrum(high) / spectrum(low))
    return float(np.log(ratio) / np.log(high / low)) if ratio > 0 else np.nan


def _own(shape: Shape, field: Field, role: str) -> Source:
    reference = field.reference_frequency_hz
    if shape.cube_jy:
        return of_flux(shape, field, cube_flux_jy(shape, field.windows), 0.0, role)

    # A decrement's sign stands in its pixels, which then sum to -1, or in its spectrum.
    sign = np.sign(shape.pixels.sum()) if shape.pixels is not None else 1.0

    def continuum(frequency_hz):
        flux = sign * np.asarray(shape.continuum_jy(np.atleast_1d(frequency_hz)), float)
        return flux.reshape(np.shape(frequency_hz))

    index = slope(continuum, reference)
    return Source(shape, role, seen(shape, field), float(continuum(reference)), index, continuum)
