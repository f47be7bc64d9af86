"""The table of a sweep as text: a row for every number of clusters, the reference notebook's below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmosaic.cli.console import Column, in_seconds
from kmosaic.text import whole

if TYPE_CHECKING:
    from kmosaic.evaluate import Spread, StartingDocumentRow, SweepTableRow


def _score(spread: Spread, many: bool) -> str:
    return f"{spread.mean:.3f}" + (f" ±{spread.std:.3f}".replace("±0.", "±.") if many else "")


def _inertia(spread: Spread, many: bool) -> str:
    # Above 10,000, digits behind the point say nothing; the spread shows how little.
    write = whole if spread.mean >= 10_000 else "{:,.1f}".format
    return write(spread.mean) + (f" ±{write(spread.std)}" if many else "")


@dataclass(frozen=True)
class _Shown:
    """One column: where it is measured, its heading, how to write it, its name in the notebook."""

    key: str
    heading: str
    write: Callable[[Spread, bool], str]
    notebook: str = ""


_SHOWN = (
    _Shown("inertia_scaled", "inertia J", _inertia, "inertia"),
    _Shown("homogeneity", "homogeneity", _score, "homogeneity"),
    _Shown("accuracy_train", "train acc.", _score, "accuracy_train"),
    _Shown("accuracy_test", "test acc.", _score, "accuracy_test"),
    _Shown("silhouette", "silhouette", _score),
    _Shown("stability", "stability", _score),
    _Shown("n_iter", "iter.", lambda spread, _: f"{spread.mean:,.0f}"),
    _Shown("fit_seconds", "fit s", lambda spread, _: in_seconds(spread.mean)),
)


def sweep_columns(table: Sequence[SweepTableRow]) -> list[Column]:
    """Return the columns that were measured."""
    return [Column("clusters"), *(Column(shown.heading) for shown in _measured(table))]


def sweep_rows(table: Sequence[SweepTableRow], beside: Sequence[StartingDocumentRow]) -> list[list[str]]:
    """Return the cells: mean and standard deviation over seeds, and below them the reference notebook's."""
    columns = _measured(table)
    by_n_clusters = {row.n_clusters: row for row in beside}
    rows = []
    for row in table:
        rows.append([f"{row.n_clusters}", *(_cell(row, shown) for shown in columns)])
        notebook = by_n_clusters.get(row.n_clusters)
        if notebook is not None:
            rows.append(["notebook", *(_notebook_cell(notebook, shown) for shown in columns)])
    return rows


def _measured(table: Sequence[SweepTableRow]) -> list[_Shown]:
    return [shown for shown in _SHOWN if any(row[shown.key] is not None for row in table)]


def _cell(row: SweepTableRow, shown: _Shown) -> str:
    spread = row[shown.key]
    return "" if spread is None else shown.write(spread, row.n_seeds > 1)


def _notebook_cell(row: StartingDocumentRow, shown: _Shown) -> str:
    from kmosaic.evaluate import Spread

    value = getattr(row, shown.notebook, None)
    return "" if value is None else shown.write(Spread(value, value, value, 0.0), False)
