import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from almabrain.config.base import check
from almabrain.config.query import QuerySettings
from almabrain.console.errors import UserError
from almabrain.data.tables import read_table
from almabrain.instrument import frequency_support, pads, site
from almabrain.query import arrays, selection, simulations, sources

SCRIPT = Path(__file__).parents[2] / "scripts" / "query.py"
WINDOW = "[343.00..345.00GHz,31.25MHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"


def own_rows(**changes) -> Table:
    """Two plain rows with the archive's TAP names; `changes` replaces columns."""
    columns = {
        "target_name": ["Alpha", "Beta"],
        "s_ra": [150.0, 151.0],
        "s_dec": [-20.0, 5.0],
        "band_list": ["7", "7"],
        "s_resolution": [0.8, 4.0],
        "t_exptime": [600.0, 1200.0],
        "t_min": [58200.1, 58200.1],
        "pwv": [0.7, 1.1],
        "frequency_support": [WINDOW, WINDOW],
        "antenna_arrays": ["A001:DV01 A002:DA41 A003:PM01 A004:DV02", "J501:CM01 J502:CM02 J503:CM03"],
        "scientific_category": ["Active galaxies", "Cosmology"],
        "science_keyword": ["Outflows, jets", "Lyman Alpha"],
    }
    return Table(columns | changes)


def selected(tmp_path, table: Table, **settings):
    path = tmp_path / "own.ecsv"
    table.write(path, format="ascii.ecsv", overwrite=True)
    made = check(QuerySettings, {"source": "file", "file": str(path)} | settings, "query")
    rows, name = sources.rows(made)
    return selection.select(rows, made, name)


def test_snapshot_is_wide_and_every_row_can_be_used():
    settings = QuerySettings()
    rows, name = sources.rows(settings)
    executions = selection.select(rows, settings, name)
    assert len(rows) == len(executions) >= 60
    assert {row["band_list"] for row in executions} == {3, 4, 5, 6, 7, 8, 9}
    assert {row["array"] for row in executions} == {"12m", "7m"}
    assert all(20 <= row["t_exptime"] <= 3600 for row in executions)
    assert any(row["notes"] for row in executions)  # merged nights are among them
    for row in executions:
        antennas = [pair.split(":") for pair in row["antenna_arrays"].split()]
        assert len({pad for pad, _ in antennas}) == len({name for _, name in antennas}) == len(antennas) >= 3
        assert len({pads.dish_diameter_m(name) for _, name in antennas}) == 1
        assert pads.itrf([pad for pad, _ in antennas]).shape == (len(antennas), 3)
        up = site.elevation_rad(row["s_ra"], row["s_dec"], row["t_min"] * 86400)
        assert up > np.deg2rad(15)


def test_snapshot_table_is_small_and_has_units():
    from almabrain.data import resources

    table = read_table(resources.path("observations.ecsv"))
    assert len(table.colnames) <= 12
    assert {name: str(table[name].unit) for name in ("s_ra", "s_resolution", "t_exptime", "pwv")} == {
        "s_ra": "deg",
        "s_resolution": "arcsec",
        "t_exptime": "s",
        "pwv": "mm",
    }
    assert table.meta["source"]


@pytest.mark.real_data
def test_snapshot_rows_are_the_archives(real_data):
    settings = QuerySettings(source="file", file=str(real_data / "archive" / "alma_observations.csv"))
    real, _ = sources.rows(settings)
    ours, _ = sources.rows(QuerySettings())
    known = {(row["target_name"], row["frequency_support"], row["antenna_arrays"]): row for row in real}
    for row in ours:
        match = known[row["target_name"], row["frequency_support"], row["antenna_arrays"]]
        for name in (
            "s_ra",
            "s_dec",
            "t_exptime",
            "t_min",
            "pwv",
            "s_resolution",
            "s_fov",
            "cont_sensitivity",
        ):
            assert row[name] == pytest.approx(match[name], rel=1e-3, abs=1e-6), name


@pytest.mark.real_data
def test_a_whole_real_table_in_file_mode(real_data):
    settings = QuerySettings(
        source="file", file=str(real_data / "archive" / "alma_observations.csv"), skip_unusable=True
    )
    rows, name = sources.rows(settings)
    executions = selection.select(rows, settings, name)
    assert len(rows) == 1262 and len(executions) > 1200
    strict = settings.model_copy(update={"skip_unusable": False})
    with pytest.raises(UserError, match="cannot be used: .*set query.skip_unusable: true"):
        selection.select(rows, strict, name)


def test_one_antenna_at_two_pads_and_a_pad_twice():
    kept, size, notes = arrays.consistent_array("A001:DV01 A002:DV01 A003:DV02 A003:DV03 A004:DV04")
    assert kept == "A001:DV01 A003:DV02 A004:DV04" and size == "12m"
    assert len(notes) == 1 and notes[0].startswith("2 second listings") and "A002:DV01" in notes[0]


def test_two_dish_sizes_leave_the_larger_number():
    kept, size, notes = arrays.consistent_array("A001:DV01 J501:CM01 J502:CM02 J503:CM03 A002:DA41")
    assert kept == "J501:CM01 J502:CM02 J503:CM03" and size == "7m"
    assert "3 dishes of 7 m kept of 5" in notes[0]
    kept, size, _ = arrays.consistent_array("A001:DV01 A002:DV02 A003:DV03 J501:CM01 J502:CM02 J503:CM03")
    assert size == "12m" and kept.count(":") == 3


def test_a_plain_array_is_left_alone():
    text = "A001:DV01 A002:DA41 A003:PM01"
    assert arrays.consistent_array(text) == (text, "12m", [])


def test_two_bands_leave_the_one_with_most_windows():
    six = "[223.00..225.00GHz,31.25MHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"
    band, support, notes = arrays.one_band("6 7", f"{WINDOW} U {six} U {WINDOW}")
    assert band == 7 and len(frequency_support.parse(support)) == 2 and "2 of 3 windows" in notes[0]
    assert arrays.one_band("6 7", f"{WINDOW} U {six}")[0] == 6
    with pytest.raises(UserError, match="no window of frequency_support lies in that band"):
        arrays.one_band("3", WINDOW)
    with pytest.raises(UserError, match="not a list of band numbers"):
        arrays.one_band("six", WINDOW)


def _support(*spans: tuple[float, float]) -> str:
    return " U ".join(WINDOW.replace("343.00..345.00", f"{low}..{high}") for low, high in spans)


def _spans_ghz(support: str) -> list[tuple[float, float]]:
    windows = frequency_support.parse(support)
    return [(round(window.low_hz / 1e9, 6), round(window.high_hz / 1e9, 6)) for window in windows]


def test_overlapping_windows_share_the_overlap_and_duplicates_go():
    """The three windows of ngc_524: the third lies within the second, which reaches into the first."""
    support = _support((111.6, 113.58), (113.08, 115.07), (113.88, 114.81))
    disjoint, notes = arrays.disjoint_windows(support)
    assert _spans_ghz(disjoint) == [(111.6, 113.33), (113.33, 115.07)]
    assert notes == [
        "1 of 3 windows dropped that others cover by more than half",
        "2 windows trimmed to the middle of their overlaps",
    ]
    # One of two nearly equal windows stays, and between two that hardly overlap nothing is lost.
    kept, _ = arrays.disjoint_windows(_support((178.42, 179.36), (178.19, 179.13), (179.3, 180.24)))
    assert _spans_ghz(kept) == [(178.42, 179.33), (179.33, 180.24)]
    untouched = _support((345, 346), (343, 344), (344, 345))
    assert arrays.disjoint_windows(untouched) == (untouched, [])


def test_no_window_of_the_snapshot_is_counted_twice():
    settings = QuerySettings()
    rows, name = sources.rows(settings)
    before = [len(frequency_support.parse(row["frequency_support"])) for row in rows]
    executions = selection.select(rows, settings, name)
    for row in executions:
        spans = sorted(_spans_ghz(row["frequency_support"]))
        assert all(low < high for low, high in spans)
        assert all(first[1] <= second[0] for first, second in zip(spans, spans[1:])), row["observation"]
    assert sum(before) - sum(row["frequency_support"].count("[") for row in executions) < 0.05 * sum(before)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["Alpha", "Beta"]),
        ({"targets": ["beta"]}, ["Beta"]),
        ({"bands": [7]}, ["Alpha", "Beta"]),
        ({"arrays": ["7m"]}, ["Beta"]),
        ({"resolution_arcsec": [0.1, 1]}, ["Alpha"]),
        ({"integration_s": [1000, 3600]}, ["Beta"]),
        ({"frequency_ghz": [344.9, 350]}, ["Alpha", "Beta"]),
        ({"categories": ["cosmology"]}, ["Beta"]),
        ({"keyword": "outflow"}, ["Alpha"]),
    ],
)
def test_selection(tmp_path, settings, names):
    assert [row["target_name"] for row in selected(tmp_path, own_rows(), **settings)] == names


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bands": [3]}, r"query.bands \[3\] leaves none of the 2 rows"),
        ({"targets": ["Gamma"]}, r"query.targets \['Gamma'\] leaves none"),
        ({"frequency_ghz": [100, 110]}, r"query.frequency_ghz \[100.0, 110.0\] leaves none"),
        ({"keyword": "masers"}, "query.keyword 'masers' leaves none"),
    ],
)
def test_an_empty_selection_names_the_key(tmp_path, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        selected(tmp_path, own_rows(), **settings)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"antenna_arrays": ["A001:DV01 APP01:DV02 A002:DV03", "J501:CM01"]}, "'Alpha'.* pad 'APP01'"),
        ({"antenna_arrays": ["", "J501:CM01"]}, "'Alpha'.*lists no antennas"),
        ({"antenna_arrays": ["A001:DV01 A002", "J501:CM01"]}, "'Alpha'.*'A002', which is not PAD:ANTENNA"),
        ({"antenna_arrays": ["A001:DV01 A002:DV02", "J501:CM01"]}, "leaves 2 antennas"),
        ({"frequency_support": ["nonsense", WINDOW]}, "it must read like"),
        ({"pwv": [np.nan, 1.0]}, "it has no pwv"),
        ({"t_exptime": [0.0, 1.0]}, "t_exptime is 0.0, which is not positive"),
        ({"s_dec": [85.0, 5.0]}, "stands at -?[0-9]+ deg elevation"),
    ],
)
def test_an_unusable_row_is_one_sentence_or_is_left_out(tmp_path, changes, sentence):
    with pytest.raises(UserError, match="own.ecsv cannot be used: .*query.skip_unusable: true") as caught:
        selected(tmp_path, own_rows(**changes))
    assert re.search(sentence, str(caught.value))
    good = own_rows()[1]
    table = own_rows(**{name: [values[0], good[name]] for name, values in changes.items()})
    assert [row["target_name"] for row in selected(tmp_path, table, skip_unusable=True)] == ["Beta"]


def test_category_of_a_source_without_one():
    settings = QuerySettings(categories=["Cosmology"])
    rows, name = sources.rows(settings)
    with pytest.raises(UserError, match="the snapshot has no scientific_category"):
        selection.select(rows, settings, name)


def test_null_stays_null(tmp_path):
    table = own_rows()
    table.remove_columns(["scientific_category", "science_keyword"])
    groups = simulations.gather(selected(tmp_path, table), combine=False)
    made = selection.as_table(simulations.choose(groups, 2, 1))
    for name in ("proposal_id", "member_ous_uid", "scientific_category", "cont_sensitivity"):
        assert made[name].mask.all()


@pytest.mark.parametrize("kind", ["ecsv", "csv", "xml"])
def test_every_file_format_says_the_same(tmp_path, kind):
    path = tmp_path / f"own.{kind}"
    table = own_rows(s_fov=[0.005, 0.01])
    table.write(path, format={"ecsv": "ascii.ecsv", "csv": "ascii.csv", "xml": "votable"}[kind])
    settings = QuerySettings(source="file", file=str(path))
    rows, _ = sources.rows(settings)
    assert list(rows["target_name"]) == ["Alpha", "Beta"]
    assert np.allclose(rows["s_fov"], [18, 36])  # the archive gives degrees
    assert [row["array"] for row in selection.select(rows, settings, "it")] == ["12m", "7m"]


def test_units_of_a_file_are_obeyed(tmp_path):
    table = own_rows()
    table["s_resolution"].unit = "deg"
    table["t_exptime"] = [10.0, 20.0]
    table["t_exptime"].unit = "min"
    first = selected(tmp_path, table)[0]
    assert first["s_resolution"] == pytest.approx(0.8 * 3600) and first["t_exptime"] == pytest.approx(600)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("rows.txt", "x", "ends in '.txt'; allowed: .ecsv"),
        ("rows.ecsv", "this is no table", "rows.ecsv is not a valid .ecsv table"),
        ("rows.xml", "<html>no", "rows.xml is not a valid .xml table"),
        ("rows.csv", "target_name,s_ra\nA,1\n", "has no column 's_dec'"),
        ("rows.csv", None, "rows.csv does not exist"),
    ],
)
def test_files_that_are_no_tables(tmp_path, name, content, sentence):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=sentence):
        sources.rows(QuerySettings(source="file", file=str(path)))


def test_spatial_resolution_is_trusted_before_s_resolution(tmp_path):
    """The unit of s_resolution has not been told reliably; that of spatial_resolution is arcsec."""
    table = own_rows(spatial_resolution=[0.8, 4.0])
    table["s_resolution"].unit = "deg"
    assert [row["s_resolution"] for row in selected(tmp_path, table)] == pytest.approx([0.8, 4.0])


def test_rows_that_repeat_an_observation_are_one(tmp_path):
    from astropy.table import vstack

    assert len(selected(tmp_path, vstack([own_rows(), own_rows()]))) == 2


def test_choice_is_stable_and_spreads_over_arrays_and_bands(caplog):
    settings = QuerySettings()
    rows, name = sources.rows(settings)
    executions = selection.select(rows, settings, name)
    groups = simulations.gather(executions, combine=False)
    four = simulations.choose(groups, 4, seed=7)
    assert simulations.choose(groups, 9, seed=7)[:4] == four
    assert {row["array"] for (row,) in four} == {"12m", "7m"}
    assert len({row["band_list"] for (row,) in four}) >= 2
    assert simulations.choose(groups, 9, seed=8) != simulations.choose(groups, 9, seed=7)
    everything = simulations.choose(groups, len(groups), seed=7)
    assert len({id(row) for (row,) in everything}) == len(executions)
    with caplog.at_level(logging.INFO):
        again = simulations.choose(groups[:3], 8, seed=7)
    assert again[:3] == again[3:6] and "used again" in caplog.text


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"source": "file"}, "the key 'file' is missing"),
        ({"file": "a.csv"}, "source is 'snapshot'"),
        ({"resolution_arcsec": [3, 1]}, "'resolution_arcsec' is .*smaller number first"),
        ({"bands": [11]}, "query.bands.*11"),
        ({"arays": ["7m"]}, "did you mean 'arrays'"),
        ({"arrays": ["8m"]}, "allowed: 12m, 7m"),
    ],
)
def test_settings_tell_mistakes_in_one_sentence(values, sentence):
    with pytest.raises(UserError, match=sentence):
        check(QuerySettings, values, "query")


def run_script(tmp_path, settings: dict, *more: str):
    command = [sys.executable, str(SCRIPT), "--settings", json.dumps(settings), "--simulations", "4"]
    command += ["--seed", "42", "--output", str(tmp_path / "observations.ecsv"), *more]
    return subprocess.run(command, capture_output=True, text=True)


def test_script_writes_one_row_per_simulation(tmp_path):
    done = run_script(tmp_path, {"integration_s": [300, 2000]})
    assert done.returncode == 0, done.stderr
    table = read_table(tmp_path / "observations.ecsv")
    assert len(table) == 4 and str(table["s_fov"].unit) == "arcsec" and set(table["array"]) == {"12m", "7m"}
    again = tmp_path / "again"
    assert run_script(again, {"integration_s": [300, 2000]}).returncode == 0
    assert (again / "observations.ecsv").read_bytes() == (tmp_path / "observations.ecsv").read_bytes()


def test_script_ends_with_one_sentence_and_leaves_nothing(tmp_path):
    done = run_script(tmp_path, {"bands": [10]})
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: query.bands [10] leaves none of the")
    assert not list(tmp_path.iterdir())
