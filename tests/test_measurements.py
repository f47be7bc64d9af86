"""The tables of the documentation are those of the newest results file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks import pages


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return pages.newest_results()


def test_pages_and_results_agree(results: dict[str, Any]) -> None:
    for page in pages.pages():
        text = page.read_text(encoding="utf-8")

        assert pages.rewrite(text, results) == text, f"{page}: run python -m benchmarks.pages"


def test_every_result_is_published(results: dict[str, Any]) -> None:
    shown = [name for page in pages.pages() for name in pages.tables_of(page.read_text(encoding="utf-8"))]

    assert sorted(shown) == sorted(pages.LAYOUTS)
    assert {pages.LAYOUTS[name].results or name for name in shown} == set(results["tables"])


def test_no_figure_of_a_table_is_left_out(results: dict[str, Any]) -> None:
    for name, layout in pages.LAYOUTS.items():
        columns = {(column.figure, column.library) for column in layout.columns}
        figures = results["tables"][layout.results or name]["figures"]
        selected = [f for f in figures if not layout.workloads or f["workload"] in layout.workloads]

        left_out = {
            f["figure"] for f in selected if not {(f["figure"], ""), (f["figure"], f["library"])} & columns
        }

        assert left_out == set() or layout.results, name
        assert {f["workload"] for f in selected} >= set(layout.workloads), name


def test_a_changed_figure_changes_the_page() -> None:
    figures = [
        {"workload": "a", "library": "kmosaic", "figure": "time", "unit": "s", "value": 0.5, "form": ".2f"},
        {"workload": "a", "library": "other", "figure": "time", "unit": "s", "value": 1234.5},
    ]
    results = {"tables": {"nearest": {"date": "d", "machine": "m", "command": "c", "figures": figures}}}
    page = "Before.\n\n<!-- table: nearest -->\nold\n<!-- end of table -->\nAfter.\n"

    made = pages.rewrite(page, results)

    assert "old" not in made
    assert "| kmosaic | 0.50 |  |" in made
    assert "| other | 1.23e+03 |  |" in made
    assert made.startswith("Before.")
    assert made.endswith("-->\nAfter.\n")
    assert pages.rewrite(made, results) == made


def test_the_newest_results_count(tmp_path: Path) -> None:
    for date in ("2026-11-30", "2027-01-02", "2026-12-31"):
        (tmp_path / f"{date}.json").write_text(json.dumps({"date": date}))

    assert pages.newest_results(tmp_path) == {"date": "2027-01-02"}
