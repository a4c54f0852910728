"""What is true of a scene, as tables: one of its sources, one of their lines."""

from collections.abc import Sequence

import numpy as np
from astropy.table import MaskedColumn, Table

from almabrain.data.coordinates import radec_from_lm
from almabrain.data.line import MOVING, SPEED_OF_LIGHT_KM_S
from almabrain.sky.brightness import flux_response
from almabrain.sky.field import Field, Window
from almabrain.sky.profile import peak_share
from almabrain.sky.source import Source
from almabrain.sky.spectral_lines import Line

# Name: (unit, meaning). A value that a source has not is masked.
SOURCES = {
    "simulation": (None, "name of the simulation"),
    "source": (None, "number of the source in its simulation, targets first, the brightest of them 0"),
    "kind": (None, "point, gaussian, or the model of a picture"),
    "role": (None, "target or serendipitous"),
    "ra": ("deg", "centroid of the continuum, ICRS"),
    "dec": ("deg", "centroid of the continuum, ICRS"),
    "flux": ("Jy", "continuum flux density at the reference frequency, before the primary beam"),
    "reference_frequency": ("Hz", "mean of the windows' centres"),
    "spectral_index": (None, "a of S ~ frequency^a there"),
    "major": ("arcsec", "FWHM; of a picture, of the Gaussian with its second moments"),
    "minor": ("arcsec", "FWHM; of a picture, of the Gaussian with its second moments"),
    "pa": ("deg", "position angle of the major axis, north through east"),
    "line": (None, "strongest line; empty without one"),
    "line_frequency": ("Hz", "observed frequency of that line"),
    "line_flux": ("Jy km / s", "its integrated flux, before the primary beam; negative in absorption"),
    "line_width": ("km / s", "its FWHM"),
    "line_profile": (None, "its profile; model: the picture's own velocities"),
    "line_peak": ("Jy/beam", "its peak behind the primary beam; see apparent_peak in the table of lines"),
    "redshift": (None, "redshift, of a source with lines or a luminosity"),
    "luminosity": ("L_sun", "infrared luminosity, 8-1000 um"),
    "pb": (None, "primary beam at the centroid and the reference frequency"),
    "apparent_flux": ("Jy", "flux behind the primary beam"),
    "peak_flux": ("Jy/beam", "peak behind the primary beam, at the beam that the archive states"),
    "predicted_snr": (None, "size of that peak over the noise predicted for all windows together"),
}
LINES = {
    "simulation": (None, "name of the simulation"),
    "source": (None, "number of the source in the truth table"),
    "line": (None, "name in the line table"),
    "rest_frequency": ("Hz", "rest frequency"),
    "frequency": ("Hz", "observed frequency"),
    "redshift": (None, "redshift"),
    "flux": ("Jy km / s", "integrated flux, before the primary beam; negative in absorption"),
    "peak_flux": ("Jy", "flux density where the profile is highest, undiluted by channels"),
    "width": ("km / s", "FWHM, radio velocity"),
    "profile": (None, "its profile; model: the picture's own velocities"),
    "luminosity": ("L_sun", "luminosity of the line, where the source's is given"),
    "apparent_flux": ("Jy km / s", "integrated flux behind the primary beam"),
    "apparent_peak": (
        "Jy/beam",
        "peak behind the primary beam, at the beam that the archive states, in a channel that lies within the "
        "FWHM, or that holds the whole line",
    ),
}
_TEXT = ("simulation", "kind", "role", "line", "line_profile", "profile")
_WHOLE = ("source",)
_OPTIONAL = ("line_frequency", "line_flux", "line_width", "line_peak", "redshift", "luminosity")


def of_sources(sources: Sequence[Source], field: Field, simulation: str) -> Table:
    """One row a source, with the columns of SOURCES."""
    return _table([_source(*item, field, simulation) for item in enumerate(sources)], SOURCES)


def of_lines(sources: Sequence[Source], field: Field, simulation: str) -> Table:
    """One row a line, with the columns of LINES."""
    rows = [
        _line(number, source, line, field, simulation)
        for number, source in enumerate(sources)
        for line in source.lines
    ]
    return _table(rows, LINES)


def _source(number: int, source: Source, field: Field, simulation: str) -> dict:
    shape, seen = source.shape, source.seen
    ra, dec = radec_from_lm(shape.l, shape.m, field.ra_deg, field.dec_deg)
    strongest = max(source.lines, key=lambda line: abs(line.flux_jy_kms), default=None)
    return {
        "simulation": simulation,
        "source": number,
        "kind": shape.kind,
        "role": source.role,
        "ra": float(ra),
        "dec": float(dec),
        "flux": source.flux_jy,
        "reference_frequency": field.reference_frequency_hz,
        "spectral_index": source.spectral_index,
        "major": shape.major_arcsec,
        "minor": shape.minor_arcsec,
        "pa": shape.pa_deg,
        "line": strongest.name if strongest else "",
        "line_frequency": strongest and strongest.frequency_hz,
        "line_flux": strongest and strongest.flux_jy_kms,
        "line_width": strongest and strongest.width_kms,
        "line_profile": _profile(source, strongest) if strongest else "",
        "line_peak": strongest and apparent_peak_jy(source, strongest, field),
        "redshift": source.redshift,
        "luminosity": source.luminosity_lsun,
        "pb": seen.centre,
        "apparent_flux": source.flux_jy * seen.flux_jy,
        "peak_flux": source.flux_jy * seen.peak_jy,
        "predicted_snr": seen.snr(source.flux_jy, field),
    }


def _line(number: int, source: Source, line: Line, field: Field, simulation: str) -> dict:
    profile = source.profile
    return {
        "simulation": simulation,
        "source": number,
        "line": line.name,
        "rest_frequency": line.rest_frequency_hz,
        "frequency": line.frequency_hz,
        "redshift": line.redshift,
        "flux": line.flux_jy_kms,
        "peak_flux": line.flux_jy_kms * profile.form.peak_per_kms if profile else line.peak_jy,
        "width": line.width_kms,
        "profile": _profile(source, line),
        "luminosity": line.luminosity_lsun,
        "apparent_flux": line.flux_jy_kms
        * flux_response(source.shape, field, line.frequency_hz, profile and profile.pixels),
        "apparent_peak": apparent_peak_jy(source, line, field),
    }


def apparent_peak_jy(source: Source, line: Line, field: Field) -> float:
    """Peak, Jy/beam, of a line behind the primary beam in a channel within its FWHM, or with all of it.

    In the window whose middle is nearest to the line. The gas of a moving picture shines in one beam only
    where that beam's velocities are, so that its lines stand out higher there than in the whole.
    """
    window = min(field.windows, key=lambda one: abs(one.frequency_hz.mean() - line.frequency_hz))
    width_hz = float(window.channel_width_hz.mean())
    if source.profile:
        width_kms = width_hz / line.frequency_hz * SPEED_OF_LIGHT_KM_S
        return line.flux_jy_kms * peak_share(source.shape, field, line, width_kms)
    middle = Window(np.array([line.frequency_hz]), np.array([width_hz]))
    return float(line.flux_density(middle)[0] * source.seen.peak_jy)


def _profile(source: Source, line: Line) -> str:
    return MOVING if source.profile else line.profile


def _table(rows: list[dict], columns: dict) -> Table:
    made = Table()
    for name, (unit, meaning) in columns.items():
        values = [row[name] for row in rows]
        if name in _TEXT:
            made[name] = np.array(values, str) if values else np.array([], "U1")
        elif name in _WHOLE:
            made[name] = np.array(values, int)
        elif name in _OPTIONAL:
            absent = [value is None for value in values]
            numbers = [0.0 if value is None else value for value in values]
            made[name] = MaskedColumn(np.array(numbers, float), mask=absent)
        else:
            made[name] = np.array(values, float)
        made[name].unit, made[name].description = unit, meaning
    return made
