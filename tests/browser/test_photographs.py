"""Photographs of the pages to look at, in each width and look: only where somebody wants them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import Opener

WIDTHS = {"phone": 390, "laptop": 1366, "wide": 1920}


@pytest.mark.skipif(
    "KMOSAIC_PHOTOGRAPHS" not in os.environ, reason="KMOSAIC_PHOTOGRAPHS names no folder for them"
)
@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("name", ["lesson_file", "fit_file", "vectors_file", "sweep_file"])
def test_pages_are_photographed(opened: Opener, name: str, look: str, request: pytest.FixtureRequest) -> None:
    folder = Path(os.environ["KMOSAIC_PHOTOGRAPHS"])
    for size, width in WIDTHS.items():
        page = opened(request.getfixturevalue(name), look=look, width=width)
        path = folder / f"{name.removesuffix('_file')}-{size}-{look}.png"
        page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 50_000
