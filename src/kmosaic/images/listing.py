"""Which files of a folder are looked at, and in which order."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kmosaic.errors import DataError
from kmosaic.images.collection import SkippedFile
from kmosaic.text import printable

# Left behind by file managers; like hidden files they are nobody's images and not worth a word.
_DEBRIS = ("thumbs.db", "desktop.ini", "__macosx")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file: where it is, its name in results, and the first sub-folder on the way to it, if any.

    A million of them take 300 MB: ``path`` is made anew each time it is asked for.
    """

    location: str
    id: str
    label: str | None

    @property
    def path(self) -> Path:
        return Path(self.location)


@dataclass(frozen=True)
class Listing:
    """All visible files below a folder, in natural order of their paths, and what could not be entered."""

    files: tuple[FoundFile, ...]
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True)
class _Place:
    """A folder on the way: its name from the folder listed, with a "/" behind it, and what is left in it."""

    name: str
    entries: Iterator[os.DirEntry[str]]


def list_folder(folder: Path) -> Listing:
    """Every visible file in ``folder`` and below, in natural order ("img2" before "img10").

    Names that begin with a dot are left out. Links to files are followed; links to folders are not, lest a
    circle of them never ends, and are listed as skipped, as are pipes, devices and folders that may not be
    entered.

    Raises DataError when ``folder`` itself cannot be listed.
    """
    try:
        places = [_Place("", _visible(folder))]
    except OSError as error:
        raise DataError(f"{printable(str(folder))} cannot be read: {error.strerror}") from error
    files: list[FoundFile] = []
    skipped: list[SkippedFile] = []
    while places:
        here = places[-1]
        entry = next(here.entries, None)
        if entry is None:
            places.pop()
            continue
        name = here.name + entry.name
        if entry.is_dir(follow_symlinks=False):
            try:
                places.append(_Place(f"{name}/", _visible(Path(entry.path))))
            except OSError as error:
                skipped.append(SkippedFile(printable(name), f"folder cannot be entered: {error.strerror}"))
        elif reason := _why_unusable(entry):
            skipped.append(SkippedFile(printable(name), reason))
        else:
            files.append(FoundFile(entry.path, printable(name), _label(name)))
    return Listing(tuple(files), tuple(sorted(skipped, key=lambda file: path_key(file.path))))


def _visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is to be looked at in a folder, in natural order; OSError where it may not be entered."""
    with os.scandir(folder) as entries:
        seen = (entry for entry in entries if not entry.name.startswith("."))
        visible = [entry for entry in seen if entry.name.lower() not in _DEBRIS]
    return iter(sorted(visible, key=lambda entry: _natural_key(printable(entry.name))))


def _label(name: str) -> str | None:
    first, slash, _ = name.partition("/")
    return sys.intern(printable(first)) if slash else None


def path_key(path: str) -> list[str]:
    """A key that sorts paths folder by folder, runs of digits as numbers.

    >>> sorted(["img10.png", "img2.png", "a/z.png"], key=path_key)
    ['a/z.png', 'img2.png', 'img10.png']
    """
    return [_natural_key(part) for part in path.split("/")]


def _natural_key(name: str) -> str:
    """One text, as a million are sorted: numbers by length and digits, before letters, before the end.

    Names have no control characters, which mark what follows.
    """
    pieces = re.findall("[0-9]+|[^0-9]+", name)
    return "".join([*map(_piece_key, pieces), "\x02", name])


def _piece_key(piece: str) -> str:
    if piece[0] not in "0123456789":
        return f"\x01{piece}"
    digits = piece.lstrip("0")
    return f"\x00{chr(len(digits))}{digits}"


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
        return FoundFile(str(path), printable(path.as_posix()), None)
    name = path.relative_to(folder).as_posix()
    return FoundFile(str(path), printable(name), _label(name))
