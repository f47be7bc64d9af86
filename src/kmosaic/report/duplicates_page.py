"""What the page of groups of duplicates says and shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from kmosaic.report.parts import Fact, making_facts, number_columns
from kmosaic.report.provenance import Provenance
from kmosaic.report.tiles import data_uri, jpeg
from kmosaic.report.wording import clean, memory
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.duplicates import PhotoDuplicates, PhotoGroup

# Bytes of pictures in base64; with the rest a page stays below 6 MB.
_PICTURE_BYTES = 4_500_000
_BYTES_A_PIXEL = 0.45  # of JPEG at this quality, in base64, of small pictures full of detail
_QUALITY = 80
_SIDES = (64, 320)
_MAX_IN_GROUP = 60


@dataclass(frozen=True, eq=False)
class DuplicatesReport:
    """Everything the page is written from.

    ``kept`` says of every image whether it is kept, and ``picture`` returns one by its row, none larger than
    a side: uint8 (height, width, 3).
    """

    name: str
    found: PhotoDuplicates
    kept: NDArray[np.bool_]
    picture: Callable[[int, int], NDArray[np.uint8]]
    summary: str = ""
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True)
class _Photo:
    source: Markup
    name: str
    size: str
    distance: str
    kept: bool
    note: str


@dataclass(frozen=True)
class _Shown:
    number: int
    title: str
    photos: list[_Photo]
    left_out: int


def duplicates_context(report: DuplicatesReport) -> dict[str, Any]:
    """Return what the template of the page is filled with."""
    found = report.found
    groups = list(_groups(report))
    numbers = list(_numbers(report))
    return {
        "title": f"Duplicates in {clean(report.name)}",
        "kind": "Duplicates",
        "lead": clean(report.summary) + ".",
        "numbers": numbers,
        "number_columns": number_columns(len(numbers)),
        "groups": groups,
        "n_left_out": len(found.groups) - len(groups),
        "skipped": found.images.skipped,
        "facts": making_facts(report.provenance),
        "page_data": {},
    }


def _numbers(report: DuplicatesReport) -> Iterator[Fact]:
    found = report.found
    spare = ~report.kept
    yield Fact("Images", f"{found.n_own:,}")
    if len(found.images) > found.n_own:
        yield Fact("Compared with", f"{len(found.images) - found.n_own:,}")
    yield Fact("Groups", f"{len(found.groups):,}")
    yield Fact("Not kept", f"{int(spare.sum()):,}", memory(float(found.images.n_bytes[spare].sum())))


def _groups(report: DuplicatesReport) -> Iterator[_Shown]:
    """The groups, as many as the page has room for."""
    shown = sum(min(len(group.rows), _MAX_IN_GROUP) for group in report.found.groups)
    side = math.isqrt(int(_PICTURE_BYTES / _BYTES_A_PIXEL / max(1, shown)))
    side = min(max(side, _SIDES[0]), _SIDES[1])
    room = _PICTURE_BYTES
    for number, group in enumerate(report.found.groups):
        one = _group(report, number, group, side)
        room -= sum(len(photo.source) for photo in one.photos)
        if room < 0:
            return
        yield one


def _group(report: DuplicatesReport, number: int, group: PhotoGroup, side: int) -> _Shown:
    kept = report.kept[group.rows]
    order = np.lexsort((group.rows, group.distances, ~kept))
    photos = [
        _photo(
            report, int(group.rows[place]), side, float(group.distances[place]), bool(group.mirrored[place])
        )
        for place in order[:_MAX_IN_GROUP]
    ]
    title = f"Group {number}: {count(len(group.rows), 'photo')}"
    return _Shown(number, title, photos, len(order) - len(photos))


def _photo(report: DuplicatesReport, row: int, side: int, distance: float, mirrored: bool) -> _Photo:
    images = report.found.images
    path = images.paths[row]
    height, width = images.sizes[row]
    size = f"{width:,} x {height:,}"
    n_bytes = int(images.n_bytes[row])
    return _Photo(
        Markup(data_uri(jpeg(report.picture(row, side), _QUALITY), "image/jpeg")),
        clean(images.ids[row] if path is None else path),
        f"{size}, {memory(n_bytes)}" if n_bytes else size,
        f"{distance:.3f}",
        bool(report.kept[row]),
        "mirrored" if mirrored else "",
    )
