"""What ``kmosaic duplicates`` does with drawings such as digits: the search, its table and picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmosaic.cli.features import report_recall
from kmosaic.cli.neighbours import Search
from kmosaic.cli.request import Reading
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.features.drawings import DuplicateGroup
    from kmosaic.images import ImageCollection

MAX_DRAWN = 20
_HEADER = ("group", "id", "distance")
_MAX_IN_ROW = 8
_DRAWINGS_DISTANCE = 0.2


def find_drawings(given: dict[str, Any], *, exact: bool) -> None:
    """Find groups of nearly equal drawings, and write their table and picture."""
    search = Search.taken_from(dict(given))
    picture, limit = search.picture, given["max_distance"]
    images = search.read(Reading.taken_from({**given, "test_fraction": 0.0}))
    from kmosaic.features.drawings import duplicate_groups

    near = search.find(images, 7, exact=exact)
    report_recall(near.recall)
    groups = duplicate_groups(near, _DRAWINGS_DISTANCE if limit is None else limit)
    search.write(images, _HEADER, _rows(images, groups), _summary(images, groups))
    if picture is not None and groups:
        _draw(images, groups, picture, overwrite=search.force)
    search.report_written(drawn=bool(groups))


def _rows(images: ImageCollection, groups: list[DuplicateGroup]) -> Iterator[tuple[object, ...]]:
    for number, group in enumerate(groups):
        for row, distance in zip(group.rows, group.distances, strict=True):
            yield number, images.ids[row], f"{distance:.4f}"


def _summary(images: ImageCollection, groups: list[DuplicateGroup]) -> str:
    grouped = sum(len(group.rows) for group in groups)
    if not groups:
        return f"No two of {count(len(images), 'image')} are nearly the same; a larger --distance finds more"
    return (
        f"{count(len(groups), 'group')} of nearly equal images, with {grouped:,} of "
        f"{count(len(images), 'image')} in them"
    )


def _draw(images: ImageCollection, groups: list[DuplicateGroup], path: Path, *, overwrite: bool) -> None:
    from kmosaic.report import save_figure
    from kmosaic.report.rows import PictureRow, image_rows

    rows = [
        PictureRow(group.rows[:_MAX_IN_ROW].tolist(), group.distances[:_MAX_IN_ROW].tolist())
        for group in groups[:MAX_DRAWN]
    ]
    shown = f"{len(rows)} of {count(len(groups), 'group')} of nearly equal images"
    explanation = "A group a line, with each image's distance to the one most like it."
    save_figure(image_rows(images, rows, shown, explanation), path, overwrite=overwrite)
