"""Giving shapes their light: continuum, redshift and lines."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky import sed
from almabrain.sky.brightness import Seen, draw_flux, seen
from almabrain.sky.channels import Profile, cube_flux_jy, profile_of
from almabrain.sky.field import Field
from almabrain.sky.place import log_uniform
from almabrain.sky.shape import Shape
from almabrain.sky.spectral_lines import Line, draw_lines, draw_redshift

# Share of a frequency over which a spectral index is taken.
_INDEX_STEP = 1e-3


@dataclass(frozen=True)
class Source:
    """One source of the truth: what it looks like and how it shines.

    `flux_jy` is at the field's reference frequency, `continuum_jy` of frequencies (channel,) in Hz. Redshift
    and infrared luminosity (8-1000 um) are None where nothing depends on them. `profile` is that of the
    lines of a picture with velocities of its own.
    """

    shape: Shape
    role: str  # target or serendipitous
    seen: Seen
    flux_jy: float
    spectral_index: float
    continuum_jy: Callable[[np.ndarray], np.ndarray]
    redshift: float | None = None
    luminosity_lsun: float | None = None
    lines: tuple[Line, ...] = ()
    profile: Profile | None = None


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
    chosen = settings.lines
    if shape.line_width_kms:
        chosen = chosen.model_copy(update={"width_kms": (shape.line_width_kms, shape.line_width_kms)})
    lines = tuple(draw_lines(redshift, field.windows, source.continuum_jy, chosen, rng, luminosity))
    if not lines and luminosity is None:
        return source
    profile = profile_of(shape, lines[0].width_kms) if lines and shape.line_pixels else None
    return replace(source, redshift=redshift, luminosity_lsun=luminosity, lines=lines, profile=profile)


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
