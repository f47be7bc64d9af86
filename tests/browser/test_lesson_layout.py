"""How the lesson's page shows itself: colours, folds, phones, print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kmosaic.explain import Lesson

from .conftest import Opener

PHONE = 390
_RGB = "mark => getComputedStyle(mark).fill.match(/\\d+/g).slice(0, 3).map(Number)"
_LUMINANCE = (0.2126, 0.7152, 0.0722)


def luminance(rgb: list[int]) -> float:
    shares = [value / 255 for value in rgb]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * value for weight, value in zip(_LUMINANCE, linear, strict=True))


def answers(page: Any) -> list[bool]:
    return list(page.eval_on_selector_all("details.question", "folds => folds.map(f => f.open)"))


def points_of(path: Path, rows: list[tuple[float, float]]) -> Path:
    path.write_text("".join(f"{x},{y}\n" for x, y in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("look", ["light", "dark"])
def test_points_without_a_cluster_are_grey(opened: Opener, lesson_file: Path, look: str) -> None:
    page = opened(lesson_file, look=look)
    for plane in ("steps-plane", "starts-lucky", "picks-plane"):
        red, green, blue = page.eval_on_selector(f"#{plane} .points path", _RGB)
        assert max(red, green, blue) - min(red, green, blue) < 24
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    light, dark = sorted((luminance([red, green, blue]), luminance(paper[:3])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3
    assert "grey" in page.inner_text("#steps")
    assert "green" not in page.inner_text("#steps")


def test_one_button_opens_and_closes_all_answers(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    button = page.locator("#fold-all button")
    assert answers(page) == [False] * 4
    button.focus()
    page.keyboard.press("Enter")
    assert answers(page) == [True] * 4
    assert "Close all" in button.inner_text()
    page.locator("details.question summary").first.click()
    page.locator("#fold-all button", has_text="Open all").wait_for()
    page.locator("details.question summary").first.click()
    page.locator("#fold-all button", has_text="Close all").wait_for()
    button.click()
    assert answers(page) == [False] * 4


def test_answers_are_open_in_print_and_as_they_were_afterwards(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    page.locator("details.question summary").first.click()
    page.evaluate(
        "globalThis.printed = null; addEventListener('beforeprint', () => {"
        " printed = [...document.querySelectorAll('details.question')].map(f => f.open); })"
    )
    page.pdf()
    assert page.evaluate("printed") == [True] * 4
    assert answers(page) == [True, False, False, False]


def test_what_is_cut_off_on_a_phone_says_so(opened: Opener, lesson_file: Path, fit_file: Path) -> None:
    for path, host in ((lesson_file, "#film"), (fit_file, "#confusion-table")):
        page = opened(path, width=PHONE)
        frame = page.locator(".overflow", has=page.locator(host))
        assert frame.evaluate("f => [...f.classList].sort()") == ["more-right", "overflow", "wider"]
        assert frame.locator(".more").is_visible()
        page.eval_on_selector(host, "strip => { strip.scrollLeft = strip.scrollWidth; }")
        page.locator(".overflow.more-left:not(.more-right)", has=page.locator(host)).wait_for()
        page.set_viewport_size({"width": 1600, "height": 800})
        page.locator(".overflow:not(.wider)", has=page.locator(host)).wait_for()
        assert not frame.locator(".more").is_visible()


def test_labels_of_axes_lie_within_their_drawing(opened: Opener, lesson_file: Path, tmp_path: Path) -> None:
    page = opened(lesson_file, width=PHONE)
    page.click("text=Use points of your own")
    large = points_of(tmp_path / "large.csv", [(i, 2.5e4 * i - 1e5) for i in range(9)])
    page.set_input_files("#steps-file", large)
    page.get_by_text("9 points from large.csv.").first.wait_for()
    outside = page.evaluate(
        """[...document.querySelectorAll('.scatter')].flatMap(svg => {
          const frame = svg.getBoundingClientRect();
          return [...svg.querySelectorAll('.axes text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < frame.left || box.top < frame.top || box.right > frame.right + 1
              || box.bottom > frame.bottom;
          }).map(text => text.textContent);
        })"""
    )
    assert outside == []
    met = page.evaluate(
        """[...document.querySelectorAll('.scatter')].flatMap(svg => {
          const boxes = [...svg.querySelectorAll('.axes text')].map(text => text.getBoundingClientRect());
          return boxes.filter((a, i) => boxes.some((b, j) => j > i && a.left < b.right - 1
            && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2));
        }).length"""
    )
    assert met == 0


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 5])
def test_half_steps_are_whole_numbers_each_once(
    opened: Opener, lesson_file: Path, tmp_path: Path, n_clusters: int
) -> None:
    page = opened(lesson_file)
    page.click("text=Use points of your own")
    rows = [(0.0, 0.0), (0.0, 1.0), (9.0, 0.0), (9.0, 1.0), (4.0, 9.0), (4.0, 8.0)]
    page.set_input_files("#steps-file", points_of(tmp_path / "few.csv", rows))
    page.get_by_text("6 points from few.csv.").first.wait_for()
    page.get_by_label("Clusters K", exact=True).select_option(str(n_clusters))
    ticks = page.locator("#steps-curve [data-mark='x-axis tick label'] text").all_text_contents()
    steps = int(re.search(r"of (\d+)", page.inner_text("#steps-player .words"))[1])
    assert ticks == [str(number) for number in range(1, steps + 1)]


def test_columns_that_spread_unlike_get_a_hint(opened: Opener, lesson_file: Path, tmp_path: Path) -> None:
    page = opened(lesson_file)
    hint = page.locator("#steps-scale")
    assert not hint.is_visible()
    page.click("text=Use points of your own")
    rows = [(1.0, 100.0), (2.0, 900.0), (4.0, 300.0)]
    page.set_input_files("#steps-file", points_of(tmp_path / "unlike.csv", rows))
    page.get_by_text("3 points from unlike.csv.").first.wait_for()
    ratio = np.std([100, 900, 300]) / np.std([1, 2, 4])
    assert re.search(rf"\by .*{ratio:.4g} times.*\bx\b", hint.inner_text())
    hint.locator("a").click()
    assert page.evaluate("document.querySelector('#scale').getBoundingClientRect().top") < 400
    page.set_input_files("#steps-file", points_of(tmp_path / "like.csv", [(1, 1), (2, 3), (4, 2)]))
    page.get_by_text("3 points from like.csv.").first.wait_for()
    assert not hint.is_visible()


def test_other_units_are_drawn_side_by_side(opened: Opener, lesson_file: Path, lesson: Lesson) -> None:
    page = opened(lesson_file)
    for number, found in enumerate(lesson.sizes.units):
        plane = page.locator(f"#units-{number}")
        assert plane.locator(".points path").count() == len(found.data.points)
        assert plane.locator(".centroid").count() == 3
        assert plane.locator(".axes .name").first.text_content() == found.data.columns[0]


def test_inertia_of_images_has_its_unit_everywhere(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    for words in ("#film-player .words", "#mosaic-words"):
        assert re.search(r"J = [\d,]+ squared pixel values", page.inner_text(words))
    assert "J per image" not in page.inner_text("#pictures")
    assert "squared" in page.inner_text("#steps-formula")
