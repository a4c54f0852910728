"""Real images: a published flux, and how much is found in a field with little in it."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from almabrain.catalogue.plane import from_fits
from almabrain.catalogue.table import make_catalogue
from almabrain.config.catalogue import CatalogueSettings

pytestmark = pytest.mark.real_data
SETTINGS = CatalogueSettings()


def test_published_flux_of_g012_9090(real_data):
    # Purser et al. (2016): component A, 1.49 +- 0.15 mJy at 17 GHz.
    table = make_catalogue(from_fits(real_data / "images/atca_g012.9090_17ghz.fits"), "sep", SETTINGS)
    published = SkyCoord("18h14m39.5s -17d51m59.685s")
    offset = SkyCoord(table["ra"], table["dec"]).separation(published).arcsec
    row = table[int(np.argmin(offset))]
    # The published right ascension ends at 0.1 s of time, 1.4 arcsec; the beam is 2.5 arcsec long.
    assert offset.min() < 0.7
    assert row["flux"] == pytest.approx(1.49e-3, abs=2 * np.hypot(0.15e-3, row["flux_error"]))
    assert len(table) <= 3


@pytest.mark.parametrize(
    "name",
    [
        "vla_g024.08_cband.fits",
        "pisco_cii/Pisco.cii.455kms.image.fits",
        "hd98800_band6.fits",
        "j1427-4206_band3.fits",
    ],
)
def test_nothing_is_found_in_the_negative_of_a_real_image(real_data, name):
    # No source is negative, so whatever stands out in the negative image is noise or artefact.
    plane = from_fits(real_data / "images" / name)
    assert len(make_catalogue(replace(plane, values=-plane.values), "sep", SETTINGS)) == 0


def test_a_nearly_empty_field_has_no_false_detection_away_from_its_sources(real_data):
    table = make_catalogue(from_fits(real_data / "images/vla_g024.08_cband.fits"), "sep", SETTINGS)
    # Three bright sources, two of them lobes of one; everything else would be false.
    assert 1 <= len(table) <= 4 and table["snr"].min() > 20


def test_a_bright_calibrator_is_a_point_where_the_header_says(real_data):
    plane = from_fits(real_data / "images/j1427-4206_band3.fits")
    row = make_catalogue(plane, "sep", SETTINGS)[0]
    centre = plane.wcs.pixel_to_world(128, 128)
    assert SkyCoord(row["ra"], row["dec"], unit="deg").separation(centre).arcsec < 0.1
    assert row["flux"] == pytest.approx(2.875, rel=0.01)
