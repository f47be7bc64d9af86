"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets: ``KMOSAIC_DATA``, then ``../shared/data``; skips where neither is there."""
    folders = [os.environ.get("KMOSAIC_DATA"), Path(__file__).parents[2] / "shared" / "data"]
    for folder in folders:
        if folder and Path(folder).is_dir():
            return Path(folder)
    pytest.skip("no real data: set KMOSAIC_DATA to a folder that holds mnist/")
