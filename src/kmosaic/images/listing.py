"""Which files of a folder are looked at, and in which order."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from kmosaic.errors import DataError
from kmosaic.images.collection import SkippedFile
from kmosaic.text import printable

# Left behind by file managers; like hidden files they are nobody's images and not worth a word.
_DEBRIS = ("thumbs.db", "desktop.ini", "__macosx")


@dataclass(frozen=True)
class FoundFile:
    """A file: where it is, its name in results, and the first sub-folder on the way to it, if any."""

    path: Path
    id: str
    label: str | None


@dataclass(frozen=True)
class Listing:
    """All visible files below a folder, in natural order of their paths, and what could not be entered."""

    files: tuple[FoundFile, ...]
    skipped: tuple[SkippedFile, ...]


def list_folder(folder: Path) -> Listing:
    """Every visible file in ``folder`` and below, in natural order ("img2" before "img10").

    Names that begin with a dot are left out. Links to files are followed; links to folders are not, lest a
    circle of them never ends, and are listed as skipped, as are pipes, devices and folders that may not be
    entered.

    Raises DataError when ``folder`` itself cannot be listed.
    """
    files: list[Path] = []
    skipped: list[SkippedFile] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            visible = (entry for entry in os.scandir(here) if not entry.name.startswith("."))
            entries = [entry for entry in visible if entry.name.lower() not in _DEBRIS]
        except OSError as error:
            if here == folder:
                raise DataError(f"{printable(str(folder))} cannot be read: {error.strerror}") from error
            skipped.append(SkippedFile(_id(here, folder), f"folder cannot be entered: {error.strerror}"))
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif reason := _why_unusable(entry):
                skipped.append(SkippedFile(_id(Path(entry.path), folder), reason))
            else:
                files.append(Path(entry.path))
    listed = [found_file(path, folder) for path in files]
    return Listing(
        files=tuple(sorted(listed, key=lambda file: path_key(file.id))),
        skipped=tuple(sorted(skipped, key=lambda file: path_key(file.path))),
    )


def path_key(path: str) -> list[tuple[tuple[int, int, str], ...]]:
    """A key that sorts paths folder by folder, runs of digits as numbers.

    >>> sorted(["img10.png", "img2.png", "a/z.png"], key=path_key)
    ['a/z.png', 'img2.png', 'img10.png']
    """
    return [(*_natural_key(part), (2, 0, part)) for part in path.split("/")]


def _natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    pieces = re.findall("[0-9]+|[^0-9]+", name)
    return tuple((0, int(piece), "") if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces)


def _why_unusable(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_file():
            return ""
        if not entry.is_symlink():
            return "neither a file nor a folder"
        return "link to a folder; not followed" if entry.is_dir() else "link that leads to no file"
    except OSError as error:  # a link that leads to itself
        return f"cannot be followed: {error.strerror}"


def found_file(path: Path, folder: Path) -> FoundFile:
    """A file of ``folder``, or elsewhere, which is named in full and has no label."""
    if not path.is_relative_to(folder):
        return FoundFile(path, printable(path.as_posix()), None)
    parts = path.relative_to(folder).parts
    return FoundFile(path, _id(path, folder), printable(parts[0]) if len(parts) > 1 else None)


def _id(path: Path, folder: Path) -> str:
    return printable(path.relative_to(folder).as_posix())
