"""CSV tables that are safe to open in a spreadsheet, whatever file names are in them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import TextIO

# What spreadsheets run as a formula begins like this (OWASP, "CSV Injection"); numbers do, too, and may.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# Semicolons and tabs are separators where a spreadsheet is set up so.
_QUOTED = re.compile('[,;\t"\r\n]')


def guarded(text: str) -> str:
    """Return a text for a cell: with ' before it where a spreadsheet would run it as a formula.

    >>> [guarded(text) for text in ("water", "=cmd()", "-1.5", "'=x")]
    ['water', "'=cmd()", '-1.5', "''=x"]
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(cell: str) -> str:
    """Return the text of a cell as it was before ``guarded``.

    >>> [unguarded(cell) for cell in ("'=cmd()", "''=x", "'t Veld")]
    ['=cmd()', "'=x", "'t Veld"]
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_rows(stream: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table: texts guarded, numbers as they are, None empty."""
    for row in itertools.chain((header,), rows):
        stream.write(",".join(map(_cell, row)) + "\n")


def _cell(value: object) -> str:
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = guarded(value)
    return '"{}"'.format(text.replace('"', '""')) if _QUOTED.search(text) else text
