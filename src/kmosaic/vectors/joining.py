"""Paths that a table gives its rows, and the files of a folder that they name."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from kmosaic.errors import DataError
from kmosaic.images.listing import FoundFile, found_file, list_folder
from kmosaic.text import count, printable

_NAMED_IN_MESSAGES = 3
_MAX_LINE = 1 << 16


def read_paths(path: Path, column: str | None = None) -> list[str]:
    """The paths in a text file, one a line; or in ``column`` of a CSV file with a line of names.

    Raises DataError when it cannot be read, is no text, or has no such column.
    """
    where = printable(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            if column is None:
                return [line.rstrip("\r\n") for line in stream if line.rstrip("\r\n")]
            table = csv.DictReader(stream, strict=True)
            if column not in (table.fieldnames or ()):
                listed = printable(", ".join(table.fieldnames or ())[:200])
                raise DataError(f"{where} has no column {column!r}; its first line is {listed}")
            return [line[column] or "" for line in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or printable(str(error))
        raise DataError(f"{where} cannot be read as paths, one a line: {reason}") from error


def join_paths(
    paths: Sequence[str], folder: Path, where: str, *, outside: bool = False
) -> tuple[list[FoundFile], int]:
    """The file of ``folder`` that each path names, and how many other files it has.

    Paths are relative to the folder, or begin with its own name or path. ``outside`` allows files elsewhere.

    Raises DataError when a path leads out of the folder, there is no such file, or two rows have one file.
    """
    listed = {os.path.normpath(file.path): file for file in list_folder(folder).files}
    base = os.path.normpath(folder)
    prefix = _prefix(paths, base, listed)
    files, missing = [], []
    rows: dict[str, int] = {}
    for row, text in enumerate(paths):
        full = os.path.normpath(os.path.join(base, text.removeprefix(prefix)))
        if not text or not _is_below(full, base):
            if not outside or not text:
                raise DataError(_led_outside(row, text, where, folder))
            file = found_file(Path(full), folder) if os.path.isfile(full) else None
        else:
            file = listed.get(full)
        if full in rows:
            raise DataError(
                f"rows {rows[full]:,} and {row:,} of {where} are both of {printable(text)}; give one each"
            )
        rows[full] = row
        if file is None:
            missing.append(text)
        else:
            files.append(file)
    if missing:
        raise DataError(_are_missing(missing, len(paths), where, folder))
    return files, len(listed) - sum(full in listed for full in rows)


def _prefix(paths: Sequence[str], base: str, listed: dict[str, FoundFile]) -> str:
    """What paths begin with that are not relative to the folder, but to one above it."""
    first = paths[0] if paths else ""
    if os.path.normpath(os.path.join(base, first)) in listed:
        return ""
    parts = Path(base).absolute().parts
    for n in range(1, len(parts) + 1):
        prefix = "/".join(parts[-n:]).replace("//", "/") + "/"
        if first.startswith(prefix) and os.path.normpath(os.path.join(base, first[len(prefix) :])) in listed:
            return prefix
    return ""


def _is_below(full: str, base: str) -> bool:
    return os.path.abspath(full).startswith(os.path.join(os.path.abspath(base), ""))


def _led_outside(row: int, text: str, where: str, folder: Path) -> str:
    if not text:
        return f"row {row:,} of {where} has no path; every row needs one"
    return (
        f"row {row:,} of {where} names {printable(text)}, which is not in {printable(str(folder))}; name the "
        "folder that holds all, or allow such paths by --allow-outside"
    )


def _are_missing(missing: list[str], n: int, where: str, folder: Path) -> str:
    named = "; ".join(printable(text) for text in missing[:_NAMED_IN_MESSAGES])
    left = len(missing) - _NAMED_IN_MESSAGES
    more = f"; and {left:,} more" if left > 0 else ""
    return (
        f"{len(missing):,} of the {count(n, 'path')} of {where} are no files in {printable(str(folder))}: "
        f"{named}{more}; paths are relative to that folder"
    )
