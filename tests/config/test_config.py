"""The configuration: what is refused, in which words, and what is generated from it."""

import difflib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from almabrain.config.generate import generated
from almabrain.config.model import Configuration, load_configuration, read_configuration
from almabrain.console.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"campain": {}}, ["'campain' is unknown", "did you mean 'campaign'", "allowed here:"]),
        ({"campaign": {"simulatons": 4}}, ["'campaign.simulatons'", "did you mean 'simulations'"]),
        ({"campaign": {"simulations": 0}}, ["'campaign.simulations' is 0", "greater than or equal to 1"]),
        ({"campaign": {"simulations": "many"}}, ["'campaign.simulations' is 'many'", "integer"]),
        (
            {"campaign": {}, "noise": {"mode": "empiric"}},
            ["'empiric'", "did you mean 'empirical'", "theoretical"],
        ),
        ({"observations": {"a": {}}}, ["'observations.a.path' is missing", "Path of a Measurement Set"]),
        ({"observations": {"A b": {"path": "x"}}}, ["'A b' of 'observations' is no name", "lower-case"]),
        ({"observations": {"a": {"path": "$NOT_A_VARIABLE/x"}}}, ["'NOT_A_VARIABLE'", "not set"]),
        ({}, ["neither 'campaign' nor 'observations'", "add 'campaign: {}'"]),
        ({"campaign": {}, "train": {"snr_min": 50, "snr_max": 20}}, ["train", "snr_min is 50"]),
        ({"campaign": {"export": "ms"}}, ["'campaign.export' is 'ms'", "should be a list"]),
        ({"campaign": 4}, ["'campaign' is 4", "should be a section"]),
        ({"campaign": {}, "simulate": {"n_pix": 33}}, ["simulate.n_pix: 33", "even"]),
        ({"campaign": {}, "image": {"recipes": {"fits": {}}}}, ["recipe name 'fits'", "choose another"]),
        (
            {"campaign": {}, "simulate": {"visibilities": False}},
            ["simulate.visibilities is false", "set it to true"],
        ),
        ({"campaign": {}, "seed": -1}, ["'seed' is -1", "greater than or equal to 0"]),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"prior": {"fluctuations": [3, 0]}}}}},
            ["image.recipes.a.prior.fluctuations: is [3, 0]", "a standard deviation, must be above 0"],
        ),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"prior": {"fluctuations": [-1, 1]}}}}},
            ["is [-1, 1], but its mean must be above 0"],
        ),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"prior": {"slope": [-1.5, 1]}}}}},
            ["image.recipes.a.prior.slope: is [-1.5, 1]", "its mean must be below -2"],
        ),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"prior": {"k0": 3}}}}},
            ["image.recipes.a.prior.k0", "is 3, but it should be a list of two values"],
        ),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"prior": {"zero_mode": 0}}}}},
            ["image.recipes.a.prior.zero_mode", "greater than 0"],
        ),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"prior": {"asperity": 1}}}}},
            ["prior.asperity: is 1, but nothing deviates where flexibility is 0"],
        ),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"prior": {"flexibilty": 1}}}}},
            ["image.recipes.a.prior.flexibilty", "did you mean 'flexibility'"],
        ),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"prior": {"offset": 90}}}}},
            ["image.recipes.a.prior.offset", "less than or equal to 20"],
        ),
        (
            {"campaign": {}, "image": {"recipes": {"a": {"sample": 8}}}},
            ["image.recipes.a.sample", "'samples'"],
        ),
    ],
)
def test_each_mistake_is_one_sentence_with_key_value_and_remedy(values, words):
    with pytest.raises(UserError) as caught:
        read_configuration(values)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert [word for word in words if word not in sentence] == [], sentence


def test_two_mistakes_are_both_told():
    with pytest.raises(UserError) as caught:
        read_configuration({"campaign": {"shard": 0}, "sed": 1})
    assert "'campaign.shard' is 0" in str(caught.value) and "'sed' is unknown" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "not valid YAML at line"), ("- 1", "holds no keys"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, text, words):
    file = tmp_path / "mine.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=f"mine.yaml.*{words}"):
        load_configuration(file)


@pytest.mark.parametrize("path", generated())
def test_generated_files_are_those_of_the_models(path):
    expected, found = generated()[path], (ROOT / path).read_text()
    difference = "\n".join(
        difflib.unified_diff(found.splitlines(), expected.splitlines(), path, "models", n=1)
    )
    assert found == expected, f"run `make config`:\n{difference}"


def test_the_defaults_file_says_what_the_models_say():
    values = yaml.safe_load((ROOT / "config/defaults.yaml").read_text())
    assert read_configuration(values | {"campaign": {}}) == Configuration(campaign={})


def test_the_library_is_light_to_import():
    code = "import almabrain.config.model, sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(loaded) & {"numpy", "astropy", "jax", "torch", "xarray", "scipy", "casacore"} == set()


@pytest.mark.parametrize(
    "query",
    [
        {"mixed_arrays": "together"},
        {"configuration": "alma.cycle9.1+aca.cycle9"},
        {"antennas": "A001:DV01 A002:DV02 N601:CM01"},
        {"configuration": "alma.cycle9.1", "mosaic": {"offsets_arcsec": [[0, 0], [9, 0]]}},
    ],
)
def test_mosaics_and_several_arrays_may_be_imaged(query):
    if "mixed_arrays" not in query:
        execution = {name: query[name] for name in ("configuration", "antennas") if name in query}
        execution |= {"start": "2023-05-01T03:00:00", "exptime_s": 600}
        plan = {"targets": [{"name": "a", "ra_deg": 1, "dec_deg": -30}], "executions": [execution], "band": 6}
        query = {"source": "plan", "plan": plan | {key: query[key] for key in ("mosaic",) if key in query}}
    assert read_configuration({"campaign": {}, "query": query}).campaign.image


def test_an_observation_may_have_several_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDER", str(tmp_path))
    own = {"path": ["$FOLDER/a.ms", "$FOLDER/b.ms"], "total_power": "$FOLDER/c.fits"}
    made = read_configuration({"observations": {"x": own, "y": {"path": "d.npz", "channels": {0: "5~9;20"}}}})
    assert made.observations["x"].paths == [f"{tmp_path}/a.ms", f"{tmp_path}/b.ms"]
    assert made.files == {
        "observations.x.path[0]": f"{tmp_path}/a.ms",
        "observations.x.path[1]": f"{tmp_path}/b.ms",
        "observations.x.total_power": f"{tmp_path}/c.fits",
        "observations.y.path": "d.npz",
    }
    (tmp_path / "a.ms").mkdir()
    with pytest.raises(UserError, match=r"observations.x.path\[1\] is .*b.ms, which does not exist"):
        made.require_files()
    for bad, words in [
        ({"channels": "5-9"}, "'5-9'.*5~20"),
        ({"path": []}, "at least 1"),
        ({"path": ""}, "empty"),
    ]:
        with pytest.raises(UserError, match=words):
            read_configuration({"observations": {"x": own | bad}})
