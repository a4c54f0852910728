"""Catalogue against truth: which detection is which source, one to one."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from almabrain.config.catalogue import CatalogueSettings
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_from_radec
from almabrain.data.naming import is_simulation
from almabrain.networks.matching import one_to_one

NOTHING, FAINT, SOURCE = 0, 1, 2  # what a detection turned out to be


@dataclass(frozen=True)
class Matched:
    """A catalogue, the truth within its image, and who belongs to whom."""

    catalogue: Table
    truth: Table  # one row per source, as `sources` gives it
    scored: np.ndarray  # (source,) whether it counts as missed when not found
    partner: np.ndarray  # (detection,) row of the truth, -1 for none

    @property
    def kind(self) -> np.ndarray:
        """What each detection is: a SOURCE that is scored, one too FAINT to be, or NOTHING."""
        faint_or_source = np.where(self.scored[self.partner], SOURCE, FAINT) if len(self.scored) else FAINT
        return np.where(self.partner < 0, NOTHING, faint_or_source)


def sources(truth: Table, frequency_hz: float, realisation: str = "") -> Table:
    """The truth table's components gathered into sources: position, continuum flux, size, SNR.

    Positions and sizes are flux-weighted; the flux [Jy] is at `frequency_hz`; the SNR is the largest of the
    components' continuum SNR in the noise of `realisation`: `radiometer_snr` in that of the visibilities,
    else `measured_snr`, that of the drawn noise. UserError for a truth table without that column.
    """
    column = "radiometer_snr" if realisation == "radiometer" else "measured_snr"
    if column not in truth.colnames:
        raise UserError(f"the truth table has no column '{column}'; give that of stage noise")
    snr = np.nan_to_num(_plain(truth, column))
    ratio = frequency_hz / _plain(truth, "reference_frequency") if np.isfinite(frequency_hz) else 1.0
    index = np.nan_to_num(_plain(truth, "spectral_index"))
    flux = np.nan_to_num(_plain(truth, "flux")) * np.nan_to_num(ratio**index, nan=1.0)
    place = {name: _plain(truth, name) for name in ("ra", "dec")}
    place["major"] = np.nan_to_num(_plain(truth, "major"))
    rows = []
    for number in np.unique(truth["source"]):
        own = np.asarray(truth["source"] == number)
        weight = flux[own] / flux[own].sum() if flux[own].sum() > 0 else np.full(own.sum(), 1 / own.sum())
        mean = {name: float(np.sum(weight * values[own])) for name, values in place.items()}
        rows.append((int(number), mean["ra"], mean["dec"], flux[own].sum(), np.max(snr[own]), mean["major"]))
    names = ("source", "ra", "dec", "flux", "snr", "major")
    return Table(rows=rows or None, names=names, dtype=(int, *[float] * 5))


def match(catalogue: Table, truth: Table, settings: CatalogueSettings) -> Matched:
    """Match a catalogue with the truth of its simulation (rows of one simulation).

    The radius is `match_radius_beams` times the source's true FWHM as seen through the beam. Sources above
    `min_snr` are matched first; what is left may still match a fainter source, which makes it no false
    detection and that source not found. Sources outside the image, or farther from its centre than any pixel
    that was searched, are not scored.
    """
    meta = catalogue.meta
    true = sources(truth, meta["frequency_hz"], meta["realisation"])
    centre = meta["ra_deg"], meta["dec_deg"]
    at_true, at_found = (
        np.transpose(lm_from_radec(table["ra"].data, table["dec"].data, *centre)).reshape(-1, 2) / ARCSEC
        for table in (true, catalogue)
    )
    inside = np.all(np.abs(at_true) < meta["half_width_arcsec"], axis=1)
    inside &= np.hypot(*at_true.T) <= meta["searched_radius_arcsec"]
    scored = inside & (true["snr"].data >= settings.min_snr)
    radius = settings.match_radius_beams * np.hypot(meta["bmaj_arcsec"], true["major"].data)
    partner = np.full(len(catalogue), -1)
    for group in (np.nonzero(scored)[0], np.nonzero(~scored)[0]):
        left = np.nonzero(partner < 0)[0]
        rows, columns = one_to_one(at_found[left], at_true[group], radius[group])
        partner[left[rows]] = group[columns]
    return Matched(catalogue, true, scored, partner)


def _plain(table: Table, name: str) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(table[name].data, float), np.nan)


def match_all(catalogues: list[Table], truths: list[Table], settings: CatalogueSettings) -> list[Matched]:
    """Match every catalogue with the truth of the simulation its metadata name as `data`.

    A simulation without a row in any truth table is an empty field: whatever is found there is false.
    """
    matched = []
    for catalogue in catalogues:
        if not is_simulation(catalogue.meta.get("data", "")):
            raise UserError(
                f"the catalogue of '{catalogue.meta.get('data')}' is of no simulation, so there is no truth "
                "to score it by; give catalogues of simulations only"
            )
        parts = [truth[truth["simulation"] == catalogue.meta["data"]] for truth in truths]
        own = next((part for part in parts if len(part)), truths[0][:0])
        matched.append(match(catalogue, own, settings))
    return matched
