"""Matching with the truth, and the scores that come of it, counted by hand."""

import numpy as np
import pytest
from astropy.table import Table

from almabrain.catalogue.match import FAINT, NOTHING, SOURCE, match, match_all, sources
from almabrain.catalogue.score import fraction, matches_table, scores_table
from almabrain.config.catalogue import CatalogueSettings
from almabrain.console.errors import UserError

SETTINGS = CatalogueSettings(match_radius_beams=0.5, min_snr=5, snr_edges=[5, 10, 100])
META = {
    "data": "sim-000003",
    "recipe": "default",
    "finder": "sep",
    "realisation": "radiometer",
    "bmaj_arcsec": 2.0,
    "ra_deg": 150.0,
    "dec_deg": 0.0,
    "half_width_arcsec": [30.0, 30.0],
    "searched_radius_arcsec": 50.0,
    "held_out": True,
    "frequency_hz": 2e11,
}


def detections(*rows, **meta):
    """Rows (east, north [arcsec], flux, snr) about the phase centre."""
    rows = np.reshape(rows, (-1, 4)).astype(float)
    table = Table({"source": np.arange(len(rows)), "ra": 150 + rows[:, 0] / 3600, "dec": rows[:, 1] / 3600})
    table["flux"], table["snr"] = rows[:, 2], rows[:, 3]
    table["flux_error"], table["flags"] = rows[:, 2] / rows[:, 3], 0
    table.meta = META | meta
    return table


def truth(*rows, simulation="sim-000003"):
    """Rows (source, east, north [arcsec], flux, snr)."""
    rows = np.reshape(rows, (-1, 5)).astype(float)
    table = Table({"simulation": [simulation] * len(rows), "source": rows[:, 0].astype(int)})
    table["ra"], table["dec"] = 150 + rows[:, 1] / 3600, rows[:, 2] / 3600
    table["flux"], table["reference_frequency"] = rows[:, 3], 1e11
    table["radiometer_snr"], table["measured_snr"] = rows[:, 4], 10 * rows[:, 4]
    table["spectral_index"], table["major"] = 1.0, 0.0
    return table


def test_each_detection_is_source_faint_or_nothing():
    found = detections((0.1, 0, 2, 20), (0.4, 0, 1, 6), (9, 9, 1, 7), (-8, 0, 1, 5))
    true = truth((0, 0, 0, 1, 20), (1, -8, 0.2, 1, 3), (2, 20, 0, 1, 9), (3, 100, 0, 5, 99))
    matched = match(found, true, SETTINGS)
    assert matched.kind.tolist() == [SOURCE, NOTHING, NOTHING, FAINT]
    assert matched.scored.tolist() == [True, False, True, False]  # 1 is faint, 3 outside the image


def test_a_faint_neighbour_does_not_take_the_detection_of_a_bright_source():
    matched = match(detections((0, 0, 2, 20)), truth((0, 0.6, 0, 1, 20), (1, 0.1, 0, 1, 2)), SETTINGS)
    assert matched.partner.tolist() == [0]


def test_wide_sources_match_farther_out():
    true = truth((0, 0, 0, 1, 20))
    assert match(detections((1.8, 0, 2, 20)), true, SETTINGS).partner.tolist() == [-1]
    true["major"] = 4.0
    assert match(detections((1.8, 0, 2, 20)), true, SETTINGS).partner.tolist() == [0]


def test_components_are_gathered_and_scaled_to_the_frequency():
    one = sources(truth((4, 0, 0, 1, 8), (4, 3, 0, 3, 12), (5, 9, 9, 1, 7)), 2e11, "radiometer")
    assert one["source"].tolist() == [4, 5]
    assert one["flux"][0] == pytest.approx(8.0)  # spectral index 1: twice at twice the frequency
    assert (one["ra"][0] - 150) * 3600 == pytest.approx(2.25) and one["snr"][0] == 12


def test_scores_counted_by_hand():
    found = detections((0.1, 0, 2, 20), (0.4, 0, 1, 6), (9, 9, 1, 7), (-8, 0, 1, 5))
    true = truth((0, 0, 0, 1, 20), (1, -8, 0.2, 1, 3), (2, 20, 0, 1, 9), (3, 20, 20, 1, 50))
    scores = scores_table([match(found, true, SETTINGS)], SETTINGS)
    assert scores["data"].tolist() == ["sim-000003"] * 3 + ["all"] * 3
    total, low, high = scores[:3]
    assert (total["true"], total["found"], total["detections"], total["false"]) == (3, 1, 3, 2)
    assert total["completeness"] == pytest.approx(1 / 3) and total["purity"] == pytest.approx(1 / 3)
    assert total["completeness_low"] < 1 / 3 < total["completeness_high"]
    assert (low["true"], low["found"], low["detections"], low["false"]) == (1, 0, 2, 2)
    assert (high["true"], high["found"], high["detections"], high["false"]) == (2, 1, 1, 0)
    assert total["flux_ratio_median"] == pytest.approx(1.0)


def test_a_catalogue_is_scored_in_the_noise_that_it_had():
    """What is faint in the visibilities' noise may be bright in the drawn noise, ten times lower here."""
    found, true = detections((0, 0, 2, 5)), truth((0, 0, 0, 1, 4))
    assert match(found, true, SETTINGS).kind.tolist() == [FAINT]
    found.meta["realisation"] = "empirical"
    matched = match(found, true, SETTINGS)
    assert matched.kind.tolist() == [SOURCE] and matched.truth["snr"].tolist() == [40]


def test_a_truth_without_the_noise_of_the_catalogue_is_a_sentence():
    true = truth((0, 0, 0, 1, 4))
    true.remove_column("radiometer_snr")
    with pytest.raises(UserError, match="no column 'radiometer_snr'"):
        match(detections(), true, SETTINGS)


def test_what_is_not_searched_is_not_missed():
    true = truth((0, 6, 0, 1, 20), (1, 0, 8.1, 1, 20))
    assert match(detections(), true, SETTINGS).scored.tolist() == [True, True]
    narrow = detections(searched_radius_arcsec=8.0)
    assert match(narrow, true, SETTINGS).scored.tolist() == [True, False]


def network(data, held_out, *rows):
    return detections(*rows, data=data, finder="network", held_out=held_out)


def test_all_pools_only_what_the_finder_was_not_trained_on():
    truths = [truth((0, 0, 0, 1, 20), simulation=f"sim-{i:06d}") for i in range(3)]
    hit = (0.1, 0, 2, 20)
    tables = [
        network("sim-000000", False, hit),
        network("sim-000001", False, hit),
        network("sim-000002", True),
    ]
    tables += [detections(hit, data=f"sim-{i:06d}") for i in range(3)]
    matched = match_all(tables, truths, SETTINGS)
    scores = scores_table(matched, SETTINGS)
    total = {(row["data"], row["finder"]): row for row in scores[scores["snr_bin"] == "total"]}
    assert (total["all", "network"]["true"], total["all", "network"]["found"]) == (1, 0)
    assert (total["trained on", "network"]["true"], total["trained on", "network"]["found"]) == (2, 2)
    assert total["all", "sep"]["true"] == 3 and ("trained on", "sep") not in total
    assert [total["all", name]["images"] for name in ("network", "sep")] == [1, 3]
    assert not total["sim-000000", "network"]["held_out"] and total["sim-000002", "network"]["held_out"]
    assert not total["trained on", "network"]["held_out"] and total["all", "network"]["held_out"]
    # The same field for both finders: what the network was not trained on.
    assert [total["held out", name]["images"] for name in ("network", "sep")] == [1, 1]
    assert [total["held out", name]["found"] for name in ("network", "sep")] == [0, 1]
    pairs = matches_table(matched)
    assert pairs["held_out"].tolist() == [False, False, True, True, True]


def test_a_network_trained_on_everything_has_an_empty_pool():
    one = match(network("sim-000003", False, (0.1, 0, 2, 20)), truth((0, 0, 0, 1, 20)), SETTINGS)
    scores = scores_table([one], SETTINGS)
    row = scores[(scores["data"] == "all") & (scores["snr_bin"] == "total")][0]
    assert (row["images"], row["true"]) == (0, 0) and np.isnan(row["completeness"])


def test_false_detections_are_counted_not_subtracted():
    # One source missed and one false detection: numbers agree, and still nothing was found.
    scores = scores_table([match(detections((9, 9, 1, 7)), truth((0, 0, 0, 1, 20)), SETTINGS)], SETTINGS)
    assert (scores[0]["completeness"], scores[0]["purity"], scores[0]["false"]) == (0, 0, 1)


def test_empty_fields_and_empty_catalogues_have_a_row():
    empty = match_all([detections()], [truth()], SETTINGS)
    scores = scores_table(empty, SETTINGS)
    assert np.isnan(scores[0]["completeness"]) and np.isnan(scores[0]["purity"])
    found = match_all([detections((1, 1, 1, 6))], [truth()], SETTINGS)
    assert scores_table(found, SETTINGS)[0]["false"] == 1
    assert len(matches_table(empty)) == 0


def test_matches_table_has_measured_beside_true():
    found, true = detections((0.3, 0.4, 2.2, 20)), truth((7, 0, 0, 1, 18))
    row = matches_table([match(found, true, SETTINGS)])[0]
    assert (row["flux"], row["true_flux"], row["true_source"]) == (2.2, 2.0, 7)
    assert row["offset"] == pytest.approx(0.5) and row["scored"]


def test_observations_cannot_be_scored():
    found = detections()
    found.meta["data"] = "obs-mine"
    with pytest.raises(UserError, match="obs-mine"):
        match_all([found], [truth()], SETTINGS)


def test_interval_contains_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    drawn = [fraction(int(part), 30) for part in rng.binomial(30, 0.8, 400)]
    inside = np.mean([low <= 0.8 <= high for _, low, high in drawn])
    assert inside == pytest.approx(0.68, abs=0.1)
    assert np.isnan(fraction(0, 0)[0])
