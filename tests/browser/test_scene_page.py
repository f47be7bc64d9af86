"""The report of a scene in a browser: classes chosen, pixels pointed at, two pictures moved as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kmosaic.report import N_PIXELS, Provenance, SceneReport, write_scene_report
from kmosaic.scenes import IsodataOptions, Segmentation, segment
from scene_files import patches, write_raster

from .conftest import HOSTILE, Opener, serious_faults

PICTURE = "#pane-picture .window"
MAP = "#pane-map .window"


@pytest.fixture(scope="session")
def scene_result(tmp_path_factory: pytest.TempPathFactory) -> Segmentation:
    """Five classes of patches of ground with a corner missing, in colours of the ground."""
    values = patches(80, 70)
    values[:20, :30] = 0
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    write_raster(path, values, nodata=0, descriptions=("blue", "green", "red"))
    return segment(path, 5, scaling="standard", quicklook=N_PIXELS)


@pytest.fixture(scope="session")
def scene_file(scene_result: Segmentation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report."""
    report = SceneReport(scene_result, Provenance("kmosaic segment scene.tif --clusters 5"))
    return write_scene_report(tmp_path_factory.mktemp("report") / "scene.html", report)


@pytest.fixture(scope="session")
def hostile_scene_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose every name is hostile, of many bands and classes, split and merged."""
    random = np.random.default_rng(0)
    values = random.integers(0, 200, (12, 40, 50)).astype(np.uint16) * 300
    path = tmp_path_factory.mktemp("hostile") / "scene.tif"
    write_raster(path, np.moveaxis(values, 0, 2), descriptions=(HOSTILE[:60],) * 12)
    found = segment(path, 24, isodata=IsodataOptions(10, 17_000, 40_000), quicklook=500)
    report = SceneReport(found, Provenance(HOSTILE), {"note": HOSTILE}, HOSTILE)
    return write_scene_report(path.with_suffix(".html"), report)


def shown(opened: Opener, path: Path, **window: Any) -> Any:
    page = opened(path, **window)
    page.wait_for_selector("#scene-view[data-ready]")
    return page


def data_of(page: Any) -> dict[str, Any]:
    return json.loads(page.text_content("#page-data"))


def colour_at(page: Any, pane: str, column: int, line: int) -> list[int]:
    """Red, green, blue and opacity of a canvas's pixel, read from a copy."""
    return page.evaluate(
        """([pane, x, y]) => {
          const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
          copy.drawImage(document.querySelector(`${pane} canvas`), -x, -y);
          return [...copy.getImageData(0, 0, 1, 1).data];
        }""",
        [pane, column, line],
    )


def transforms(page: Any) -> list[str]:
    return page.eval_on_selector_all(".window canvas", "all => all.map(canvas => canvas.style.transform)")


def place(page: Any, pane: str, column: float, line: float) -> dict[str, float]:
    """Where a pixel is in a window that shows the whole scene of 70 x 80."""
    box = page.locator(pane).bounding_box()
    return {"x": box["width"] * (column + 0.5) / 70, "y": box["height"] * (line + 0.5) / 80}


def test_map_and_picture_are_drawn(opened: Opener, scene_file: Path, scene_result: Segmentation) -> None:
    page = shown(opened, scene_file)
    labels = scene_result.labels
    assert labels is not None
    for line, column in ((79, 69), (40, 3), (25, 60)):
        expected = [*scene_result.model.colours[labels[line, column]].tolist(), 255]
        assert colour_at(page, MAP, column, line) == expected
        assert colour_at(page, PICTURE, column, line)[3] == 255
    assert colour_at(page, MAP, 5, 5)[3] == 0
    assert colour_at(page, PICTURE, 5, 5)[3] == 0


def test_pointing_tells_class_and_values(
    opened: Opener, scene_file: Path, scene_result: Segmentation
) -> None:
    page = shown(opened, scene_file)
    look = scene_result.quicklook
    assert look is not None
    for pane in (PICTURE, MAP):
        page.hover(pane, position=place(page, pane, 50, 60))
        text = page.inner_text("#readout")
        assert text.startswith("Line 61, column 51 · x ")
        assert f"class {look.labels[60, 50] + 1} ·" in text
        for name, value in zip(("blue", "green", "red"), look.values[60, 50], strict=True):
            assert f"{name}: {value}" in text
    page.hover(MAP, position=place(page, MAP, 5, 5))
    assert page.inner_text("#readout").endswith("missing")


def test_a_class_is_chosen_everywhere(opened: Opener, scene_file: Path, scene_result: Segmentation) -> None:
    page = shown(opened, scene_file)
    labels = scene_result.labels
    assert labels is not None
    label = int(labels[60, 50])
    other = next((y, x) for y in range(80) for x in range(70) if labels[y, x] not in (-1, label))
    page.click(MAP, position=place(page, MAP, 50, 60))
    assert page.inner_text("#chosen-class").startswith(f"Chosen: class {label + 1}, ")
    row = page.locator("#class-table tbody tr").nth(label)
    assert row.get_attribute("class") == "chosen"
    assert row.locator("button").get_attribute("aria-pressed") == "true"
    assert colour_at(page, MAP, 50, 60)[3] == 255
    assert colour_at(page, MAP, other[1], other[0])[3] < 100
    assert f"class {label + 1} is" in page.get_attribute("#signature-chart svg", "aria-label")
    page.click("#all-classes")
    assert colour_at(page, MAP, other[1], other[0])[3] == 255
    assert not page.is_visible("#all-classes")
    page.locator("#class-table button").nth(2).focus()
    page.keyboard.press("Enter")
    assert page.inner_text("#chosen-class").startswith("Chosen: class 3, ")
    page.keyboard.press("Enter")
    assert page.inner_text("#chosen-class").startswith("No class")


def test_both_pictures_move_as_one(opened: Opener, scene_file: Path) -> None:
    page = shown(opened, scene_file)
    whole = transforms(page)
    page.get_by_role("button", name="Zoom in").click()
    zoomed = transforms(page)
    assert len({*zoomed}) == 1
    assert zoomed != whole
    page.focus(MAP)
    page.keyboard.press("ArrowRight")
    assert transforms(page) != zoomed
    page.keyboard.press("0")
    assert transforms(page) == whole
    page.keyboard.press("+")
    page.locator(PICTURE).scroll_into_view_if_needed()
    box = page.locator(PICTURE).bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 110)
    page.mouse.up()
    dragged = transforms(page)
    assert dragged not in (zoomed, whole)
    assert len({*dragged}) == 1
    assert page.inner_text("#chosen-class").startswith("No class")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    page.wait_for_function(
        "before => document.querySelector('canvas').style.transform !== before", arg=dragged[0]
    )
    page.get_by_role("button", name="Whole scene").click()
    assert transforms(page) == whole


def test_a_zoomed_picture_tells_of_the_pixel_under_the_pointer(opened: Opener, scene_file: Path) -> None:
    page = shown(opened, scene_file)
    page.get_by_role("button", name="Zoom in").click()
    middle = place(page, MAP, 34.5, 39.5)
    page.hover(MAP, position={"x": middle["x"] + 1, "y": middle["y"] + 1})
    assert page.inner_text("#readout").startswith("Line 41, column 36 ")
    page.hover(MAP, position={"x": 1, "y": 1})
    assert page.inner_text("#readout").startswith("Line 21, column 18 ")


def test_a_swipe_uncovers_the_picture(opened: Opener, scene_file: Path) -> None:
    page = shown(opened, scene_file)
    assert not page.is_visible("#swipe")
    page.get_by_label("View", exact=True).select_option("swipe")
    boxes = [page.locator(pane).bounding_box() for pane in (PICTURE, MAP)]
    assert boxes[0] == boxes[1]
    page.focus("#swipe")
    page.keyboard.press("Home")
    page.hover(PICTURE, position=place(page, PICTURE, 30, 30))
    assert page.inner_text("#readout").startswith("Line 31, column 31 ")
    assert page.evaluate("document.querySelector('.window:hover').parentElement.id") == "pane-picture"
    page.focus("#swipe")
    page.keyboard.press("End")
    page.hover(MAP, position=place(page, MAP, 30, 30))
    assert page.evaluate("document.querySelector('.window:hover').parentElement.id") == "pane-map"


def test_colours_can_be_told_apart_by_every_eye(opened: Opener, scene_file: Path) -> None:
    page = shown(opened, scene_file)
    data = data_of(page)
    before = colour_at(page, MAP, 50, 60)
    page.get_by_label("Colours", exact=True).select_option("distinct")
    after = colour_at(page, MAP, 50, 60)
    assert before != after
    assert "#{:02x}{:02x}{:02x}".format(*after[:3]) in data["palettes"]["distinct"]
    swatch = page.locator("#class-table .swatch").first.get_attribute("style")
    assert data["palettes"]["distinct"][0] in swatch


def test_signatures_can_be_read_in_scaled_units(opened: Opener, scene_file: Path) -> None:
    page = shown(opened, scene_file)
    page.get_by_label("Units", exact=True).select_option("scaled")
    assert "in scaled units" in page.locator("#signature-chart").text_content()
    assert page.locator("#signature-chart g[data-mark=dot] path").count() == 5 * 3


@pytest.mark.parametrize("name", ["scene_file", "hostile_scene_file"])
def test_axe_finds_no_serious_fault(opened: Opener, name: str, request: pytest.FixtureRequest) -> None:
    page = shown(opened, request.getfixturevalue(name))
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look)
        assert serious_faults(page) == []
    page.locator("#class-table button").first.click()
    page.get_by_label("View", exact=True).select_option("swipe")
    assert serious_faults(page) == []


@pytest.mark.parametrize("name", ["scene_file", "hostile_scene_file"])
def test_nothing_is_wider_than_the_window(opened: Opener, name: str, request: pytest.FixtureRequest) -> None:
    page = shown(opened, request.getfixturevalue(name))
    for width in (360, 768, 1366, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_hostile_names_are_shown_and_run_nothing(opened: Opener, hostile_scene_file: Path) -> None:
    page = shown(opened, hostile_scene_file)
    assert page.locator("h1").text_content().startswith(HOSTILE)
    page.hover(MAP)
    assert HOSTILE[:60] in page.text_content("#readout")
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("globalThis.ran") is None


def test_a_phone_gets_one_picture_over_the_other(opened: Opener, scene_file: Path) -> None:
    page = shown(opened, scene_file, width=390, height=800)
    assert page.is_visible("#swipe")
    assert page.get_by_label("View", exact=True).input_value() == "swipe"


def test_print_is_on_light_paper_without_controls(opened: Opener, scene_file: Path) -> None:
    page = shown(opened, scene_file, look="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("#view-choices")
    assert not page.is_visible("#readout")
    assert page.is_visible("#pane-map canvas")
