"""Points from two columns of a CSV file: somebody else's file, so nothing in it is taken on trust."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kmosaic.errors import DataError
from kmosaic.explain.points import PointSet
from kmosaic.files import read_text
from kmosaic.report.wording import clean

MAX_BYTES = 1 << 20
MAX_POINTS = 2_000
"""More than this, and a page that moves every point by hand is no longer quick, nor the eye any wiser."""

LARGEST_COORDINATE = 1e12
# Anything nearer to 0 counts as 0: differences of what is left have squares that float64 can tell from 0.
_MIN_COORDINATE = 1e-100
_LONGEST_NAME = 60
_MAX_NAMED = 8  # columns in a message

_Row = tuple[int, list[str]]


def read_points(
    path: str | os.PathLike[str], n_clusters: int = 3, columns: Sequence[str] | None = None
) -> PointSet:
    """Return the points of two columns of numbers of a CSV file; a first line of names is used as such.

    ``columns`` chooses two by name, or by number from 1; a file of two columns needs none. Coordinates below
    1e-100 count as 0.

    Raises
    ------
    DataError
        When the file cannot be read, is larger than 1 MiB, has more than 2,000 points or fewer distinct ones
        than ``n_clusters``, a line that holds no two numbers there, or other columns than those asked for.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "points.csv").write_text("name,width,height\\na,1,2\\nb,3.5,4\\nc,5,1\\n")
    >>> own = read_points(folder / "points.csv", n_clusters=2, columns=("width", "3"))
    >>> own.columns, own.points.tolist()
    (('width', 'height'), [[1.0, 2.0], [3.5, 4.0], [5.0, 1.0]])
    """
    rows = _rows(Path(path))
    first = [cell.strip() for cell in rows[0][1]] if rows else ["", ""]
    at = _chosen(first, columns, str(path))
    names = ("x", "y")
    if rows and _numbers(rows[0][1], at) is None:
        named = [first[column][:_LONGEST_NAME] for column in at]
        names = (named[0] or "x", named[1] or "y")
        rows = rows[1:]
    points = np.array([_point(row, at, len(first), str(path)) for row in rows], dtype=np.float64)
    if len(points) > MAX_POINTS:
        raise DataError(
            f"{path}: {len(points):,} points, and a lesson takes at most {MAX_POINTS:,}; give a sample"
        )
    points[np.abs(points) < _MIN_COORDINATE] = 0
    n_distinct = len(np.unique(points, axis=0)) if len(points) else 0
    if n_distinct < max(2, n_clusters):
        raise DataError(
            f"{path}: {n_distinct} distinct points for {n_clusters} clusters; give more, or lower --clusters"
        )
    about = f"{len(points):,} points from {Path(path).name}."
    return PointSet("own", "Your points", about, points, n_clusters, names)


def _rows(path: Path) -> list[_Row]:
    """The lines that hold anything, with their numbers."""
    text = read_text(path, MAX_BYTES, "give a CSV file of two columns, a sample where it is large")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV text ({error}); give two columns of numbers") from error


def _delimiter(text: str) -> str:
    first = text[:4096].partition("\n")[0]
    return next((sign for sign in (",", ";", "\t") if sign in first), ",")


def _chosen(first: list[str], asked: Sequence[str] | None, path: str) -> tuple[int, int]:
    """Which two columns are meant, from 0; ``first`` is the file's first line."""
    header = f"{path}: {len(first)} column{'s' * (len(first) != 1)} in line 1 ({_listed(first)})"
    if len(first) < 2:
        raise DataError(f"{header}; give at least two, with commas, semicolons or tabs between")
    if asked is None:
        if len(first) > 2:
            raise DataError(
                f"{header}, and a lesson takes two; choose them by name or number, as in --columns 1,2"
            )
        return 0, 1
    if len(asked) != 2:
        raise DataError(f"{header}; --columns names {len(asked)}; name two of them, as in --columns 1,2")
    x, y = (_place(name.strip(), first, header) for name in asked)
    if x == y:
        raise DataError(f"{header}; --columns {','.join(asked)} is one column twice; name two of them")
    return x, y


def _place(name: str, first: list[str], header: str) -> int:
    if name.isdecimal() and 1 <= int(name) <= len(first):
        return int(name) - 1
    if first.count(name) == 1:
        return first.index(name)
    why = "more than one column" if name in first else "none of them"
    raise DataError(
        f"{header}; --columns {name[:_LONGEST_NAME]!r} is {why}; give a number from 1 to {len(first)}"
    )


def _listed(cells: list[str]) -> str:
    names = [clean(cell)[:20] or "''" for cell in cells[:_MAX_NAMED]]
    return ", ".join([*names, "..."] if len(cells) > _MAX_NAMED else names)


def _numbers(cells: list[str], at: tuple[int, int]) -> tuple[float, float] | None:
    try:
        x, y = (float(cells[column]) for column in at)
    except (ValueError, IndexError):
        return None
    return x, y


def _point(row: _Row, at: tuple[int, int], n_columns: int, path: str) -> tuple[float, float]:
    line, cells = row
    point = _numbers(cells, at)
    if len(cells) != n_columns:
        shown = ",".join(cells)[:60]
        raise DataError(
            f"{path}: line {line}: {shown!r} is no point; give two numbers a line, in {n_columns} columns as "
            f"in line 1, not {len(cells)}"
        )
    if point is None or not all(math.isfinite(value) and abs(value) <= LARGEST_COORDINATE for value in point):
        read = ",".join(cells[column] for column in at)[:60]
        raise DataError(
            f"{path}: line {line}: {read!r} is no point; give two numbers a line, none beyond "
            f"{LARGEST_COORDINATE:.0e}"
        )
    return point
