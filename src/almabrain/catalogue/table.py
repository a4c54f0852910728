"""The catalogue's one schema, whoever found the sources (docs/catalogues.md)."""

import numpy as np
from astropy import units as u
from astropy.table import Table

from almabrain.catalogue.find import Candidates, find_network, find_sep, held_out, local_rms
from almabrain.catalogue.measure import Fit, fit_sources, flux_and_size
from almabrain.catalogue.plane import SkyPlane
from almabrain.config.catalogue import CatalogueSettings
from almabrain.networks.shapes import axes_from_covariance

UNRESOLVED, BLENDED, EDGE, NOT_FITTED, NO_PRIMARY_BEAM = 1, 2, 4, 8, 16
BLEND_BEAMS = 2.0

COLUMNS = {
    "source": (int, None, "number in this catalogue, brightest peak first"),
    "ra": (float, u.deg, "right ascension, ICRS"),
    "ra_error": (float, u.arcsec, "1 sigma, on the sky (cos dec included)"),
    "dec": (float, u.deg, "declination, ICRS"),
    "dec_error": (float, u.arcsec, "1 sigma"),
    "frequency": (float, u.Hz, "frequency of the plane"),
    "flux": (float, u.Jy, "integrated flux density, divided by pb"),
    "flux_error": (float, u.Jy, "1 sigma, of noise only"),
    "peak_flux": (float, u.Jy / u.beam, "peak of the fit, divided by pb"),
    "peak_flux_error": (float, u.Jy / u.beam, "1 sigma, of noise only"),
    "major": (float, u.arcsec, "fitted FWHM, convolved with the beam"),
    "major_error": (float, u.arcsec, "1 sigma"),
    "minor": (float, u.arcsec, "fitted FWHM, convolved with the beam"),
    "minor_error": (float, u.arcsec, "1 sigma"),
    "pa": (float, u.deg, "position angle of major, north through east, -90 to 90"),
    "pa_error": (float, u.deg, "1 sigma, 90 at most"),
    "deconvolved_major": (float, u.arcsec, "FWHM without the beam; 0 where unresolved"),
    "deconvolved_minor": (float, u.arcsec, "FWHM without the beam; 0 where unresolved"),
    "deconvolved_pa": (float, u.deg, "position angle without the beam; 0 where unresolved"),
    "pb": (float, None, "primary beam at the source, 1 where none was given"),
    "local_rms": (float, u.Jy / u.beam, "noise about the source, not divided by pb"),
    "snr": (float, None, "fitted peak, not divided by pb, over local_rms"),
    "probability": (float, None, "that this is a source, as the finder sees it"),
    "flags": (int, None, "1 unresolved, 2 blended, 4 at an edge, 8 not fitted, 16 no primary beam"),
    "finder": (str, None, "sep or network"),
    "realisation": (str, None, "whose noise: radiometer, empirical, mixed or observed"),
    "held_out": (bool, None, "whether the finder was not trained on these data"),
}


def make_catalogue(
    plane: SkyPlane,
    finder: str,
    settings: CatalogueSettings,
    weights=None,
    realisation: str | None = None,
    data: str = "",
) -> Table:
    """Find and measure the sources of a plane; `finder` is `sep`, or `network` with its `weights` file.

    `realisation` says whose noise the plane has where it does not say so itself, `data` names what the plane
    is of: a network knows what it was trained on.

    One row per source with the columns of `COLUMNS`, the image's beam and extent in the metadata.
    """
    rms = local_rms(plane, settings)
    if finder == "network":
        found = find_network(plane, weights, settings)
    else:
        found = find_sep(plane, rms, settings)
    fits = fit_sources(plane.values, found.position, rms, plane.beam_covariance)
    rows = [_row(plane, rms, found, fits, index) for index in range(len(fits))]
    if finder == "sep":
        # A deblended shoulder whose fit fails once its neighbours are subtracted was part of them.
        rows = [
            row for row in rows if row["snr"] >= settings.threshold_sigma or not row["flags"] & NOT_FITTED
        ]
    rows.sort(key=lambda row: -row["snr"])
    constants = {
        "finder": finder,
        "realisation": realisation or plane.realisation,
        "held_out": held_out(finder, weights, data),
    }
    rows = [row | constants | {"source": number} for number, row in enumerate(rows)]
    table = Table(
        {name: np.array([row[name] for row in rows], kind) for name, (kind, _, _) in COLUMNS.items()}
    )
    for name, (_, unit, text) in COLUMNS.items():
        table[name].unit, table[name].description = unit, text
    n_y, n_x = plane.values.shape
    centre = plane.wcs.pixel_to_world(n_x // 2, n_y // 2).icrs
    table.meta = {
        "image": plane.source,
        "bmaj_arcsec": float(plane.beam.major_arcsec),
        "bmin_arcsec": float(plane.beam.minor_arcsec),
        "bpa_deg": float(plane.beam.pa_deg),
        "ra_deg": float(centre.ra.deg),
        "dec_deg": float(centre.dec.deg),
        "half_width_arcsec": [float(n * plane.cell_arcsec / 2) for n in (n_x, n_y)],
        "searched_radius_arcsec": plane.searched_radius_arcsec(settings.min_pb),
        "frequency_hz": float(plane.frequency_hz),
        "data": data,
        **constants,
    }
    return table


def _row(plane: SkyPlane, rms: np.ndarray, found: Candidates, fits: list[Fit], index: int) -> dict:
    fit, beam, cell = fits[index], plane.beam_covariance, plane.cell_arcsec
    x, y = (
        int(np.clip(round(c), 0, n - 1)) for c, n in zip(fit.centre, plane.values.shape[::-1], strict=True)
    )
    pb = 1.0 if plane.pb is None else float(max(plane.pb[y, x], 1e-3))
    (flux, flux_error), size, size_error = flux_and_size(fit, beam, cell)
    error = np.sqrt(np.diag(fit.errors))
    if not fit.good:
        error[1:3], size_error = np.sqrt(np.diag(beam)), np.full(3, np.nan)
    sky = plane.wcs.pixel_to_world(*fit.centre).icrs
    deconvolved = axes_from_covariance(fit.shape_covariance - beam, cell) if fit.resolved else (0.0, 0.0, 0.0)
    return {
        "ra": sky.ra.deg,
        "ra_error": error[1] * cell,
        "dec": sky.dec.deg,
        "dec_error": error[2] * cell,
        "frequency": plane.frequency_hz,
        "flux": flux / pb,
        "flux_error": flux_error / pb,
        "peak_flux": fit.parameters[0] / pb,
        "peak_flux_error": error[0] / pb,
        **dict(zip(("major", "minor", "pa"), size, strict=True)),
        **dict(zip(("major_error", "minor_error", "pa_error"), size_error, strict=True)),
        **dict(zip(("deconvolved_major", "deconvolved_minor", "deconvolved_pa"), deconvolved, strict=True)),
        "pb": pb,
        "local_rms": rms[y, x],
        "snr": fit.parameters[0] / rms[y, x],
        "probability": found.probability[index],
        "flags": _flags(plane, fits, index),
    }


def _flags(plane: SkyPlane, fits: list[Fit], index: int) -> int:
    fit, reach = fits[index], BLEND_BEAMS * plane.beam.major_arcsec / plane.cell_arcsec
    others = [other.centre for number, other in enumerate(fits) if number != index]
    blended = any(np.hypot(*(fit.centre - centre)) < reach for centre in others)
    facts = {
        UNRESOLVED: not fit.resolved,
        BLENDED: blended,
        EDGE: fit.at_edge,
        NOT_FITTED: not fit.good,
        NO_PRIMARY_BEAM: plane.pb is None,
    }
    return sum(bit for bit, holds in facts.items() if holds)
