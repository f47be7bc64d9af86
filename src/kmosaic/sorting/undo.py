"""Undoing what a manifest says was made: only what is still the same file, and never the last of its kind."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kmosaic.errors import DataError
from kmosaic.images.collection import Progress
from kmosaic.sorting.manifest import Entry, read_manifest
from kmosaic.sorting.placing import digest_of, move_file
from kmosaic.text import printable

_REMOVED, _MOVED_BACK, _GONE = "removed", "moved back", "gone"


@dataclass(frozen=True)
class Undone:
    """What was undone: files removed, moved back, gone before, and those kept, each with the reason."""

    n_removed: int
    n_moved_back: int
    n_gone: int
    kept: tuple[tuple[str, str], ...]


def undo(manifest: Path, origin: Path | None = None, progress: Progress | None = None) -> Undone:
    """Remove what a manifest says was made beside it, and move back what was moved.

    A link is removed where it is still the one that was made, and a copy where size and digest are still the
    same; but a hard link that is the only one left is kept, as is a copy without its original. Moved files
    go back to where they came from where nothing has taken that name; as a manifest from elsewhere could
    name any place, all of these must lie in ``origin``. Folders that were made and are empty now are
    removed, and the manifest with them where nothing had to be kept.

    Raises DataError where the manifest is none, where it names a path outside its folder, or where a file was
    moved from outside ``origin``: nothing is undone then.
    """
    folder = manifest.parent
    check = _Check(manifest, origin)
    n_entries = 0
    for entry in read_manifest(manifest):
        n_entries += 1
        check(entry)
    outcomes: Counter[str] = Counter()
    kept: list[tuple[str, str]] = []
    folders: list[str] = []
    for done, entry in enumerate(read_manifest(manifest), start=1):
        if entry.made == "folder":
            folders.append(entry.target)
        else:
            outcome = _undone(entry, folder / entry.target)
            outcomes[outcome] += 1
            if outcome not in (_REMOVED, _MOVED_BACK, _GONE):
                kept.append((printable(entry.target), outcome))
        if progress is not None:
            progress(done, n_entries, "undoing")
    _remove_empty([folder / name for name in reversed(folders)])
    if not kept:
        manifest.unlink()
        _remove_empty([folder])
    return Undone(outcomes[_REMOVED], outcomes[_MOVED_BACK], outcomes[_GONE], tuple(kept))


class _Check:
    """Refuses entries that lead out of a manifest's folder, or that were moved from outside ``origin``."""

    def __init__(self, manifest: Path, origin: Path | None) -> None:
        self._manifest = manifest
        self._folder = os.path.realpath(manifest.parent)
        self._origin = None if origin is None else os.path.realpath(origin)
        self._inside: set[str] = set()

    def __call__(self, entry: Entry) -> None:
        # Links are removed themselves, never followed; the folders on the way to them must be no links.
        parent = entry.target if entry.made == "folder" else entry.target.rpartition("/")[0]
        if parent not in self._inside:
            if not _is_inside(os.path.realpath(self._manifest.parent / parent), self._folder):
                raise DataError(
                    f"{self._manifest}: {entry.target!r} leads out of its folder; nothing was undone"
                )
            self._inside.add(parent)
        if entry.made == "move":
            self._check_origin(entry.source)

    def _check_origin(self, source: str) -> None:
        if self._origin is None:
            raise DataError(
                f"{self._manifest}: files were moved, the first from {printable(source)}; name the folder "
                "they came from, and are to go back to (--origin FOLDER)"
            )
        if not _is_inside(os.path.realpath(os.path.dirname(source)), self._origin):
            raise DataError(
                f"{self._manifest}: {printable(source)} is not in {self._origin}, where the files were "
                "said to have come from; nothing was undone"
            )


def _is_inside(path: str, folder: str) -> bool:
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:  # on another drive
        return False


def _undone(entry: Entry, target: Path) -> str:
    """Undo one entry; return what was done, or the reason why it was kept."""
    try:
        if not os.path.lexists(target):
            return _GONE
        return _UNDO[entry.made](entry, target)
    except OSError as error:
        return error.strerror or str(error)


def _undo_hard(entry: Entry, target: Path) -> str:
    here = target.lstat()
    if not stat.S_ISREG(here.st_mode) or here.st_ino != entry.inode:
        return "another file now"
    if here.st_nlink < 2:
        return "the only one left; its original is gone"
    target.unlink()
    return _REMOVED


def _undo_symbolic(entry: Entry, target: Path) -> str:
    if not target.is_symlink() or os.readlink(target) != entry.source:
        return "no longer the link that was made"
    target.unlink()
    return _REMOVED


def _undo_copy(entry: Entry, target: Path) -> str:
    if not _is_copy(entry, target):
        return "another file now, or changed since"
    if not _is_copy(entry, Path(entry.source)) or os.path.samefile(entry.source, target):
        return "the only one left; its original is gone, or changed since"
    target.unlink()
    return _REMOVED


def _is_copy(entry: Entry, path: Path) -> bool:
    if not path.is_file() or path.is_symlink() or path.stat().st_size != entry.size:
        return False
    return digest_of(path) == (entry.size, entry.sha256)


def _undo_move(entry: Entry, target: Path) -> str:
    source = Path(entry.source)
    if target.is_symlink() or not target.is_file():
        return "another file now"
    if os.path.lexists(source):
        # The process was killed while the file had both names, or there was a copy of it.
        if not source.is_symlink() and (
            (source.is_file() and os.path.samefile(source, target))
            or (entry.sha256 and _is_copy(entry, source) and _is_copy(entry, target))
        ):
            target.unlink()
            return _MOVED_BACK
        return f"something else is at {printable(entry.source)} now"
    source.parent.mkdir(parents=True, exist_ok=True)
    move_file(str(target), source)
    return _MOVED_BACK


_UNDO: dict[str, Callable[[Entry, Path], str]] = {
    "hard": _undo_hard,
    "symbolic": _undo_symbolic,
    "copy": _undo_copy,
    "move": _undo_move,
}


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # not empty, or gone
            continue
