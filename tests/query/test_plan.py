import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.time import Time

from almabrain.config.base import check
from almabrain.config.query import QuerySettings
from almabrain.console.errors import UserError
from almabrain.data.tables import read_table
from almabrain.instrument import frequency_support, mosaic, pads, primary_beam, site
from almabrain.query import selection, simulations, sources

SCRIPT = Path(__file__).parents[2] / "scripts" / "query.py"
TARGET = {"name": "Field", "ra_deg": 150.0, "dec_deg": -30.0}
COMPACT = {"configuration": "alma.cycle9.3", "date": "2023-05-01", "hour_angle_h": [-0.5, 0.5], "pwv_mm": 0.8}


def settings_of(**changes) -> QuerySettings:
    plan = {"targets": [TARGET], "executions": [COMPACT], "windows_ghz": [[343, 345], [345, 347]]}
    return check(QuerySettings, {"source": "plan", "plan": plan | changes}, "query")


def groups_of(**changes) -> list[list[dict]]:
    settings = settings_of(**changes)
    rows, name = sources.rows(settings)
    return simulations.gather(selection.select(rows, settings, name), settings.combine)


def execution(**changes) -> dict:
    return {name: value for name, value in (COMPACT | changes).items() if value is not None}


def test_a_planned_row_is_complete():
    ((row,),) = groups_of()
    assert (row["target_name"], row["s_ra"], row["s_dec"]) == ("Field", 150.0, -30.0)
    assert (row["band_list"], row["array"], row["pwv"]) == (7, "12m", 0.8)
    assert row["configuration"] == "alma.cycle9.3" and row["pointings"] == ""
    windows = frequency_support.parse(row["frequency_support"])
    assert [(w.low_hz, w.high_hz) for w in windows] == [(343e9, 345e9), (345e9, 347e9)]
    assert windows[0].channel_width_hz == 31.25e6 and windows[0].polarisations == ("XX", "YY")
    assert row["s_fov"] == pytest.approx(
        np.rad2deg(primary_beam.half_power_width_rad(345e9, 12.0)) * 3600, rel=1e-9
    )
    # C-3 at 345 GHz: 1.42 arcsec at 100 GHz by the Proposer's Guide, the formula gives 1.06 times that.
    assert row["s_resolution"] == pytest.approx(1.42 * 1.06 * 100 / 345, rel=0.03)
    assert row["t_exptime"] == pytest.approx(3600 * 0.99727, rel=1e-4)
    assert row["cont_sensitivity"] is None


def test_hour_angles_are_hour_angles_on_that_day():
    for first, last in ((-3.0, -1.0), (-0.5, 0.5), (2.0, 2.5)):
        ((row,),) = groups_of(executions=[execution(hour_angle_h=[first, last])])
        begin, end = row["t_min"] * 86400, row["t_min"] * 86400 + row["t_exptime"]
        for time, hours in ((begin, first), (end, last)):
            angle = site.hour_angle_rad(150.0, -30.0, time) * 12 / np.pi
            assert angle == pytest.approx(hours, abs=1e-4)
    ((row,),) = groups_of()
    transit = Time(row["t_min"] + row["t_exptime"] / 2 / 86400, format="mjd")
    assert transit.strftime("%Y-%m-%d") == "2023-05-01"


def test_a_shorter_time_lies_about_the_middle_of_the_range():
    ((row,),) = groups_of(executions=[execution(exptime_s=600)])
    assert row["t_exptime"] == 600
    middle = row["t_min"] * 86400 + 300
    assert site.hour_angle_rad(150.0, -30.0, middle) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "start",
    [
        "2023-05-01T00:30:00",
        "2023-05-01T02:30:00+02:00",
        datetime.datetime(2023, 5, 1, 0, 30),
        yaml.safe_load("2023-05-01 00:30:00"),
    ],
)
def test_a_start_is_taken_as_utc(start):
    given = {"configuration": "aca.cycle10", "start": start, "exptime_s": 900}
    ((row,),) = groups_of(executions=[given])
    assert Time(row["t_min"], format="mjd").isot == "2023-05-01T00:30:00.000"
    assert (row["t_exptime"], row["array"], row["pwv"]) == (900, "7m", 1.0)


def test_a_day_that_yaml_reads_as_one():
    ((row,),) = groups_of(executions=[execution(date=yaml.safe_load("2023-05-01"))])
    assert Time(row["t_min"], format="mjd").isot.startswith("2023-05-0")


def test_targets_are_simulations_and_executions_their_rows():
    targets = [TARGET, {"name": "Other", "ra_deg": 200.0, "dec_deg": 10.0}]
    executions = [COMPACT, execution(configuration="aca.cycle9", hour_angle_h=[-1, 1])]
    groups = groups_of(targets=targets, executions=executions)
    assert [[row["array"] for row in group] for group in groups] == [["12m", "7m"]] * 2
    assert [group[0]["target_name"] for group in simulations.choose(groups, 2, 1)] == ["Field", "Other"]
    table = selection.as_table(simulations.choose(groups, 3, 1))
    assert list(table["simulation"]) == [0, 0, 1, 1, 2, 2]
    assert list(table["target_name"]) == ["Field"] * 2 + ["Other"] * 2 + ["Field"] * 2


def test_antennas_of_both_sizes_observe_together():
    ((row,),) = groups_of(executions=[execution(configuration="alma.cycle9.1+aca.cycle9")])
    assert row["array"] == "12m+7m" and row["antenna_arrays"].count(":") == 53
    given = "A001:DV01 A002:DV02 J501:CM01 J502:CM02"
    ((row,),) = groups_of(executions=[execution(configuration=None, antennas=given)])
    assert (row["antenna_arrays"], row["array"], row["configuration"]) == (given, "12m+7m", "")


@pytest.mark.parametrize("band", range(3, 11))
def test_every_band_has_a_continuum_set_up_within_it(band):
    ((row,),) = groups_of(windows_ghz=[], band=band)
    windows = frequency_support.parse(row["frequency_support"])
    assert row["band_list"] == band and len(windows) == 4
    assert sum(window.bandwidth_hz for window in windows) == pytest.approx(7.5e9)


def test_a_listed_mosaic_and_one_that_fills_a_rectangle():
    ((row,),) = groups_of(mosaic={"offsets_arcsec": [[0, 0], [8.5, -2]]})
    assert row["pointings"] == "0,0 8.5,-2"
    ((row,),) = groups_of(mosaic={"width_arcsec": 60, "height_arcsec": 40})
    offsets = mosaic.parse(row["pointings"])
    apart = np.linalg.norm(offsets[:, None] - offsets, axis=-1)
    nyquist = np.rad2deg(299792458 / 345e9 / 12 / np.sqrt(3)) * 3600
    assert apart[apart > 0].min() == pytest.approx(0.511 * row["s_fov"], rel=1e-6)
    assert apart[apart > 0].min() == pytest.approx(nyquist, rel=0.03)
    wide = groups_of(mosaic={"width_arcsec": 60, "height_arcsec": 40, "spacing": 0.8})[0][0]
    assert 1 < len(mosaic.parse(wide["pointings"])) < len(offsets)


def test_both_arrays_have_the_mosaic_of_the_narrower_beam():
    executions = [execution(configuration="aca.cycle9"), COMPACT]
    ((seven, twelve),) = groups_of(executions=executions, mosaic={"width_arcsec": 40, "height_arcsec": 40})
    assert seven["s_fov"] > 1.5 * twelve["s_fov"] and seven["pointings"] == twelve["pointings"]
    offsets = mosaic.parse(twelve["pointings"])
    assert np.hypot(*offsets.T)[np.hypot(*offsets.T) > 0].min() == pytest.approx(0.511 * twelve["s_fov"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"targets": [TARGET | {"dec_deg": 80}]}, "declination 80 deg never rises above -13.0 deg at ALMA"),
        ({"targets": [TARGET | {"dec_deg": 52.5}]}, "never rises above 14.5 deg .* declination below 52.0"),
        (
            {"executions": [execution(hour_angle_h=[3, 7])]},
            "executions.0: 'Field' stands at .* hour angle 7.0",
        ),
        (
            {"executions": [COMPACT, execution(configuration="alma.cycle9.11")]},
            "executions.1: .*did you mean",
        ),
        ({"executions": [execution(configuration=None, antennas="A1:DV01")]}, "executions.0: .*pad 'A1'"),
        (
            {
                "executions": [
                    execution(configuration=None, antennas="A001:DV01 A001:DV02 A002:DV03 A003:DV04")
                ]
            },
            "executions.0.antennas names an antenna or a pad twice .*A001:DV02",
        ),
        ({"executions": [execution(exptime_s=7200)]}, "executions.0.exptime_s is 7200, but hour_angle_h"),
        ({"windows_ghz": [[343, 345], [374, 376]]}, "374 to 376 GHz lies in no ALMA band"),
        ({"windows_ghz": [[274, 276]]}, "lies in no ALMA band"),
        ({"windows_ghz": [[100, 102], [343, 345]]}, "over more than one ALMA band"),
        (
            {"mosaic": {"offsets_arcsec": [[0, 0], [8, 0], [60, 0]]}},
            "query.plan.mosaic: pointing 3 .* at 60, 0 arcsec, overlaps neither",
        ),
        ({"mosaic": {"width_arcsec": 36000, "height_arcsec": 36000}}, "query.plan.mosaic: .* needs about"),
    ],
)
def test_a_plan_that_cannot_be_observed_is_one_sentence(changes, sentence):
    settings = settings_of(**changes)
    with pytest.raises(UserError) as caught:
        sources.rows(settings)
    assert re.search(sentence, str(caught.value)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"executions": []}, "query.plan.executions"),
        ({"targets": [TARGET | {"dec_deg": -91}]}, "query.plan.targets.0.dec_deg"),
        ({"targets": [TARGET, TARGET]}, "two targets have the name 'field'"),
        ({"executions": [COMPACT, COMPACT]}, "two of the 'executions' are the same"),
        ({"executions": [execution(hour_angle_h=[-13, 1])]}, "executions.0.hour_angle_h.0' is -13"),
        ({"executions": [execution(hour_angle_h=[1, -1])]}, "executions.0: .*'hour_angle_h'.*smaller number"),
        ({"executions": [execution(hour_angle_h=None)]}, "executions.0: 'hour_angle_h' goes with 'date'"),
        (
            {"executions": [execution(date="1 May 2023")]},
            "executions.0.date: '1 May 2023' is no UTC day; write",
        ),
        ({"executions": [execution(date="2023-02-30")]}, "'2023-02-30' is no UTC day"),
        (
            {"executions": [execution(date=None, hour_angle_h=None, start="2023-13-01", exptime_s=1)]},
            "executions.0.start: '2023-13-01' is no UTC time; write it like",
        ),
        (
            {"executions": [execution(date=None, hour_angle_h=None, start="2023-05-01T03:00:00")]},
            "executions.0: 'exptime_s' is missing",
        ),
        ({"executions": [execution(start="2023-05-01T03:00:00")]}, "executions.0: give either 'start'"),
        ({"executions": [execution(antennas="A001:DV01")]}, "executions.0: give either 'configuration' or"),
        ({"executions": [execution(pwv_mm=0)]}, "executions.0.pwv_mm"),
        ({"executions": [execution(pvw_mm=1)]}, "executions.0.pvw_mm' is unknown; did you mean 'pwv_mm'"),
        ({"windows_ghz": []}, "query.plan: give either 'windows_ghz' or 'band'"),
        ({"windows_ghz": [[345, 343]]}, r"window \[345.0, 343.0\] of 'windows_ghz' is empty"),
        ({"windows_ghz": [[343, 345], [344, 346]]}, "overlap; move one or join them"),
        ({"windows_ghz": [[343, 343.001]]}, "narrower than a channel"),
        ({"mosaic": {"width_arcsec": 60}}, "query.plan.mosaic: give both 'width_arcsec' and 'height_arcsec'"),
        ({"mosaic": {}}, "query.plan.mosaic: give either 'offsets_arcsec'"),
        ({"mosaic": {"offsets_arcsec": [[0, 0], [5, "x"]]}}, "mosaic.offsets_arcsec.1.1' is 'x'"),
        ({"mosaic": {"offsets_arcsec": [[0, 0], [5]]}}, "mosaic.offsets_arcsec.1"),
        ({"mosaic": {"offsets_arcsec": [[0, 0], 5]}}, "mosaic.offsets_arcsec.1.*list of two values"),
        ({"mosaic": {"offsets_arcsec": [[0, float("nan")]]}}, "mosaic.offsets_arcsec.0.1"),
    ],
)
def test_a_plan_with_a_mistake_is_refused_by_its_key(changes, sentence):
    with pytest.raises(UserError) as caught:
        settings_of(**changes)
    assert re.search(sentence, str(caught.value)), str(caught.value)


def test_plan_and_source_belong_together():
    with pytest.raises(UserError, match="the section 'plan' is missing"):
        check(QuerySettings, {"source": "plan"}, "query")
    plan = settings_of().plan.model_dump()
    with pytest.raises(UserError, match="source is 'snapshot'; set source: plan"):
        check(QuerySettings, {"plan": plan}, "query")


def test_settings_survive_the_way_to_the_script(tmp_path):
    """Snakemake hands them over as JSON; the rows are the same."""
    settings = settings_of(executions=[execution(date=yaml.safe_load("2023-05-01"))], mosaic=None)
    passed = json.dumps(settings.model_dump(mode="json"))
    assert check(QuerySettings, json.loads(passed), "query") == settings
    output = tmp_path / "observations.ecsv"
    command = [sys.executable, str(SCRIPT), "--settings", passed, "--simulations", "1", "--seed", "1"]
    done = subprocess.run([*command, "--output", str(output)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    table = read_table(output)
    assert list(table["simulation"]) == [0] and table["configuration"][0] == "alma.cycle9.3"
    assert not pads.unknown([pair.split(":")[0] for pair in table["antenna_arrays"][0].split()])
