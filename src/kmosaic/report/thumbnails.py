"""Pictures of images in a folder beside a page, as sheets that a browser loads when they are looked at."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import OutputError
from kmosaic.files import atomic_folder, check_folder
from kmosaic.report.sheets import Sheet, picture, tiles_a_sheet, tiles_across

if TYPE_CHECKING:
    from kmosaic.images.collection import ImageCollection, Progress

THUMBNAIL_SIDE = 128
"""Pixels of a thumbnail's longer side."""

_MARKER = "kmosaic-thumbnails.json"
_NAMES = re.compile(r"(clusters|images)-[0-9]{4,}\.(jpg|png)")
_EXACT_SIDE = 64  # so small, pictures are kept as they are


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """A folder for the pictures of a report.

    Attributes
    ----------
    folder
        To be made. One that is there is replaced, if that is asked for, where an earlier report made it.
    images
        The report's images in their order, at a size that shows them better; None: as they are.
    progress
        Called with the pictures done, all of them, and what is going on.
    """

    folder: Path
    images: ImageCollection | None = None
    progress: Progress | None = None


def check_thumbnails(
    folder: Path, report: Path, *, overwrite: bool, outputs: Iterable[Path | None] = ()
) -> None:
    """Check that pictures of ``report`` can be written into ``folder``, and that no output is to be there.

    Raises OutputError where not.
    """
    check_folder(folder, _is_ours, overwrite=overwrite)
    place = os.path.join(os.path.realpath(folder), "")
    for path in filter(None, (report, *outputs)):
        if os.path.join(os.path.realpath(path), "").startswith(place):
            raise OutputError(
                f"{path} is in {folder}, which is made for the report's pictures alone; name one elsewhere"
            )
    _address(folder, report)


@contextmanager
def writing_sheets(thumbnails: Thumbnails, report: Path, *, overwrite: bool) -> Iterator[SheetFiles]:
    """What writes the sheets of a page; their folder is there, whole, when this ends without an error."""
    address = _address(thumbnails.folder, report)
    with atomic_folder(thumbnails.folder, _is_ours, overwrite=overwrite) as made:
        (made / _MARKER).write_text(json.dumps({"kmosaic_thumbnails": 1}) + "\n", encoding="utf-8")
        yield SheetFiles(made, address, thumbnails)


class SheetFiles:
    """Writes sheets into a folder, one after the other."""

    def __init__(self, place: Path, address: str, thumbnails: Thumbnails) -> None:
        self.place = place
        self.address = address
        self.images = thumbnails.images
        self.progress = thumbnails.progress

    def write(self, name: str, n: int, tiles: Callable[[int, int], NDArray[np.uint8]]) -> Sheet:
        """Write ``n`` tiles; ``tiles(first, stop)`` makes some of them, (n, height, width[, 3])."""
        height, width = tiles(0, 1).shape[1:3]
        at_a_time = min(n, tiles_a_sheet(height, width))
        n_columns = None if at_a_time == n else tiles_across(width)
        uris, one = [], None
        for number, first in enumerate(range(0, n, at_a_time)):
            some = tiles(first, min(n, first + at_a_time))
            whole = np.zeros((at_a_time, *some.shape[1:]), np.uint8)
            whole[: len(some)] = some
            lossy = max(height, width) > _EXACT_SIDE
            one = picture(whole, max(height, width), lossy=lossy, n_columns=n_columns)
            file = f"{name}-{number:04}.{'jpg' if lossy else 'png'}"
            (self.place / file).write_bytes(one.content)
            uris.append(self.address + file)
            if self.progress is not None:
                self.progress(min(n, first + at_a_time), n, f"writing pictures of {name}")
        assert one is not None
        return Sheet(tuple(uris), one.n_columns, one.n_rows, one.aspect)


def _is_ours(folder: Path) -> bool:
    """Whether there is nothing in it that an earlier report did not write."""
    names = {entry.name for entry in folder.iterdir() if entry.is_file() and not entry.is_symlink()}
    others = any(name != _MARKER and not _NAMES.fullmatch(name) for name in names)
    return _MARKER in names and not others and len(names) == sum(1 for _ in folder.iterdir())


def _address(folder: Path, report: Path) -> str:
    """The folder as a page refers to it: both may be moved together."""
    base = os.path.realpath(report.parent)
    target = os.path.join(os.path.realpath(folder.parent), folder.name)
    try:
        relative = os.path.relpath(target, base)
    except ValueError as error:
        raise OutputError(f"{folder} is on another drive than {report}; name one beside it") from error
    return quote(os.fsencode(Path(relative).as_posix())) + "/"
