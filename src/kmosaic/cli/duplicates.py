"""``kmosaic duplicates``: images that are nearly the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.duplicate_photos import PhotoSearch, photo_options
from kmosaic.cli.errors import given_command
from kmosaic.cli.features import deskew_option, report_recall
from kmosaic.cli.neighbours import Search
from kmosaic.cli.options import (
    RealRange,
    ending_options,
    path_option,
    reading_options,
    threads_option,
)
from kmosaic.cli.request import Reading
from kmosaic.cli.vectors import Vectors, exact_option, optional_source_argument, vector_file_options
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.features.duplicates import DuplicateGroup
    from kmosaic.images import ImageCollection

_HEADER = ("group", "id", "distance")
_MAX_DRAWN = 20
_MAX_IN_ROW = 8
_DRAWINGS_DISTANCE = 0.2
_OF_VECTORS = ("cosine", "euclidean")


@click.command(short_help="List images that are nearly the same.")
@optional_source_argument
@path_option("-o", "--output", help="Where to write the CSV table of the images in groups.")
@click.option(
    "--measure",
    type=click.Choice(["photos", "drawings", "cosine", "euclidean"]),
    help="photos: laid over each other, whatever size, compression, brightness and small crop; drawings: the "
    "lines and edges of each found in the other, for digits and the like; cosine, euclidean: of --vectors. "
    "[default: photos for a folder, drawings for other data, cosine for vectors]",
)
@click.option(
    "--distance",
    "max_distance",
    type=RealRange(0.0),
    help="How far apart duplicates may be, from 0 (equal) to 1 (nothing in common); of vectors 1 - cosine or "
    "the Euclidean distance. [default: 0.15 of photos, 0.2 of drawings such as digits, 0.1 of vectors]",
)
@vector_file_options
@exact_option
@photo_options
@path_option(
    "--picture", help=f"Draw the first {_MAX_DRAWN} groups of drawings, as PNG or SVG by the file's suffix."
)
@threads_option
@deskew_option
@reading_options
@ending_options
@click.pass_context
def duplicates(ctx: click.Context, /, **given: Any) -> None:
    """Find groups of images in SOURCE that are nearly the same.

    Photos are laid over each other, shifted and stretched a little: copies of another size, compression or
    brightness and small crops are found; other photos of the same thing are not. Every image of a group is
    within the distance of one of them. In drawings, the lines and edges of each have to be found in the
    other, within two pixels of their place. With --vectors these are compared, and SOURCE, if any, has the
    pictures that they are of.

    The table has a line for every image of a group. Of photos: path, group, distance from the group's centre,
    width, height, bytes, and whether it is kept. Without -o it goes to stdout. Nothing is ever deleted.

    \b
    Examples:
      kmosaic duplicates photos/ -o duplicates.csv --report duplicates.html
      kmosaic duplicates photos/ --keep best --move-to duplicates/
      kmosaic duplicates new/ --against archive/ --report known.html
      kmosaic duplicates digits --distance 0.1 --picture duplicates.png
      kmosaic duplicates photos/ --vectors embeddings.npy --report alike.html
    """
    given["command"] = given_command(ctx)
    vectors = Vectors.taken_from(given)
    given["source"] = given["source"] or ""
    measure = given.pop("measure") or _usual_measure(vectors, given["source"])
    if vectors.given != (measure in _OF_VECTORS):
        raise click.UsageError(
            f"--measure {measure} goes {'without' if vectors.given else 'with'} --vectors; leave it out"
        )
    photos = PhotoSearch.taken_from(dict(given))
    if measure in _OF_VECTORS:
        photos.check_vector_options(given)
        photos.run_on_vectors(vectors, measure, Reading.taken_from({**given, "test_fraction": 0.0}))
        return
    if photos.max_distance is not None and photos.max_distance > 1:
        raise click.UsageError(f"--distance {photos.max_distance:g} must be from 0 to 1")
    if measure == "photos":
        if vectors.exact:
            raise click.UsageError("--exact goes with --vectors or --measure drawings; leave it out")
        photos.check_drawing_options(given)
        photos.run(Reading.taken_from({**given, "test_fraction": 0.0}))
    else:
        photos.check_photo_options()
        _find_drawings(given, exact=vectors.exact)


def _usual_measure(vectors: Vectors, source: str) -> str:
    if vectors.given:
        return "cosine"
    return "photos" if os.path.isdir(source) else "drawings"


def _find_drawings(given: dict[str, Any], *, exact: bool) -> None:
    search = Search.taken_from(dict(given))
    picture, limit = search.picture, given["max_distance"]
    images = search.read(Reading.taken_from({**given, "test_fraction": 0.0}))
    from kmosaic.features.duplicates import duplicate_groups

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
        for group in groups[:_MAX_DRAWN]
    ]
    shown = f"{len(rows)} of {count(len(groups), 'group')} of nearly equal images"
    explanation = "A group a line, with each image's distance to the one most like it."
    save_figure(image_rows(images, rows, shown, explanation), path, overwrite=overwrite)
