"""What all tests share: where the real data lie."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data named by $ALMABRAIN_REAL_DATA; the test is skipped where there is none."""
    folder = os.environ.get("ALMABRAIN_REAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data are not here: set ALMABRAIN_REAL_DATA to their folder")
    return Path(folder)
