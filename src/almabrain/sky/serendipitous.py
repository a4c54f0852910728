"""Sources that happen to stand in the field of the target: anywhere that the primary beam reaches."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.sky import counts, sed
from almabrain.sky.field import Field
from almabrain.sky.light import of_flux, of_luminosity, shine, slope, with_lines
from almabrain.sky.line_table import allowed_lines
from almabrain.sky.place import count, gaussian, log_uniform, point, spread
from almabrain.sky.shape import Shape
from almabrain.sky.source import Source

ROLE = "serendipitous"


def draw(
    field: Field, settings: SkySettings, targets: Sequence[Source], rng: np.random.Generator
) -> list[Source]:
    """Points and Gaussians evenly over the sky, each with its own continuum, redshift and lines.

    Their number is that of the settings and their brightness a ratio to the brightest of `targets` (to the
    peak of a picture in a beam; without a target, to what one would have), or both are those of the counts.
    """
    chosen = settings.serendipitous
    if chosen.counts:
        area = field.solid_angle_sr(chosen.min_primary_beam)
        fluxes = counts.draw(area, chosen.counts_flux_jy, rng)
        number = fluxes.size
    else:
        number = count(chosen.number, rng)
    made = []
    for index, shape in enumerate(_shapes(field, settings, number, rng)):
        if chosen.counts:
            source = _of_counts(shape, field, settings, float(fluxes[index]), rng)
            made.append(with_lines(source, field, _of_known_strength(settings), rng))
        else:
            source = _beside(shape, field, settings, targets, log_uniform(rng, chosen.brightness), rng)
            made.append(with_lines(source, field, settings, rng))
    return made


def _shapes(field: Field, settings: SkySettings, number: int, rng: np.random.Generator) -> list[Shape]:
    chosen = settings.serendipitous
    least = chosen.min_primary_beam
    reach = field.reach_rad(least)
    return [
        gaussian(position, field, settings, rng)
        if rng.random() < chosen.extended_fraction
        else point(position)
        for position in spread(field, number, rng, reach, least, "sky.serendipitous.min_primary_beam")
    ]


def _of_counts(shape, field: Field, settings: SkySettings, flux_jy: float, rng) -> Source:
    """A dusty galaxy of this flux density at 1.2 mm: a power law with the flux and slope of its dust here.

    Its redshift is that of such galaxies, and its luminosity that of one as bright: so it has the lines that
    happen to fall into the windows, as bright as its luminosity makes them.
    """
    redshift = counts.draw_redshift(rng)

    def dust(frequency_hz):
        return counts.dust_spectrum(frequency_hz, redshift)

    reference = field.reference_frequency_hz
    made = of_flux(shape, field, flux_jy * float(dust(reference)), slope(dust, reference), ROLE)
    one = sed.flux_density_jy(reference, 1.0, redshift, settings.sed)
    return replace(made, redshift=redshift, luminosity_lsun=made.flux_jy / float(one))


def _of_known_strength(settings: SkySettings) -> SkySettings:
    """The settings without lines whose ratio to the infrared luminosity nobody knows."""
    known = [item.name for item in allowed_lines(settings.lines) if item.log_ratio is not None]
    lines = settings.lines.model_copy(update={"names": known or "none"})
    return settings.model_copy(update={"lines": lines})


def _beside(shape, field: Field, settings: SkySettings, targets, ratio: float, rng) -> Source:
    if not targets:
        return shine(shape, field, settings, rng, ROLE, ratio)
    luminosities = [one.luminosity_lsun for one in targets if one.luminosity_lsun]
    if settings.luminosity_lsun and luminosities:
        return of_luminosity(shape, field, settings, rng, ratio * max(luminosities), ROLE)
    index = float(rng.uniform(*settings.spectral_index))
    return of_flux(shape, field, ratio * max(map(_brightness, targets)), index, ROLE)


def _brightness(target: Source) -> float:
    # A picture may cover hundreds of beams: beside its whole flux in one point it would not be seen.
    share = target.seen.peak_jy if target.shape.pixels is not None else 1.0
    return abs(target.flux_jy * share)
