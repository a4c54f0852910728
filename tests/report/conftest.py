"""Runs of made-up products, as the report reads them."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def synthetic():
    """The module that makes products."""
    spec = importlib.util.spec_from_file_location("synthetic", Path(__file__).with_name("synthetic.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def campaign(synthetic, tmp_path_factory):
    """Folder and settings of a whole campaign."""
    folder = tmp_path_factory.mktemp("campaign")
    return folder, synthetic.campaign(folder)


@pytest.fixture(scope="session")
def observation(synthetic, tmp_path_factory):
    """Folder and settings of a run on data of one's own."""
    folder = tmp_path_factory.mktemp("observation")
    return folder, synthetic.observation(folder)
