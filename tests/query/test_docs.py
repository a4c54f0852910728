"""The pages docs/from-almasim.md and docs/observing.md say what is there."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from almabrain.config.model import Configuration, read_configuration
from almabrain.data import resources
from almabrain.data.tables import read_table
from almabrain.query import selection, sources

DOCS = Path(__file__).parents[2] / "docs"


def has_key(path: str) -> bool:
    """Whether the configuration has the key at a dotted path."""
    model = Configuration
    for name in path.split("."):
        if model is None or name not in model.model_fields:
            return False
        pending, found = [model.model_fields[name].annotation], None
        while pending:
            kind = pending.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found = kind
            pending.extend(get_args(kind))
        model = found
    return True


def table_rows(page: str) -> list[list[str]]:
    lines = [line for line in (DOCS / page).read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_keys_are_told_from_words():
    assert has_key("query.plan.mosaic.spacing") and has_key("sky.lines.width_kms") and has_key("results")
    assert not has_key("query.plans") and not has_key("results.folder") and not has_key("sky.lines.colour")


def test_every_parameter_of_almasim_has_its_key_or_its_place():
    rows = table_rows("from-almasim.md")
    assert len(rows) == 22 and len({name for name, _, _ in rows}) == 22
    for name, keys, place in rows:
        named = re.findall(r"`([^`]+)`", keys)
        assert named or place, name
        assert keys == ", ".join(f"`{key}`" for key in named), name
        for key in named:
            assert has_key(key), f"{name}: {key} is no key"


def test_the_other_values_of_that_page_exist():
    text = (DOCS / "from-almasim.md").read_text()
    for key, value in re.findall(r"`(sky\.model): (\w+)`", text):
        read_configuration({"campaign": {}, "sky": {"model": value, value: {"folder": "x"}}})
        assert has_key(key)
    sky_model = Configuration.model_fields["sky"].annotation.model_fields["model"]
    (row,) = [cells for cells in table_rows("from-almasim.md") if cells[0] == "sky model"]
    assert set(re.findall(r"`(\w+)`", row[2])) <= set(get_args(sky_model.annotation))


def examples() -> list[dict]:
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", observing(), re.DOTALL)]


def observing() -> str:
    return (DOCS / "observing.md").read_text()


@pytest.mark.parametrize("example", examples())
def test_examples_of_the_page_on_observing_work(example):
    settings = read_configuration({"campaign": {}} | example).query
    if settings.source == "plan":
        rows, name = sources.rows(settings)
        assert len(selection.select(rows, settings, name)) == len(settings.plan.executions)


def test_columns_and_configurations_of_that_page_exist():
    rows = {cells[0].strip("`"): cells for cells in table_rows("observing.md")}
    table = read_table(resources.path("configurations.ecsv"))
    pads = {str(name): pads.split() for name, _, pads in table.iterrows()}
    named = {name: cells for name, cells in rows.items() if "cycle" in name}
    assert len(named) == 11
    for name, cells in named.items():
        assert int(cells[1]) == len(pads[name])


def test_keys_named_on_that_page_exist():
    for key in re.findall(r"`((?:query|simulate|campaign)\.[a-z_.]+)", observing()):
        assert has_key(key.rstrip(".")), key
