"""The manifest: JSON lines that say what was made in a folder, each written before it is made."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from kmosaic.errors import DataError, OutputError

MANIFEST_NAME = "kmosaic-manifest.jsonl"
WAYS = ("hard", "symbolic", "copy", "move")
_FORMAT = "kmosaic manifest"
_VERSION = 1
# Two paths of the longest kind there are, with every character escaped, and then some.
_MAX_LINE = 1 << 17


@dataclass(frozen=True)
class Entry:
    """One thing that was made: ``made`` is one of ``WAYS``, or "folder".

    ``target`` is its path relative to the folder of the manifest, with "/" between parts, and ``source`` the
    absolute path of the file it was made of. ``inode`` is that of a hard link, ``size`` and ``sha256`` are
    those of a copy.
    """

    made: str
    target: str
    source: str = ""
    inode: int = 0
    size: int = 0
    sha256: str = ""


class ManifestWriter:
    """A new manifest in ``folder``, numbered where there is one; every line is flushed as it is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self.path, self._stream = _created(self._folder)
        try:
            self._write({"format": _FORMAT, "version": _VERSION})
        except BaseException as error:
            self._stream.close()
            self.path.unlink()
            if isinstance(error, OSError):
                raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def about_to_make(self, entry: Entry) -> None:
        self._write({key: value for key, value in asdict(entry).items() if value})

    def not_made(self, entry: Entry) -> None:
        """Take back the entry that was written last."""
        self._write({"not_made": entry.target})

    def _write(self, fields: dict[str, Any]) -> None:
        """Write one line, or nothing: half a line, on a full disk, is taken back."""
        end = self._stream.tell()
        line = json.dumps(fields).encode("ascii") + b"\n"
        try:
            if self._stream.write(line) < len(line):  # without a buffer, what there was room for
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BaseException:
            self._stream.truncate(end)
            self._stream.seek(end)
            raise


def read_manifest(path: Path) -> Iterator[Entry]:
    """Yield the entries of a manifest, one by one, as they were written.

    Raises DataError where it is none, or where a line of it cannot be read or names a path that leads out of
    its folder. A last line without an end, of a process that was killed, is left out.
    """
    try:
        with path.open("rb") as stream:
            yield from _entries(path, stream)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a manifest to undo") from error


def find_manifest(path: Path) -> Path:
    """Return ``path``, or, where that is a folder, the one manifest in it.

    Raises DataError where a folder has none, or several.
    """
    if not path.is_dir():
        return path
    stem, suffix = MANIFEST_NAME.rsplit(".", 1)
    found = sorted(path.glob(f"{stem}*.{suffix}"), key=lambda file: (len(file.name), file.name))
    if not found:
        raise DataError(f"{path} has no {MANIFEST_NAME}; name the folder that files were sorted into")
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise DataError(f"{path} has {len(found)} manifests ({names}); name one, the last one first")
    return found[0]


def check_inside(relative: str) -> str:
    """Return ``relative``, a path with "/" between parts, that cannot lead out of the folder it is put into.

    Raises ValueError where it could: on an absolute path, a drive, "..", "." or an empty part, or a NUL.
    """
    parts = relative.split("/")
    if not all(parts) or {".", ".."} & set(parts) or "\0" in relative:
        raise ValueError(f"{relative!r} leads out of the folder")
    if os.name == "nt" and any("\\" in part or ":" in part for part in parts):
        raise ValueError(f"{relative!r} leads out of the folder")
    return relative


def _created(folder: Path) -> tuple[Path, BinaryIO]:
    stem, suffix = MANIFEST_NAME.rsplit(".", 1)
    number = 1
    while True:
        path = folder / (f"{stem}.{suffix}" if number == 1 else f"{stem}-{number}.{suffix}")
        try:
            # Without a buffer: what was written is the operating system's, whatever becomes of this process.
            return path, path.open("xb", buffering=0)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def _entries(path: Path, stream: BinaryIO) -> Iterator[Entry]:
    head = _parsed(path, 1, stream.readline(_MAX_LINE))
    if head.get("format") != _FORMAT:
        raise DataError(f"{path} is no manifest of kmosaic; name one, such as sorted/{MANIFEST_NAME}")
    if head.get("version") != _VERSION:
        raise DataError(f"{path} is of another version of kmosaic; update kmosaic")
    waiting: Entry | None = None
    for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE), b""), start=2):
        if not line.endswith(b"\n") and len(line) < _MAX_LINE:
            break
        fields = _parsed(path, number, line)
        if "not_made" in fields:
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = _entry(path, number, fields)
    if waiting is not None:
        yield waiting


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise DataError(f"{path}: line {number} is no line of a manifest; nothing was undone")
    return fields


def _entry(path: Path, number: int, fields: dict[str, Any]) -> Entry:
    wrong = f"{path}: line {number}"
    try:
        entry = Entry(**fields)
    except TypeError:
        raise DataError(f"{wrong} is no line of a manifest; nothing was undone") from None
    texts, numbers = (entry.made, entry.target, entry.source, entry.sha256), (entry.inode, entry.size)
    if not all(isinstance(text, str) for text in texts) or not all(type(value) is int for value in numbers):
        raise DataError(f"{wrong} is no line of a manifest; nothing was undone")
    if entry.made not in (*WAYS, "folder"):
        raise DataError(f"{wrong}: {entry.made!r} is nothing that is made; nothing was undone")
    if not all(map(_can_be_named, (entry.target, entry.source))):
        raise DataError(f"{wrong} has a name that no file can have; nothing was undone")
    if entry.made != "folder" and not os.path.isabs(entry.source):
        raise DataError(f"{wrong}: {entry.source!r} is no full path; nothing was undone")
    try:
        check_inside(entry.target)
    except ValueError as error:
        raise DataError(f"{wrong}: {error}; nothing was undone") from None
    return entry


def _can_be_named(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False
