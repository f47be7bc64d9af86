"""``kmosaic duplicates``: images that are nearly the same, photos or drawings."""

from __future__ import annotations

import os
from typing import Any

import click

from kmosaic.cli.duplicate_drawings import MAX_DRAWN, find_drawings
from kmosaic.cli.duplicate_photos import PhotoSearch, photo_options
from kmosaic.cli.errors import given_command
from kmosaic.cli.features import deskew_option
from kmosaic.cli.options import (
    RealRange,
    command,
    ending_options,
    option_group,
    path_option,
    reading_options,
    threads_option,
)
from kmosaic.cli.request import Reading
from kmosaic.cli.vectors import Vectors, exact_option, optional_source_argument, vector_file_options

_OF_VECTORS = ("cosine", "euclidean")
_LARGEST_DISTANCES = {"photos": 1.0, "drawings": 1.0, "cosine": 2.0, "euclidean": 3.4e38}


@command(short_help="List images that are nearly the same.")
@optional_source_argument
@option_group(
    "Comparing",
    click.option(
        "--measure",
        type=click.Choice(list(_LARGEST_DISTANCES)),
        help="photos: laid over each other, whatever size, compression, brightness and small crop; drawings: "
        "the lines and edges of each found in the other, for digits and the like; cosine, euclidean: of "
        "--vectors. [default: photos for a folder, drawings for other data, cosine for vectors]",
    ),
    click.option(
        "--distance",
        "max_distance",
        type=RealRange(0.0),
        help="How far apart duplicates may be, from 0 (equal) to 1 (nothing in common); of vectors 1 - "
        "cosine or the Euclidean distance. [default: 0.15 of photos, 0.2 of drawings such as digits, 0.1 of "
        "vectors]",
    ),
    deskew_option,
)
@vector_file_options
@exact_option
@photo_options
@option_group(
    "Output",
    path_option("-o", "--output", help="Where to write the CSV table of the images in groups."),
    path_option(
        "--picture",
        help=f"Draw the first {MAX_DRAWN} groups of drawings, as PNG or SVG by the file's suffix.",
    ),
)
@reading_options
@threads_option
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
    largest = _LARGEST_DISTANCES[measure]
    if photos.max_distance is not None and photos.max_distance > largest:
        raise click.UsageError(f"--distance {photos.max_distance:g} must be from 0 to {largest:g}")
    if measure in _OF_VECTORS:
        photos.check_vector_options(given)
        photos.run_on_vectors(vectors, measure, Reading.taken_from({**given, "test_fraction": 0.0}))
        return
    if measure == "photos":
        if vectors.exact:
            raise click.UsageError("--exact goes with --vectors or --measure drawings; leave it out")
        photos.check_drawing_options(given)
        photos.run(Reading.taken_from({**given, "test_fraction": 0.0}))
    else:
        photos.check_photo_options()
        find_drawings(given, exact=vectors.exact)


def _usual_measure(vectors: Vectors, source: str) -> str:
    if vectors.given:
        return "cosine"
    return "photos" if os.path.isdir(source) else "drawings"
