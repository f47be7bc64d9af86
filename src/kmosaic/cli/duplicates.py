"""``kmosaic duplicates``: images that are nearly the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.features import deskew_option
from kmosaic.cli.neighbours import Search
from kmosaic.cli.options import (
    RealRange,
    ending_options,
    path_option,
    reading_options,
    source_argument,
    threads_option,
)
from kmosaic.cli.request import Reading
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.features.duplicates import DuplicateGroup
    from kmosaic.images import ImageCollection

_HEADER = ("group", "id", "distance")
_MAX_DRAWN = 20
_MAX_IN_ROW = 8


@click.command(short_help="List images that are nearly the same.")
@source_argument
@path_option("-o", "--output", help="Where to write the CSV table: group, id, distance.")
@path_option("--picture", help=f"Draw the first {_MAX_DRAWN} groups, as PNG or SVG by the file's suffix.")
@click.option(
    "--distance",
    "max_distance",
    type=RealRange(0.0, 1.0),
    default=0.2,
    show_default=True,
    help="How far apart near-duplicates may be, from 0 (the same lines and edges, give or take two pixels) "
    "to 1 (nothing in common). The default suits small drawings such as digits; photos need a distance of "
    "their own: try several and look at the --picture.",
)
@threads_option
@deskew_option
@reading_options
@ending_options
def duplicates(source: str, output: Path | None, picture: Path | None, **given: Any) -> None:
    """Find groups of nearly equal images in SOURCE, whatever their brightness and contrast.

    Two images are put into one group where the lines and edges of each are found in the other, within two
    pixels of their place. The table has a line for every image of a group, and how far it is from the one
    most like it: the part of its edges that is not found there. Without -o it goes to stdout.

    The distance was made for small drawings such as digits. In photos it misses most near-duplicates at the
    default, and far above it images that are not alike are joined one by one into one group: look at what was
    found before you remove anything.

    \b
    Examples:
      kmosaic duplicates photos/ --size 64x64
      kmosaic duplicates photos/ --size 64x64 -o duplicates.csv --picture duplicates.png
    """
    search = Search.taken_from({**given, "source": source, "output": output, "picture": picture})
    images = search.read(Reading.taken_from({**given, "test_fraction": 0.0}))
    from kmosaic.features.duplicates import duplicate_groups

    groups = duplicate_groups(search.find(images, 7), given["max_distance"])
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
        for group in groups[:_MAX_DRAWN]
    ]
    shown = f"{len(rows)} of {count(len(groups), 'group')} of nearly equal images"
    explanation = "A group a line, with each image's distance to the one most like it."
    save_figure(image_rows(images, rows, shown, explanation), path, overwrite=overwrite)
