"""Names of classes from a CSV table with a class and a name in each line."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from kmosaic.csv_table import unguarded
from kmosaic.errors import DataError
from kmosaic.evaluate.names_file import LONGEST_NAME, MAX_BYTES, read_names
from kmosaic.files import read_text
from kmosaic.models.validation import printable_text

_FORM = "write a line `class,name`, then one for each class, such as `1,water`"


def read_class_names(path: str | os.PathLike[str], values: tuple[int, ...]) -> tuple[str, ...]:
    """Return a name for each class, "" where none is given.

    The file is a CSV table with columns ``class``, the value in the map, and ``name``; others are passed
    over, so that the table of statistics will do. ``values`` are the classes' values, in order. A file of
    names exported from a report (JSON) is read, too.

    Raises DataError when the file cannot be read, has no such columns, or names a class that is not there, or
    one twice.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "names.csv"
    >>> _ = file.write_text("class,name\\n2,forest\\n1,water\\n")
    >>> read_class_names(file, (1, 2, 3))
    ('water', 'forest', '')
    """
    text = read_text(Path(path), MAX_BYTES, _FORM)
    if text.lstrip().startswith("{"):
        return read_names(path, len(values))
    names = dict.fromkeys(values, "")
    named: set[int] = set()
    for number, value, name in _lines(text, path):
        if value not in names or value in named:
            which = "named twice" if value in named else f"not one of {values[0]} to {values[-1]}"
            raise DataError(f"{path}: line {number}: class {value} is {which}; name each class once")
        named.add(value)
        names[value] = name
    return tuple(names.values())


def _lines(text: str, path: str | os.PathLike[str]) -> Iterator[tuple[int, int, str]]:
    """The number of each line that has a class, the class, and its name."""
    table = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [cell.strip().casefold() for cell in next(table, [])]
        if "class" not in header or "name" not in header:
            raise DataError(f"{path}: has no columns class and name; {_FORM}")
        places = header.index("class"), header.index("name")
        for cells in table:
            if any(cell.strip() for cell in cells):
                yield table.line_num, *_named(cells, places, f"{path}: line {table.line_num}")
    except csv.Error as error:
        raise DataError(f"{path}: line {table.line_num}: not CSV ({error}); {_FORM}") from error


def _named(cells: list[str], places: tuple[int, int], where: str) -> tuple[int, str]:
    if len(cells) <= max(places):
        raise DataError(f"{where}: has {len(cells)} cells; {_FORM}")
    value, name = cells[places[0]].strip(), unguarded(cells[places[1]].strip())
    if not (value.isascii() and value.isdecimal() and len(value) < 10) or len(name) > LONGEST_NAME:
        needed = f"needs a whole number and a name of at most {LONGEST_NAME} characters"
        raise DataError(f"{where}: {needed}; {_FORM}")
    return int(value), printable_text(name)
