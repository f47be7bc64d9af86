"""Linking, copying or moving files into a folder; nothing is overwritten, a manifest says what was made."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from kmosaic.errors import OutputError
from kmosaic.images.collection import Progress
from kmosaic.sorting.manifest import WAYS, Entry, ManifestWriter, check_inside
from kmosaic.text import count, printable

Way = Literal["hard", "symbolic", "copy", "move"]

# Of these every later file would fail as well.
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_NO_HARD_LINKS = (
    errno.EXDEV,
    errno.EPERM,
    errno.EACCES,
    errno.EMLINK,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
)
_PIECE = 1 << 20
_DOING = {
    "hard": "linking files",
    "symbolic": "linking files",
    "copy": "copying files",
    "move": "moving files",
}
_DONE = {"hard": "linked", "symbolic": "linked by name", "copy": "copied", "move": "moved"}


@dataclass(frozen=True)
class Placement:
    """A file, and where it is to be: ``target`` is relative to a folder, with "/" between its parts."""

    source: Path
    target: str


@dataclass(frozen=True)
class Placed:
    """What was done: how many files were placed in each way, the manifest, and the files that were not.

    ``targets`` has a path for every file that was asked for, relative to the folder, or None; ``failed`` has
    the files that could not be placed, each with the reason.
    """

    manifest: Path
    ways: dict[str, int]
    targets: tuple[str | None, ...]
    failed: tuple[tuple[Path, str], ...]

    def in_words(self) -> str:
        """Say what was done, such as "7 linked, 2 copied"."""
        words = [f"{n:,} {_DONE[way]}" for way, n in self.ways.items()]
        return ", ".join(words) or "no files"


def place_files(
    placements: Sequence[Placement], folder: Path, way: Way, progress: Progress | None = None
) -> Placed:
    """Link, copy or move files into ``folder``, which is made if missing, and its parent is not.

    "hard" links where the file system can, and copies where it cannot; "symbolic" links to full paths; "copy"
    keeps the times; "move" across file systems copies, reads again what was copied, and removes then. A file
    whose name is taken gets a number, and nothing is ever overwritten. A file that cannot be placed is left
    where it is, and named in the result.

    A manifest in the folder has a line for all that is made, written before it is made, so that it is whole
    whatever happens in between. ``kmosaic.sorting.undo`` reads it.

    Raises ValueError where a target leads out of the folder, and OutputError where the folder cannot be made
    or written, or the disk is full: what was placed stays, and the manifest knows it.
    """
    if way not in WAYS:
        raise ValueError(f"way={way!r} must be one of {', '.join(WAYS)}")
    for placement in placements:
        check_inside(placement.target)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}") from error
    with ManifestWriter(folder) as manifest:
        return _Placer(folder, way, manifest).place_all(placements, progress)


class _Placer:
    def __init__(self, folder: Path, way: Way, manifest: ManifestWriter) -> None:
        self._folder = folder
        self._way = way
        self._manifest = manifest
        self._made: set[str] = set()
        self._numbers: Counter[str] = Counter()

    def place_all(self, placements: Sequence[Placement], progress: Progress | None) -> Placed:
        ways: Counter[str] = Counter()
        targets: list[str | None] = []
        failed = []
        try:
            for placement in placements:
                try:
                    entry = self._place(placement)
                    ways[entry.made] += 1
                    targets.append(entry.target)
                except OSError as error:
                    if error.errno in _HOPELESS or isinstance(error, OutputError):
                        raise
                    targets.append(None)
                    failed.append((placement.source, error.strerror or str(error)))
                if progress is not None:
                    progress(len(targets), len(placements), _DOING[self._way])
        except OSError as error:
            left = self._left_behind(ways.total(), len(placements))
            raise OutputError(f"{self._folder}: {error.strerror or error}; {left}") from error
        except KeyboardInterrupt as interruption:
            raise KeyboardInterrupt(self._left_behind(ways.total(), len(placements))) from interruption
        return Placed(self._manifest.path, dict(ways), tuple(targets), tuple(failed))

    def _left_behind(self, n_placed: int, n_files: int) -> str:
        origin = " --origin FOLDER" if self._way == "move" else ""
        return (
            f"{n_placed:,} of {count(n_files, 'file')} were placed, and stay; "
            f"`kmosaic undo {self._manifest.path}{origin}` takes them back"
        )

    def _place(self, placement: Placement) -> Entry:
        # Strictly: a link that leads to itself is an error here.
        source = os.path.realpath(placement.source, strict=True)
        _check_source(placement.source, source, self._way)
        self._make_folders(placement.target.split("/")[:-1])
        folder = (self._folder / placement.target).parent
        first, *others = _KINDS[self._way]
        try:
            return self._made_as(first(source, folder), placement.target)
        except OSError as error:
            if not others or error.errno not in _NO_HARD_LINKS:
                raise
        return self._made_as(others[0](source, folder), placement.target)

    def _made_as(self, unnamed: _Unnamed, wanted: str) -> Entry:
        with unnamed:
            while True:
                target = self._free(wanted)
                entry = unnamed.entry(target)
                self._manifest.about_to_make(entry)
                try:
                    unnamed.appear(self._folder / target)
                except FileExistsError:  # made by somebody else in this moment
                    self._manifest.not_made(entry)
                    self._numbers[wanted] += 1
                except OSError:
                    self._manifest.not_made(entry)
                    raise
                else:
                    return entry

    def _free(self, wanted: str) -> str:
        """The name that is wanted, or the first number behind it that is free."""
        stem, suffix = os.path.splitext(wanted)
        while True:
            number = self._numbers[wanted] + 1
            name = wanted if number == 1 else f"{stem}-{number}{suffix}"
            if not os.path.lexists(self._folder / name):
                return name
            self._numbers[wanted] = number

    def _make_folders(self, parts: Sequence[str]) -> None:
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if name in self._made:
                continue
            path = self._folder / name
            if not path.is_dir():
                entry = Entry("folder", name)
                self._manifest.about_to_make(entry)
                try:
                    path.mkdir()
                except OSError:
                    self._manifest.not_made(entry)
                    raise
            if path.is_symlink():
                raise OutputError(f"{path} is a link, which leads out of {self._folder}")
            self._made.add(name)


def _check_source(given: Path, source: str, way: Way) -> None:
    if not stat.S_ISREG(os.stat(source).st_mode):
        raise OSError(errno.EINVAL, "not a plain file")
    if way == "move" and given.is_symlink():
        raise OSError(errno.EINVAL, f"a link; move {printable(source)}, to which it leads")


class _Unnamed:
    """A file that has all but its name, while entered: ``appear`` gives it that, and never overwrites."""

    way: Way

    def __init__(self, source: str, folder: Path) -> None:
        self.source = source
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def entry(self, target: str) -> Entry:
        return Entry(self.way, target, self.source)

    def appear(self, target: Path) -> None:
        raise NotImplementedError


class _HardLink(_Unnamed):
    way = "hard"

    def entry(self, target: str) -> Entry:
        return Entry(self.way, target, self.source, inode=os.stat(self.source).st_ino)

    def appear(self, target: Path) -> None:
        os.link(self.source, target)


class _SymbolicLink(_Unnamed):
    way = "symbolic"

    def appear(self, target: Path) -> None:
        os.symlink(self.source, target)


class _Move(_Unnamed):
    """A new name, and then the old one goes: unlike a rename, that overwrites nothing."""

    way = "move"

    def appear(self, target: Path) -> None:
        os.link(self.source, target)
        _remove_moved(self.source, target)


class _Copy(_Unnamed):
    way: Way = "copy"

    def __enter__(self) -> Self:
        descriptor, name = tempfile.mkstemp(prefix=".kmosaic-", dir=self.folder)
        os.close(descriptor)
        self._temporary = Path(name)
        try:
            self._size, self._sha256 = _copy(self.source, self._temporary)
        except BaseException:
            self._temporary.unlink()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.unlink(missing_ok=True)

    def entry(self, target: str) -> Entry:
        return Entry(self.way, target, self.source, size=self._size, sha256=self._sha256)

    def appear(self, target: Path) -> None:
        _give_name(self._temporary, target)


class _MoveByCopy(_Copy):
    way = "move"

    def appear(self, target: Path) -> None:
        if digest_of(self._temporary) != (self._size, self._sha256):
            raise OSError(errno.EBADMSG, "the copy differs from the file, which stays where it is")
        super().appear(target)
        _remove_moved(self.source, target)


# Where the first cannot be had, as across file systems, the second is made.
_KINDS: dict[Way, tuple[type[_Unnamed], ...]] = {
    "hard": (_HardLink, _Copy),
    "symbolic": (_SymbolicLink,),
    "copy": (_Copy,),
    "move": (_Move, _MoveByCopy),
}


def _remove_moved(source: str, target: Path) -> None:
    """Remove a file that has another name, too; where it must stay, that other name goes again."""
    try:
        os.unlink(source)
    except OSError:
        os.unlink(target)
        raise


def move_file(source: str, target: Path) -> None:
    """Move a file to a name that is free. Raises FileExistsError where it is not."""
    try:
        _Move(source, target.parent).appear(target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        with _MoveByCopy(source, target.parent) as copied:
            copied.appear(target)


def digest_of(path: str | Path) -> tuple[int, str]:
    """Return a file's size in bytes, and its SHA-256."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), digest


def _copy(source: str, temporary: Path) -> tuple[int, str]:
    """Copy what is in a file, its times and its mode; return its size and digest."""
    digest = hashlib.sha256()
    with open(source, "rb") as read, open(temporary, "wb") as written:
        while piece := read.read(_PIECE):
            digest.update(piece)
            written.write(piece)
        size = written.tell()
    shutil.copystat(source, temporary)
    return size, digest.hexdigest()


def _give_name(temporary: Path, target: Path) -> None:
    """Give a temporary file its name. Raises FileExistsError where that is taken."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # Such file systems have no better way than to take the name first, and then to replace what took it.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(temporary, target)
