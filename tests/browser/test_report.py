"""The reports in a browser: from a cluster to its members, found, renamed, exported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import kmosaic.report.sheets
from kmosaic.cluster import KMeans
from kmosaic.evaluate import read_names, summarise
from kmosaic.images.collection import ImageCollection
from kmosaic.report import FitReport, Thumbnails, write_fit_report

from .conftest import HOSTILE, Opener, serious_faults


def data_of(page: Any) -> dict[str, Any]:
    return json.loads(page.text_content("#page-data"))


def visible(page: Any) -> list[str]:
    return page.eval_on_selector_all(
        "#cluster-mosaic button", "all => all.filter(b => !b.hidden).map(b => b.getAttribute('aria-label'))"
    )


def test_from_a_cluster_to_its_members(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file)
    data = data_of(page)
    cluster = data["clusters"][7]
    page.click("#cluster-mosaic button[aria-label^='Cluster 7,']")
    detail = page.inner_text("#cluster-detail")
    assert f"Cluster 7, named “{cluster['name']}”" in detail
    assert f"{cluster['size']} images" in detail
    assert "Medoid" in detail
    assert page.locator("#cluster-detail .strip").first.locator("button").count() == len(cluster["nearest"])
    image = data["images"][cluster["farthest"][0]]
    page.locator("#cluster-detail .strip").nth(1).locator("button").first.click()
    shown = page.inner_text("#viewer")
    assert image["id"] in shown
    assert data["label_names"][image["label"]] in shown
    page.keyboard.press("Escape")
    assert not page.is_visible("#viewer")


def test_clusters_of_vectors_without_pictures(opened: Opener, vectors_file: Path) -> None:
    page = opened(vectors_file, width=390)
    data = data_of(page)
    cluster = data["clusters"][7]
    assert page.locator("#cluster-map .blank").count() == 20
    page.locator("#cluster-map button[aria-label^='Cluster 7,']").evaluate("button => button.click()")
    nearest = page.locator("#cluster-detail .strip").first.locator("button")
    assert nearest.count() == len(cluster["nearest"])
    first = data["images"][cluster["nearest"][0]]
    assert first["id"] in nearest.first.inner_text()
    nearest.first.click()
    assert f"Vector {first['id']}" in page.inner_text("#viewer").replace("\n", " ")
    page.keyboard.press("Escape")
    page.locator("#confusion-table button").first.click()
    assert page.locator("#confusion-images .strip.bare button").count() > 0
    assert page.locator("img, .sprite").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_faults(page) == []


def test_pictures_beside_the_page_are_loaded_when_they_are_looked_at(
    opened: Opener, digits: ImageCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kmosaic.report.sheets, "_WIDEST", 64)  # 64 tiles a sheet, 29 of them
    model = KMeans(3, random_state=0).fit(digits.pixels)
    summary = summarise(model, digits.pixels, digits.labels, label_names=digits.label_names)
    report = FitReport(digits, summary, thumbnails=Thumbnails(tmp_path / "a & b"))
    page = opened(write_fit_report(tmp_path / "fit.html", report))
    asked: list[str] = []
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.reload(wait_until="load")
    page.locator("#cluster-detail .strip").first.scroll_into_view_if_needed()
    strip = page.locator("#cluster-detail .strip").first
    strip.locator("[class*='sheet-']").first.wait_for()
    assert 0 < sum("/images-" in url for url in asked) < 10
    largest = max(cluster["size"] for cluster in data_of(page)["clusters"])
    for shown in (*range(120, largest, 120), largest):
        assert strip.locator("button").count() == shown
        if shown < largest:
            page.get_by_role("button", name="more of").click()
            focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
            assert focused == strip.locator("button").nth(shown).get_attribute("aria-label")
    assert not page.get_by_role("button", name="more of").is_visible()
    assert serious_faults(page) == []


def test_names_are_whole_where_they_are_pointed_at(opened: Opener, long_names_file: Path) -> None:
    page = opened(long_names_file)
    name = data_of(page)["clusters"][0]["name"]
    assert len(name) > 30
    page.click("#cluster-mosaic button[aria-label^='Cluster 0,']")
    assert name in page.get_attribute("#cluster-mosaic button[aria-label^='Cluster 0,']", "title")
    member = page.locator("#cluster-detail .strip").first.locator("button").first
    assert name[:-1] in member.get_attribute("title")
    texts = page.locator("#cluster-detail .over, #cluster-detail dt")
    assert texts.count() > 0
    assert texts.evaluate_all("all => all.filter(t => t.scrollWidth > t.clientWidth + 1).length") == 0


def test_a_course_that_starts_at_its_end_is_said_in_words(
    opened: Opener, digits: ImageCollection, tmp_path: Path
) -> None:
    first = KMeans(8, random_state=0).fit(digits.pixels)
    again = KMeans(8, init=first.cluster_centers_).fit(digits.pixels)
    summary = summarise(again, digits.pixels, digits.labels, label_names=digits.label_names)
    page = opened(write_fit_report(tmp_path / "again.html", FitReport(digits, summary)))
    assert f"{round(first.inertia_):,}" in page.inner_text("#history-chart")
    assert page.locator("#history-chart svg").count() == 0


def test_a_course_with_a_fall_is_drawn(opened: Opener, fit_file: Path) -> None:
    assert opened(fit_file).locator("#history-chart svg").count() > 0


def test_closest_clusters_lead_on(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file)
    page.click("#cluster-mosaic button[aria-label^='Cluster 0,']")
    page.locator("#cluster-detail .strip").last.locator("button").first.click()
    closest = data_of(page)["clusters"][0]["closest"][0][0]
    assert page.inner_text("#cluster-detail h3").startswith(f"Cluster {closest},")


def test_clusters_are_found_and_put_in_order(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file)
    clusters = data_of(page)["clusters"]
    page.fill("#cluster-search", "3")
    named = {c["cluster"] for c in clusters if "3" in c["name"] or c["cluster"] == 3}
    assert {int(label.split()[1].rstrip(",")) for label in visible(page)} == named
    assert f"{len(named)} cluster" in page.inner_text("#cluster-count")
    page.fill("#cluster-search", "no such name")
    assert visible(page) == []
    page.fill("#cluster-search", "")
    for order, key in (("size", "size"), ("spread", "spread")):
        page.get_by_label("Order", exact=True).select_option(order)
        values = [clusters[int(label.split()[1].rstrip(","))][key] for label in visible(page)]
        assert values == sorted(values, reverse=True)
    page.get_by_label("Order", exact=True).select_option("purity")
    values = [clusters[int(label.split()[1].rstrip(","))]["purity"] for label in visible(page)]
    assert values == sorted(values)


def test_alike_clusters_are_in_groups_that_open(
    opened: Opener, digits: ImageCollection, tmp_path: Path
) -> None:
    model = KMeans(100, random_state=0, max_iter=3).fit(digits.pixels)
    summary = summarise(model, digits.pixels, digits.labels, label_names=digits.label_names)
    page = opened(write_fit_report(tmp_path / "fit.html", FitReport(digits, summary)), width=390)
    groups = data_of(page)["groups"]
    outline = page.locator("#cluster-mosaic details")
    assert len(groups) == outline.count() == 20
    buttons = page.locator("#cluster-mosaic button")
    assert 0 < buttons.filter(visible=True).count() < 100  # those of the group of the chosen cluster
    closed = page.locator("#cluster-mosaic details:not([open])").first
    at = outline.evaluate_all("all => all.findIndex(one => !one.open)")
    assert f"{len(groups[at])} cluster" in closed.inner_text()
    closed.locator("summary").focus()
    page.keyboard.press("Enter")
    for _ in range(1 + (len(groups[at]) > 1)):  # the first of the group, and from it to the second
        page.keyboard.press("Tab" if _ == 0 else "ArrowRight")
    number = groups[at][min(1, len(groups[at]) - 1)]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(f"Cluster {number},")
    page.keyboard.press("Enter")
    assert f"Cluster {number}," in page.inner_text("#cluster-detail h3")
    page.fill("#cluster-detail .rename input", "quite another")
    page.click("text=Rename")
    page.fill("#cluster-search", "quite another")
    assert visible(page) == [page.get_attribute("#cluster-mosaic [aria-pressed=true]", "aria-label")]
    assert outline.filter(visible=True).count() == 1
    assert "quite another" in outline.filter(visible=True).locator("summary").inner_text()
    page.fill("#cluster-search", "")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_faults(page) == []
    page.get_by_label("Order", exact=True).select_option("size")
    assert buttons.filter(visible=True).count() == 100


def test_names_are_given_and_exported(opened: Opener, fit_file: Path, tmp_path: Path) -> None:
    page = opened(fit_file)
    page.click("#cluster-mosaic button[aria-label^='Cluster 4,']")
    page.fill("#cluster-detail .rename input", f"  loops {HOSTILE} ")
    page.click("text=Rename")
    assert page.locator("#cluster-mosaic button[aria-label^='Cluster 4, named loops']").count() == 1
    page.click("#cluster-mosaic button[aria-label^='Cluster 5,']")
    page.fill("#cluster-detail .rename input", "")
    page.keyboard.press("Enter")
    with page.expect_download() as started:
        page.click("#export-names")
    assert started.value.suggested_filename == "names.json"
    started.value.save_as(tmp_path / "names.json")
    names = read_names(tmp_path / "names.json", 20)
    assert names[4] == f"loops {HOSTILE}"
    assert names[5] == ""
    assert names[6] == data_of(page)["clusters"][6]["name"]
    assert page.evaluate("globalThis.ran") is None


def test_a_cell_of_the_matrix_opens_its_images(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file)
    cell = next(c for c in data_of(page)["confusion"]["cells"] if c["true"] != c["named"])
    page.click(f"[data-cell='{cell['true']}-{cell['named']}']")
    assert re.search(f"“{cell['true']}”.*“{cell['named']}”", page.inner_text("#confusion-images"))
    assert page.locator("#confusion-images button").count() == len(cell["images"])


def test_the_map_leads_to_a_cluster(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file)
    assert page.locator("#cluster-map button").count() == 20
    page.locator("#cluster-map button[aria-label^='Cluster 9,']").dispatch_event("click")
    assert page.inner_text("#cluster-detail h3").startswith("Cluster 9,")
    assert page.evaluate("document.activeElement.id") == "cluster-detail"


def test_arrow_keys_go_from_tile_to_tile(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file)
    page.focus("#export-names")
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert first in visible(page)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == visible(page)[1]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chosen = page.evaluate(
        "document.querySelector('#cluster-mosaic [aria-pressed=true]').getAttribute('aria-label')"
    )
    assert visible(page).index(chosen) > 1
    assert page.inner_text("#cluster-detail h3").startswith(chosen.split(",")[0])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#cluster-mosaic')") is None


def test_the_command_is_copied(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("button.copy")
    page.get_by_text("Copied", exact=True).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "kmosaic fit digits --clusters 20"


def test_hostile_texts_are_shown_and_run_nothing(opened: Opener, hostile_fit_file: Path) -> None:
    page = opened(hostile_fit_file)
    page.locator("#cluster-detail .strip button").first.click()
    assert HOSTILE in page.inner_text("#viewer")
    page.keyboard.press("Escape")
    page.fill("#cluster-search", "onerror")
    assert len(visible(page)) == 8
    assert page.locator("h1").text_content().startswith(HOSTILE)
    assert page.locator("code").first.text_content() == HOSTILE
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("globalThis.ran") is None


def test_even_markup_put_into_the_page_would_run_nothing(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file)
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"globalThis.ran=1\">')"
    )
    page.wait_for_timeout(200)
    assert page.evaluate("globalThis.ran") is None
    refused = [trouble for trouble in opened.troubles if "Content Security Policy" in trouble]
    assert refused
    opened.troubles[:] = [trouble for trouble in opened.troubles if trouble not in refused]


@pytest.mark.parametrize("name", ["fit_file", "sweep_file"])
def test_axe_finds_no_serious_fault(opened: Opener, name: str, request: pytest.FixtureRequest) -> None:
    page = opened(request.getfixturevalue(name))
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look)
        assert serious_faults(page) == []


@pytest.mark.parametrize("name", ["fit_file", "hostile_fit_file", "sweep_file"])
def test_nothing_is_wider_than_the_window(opened: Opener, name: str, request: pytest.FixtureRequest) -> None:
    page = opened(request.getfixturevalue(name))
    for width in (360, 1366, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_print_is_on_light_paper_and_shows_all_clusters(opened: Opener, fit_file: Path) -> None:
    page = opened(fit_file, look="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("nav")
    assert page.evaluate("getComputedStyle(document.querySelector('#cluster-mosaic')).maxHeight") == "none"


def test_a_number_of_clusters_shows_its_fits(opened: Opener, sweep_file: Path) -> None:
    page = opened(sweep_file)
    runs = data_of(page)["runs"]
    page.get_by_label("Number of clusters", exact=True).select_option("10")
    assert page.inner_text("#k-title").startswith("10 clusters")
    assert page.locator("#k-body tr").count() == 2
    shown = page.locator("#k-body tr").first.inner_text()
    accuracy = next(run for run in runs if run["n_clusters"] == 10)["accuracy_test"]
    assert f"{accuracy:.3f}" in shown
    assert page.locator("#k-mosaic .sprite").count() == 10


def test_pressing_a_curve_shows_the_fits_there(opened: Opener, sweep_file: Path) -> None:
    page = opened(sweep_file)
    page.locator("#inertia-chart").scroll_into_view_if_needed()
    dots = page.locator("#inertia-chart g[data-mark=dot] path")
    page.get_by_label("Number of clusters", exact=True).select_option("20")
    box = dots.first.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    assert "5 clusters" in page.locator("#inertia-chart g[aria-label=tip]").text_content()
    page.mouse.click(box["x"] + 3, box["y"] + 3)
    assert page.inner_text("#k-title").startswith("5 clusters")
