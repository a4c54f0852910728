"""What is found, what is not, and what the columns say about it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord

from almabrain.catalogue import measure, table
from almabrain.catalogue.find import Candidates, find_sep, local_rms
from almabrain.catalogue.table import BLENDED, COLUMNS, EDGE, NO_PRIMARY_BEAM, UNRESOLVED, make_catalogue
from almabrain.config.catalogue import CatalogueSettings
from almabrain.console.errors import UserError
from almabrain.networks.infer import save
from almabrain.networks.unet import BlobsFinder

from .conftest import BEAM, CELL, make_plane

SETTINGS = CatalogueSettings()


def test_empty_fields_give_empty_catalogues(rng):
    tables = [make_catalogue(make_plane(rng), "sep", SETTINGS) for _ in range(20)]
    assert sum(map(len, tables)) == 0
    assert list(tables[0].columns) == list(COLUMNS)
    assert tables[0]["flux"].unit == u.Jy and tables[0]["ra_error"].unit == u.arcsec


def test_local_rms_is_the_noise_with_sources_in_it(rng):
    sources = [(30.0 * i, 64.0, 200, 0, 0, 0) for i in (1, 2, 3)]
    rms = local_rms(make_plane(rng, sources, rms=2e-3), SETTINGS)
    assert np.median(rms) == pytest.approx(2e-3, rel=0.1)


def test_position_flux_and_flags_of_a_point_and_a_gaussian(rng):
    sources = [(40.3, 80.6, 60, 0, 0, 0), (90.0, 40.0, 40, 2.4, 1.8, 60.0)]
    plane = make_plane(rng, sources)
    point, wide = make_catalogue(plane, "sep", SETTINGS)
    there = plane.wcs.pixel_to_world(40.3, 80.6)
    here = SkyCoord(point["ra"], point["dec"], unit="deg")
    error = np.hypot(point["ra_error"], point["dec_error"])
    assert here.separation(there).arcsec < 4 * error < 0.1
    assert point["flux"] == pytest.approx(0.06, abs=4 * point["flux_error"])
    assert point["flags"] == UNRESOLVED + NO_PRIMARY_BEAM
    assert point["deconvolved_major"] == 0 and point["snr"] == pytest.approx(60, rel=0.15)
    assert point["probability"] == pytest.approx(1.0)
    assert wide["deconvolved_major"] == pytest.approx(2.4, rel=0.2)
    assert wide["deconvolved_pa"] == pytest.approx(60, abs=15)
    assert wide["major"] > wide["deconvolved_major"] and not wide["flags"] & UNRESOLVED


def test_primary_beam_divides_fluxes_but_not_the_signal_to_noise(rng):
    y, x = np.mgrid[:128, :128] - 64
    pb = np.exp(-4 * np.log(2) * (x**2 + y**2) / 100**2)
    plane = make_plane(rng, [(100.0, 64.0, 30, 0, 0, 0), (2.0, 2.0, 100, 0, 0, 0)], pb=pb)
    table = make_catalogue(plane, "sep", SETTINGS)
    assert len(table) == 1  # the corner lies below min_pb
    assert table["pb"][0] == pytest.approx(pb[64, 100], abs=0.02)
    assert table["flux"][0] == pytest.approx(0.03 / pb[64, 100], rel=0.15)
    assert table["snr"][0] == pytest.approx(30, rel=0.15) and not table["flags"][0] & NO_PRIMARY_BEAM


def test_blends_and_edges_are_flagged(rng):
    sources = [(60.0, 60.0, 100, 0, 0, 0), (68.0, 60.0, 80, 0, 0, 0), (1.0, 100.0, 50, 0, 0, 0)]
    flags = make_catalogue(make_plane(rng, sources), "sep", SETTINGS)["flags"]
    assert [bool(flag & BLENDED) for flag in flags] == [True, True, False]
    assert [bool(flag & EDGE) for flag in flags] == [False, False, True]


def test_probability_is_the_chance_that_noise_would_not_do_this(rng):
    weak = CatalogueSettings(threshold_sigma=3.5)
    table = make_catalogue(make_plane(rng, [(64.0, 64.0, 4.5, 0, 0, 0)], n_pix=128), "sep", weak)
    near = np.argmin(np.abs(table["dec"] - -30.0))
    assert 0.5 < table["probability"][near] < 1.0


@pytest.fixture
def matched_filter_network(tmp_path):
    """A network that is a matched filter at 5 sigma: only its head's view of the filtered map is left."""
    network = BlobsFinder(2, 2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.head.weight[0, -1] = 10.0
        network.head.bias[0] = -10.0 * np.arcsinh(5.0)
    facts = {"base_channels": 2, "levels": 2, "calibration": [1.0, 0.0], "trained_on": ["sim-000001"]}
    save(tmp_path / "weights.safetensors", network, facts)
    return tmp_path / "weights.safetensors"


def test_network_finds_what_its_probability_says(rng, matched_filter_network):
    sources = [(40.3, 80.6, 30, 0, 0, 0), (90.0, 40.0, 3, 0, 0, 0)]
    plane = make_plane(rng, sources)
    table = make_catalogue(plane, "network", SETTINGS, matched_filter_network)
    assert len(table) == 1 and table["finder"][0] == "network" and table["probability"][0] > 0.99
    there = plane.wcs.pixel_to_world(40.3, 80.6)
    assert SkyCoord(table["ra"], table["dec"])[0].separation(there).arcsec < 0.1
    assert table["flux"][0] == pytest.approx(0.03, abs=4 * table["flux_error"][0])
    assert len(make_catalogue(make_plane(rng), "network", SETTINGS, matched_filter_network)) == 0


def test_a_network_knows_what_it_was_trained_on(rng, matched_filter_network):
    plane = make_plane(rng, [(40.3, 80.6, 30, 0, 0, 0)])
    for data, first_time in (("sim-000001", False), ("sim-000002", True), ("obs-mine", True)):
        table = make_catalogue(plane, "network", SETTINGS, matched_filter_network, data=data)
        assert table.meta["held_out"] == first_time and table["held_out"].tolist() == [first_time]
        assert make_catalogue(plane, "sep", SETTINGS, data=data).meta["held_out"]


def test_the_searched_radius_ends_at_the_primary_beam_limit(rng):
    y, x = np.mgrid[:128, :128] - 64
    plane = make_plane(rng, pb=np.where(np.hypot(x, y) <= 40, 1.0, 0.1))
    assert make_catalogue(plane, "sep", SETTINGS).meta["searched_radius_arcsec"] == pytest.approx(40 * CELL)


def test_a_plane_below_the_primary_beam_limit_is_a_sentence(rng):
    plane = make_plane(rng, pb=np.full((128, 128), 0.1))
    with pytest.raises(UserError, match="catalogue.min_pb"):
        make_catalogue(plane, "sep", SETTINGS)


def test_metadata_hold_beam_and_extent(rng):
    meta = make_catalogue(make_plane(rng), "sep", SETTINGS, realisation="empirical").meta
    assert meta["bmaj_arcsec"] == BEAM.major_arcsec and meta["realisation"] == "empirical"
    assert meta["half_width_arcsec"] == [64 * CELL, 64 * CELL]
    assert (meta["ra_deg"], meta["dec_deg"]) == pytest.approx((150.0, -30.0))


def test_a_shoulder_that_its_neighbour_explains_is_no_source(rng, monkeypatch):
    """Where the fit of a deblended peak fails and nothing above the threshold is left, nothing is listed."""
    plane = make_plane(rng, [(64.0, 64.0, 50, 0, 0, 0)])
    whole = make_catalogue(plane, "sep", SETTINGS)
    assert len(whole) == 1

    def with_a_failed_shoulder(image, starts, rms, beam):
        fits = measure.fit_sources(image, starts[:1], rms, beam)
        shoulder = fits[0].parameters * np.array([0.01, 1, 1, 1, 1, 1]) + np.array([0, 4, 0, 0, 0, 0])
        return [*fits, replace(fits[0], parameters=shoulder, good=False)]

    def twice(plane, rms, settings):
        found = find_sep(plane, rms, settings)
        return Candidates(np.repeat(found.position, 2, 0), np.repeat(found.probability, 2))

    monkeypatch.setattr(table, "fit_sources", with_a_failed_shoulder)
    monkeypatch.setattr(table, "find_sep", twice)
    again = make_catalogue(plane, "sep", SETTINGS)
    assert list(again["ra"]) == list(whole["ra"])
