"""Rewrite the tables of the documentation from the newest results file: ``python -m benchmarks.pages``.

A results file (``benchmarks/results/DATE.json``) holds every published figure: its workload, library, unit,
value and target, and of each table the date, the machine and the command. A page holds a table between two
markers, ``<!-- table: NAME -->`` and ``<!-- end of table -->``; nothing between them is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import markdown
from kmosaic.files import atomic_write

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
_TABLE = re.compile(r"(<!-- table: (?P<name>[^\n]+?) -->\n).*?(<!-- end of table -->)", re.DOTALL)

Record = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column: which figure of which library, and how its numbers are printed.

    ``figure`` "workload" and "library" name the row; "target" and "note" are those of the row's figures.
    """

    heading: str
    figure: str
    form: str = ".3g"
    library: str = ""
    join: str = " to "


@dataclass(frozen=True)
class Layout:
    """A table: the results it shows, its columns, and where not all, the workloads and libraries it shows."""

    columns: Sequence[Column]
    results: str = ""
    workloads: Sequence[str] = ()
    libraries: Sequence[str] = ()
    caption: bool = True


_WORK = Column("work", "workload")
_LIBRARY = Column("library", "library")
_SECONDS = Column("s", "time")
_ACCURACY = "accuracy"

_TARGETS = (
    _WORK,
    Column("target", "target"),
    Column("measured", "measured"),
    Column("remark", "note"),
    Column("kmosaic, s", "time"),
    Column("fastest peer", "fastest peer"),
    Column("its s", "time of the fastest peer"),
    Column("iterations, both", "iterations", "g", join=" / "),
    Column("inertia", "inertia", ".7g"),
    Column("over the peer's, less 1", "inertia over the peer's, less 1", "+.1e"),
    Column("added MB", "added memory", ".0f"),
    Column("of the data", "added memory of the data", ".2f"),
)

LAYOUTS = {
    "sweep": Layout(
        (
            Column("k", "workload"),
            Column("J, reference notebook", "J", ",.0f", "reference notebook"),
            Column("J", "J", ",.0f", "kmosaic"),
            Column("homogeneity, notebook", "homogeneity", ".3f", "reference notebook"),
            Column("homogeneity", "homogeneity", ".3f", "kmosaic"),
            Column("training accuracy, notebook", "training accuracy", ".3f", "reference notebook"),
            Column("training accuracy", "training accuracy", ".3f", "kmosaic"),
            Column("test accuracy ± deviation", "test accuracy", ".3f", "kmosaic", " ± "),
            Column("iterations", "iterations", "g", "kmosaic"),
            Column("s a fit", "time", ".1f", "kmosaic"),
        )
    ),
    "targets": Layout(_TARGETS),
    "readme": Layout(
        (
            _WORK,
            Column("kmosaic, s", "time"),
            Column("fastest other library", "fastest peer"),
            Column("its s", "time of the fastest peer"),
            Column("times as fast", "measured"),
            Column("inertia over the other's, less 1", "inertia over the peer's, less 1", "+.1e"),
        ),
        results="targets",
        workloads=(
            "uint8 MNIST, k = 256, until no label changes",
            "uint8 MNIST, k = 10, until no label changes",
            "uint8, 6 bands, 16 million pixels, k = 12, 20 iterations",
            "RGB photos with noise of 3 grey levels, k = 16, 20 iterations",
            "float32 1,000,000 x 128, descriptors of photos, k = 1,024, 25 iterations",
            "float32 blobs 1,000,000 x 16, k = 8, until no label changes",
            "predict, uint8 60,000 x 784, k = 256",
        ),
        caption=False,
    ),
    "libraries": Layout(
        (
            Column("workload", "workload"),
            _LIBRARY,
            _SECONDS,
            Column("from - to", "time, least and greatest", join=" - "),
            Column("runs", "runs", "g"),
            Column("times kmosaic's", "time over kmosaic's"),
            Column("iterations", "iterations", "g"),
            Column("inertia", "inertia", ".9g"),
            Column("added MB", "added memory", ".0f"),
            Column("of the data", "added memory of the data", ".2f"),
            Column("note", "note"),
        )
    ),
    "minibatch": Layout(
        (
            Column("data, k", "workload"),
            Column(
                "inertia / scikit-learn's, seeds 0, 1, 2",
                "inertia over scikit-learn's",
                ".4f",
                "kmosaic",
                ", ",
            ),
            Column("rows seen", "rows seen", ",", "kmosaic", ", "),
            Column("rows seen, scikit-learn", "rows seen", ",", "scikit-learn", ", "),
        )
    ),
    "agreement": Layout(
        (
            Column("features, k", "workload"),
            Column("target", "target"),
            Column("test accuracy", "test accuracy", ".4f"),
            Column("95% interval", "95% interval", ".4f", join=" - "),
            Column("least - greatest seed", "least and greatest seed", ".4f", join=" - "),
            Column("training images", "training accuracy", ".4f"),
            Column("the settings before", "test accuracy, the settings before", ".4f"),
            Column("note", "note"),
        )
    ),
    "embeddings": Layout(
        (
            Column("vectors, k", "workload"),
            Column("accuracy", "accuracy", ".3f"),
            Column("least - greatest seed", "least and greatest seed", ".3f", join=" - "),
        )
    ),
    "nearest": Layout((_LIBRARY, _SECONDS, Column("neighbours that are kmosaic's", "share", "s"))),
    "distortion": Layout(
        (
            Column("instruction set", "workload"),
            Column("any pairs, µs", "time a pair, any", ".2f"),
            Column("7 nearest of 50, µs", "time a pair, 7 nearest of 50", ".2f"),
        )
    ),
    "recipes": Layout(
        (
            Column("recipe", "workload"),
            Column("accuracy", _ACCURACY, ".3f"),
            Column("least to greatest seed", "least and greatest seed", ".3f"),
        )
    ),
    "scene-programs": Layout(
        (
            Column("program", "library"),
            _SECONDS,
            Column("peak, MB", "peak memory", ",.0f"),
            Column("mean squared distance", "mean squared distance", ".1f"),
        )
    ),
    "scene-pass": Layout(
        (
            Column("what", "library"),
            Column("s a pass", "time", ".3f"),
            Column("million pixels a second", "rate", ",.0f"),
            Column("peak, MB", "peak memory", ",.0f"),
        )
    ),
    "dask-pass": Layout(
        (
            Column("who", "library"),
            Column("pixels", "workload"),
            Column("blocks", "blocks", "g"),
            Column("s a pass", "time", ".3f"),
            Column("million pixels a second", "rate", ".1f"),
        )
    ),
    "dask-overhead": Layout(
        (
            Column("workers, blocks of one row, values in the centres", "workload"),
            Column("s a pass", "time", ".3f"),
            Column("ms a block", "time a block", ".2f"),
        )
    ),
    "colours": Layout(
        (
            Column("colours", "workload"),
            Column("program", "library"),
            Column("mean MSE in sRGB", "MSE in sRGB", ",.1f"),
            Column("in Oklab, times 10,000", "MSE in Oklab", ",.2f"),
            Column("mean SSIMULACRA2", "SSIMULACRA2", ".1f"),
            Column("mean bytes of PNG", "bytes", ",.0f"),
        )
    ),
    "colours-time": Layout(
        (
            Column("photo", "workload"),
            Column("ms", "time", "g"),
            Column("ms with dithering", "time with dithering", "g"),
        )
    ),
    "pages": Layout(
        (
            Column("page", "library"),
            Column("from", "workload"),
            Column("s", "time", "g"),
            Column("MB", "size", "g"),
        )
    ),
}


def newest_results(folder: Path = RESULTS) -> dict[str, Any]:
    """The newest results file; files are named by their date."""
    results: dict[str, Any] = json.loads(max(folder.glob("*.json")).read_text(encoding="utf-8"))
    return results


def table(results: dict[str, Any], name: str) -> str:
    """The table of this name as Markdown, with the machine and the command it comes from."""
    layout = LAYOUTS[name]
    source = results["tables"][layout.results or name]
    rows = [[_cell(row, column) for column in layout.columns] for row in _rows(source["figures"], layout)]
    lines = markdown([column.heading for column in layout.columns], rows)
    if not layout.caption:
        return f"{lines}\n"
    made = f"`{source['command']}`" if source["command"] else "No command was kept"
    return f"{lines}\n\n{source['date']}, {source['machine']}.\n{made}.\n"


def rewrite(page: str, results: dict[str, Any]) -> str:
    """The text of a page with its tables made anew."""
    return _TABLE.sub(lambda match: f"{match[1]}\n{table(results, match['name'])}\n{match[3]}", page)


def pages() -> list[Path]:
    """The pages that may hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def tables_of(page: str) -> list[str]:
    """The names of a page's tables."""
    return [match["name"] for match in _TABLE.finditer(page)]


def main() -> int:
    """Rewrite every page whose tables differ from the results."""
    results = newest_results()
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if (made := rewrite(text, results)) != text:
            with atomic_write(path, overwrite=True) as temporary:
                temporary.write_text(made, encoding="utf-8")
            print(path.relative_to(ROOT))
    return 0


def _rows(figures: Sequence[Record], layout: Layout) -> Iterator[list[Record]]:
    """The figures of each row, in the order in which rows first occur."""
    keys = [c.figure for c in layout.columns if c.figure in ("workload", "library")]
    rows: dict[tuple[str, ...], list[Record]] = {}
    for record in figures:
        if layout.workloads and record["workload"] not in layout.workloads:
            continue
        rows.setdefault(tuple(record[key] for key in keys), []).append(record)
    yield from rows.values()


def _cell(row: Sequence[Record], column: Column) -> str:
    if column.figure in ("workload", "library"):
        return str(row[0][column.figure])
    if column.figure in ("target", "note"):
        return "; ".join(dict.fromkeys(text for record in row if (text := record.get(column.figure))))
    for record in row:
        if record["figure"] == column.figure and column.library in ("", record["library"]):
            return _text(record, column)
    return ""


def _text(record: Record, column: Column) -> str:
    value = record["value"]
    if isinstance(value, str):
        return value
    form = record.get("form", column.form)
    return column.join.join(format(v, form) for v in (value if isinstance(value, list) else [value]))


if __name__ == "__main__":
    sys.exit(main())
