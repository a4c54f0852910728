import numpy as np
import pytest
from astropy.table import Table

from almabrain.config.base import check
from almabrain.config.query import QuerySettings
from almabrain.console.errors import UserError
from almabrain.data.tables import read_table, write_table
from almabrain.query import selection, simulations, sources

WINDOW = "[343.00..345.00GHz,31.25MHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"
SHIFTED = WINDOW.replace("343.00..345.00", "343.10..345.10")  # 95 % alike
ELSEWHERE = WINDOW.replace("343.00..345.00", "343.30..345.30")  # 85 % alike
TWELVE = "A001:DV01 A002:DA41 A003:PM01 A004:DV02"
SEVEN = "J501:CM01 J502:CM02 J503:CM03"


def table_of(*rows: dict) -> Table:
    """Rows near transit; each gives what is not plain."""
    plain = {
        "target_name": "Alpha",
        "s_ra": 150.0,
        "s_dec": -20.0,
        "band_list": "7",
        "s_resolution": 0.8,
        "t_exptime": 600.0,
        "pwv": 0.7,
        "frequency_support": WINDOW,
        "antenna_arrays": TWELVE,
    }
    return Table(rows=[plain | {"t_min": 58200.1 + 0.9973 * i} | row for i, row in enumerate(rows)])


def gathered(tmp_path, table: Table, **settings) -> list[list[dict]]:
    path = tmp_path / "own.ecsv"
    table.write(path, format="ascii.ecsv", overwrite=True)
    made = check(QuerySettings, {"source": "file", "file": str(path)} | settings, "query")
    rows, name = sources.rows(made)
    return simulations.gather(selection.select(rows, made, name), made.combine)


def test_rows_stay_apart_unless_combined(tmp_path):
    table = table_of({}, {"antenna_arrays": SEVEN, "frequency_support": SHIFTED, "s_ra": 150.0002})
    assert [len(group) for group in gathered(tmp_path, table)] == [1, 1]
    ((first, second),) = gathered(tmp_path, table, combine=True)
    assert (first["array"], second["array"]) == ("12m", "7m")
    for name in ("s_ra", "s_dec", "frequency_support"):
        assert first[name] == second[name]
    assert first["t_min"] != second["t_min"]


@pytest.mark.parametrize(
    "other",
    [
        {"target_name": "Beta"},
        {"s_ra": 150.01},
        {"frequency_support": ELSEWHERE},
        {"frequency_support": f"{WINDOW} U {WINDOW.replace('343.00..345.00', '353.00..355.00')}"},
        {"pointings": "0,0 5,5"},
    ],
)
def test_unlike_rows_are_not_combined(tmp_path, other):
    plain = {"pointings": ""} if "pointings" in other else {}
    assert len(gathered(tmp_path, table_of(plain, other), combine=True)) == 2


def test_names_differ_in_case_only(tmp_path):
    table = table_of({"target_name": "alpha"}, {"target_name": "ALPHA"}, {"target_name": "Alpha"})
    assert [len(group) for group in gathered(tmp_path, table, combine=True)] == [3]


def test_a_file_may_number_its_simulations(tmp_path):
    rows = [{"simulation": 7}, {"simulation": 3, "target_name": "Beta"}, {"simulation": 7}]
    groups = gathered(tmp_path, table_of(*rows))
    assert [[row["target_name"] for row in group] for group in groups] == [["Alpha", "Alpha"], ["Beta"]]
    table = selection.as_table(simulations.choose(groups, 2, seed=5))
    assert list(table["simulation"]) == [0, 0, 1] and list(table["target_name"]) == ["Alpha", "Alpha", "Beta"]
    assert [group[0]["target_name"] for group in simulations.choose(groups, 1, seed=5)] == ["Alpha"]


def test_simulations_of_one_observation_stay_two(tmp_path):
    """A campaign may observe one row several times; by itself a repeated row is the archive's, and one."""
    same = {"t_min": 58200.1}
    rows = [{"simulation": 0} | same, {"simulation": 1} | same, {"simulation": 2, "target_name": "Beta"}]
    assert [len(group) for group in gathered(tmp_path, table_of(*rows))] == [1, 1, 1]
    assert len(gathered(tmp_path, table_of(same, same, {"target_name": "Beta"}))) == 2


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"s_dec": -20.001}, "positions"),
        ({"frequency_support": SHIFTED}, "windows"),
        ({"pointings": "0,0 3,3"}, "pointings"),
    ],
)
def test_rows_of_one_simulation_must_agree(tmp_path, other, what):
    first = {"simulation": 4, "pointings": ""}
    with pytest.raises(UserError, match=f"of simulation 4 have different {what}"):
        gathered(tmp_path, table_of(first, first | other))


def test_pointings_of_a_file_are_kept_and_checked(tmp_path):
    ((row,),) = gathered(tmp_path, table_of({"pointings": "0,0  8.50,-2"}))
    assert row["pointings"] == "0,0 8.5,-2"
    with pytest.raises(UserError, match="'Alpha'.* pointing 2 of its pointings is '8.5;-2'"):
        gathered(tmp_path, table_of({"pointings": "0,0 8.5;-2"}))
    with pytest.raises(UserError, match="'Alpha'.* pointing 2 of the mosaic, at 500, 0 arcsec"):
        gathered(tmp_path, table_of({"pointings": "0,0 500,0"}))


def test_mixed_arrays_keep_the_larger_part_or_both(tmp_path):
    table = table_of({"antenna_arrays": f"{TWELVE} {SEVEN}"})
    ((row,),) = gathered(tmp_path, table)
    assert (row["array"], row["antenna_arrays"]) == ("12m", TWELVE)
    ((row,),) = gathered(tmp_path, table, mixed_arrays="together")
    assert (row["array"], row["antenna_arrays"]) == ("12m+7m", f"{TWELVE} {SEVEN}")
    assert row["s_fov"] == pytest.approx(gathered(tmp_path, table)[0][0]["s_fov"])  # the 12 m dishes' beam
    with pytest.raises(UserError, match="query.arrays .* leaves none"):
        gathered(tmp_path, table, mixed_arrays="together", arrays=["12m"])


def test_a_saved_table_comes_back_unchanged(tmp_path):
    """Of several executions, a mosaic, both dish sizes and unknown values; then from another seed."""
    rows = [
        {"simulation": 0, "pointings": "0,0 8.5,-2.25"},
        {"simulation": 0, "pointings": "0,0 8.5,-2.25", "antenna_arrays": SEVEN},
        {"simulation": 1, "antenna_arrays": f"{TWELVE} {SEVEN}", "target_name": "Beta", "pointings": ""},
        {"simulation": 2, "target_name": "Gamma", "pointings": "", "s_resolution": 1 / 3},
    ]
    groups = gathered(tmp_path, table_of(*rows), mixed_arrays="together")
    saved = tmp_path / "observations.ecsv"
    write_table(saved, selection.as_table(simulations.choose(groups, 5, seed=1)))
    settings = QuerySettings(source="file", file=str(saved))
    found, name = sources.rows(settings)
    again = simulations.gather(selection.select(found, settings, name), settings.combine)
    loaded = tmp_path / "loaded.ecsv"
    write_table(loaded, selection.as_table(simulations.choose(again, 5, seed=2)))
    assert loaded.read_bytes() == saved.read_bytes()
    table = read_table(saved)
    assert list(table["simulation"]) == [0, 0, 1, 2, 3, 3, 4]
    assert list(table["array"])[:3] == ["12m", "7m", "12m+7m"]


def test_the_snapshot_saved_comes_back_unchanged(tmp_path):
    settings = QuerySettings()
    rows, name = sources.rows(settings)
    groups = simulations.gather(selection.select(rows, settings, name), combine=False)
    saved, loaded = tmp_path / "observations.ecsv", tmp_path / "loaded.ecsv"
    write_table(saved, selection.as_table(simulations.choose(groups, 100, seed=42)))
    settings = QuerySettings(source="file", file=str(saved))
    rows, name = sources.rows(settings)
    groups = simulations.gather(selection.select(rows, settings, name), combine=False)
    write_table(loaded, selection.as_table(simulations.choose(groups, 100, seed=7)))
    assert loaded.read_bytes() == saved.read_bytes()


@pytest.mark.real_data
def test_real_rows_combine_into_fewer_simulations(real_data):
    settings = QuerySettings(
        source="file",
        file=str(real_data / "archive" / "alma_observations.csv"),
        skip_unusable=True,
        combine=True,
    )
    rows, name = sources.rows(settings)
    executions = selection.select(rows, settings, name)
    groups = simulations.gather(executions, settings.combine)
    assert sum(map(len, groups)) == len(executions)
    several = [group for group in groups if len(group) > 1]
    assert len(several) > 50
    for group in several:
        assert len({(row["s_ra"], row["s_dec"], row["frequency_support"]) for row in group}) == 1
        assert len({row["target_name"].lower() for row in group}) == 1
    assert np.mean([len(group) for group in several]) < 10
