"""Points from a CSV file of two columns: somebody else's file, so nothing in it is taken on trust."""

from __future__ import annotations

import csv
import io
import math
import os
from pathlib import Path

import numpy as np

from kmosaic.errors import DataError
from kmosaic.explain.points import PointSet
from kmosaic.files import read_at_most

MAX_BYTES = 1 << 20
MAX_POINTS = 2_000
"""More than this, and a page that moves every point by hand is no longer quick, nor the eye any wiser."""

LARGEST_COORDINATE = 1e12
# Anything nearer to 0 counts as 0: differences of what is left have squares that float64 can tell from 0.
_MIN_COORDINATE = 1e-100
_LONGEST_NAME = 60


def read_points(path: str | os.PathLike[str], n_clusters: int = 3) -> PointSet:
    """Return the points of a CSV file with two columns of numbers; a first line of names is used as such.

    Coordinates below 1e-100 count as 0.

    Raises
    ------
    DataError
        When the file cannot be read, is larger than 1 MiB, has more than 2,000 points or fewer distinct ones
        than ``n_clusters``, or a line that is no two numbers.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "points.csv").write_text("width,height\\n1,2\\n3.5,4\\n5,1\\n")
    >>> own = read_points(folder / "points.csv", n_clusters=2)
    >>> own.columns, own.points.tolist()
    (('width', 'height'), [[1.0, 2.0], [3.5, 4.0], [5.0, 1.0]])
    """
    rows = _rows(Path(path))
    columns = ("x", "y")
    if rows and _numbers(rows[0][1]) is None and len(rows[0][1]) == 2:
        names = [cell.strip()[:_LONGEST_NAME] for cell in rows.pop(0)[1]]
        columns = (names[0] or "x", names[1] or "y")
    points = np.array([_point(cells, f"{path}: line {line}") for line, cells in rows], dtype=np.float64)
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
    return PointSet("own", "Your points", about, points, n_clusters, columns)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that hold anything, with their numbers."""
    try:
        data = read_at_most(path, MAX_BYTES)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); name a CSV file of two columns"
        ) from error
    if len(data) > MAX_BYTES:
        raise DataError(
            f"{path}: more than {MAX_BYTES:,} bytes; give a CSV file of two columns and a sample of rows"
        )
    try:
        text = data.decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV text in UTF-8 ({error}); give two columns of numbers") from error


def _delimiter(text: str) -> str:
    first = text[:4096].partition("\n")[0]
    return next((sign for sign in (",", ";", "\t") if sign in first), ",")


def _numbers(cells: list[str]) -> tuple[float, float] | None:
    try:
        x, y = (float(cell) for cell in cells)
    except ValueError:
        return None
    return x, y


def _point(cells: list[str], where: str) -> tuple[float, float]:
    point = _numbers(cells)
    if point is None or not all(math.isfinite(value) and abs(value) <= LARGEST_COORDINATE for value in point):
        shown = ",".join(cells)[:60]
        raise DataError(
            f"{where}: {shown!r} is no point; give two numbers a line, none beyond {LARGEST_COORDINATE:.0e}"
        )
    return point
