"""The report of a picture in few colours in a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kmosaic.colours import QuantizeOptions, quantize
from kmosaic.colours.curve import error_curve
from kmosaic.report import ColoursReport, Provenance, write_colours_report

from .conftest import HOSTILE, Opener, serious_faults


@pytest.fixture(scope="session")
def colours_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of a hostile name, with a transparent corner, in twelve colours."""
    y, x = np.mgrid[:60, :80]
    picture = np.stack([2 * x, 3 * y, 255 - 2 * x, np.full_like(x, 255)], axis=2).astype(np.uint8)
    picture[:10, :10, 3] = 0
    options = QuantizeOptions()
    result = quantize(picture, 12, options)
    curve = error_curve(picture, (2, 4, 8, 12), options)
    report = ColoursReport(HOSTILE, result, Provenance(HOSTILE), "diffusion", curve, (9000, 2100))
    return write_colours_report(tmp_path_factory.mktemp("colours") / "page.html", report)


@pytest.mark.parametrize(("look", "width"), [("light", 1366), ("dark", 1366), ("light", 390)])
def test_accessible_and_within_its_width(opened: Opener, colours_file: Path, look: str, width: int) -> None:
    page = opened(colours_file, look=look, width=width)
    page.wait_for_selector("#history-chart svg")
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("globalThis.ran") is None


def test_the_slider_uncovers_the_original(opened: Opener, colours_file: Path) -> None:
    page = opened(colours_file)
    cut = "getComputedStyle(document.querySelector('#compare .before')).clipPath"
    page.locator("#cut").fill("100")
    assert page.evaluate(cut).startswith("inset(0px 0%") or "0px 0px" in page.evaluate(cut)
    page.locator("#cut").fill("20")
    assert "80%" in page.evaluate(cut)
    assert page.get_attribute("#cut", "aria-valuetext").startswith("20 ")


def test_every_colour_has_a_line_and_every_chart_words(opened: Opener, colours_file: Path) -> None:
    page = opened(colours_file)
    page.wait_for_selector("#curve-chart svg")
    assert page.locator("#palette tbody tr").count() == 12
    assert page.locator(".palette-bar span").count() == 12
    assert "transparent" in page.inner_text("#palette table")
    assert "12" in page.get_attribute("#curve-chart svg", "aria-label")
