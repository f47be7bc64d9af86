"""``kmosaic neighbours``: which images are most like each, and which are like none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import note_skipped, plural, say, say_rows, written
from kmosaic.cli.features import deskew_option, upright
from kmosaic.cli.options import WholeNumber, ending_options, path_option, reading_options, source_argument
from kmosaic.cli.outputs import check_picture, write_assignments
from kmosaic.cli.request import Reading, note_missing_data_folder
from kmosaic.files import check_outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kmosaic.features.graph import ImageNeighbors
    from kmosaic.images import ImageCollection

_HEADER = ("id", "rank", "neighbour", "distance")
_MOST_OUTLIERS = 10


@click.command(short_help="List the images most like each, and those like none.")
@source_argument
@path_option("-o", "--output", help="Where to write the CSV table: id, rank, neighbour, distance.")
@path_option(
    "--picture",
    help=f"Draw the {_MOST_OUTLIERS} images least like any other, and their neighbours, as PNG or SVG.",
)
@click.option(
    "--count", type=WholeNumber(1, 100), default=5, show_default=True, help="Neighbours of each image."
)
@click.option("--threads", type=WholeNumber(1), help="Threads to use. [default: all]")
@deskew_option
@reading_options
@ending_options
def neighbours(source: str, output: Path | None, picture: Path | None, **given: Any) -> None:
    """Find the images in SOURCE that are most like each image of it, by the image distortion model.

    A pixel may move by two to where it fits. The distance is a part of what the image's own edges are worth:
    0 where all of it is found in the other image, 1 where nothing is. Of equal images, the first stands for
    all. Without -o the table goes to stdout.

    \b
    Examples:
      kmosaic neighbours digits --count 1 -o nearest.csv
      kmosaic neighbours photos/ --size 64x64 -o neighbours.csv --picture outliers.png
    """
    count = given.pop("count")
    search = Search(source, given.pop("deskew"), given.pop("threads"))
    force, quiet = given.pop("force"), given.pop("quiet")
    check_outputs([output, picture], overwrite=force)
    check_picture(picture, overwrite=force)
    images = read(source, Reading.taken_from({**given, "test_fraction": 0.0}), quiet=quiet)
    found = search.find(images, count, quiet=quiet)
    note_skipped(images)
    if output is None:
        say_rows(_HEADER, _rows(images, found))
    else:
        write_assignments(output, _HEADER, _rows(images, found), overwrite=force)
        say(_words(images, found))
    if picture is not None:
        _draw(images, found, picture, overwrite=force)
    if output is not None:
        say(written([path for path in (output, picture) if path is not None]))


def read(source: str, reading: Reading, *, quiet: bool) -> ImageCollection:
    """Read the images of ``source``, of which there must be two.

    Raises
    ------
    DataError
        When they cannot be read, or there is one alone.
    """
    note_missing_data_folder(reading.data_dir, source)
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.errors import DataError
    from kmosaic.images import load_dataset

    with ProgressBar(quiet=quiet) as bar:
        images = load_dataset(source, reading.options(), bar).train
    if len(images) < 2:
        raise DataError(f"{source} has one image; neighbours need at least two")
    return images


@dataclass(frozen=True)
class Search:
    """How neighbours of the images of ``source`` are sought."""

    source: str
    deskew: bool | None
    threads: int | None

    def find(self, images: ImageCollection, count: int, *, quiet: bool) -> ImageNeighbors:
        """Find ``count`` neighbours of each image."""
        from kmosaic.cli.progress import ProgressBar
        from kmosaic.features import GraphEmbedding, StageProgress

        with ProgressBar(quiet=quiet) as bar:
            pixels = upright(images, self.source, self.deskew, self.threads, bar)
            graph = GraphEmbedding(
                n_neighbors=count,
                n_candidates=max(50, 2 * count),
                image_shape=images.format.shape,
                n_threads=self.threads,
                callback=StageProgress(bar),
            )
            return graph.neighbors(pixels)


def _rows(images: ImageCollection, found: ImageNeighbors) -> Iterator[tuple[object, ...]]:
    from kmosaic.features.duplicates import first_rows

    first = first_rows(found)
    for row, node in enumerate(found.nodes):
        pairs = zip(found.indices[node], found.distances[node], strict=True)
        for rank, (other, distance) in enumerate(pairs, start=1):
            yield images.ids[row], rank, images.ids[first[other]], f"{distance:.4f}"


def _outliers(found: ImageNeighbors) -> NDArray[np.intp]:
    import numpy as np

    from kmosaic.features.duplicates import nearest_distances

    return np.argsort(-nearest_distances(found), kind="stable")[:_MOST_OUTLIERS]


def _words(images: ImageCollection, found: ImageNeighbors) -> str:
    names = ", ".join(images.ids[row] for row in _outliers(found))
    return f"{plural(len(images), 'image')}; least like any other, the first least of all: {names}"


def _draw(images: ImageCollection, found: ImageNeighbors, path: Path, *, overwrite: bool) -> None:
    from kmosaic.features.duplicates import first_rows
    from kmosaic.report import save_figure
    from kmosaic.report.rows import PictureRow, image_rows

    first = first_rows(found)
    rows = []
    for row in _outliers(found):
        node = found.nodes[row]
        others = first[found.indices[node]].tolist()
        rows.append(PictureRow([int(row), *others], [None, *found.distances[node].tolist()]))
    explanation = "Each line: an image, then those most like it, with their distances from it."
    title = f"The {plural(len(rows), 'image')} least like any other"
    save_figure(image_rows(images, rows, title, explanation), path, overwrite=overwrite)
