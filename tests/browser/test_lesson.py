"""The lesson in a browser: stepped through, changed, and readable for everyone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kmosaic.explain import Lesson

from .conftest import HOSTILE, Opener, serious_faults


def press(page: Any, player: str, what: str) -> None:
    page.click(f"#{player}-player [data-do={what}]")


def words(page: Any, player: str) -> str:
    return str(page.inner_text(f"#{player}-player .words"))


def inertia(page: Any) -> float:
    return float(page.inner_text("#steps-inertia").removeprefix("J = ").replace(",", ""))


def colours(page: Any, plane: str) -> set[str]:
    return set(page.eval_on_selector_all(f"#{plane} .points path", "marks => marks.map(m => m.style.fill)"))


def test_steps_to_the_end_and_back(opened: Opener, lesson_file: Path, lesson: Lesson) -> None:
    page = opened(lesson_file)
    steps = lesson.two_steps.traces[0].steps
    assert colours(page, "steps-plane") == {"var(--unassigned)"}
    seen = []
    for at in range(1, len(steps)):
        press(page, "steps", "forward")
        assert words(page, "steps").startswith(f"Step {at} of {len(steps) - 1}.")
        kind = "Assignment" if steps[at].kind == "assign" else "Update"
        assert f"{kind} step" in words(page, "steps")
        seen.append(inertia(page))
    assert seen == pytest.approx([step.inertia for step in steps[1:]], rel=0.01)
    assert seen == sorted(seen, reverse=True)
    assert "the end" in words(page, "steps")
    assert colours(page, "steps-plane") == {"var(--c0)", "var(--c1)"}
    press(page, "steps", "back")
    assert inertia(page) == seen[-2]
    press(page, "steps", "start")
    assert page.inner_text("#steps-inertia") == "J = ?"
    press(page, "steps", "end")
    assert inertia(page) == seen[-1]
    assert "kmosaic's KMeans" in page.inner_text("#steps-who")


def test_play_goes_on_by_itself(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    press(page, "steps", "play")
    page.locator("#steps-player .words", has_text="Step 2 of").wait_for()
    press(page, "steps", "play")
    assert page.inner_text("#steps-player [data-do=play]") == "Play"


def test_the_formula_says_what_is_held_fixed(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    press(page, "steps", "forward")
    assert "centroids c" in page.inner_text("#steps-formula")
    press(page, "steps", "forward")
    assert "clusters l(i)" in page.inner_text("#steps-formula")


def test_dragging_a_centroid_changes_inertia(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    press(page, "steps", "end")
    before = inertia(page)
    box = page.locator("#steps-plane .centroid").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 10, steps=4)
    page.mouse.up()
    assert inertia(page) > before
    assert words(page, "steps").startswith("Step 1 of")
    assert "this page" in page.inner_text("#steps-who")
    press(page, "steps", "end")
    assert inertia(page) == pytest.approx(before)


def test_arrow_keys_move_a_centroid(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    press(page, "steps", "end")
    before = inertia(page)
    centroid = page.locator("#steps-plane .centroid").first
    where = centroid.get_attribute("aria-label")
    centroid.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert centroid.get_attribute("aria-label") != where
    assert inertia(page) > before


def test_points_are_added_and_removed(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    points = page.locator("#steps-plane .points path")
    n = points.count()
    page.check("input[name=tool][value=add]")
    page.locator("#steps-plane .plane").click(position={"x": 30, "y": 200})
    assert points.count() == n + 1
    page.check("input[name=tool][value=remove]")
    points.nth(3).focus()
    page.keyboard.press("Enter")
    assert points.count() == n
    page.click("text=Add a point by its numbers")
    page.fill("#typed-x", "4.5")
    page.fill("#typed-y", "3")
    page.click("text=Add it")
    assert points.count() == n + 1
    assert f"{n + 1} points" in page.inner_text("#steps-who")


def test_another_number_of_clusters_and_other_points(
    opened: Opener, lesson_file: Path, lesson: Lesson
) -> None:
    page = opened(lesson_file)
    page.get_by_label("Clusters K", exact=True).select_option("5")
    assert page.locator("#steps-plane .centroid").count() == 5
    page.get_by_label("Start from", exact=True).select_option("careful")
    press(page, "steps", "end")
    assert "the end" in words(page, "steps")
    for data in lesson.two_steps.data:
        page.get_by_label("Points", exact=True).select_option(data.key)
        assert page.locator("#steps-plane .points path").count() == len(data.points)
        assert page.locator("#steps-plane .centroid").count() == data.n_clusters
        assert data.about in page.inner_text("#steps-about")


def test_points_of_ones_own_are_read_by_the_page(opened: Opener, lesson_file: Path, tmp_path: Path) -> None:
    page = opened(lesson_file)
    page.click("text=Use points of your own")
    good = tmp_path / "<b>mine'.csv"
    good.write_text("\ufeffwide;<i>high</i>\n1;2\n\n1.5;2\n8;9.5\n8.5;9\n", encoding="utf-8")
    page.set_input_files("#steps-file", good)
    page.get_by_text("4 points from <b>mine'.csv.").first.wait_for()
    assert page.locator("#steps-plane .points path").count() == 4
    assert page.locator("#steps-plane .axes .name").first.text_content() == "wide"
    assert page.locator("#steps-plane .axes .name").last.text_content() == "<i>high</i>"
    press(page, "steps", "end")
    assert inertia(page) == pytest.approx(0.375, rel=0.01)
    for text, complaint in (
        ("1,2\n3,x\n", "Row 2 is no point: 3, x"),
        ("1,2\n3\n", "Row 2 is no point"),
        ("1,2\n1,2\n", "not even two different points"),
        ("1,1e13\n2,2\n", "Row 1 is no point"),
        ("1,2\n" * 2001, "2001 points are too many"),
        ("1,2\n" * 300_000, "larger than 1 MB"),
    ):
        bad = tmp_path / "bad.csv"
        bad.write_text(text)
        page.set_input_files("#steps-file", bad)
        page.locator("#steps-file-words", has_text=complaint).wait_for()
        assert page.locator("#steps-plane .points path").count() == 4


def test_two_columns_of_a_file_are_chosen_on_the_page(
    opened: Opener, lesson_file: Path, tmp_path: Path
) -> None:
    page = opened(lesson_file)
    page.click("text=Use points of your own")
    people = tmp_path / "people.csv"
    people.write_text("name,height,<b>bmi</b>,weight\nann,170,21,61\nbob,180,25,81\n", encoding="utf-8")
    page.set_input_files("#steps-file", people)
    page.get_by_text("2 points from people.csv.").first.wait_for()
    names = page.locator("#steps-plane .axes .name")
    assert names.all_text_contents() == ["height", "<b>bmi</b>"]
    page.get_by_label("Up", exact=True).select_option("3")
    assert names.all_text_contents() == ["height", "weight"]
    page.get_by_label("Across", exact=True).select_option("0")
    assert "Row 1 is no point: ann, 61" in page.inner_text("#steps-file-words")
    assert names.all_text_contents() == ["height", "weight"]
    assert page.get_by_label("Points", exact=True).locator("option", has_text="people.csv").count() == 1
    one = tmp_path / "one.csv"
    one.write_text("1\n2\n")
    page.set_input_files("#steps-file", one)
    page.locator("#steps-file-words", has_text="one column").wait_for()
    assert page.locator("#steps-file-columns select").count() == 0


def test_two_starts_and_a_hundred(opened: Opener, lesson_file: Path, lesson: Lesson) -> None:
    page = opened(lesson_file)
    press(page, "starts", "end")
    assert f"J = {lesson.starts.lucky.inertia:.3g}, the end" in page.inner_text("#starts-lucky")
    assert f"J = {lesson.starts.unlucky.inertia:.4g}, the end" in page.inner_text("#starts-unlucky")
    assert "Restart 1 of 100" in words(page, "restarts")
    page.locator("#restarts-player input[type=range]").fill(str(lesson.starts.random.worst))
    assert f"ends at J = {lesson.starts.random.inertia.max():.4g}" in words(page, "restarts")
    page.get_by_label("Started from", exact=True).select_option("careful")
    assert "from k-means++ ends" in words(page, "restarts")


def test_every_number_of_clusters_is_on_the_axis(opened: Opener, lesson_file: Path, lesson: Lesson) -> None:
    page = opened(lesson_file)

    def ticks(chart: str) -> list[str]:
        return page.locator(f"{chart} [data-mark='x-axis tick label'] text").all_text_contents()

    assert ticks("#spread-chart") == [str(k) for k in lesson.starts.spread.n_clusters]
    numbers = [str(k) for k in lesson.scores[0].n_clusters]
    assert ticks("#scores") == numbers * 3 * len(lesson.scores)
    for axis in page.locator("#scores [data-mark='x-axis tick label']").all():
        places = [text.get_attribute("transform") or "" for text in axis.locator("text").all()]
        left = [float(place.removeprefix("translate(").split(",")[0]) for place in places]
        assert min(left) >= 40, "a label stands left of the axis"


def test_k_means_plus_plus_picks_one_after_another(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    for number in range(1, 6):
        press(page, "picks", "forward")
        assert f"{number} of 5 picked" in words(page, "picks")
        assert page.locator("#picks-plane .centroid").count() == number
    sizes = page.eval_on_selector_all(
        "#picks-plane .points path", "marks => marks.map(m => m.getAttribute('d'))"
    )
    assert len(set(sizes)) == 1
    press(page, "picks", "back")
    sizes = page.eval_on_selector_all(
        "#picks-plane .points path", "marks => marks.map(m => m.getAttribute('d'))"
    )
    assert len(set(sizes)) > 50


def test_an_empty_cluster_three_ways(opened: Opener, lesson_file: Path, lesson: Lesson) -> None:
    page = opened(lesson_file)
    press(page, "empty", "end")
    assert page.locator("#empty-drop .centroid").count() == 4
    assert page.locator("#empty-random .centroid").count() == 5
    assert page.locator("#empty-relocate .centroid").count() == 5
    for policy, trace in lesson.empty.traces.items():
        shown = re.search(r"J = ([\d.,]+), the end", page.inner_text(f"#empty-{policy}"))
        assert float(shown[1].replace(",", "")) == pytest.approx(trace.inertia, rel=0.01)


def test_sizes_photo_and_pictures_follow_their_controls(
    opened: Opener, lesson_file: Path, lesson: Lesson
) -> None:
    page = opened(lesson_file)
    assert page.locator("#sizes-table tr").count() == 3
    page.get_by_label("Sizes", exact=True).select_option("5")
    assert page.locator("#sizes-table tr").count() == 5
    assert f"{lesson.sizes.misfit[5].mean():.1f}" in page.inner_text("#sizes-words")
    page.fill("#photo-slider", "0")
    assert page.inner_text("#photo-words").startswith("2 colours")
    assert page.locator("#photo-painted .swatches span").count() == 2
    press(page, "film", "end")
    assert f"After {lesson.pictures.film.iterations[-1]} iterations" in words(page, "film")
    page.get_by_label("Show", exact=True).select_option(str(len(lesson.pictures.summaries) - 1))
    assert page.locator("#mosaic .cell").count() == lesson.pictures.summaries[-1].n_clusters


def test_names_of_columns_are_only_text(opened: Opener, own_lesson_file: Path) -> None:
    page = opened(own_lesson_file)
    press(page, "steps", "end")
    assert page.evaluate("globalThis.ran") is None
    assert page.locator("#steps-plane .axes .name").first.text_content() == HOSTILE
    assert page.inner_text("#steps-about") == HOSTILE
    assert page.locator("main img[src=x]").count() == 0


def test_axe_finds_no_serious_fault(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    press(page, "steps", "forward")
    press(page, "empty", "end")
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look)
        assert serious_faults(page) == []


def test_the_look_can_be_switched_and_is_remembered(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.click("button.look")
    assert page.evaluate(background) == light
    page.click("button.look")
    assert page.inner_text("button.look") == "Look: dark"
    assert page.evaluate(background) != light
    page.reload()
    assert page.inner_text("button.look") == "Look: dark"


def test_nothing_is_wider_than_the_window(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    for width in (360, 1366, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_keyboard_reaches_every_control(opened: Opener, lesson_file: Path) -> None:
    page = opened(lesson_file)
    controls = "main :is(button, select, summary, input:not([type=radio]))"
    wanted = page.evaluate(
        "query => [...document.querySelectorAll(query)].filter(e => e.checkVisibility()).length", controls
    )
    page.evaluate("globalThis.reached = new Set()")
    for _ in range(wanted + 60):
        page.keyboard.press("Tab")
        page.evaluate("reached.add(document.activeElement)")
    assert page.evaluate("query => [...reached].filter(e => e.matches(query)).length", controls) == wanted
    assert page.evaluate("[...reached].filter(e => e.matches('.centroid')).length") == 2


def test_the_page_holds_what_was_computed(lesson_file: Path, lesson: Lesson) -> None:
    text = lesson_file.read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="page-data">(.*?)</script>', text)[1])
    first = data["steps"][0]["steps"]
    assert [step["inertia"] for step in first] == [step.inertia for step in lesson.two_steps.traces[0].steps]
    assert data["starts"]["random"]["inertia"] == lesson.starts.random.inertia.tolist()
