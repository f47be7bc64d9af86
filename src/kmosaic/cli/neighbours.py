"""``kmosaic neighbours``: which images are most like each, and which are like none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import print_results, print_rows, report_skipped, written
from kmosaic.cli.features import deskew_option, deskewed, report_recall
from kmosaic.cli.options import (
    WholeNumber,
    command,
    ending_options,
    option_group,
    path_option,
    reading_options,
    threads_option,
)
from kmosaic.cli.outputs import check_picture, check_table, write_assignments
from kmosaic.cli.request import Options, Reading, warn_missing_data_folder
from kmosaic.cli.vectors import Vectors, optional_source_argument, vectors_options
from kmosaic.files import check_outputs
from kmosaic.text import count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kmosaic.features.graph import ImageNeighbors
    from kmosaic.images import ImageCollection, VectorCollection
    from kmosaic.images.collection import Collection

_HEADER = ("id", "rank", "neighbour", "distance")
_MAX_OUTLIERS = 10


@command(short_help="List the images most like each, and those like none.")
@optional_source_argument
@option_group(
    "Neighbours",
    click.option("--count", type=WholeNumber(1, 100), default=5, help="Neighbours of each image."),
    deskew_option,
)
@reading_options
@vectors_options
@option_group(
    "Output",
    path_option(
        "-o",
        "--output",
        help="Where to write the table, CSV, .json or .parquet: id, rank, neighbour, distance.",
    ),
    path_option(
        "--picture",
        help=f"Draw the {_MAX_OUTLIERS} images least like any other, and their neighbours, as PNG or SVG.",
    ),
)
@threads_option
@ending_options
def neighbours(source: str | None, output: Path | None, picture: Path | None, **given: Any) -> None:
    """Find the images in SOURCE that are most like each image of it, by the image distortion model.

    A pixel may move by two to where it fits. The distance is a part of what the image's own edges are worth:
    0 where all of it is found in the other image, 1 where nothing is. Of equal images, the first stands for
    all. With --vectors these are compared, by their Euclidean distance. Without -o the table goes to stdout.

    \b
    Examples:
      kmosaic neighbours digits --count 1 -o nearest.csv
      kmosaic neighbours photos/ --size 64x64 -o neighbours.csv --picture outliers.png
      kmosaic neighbours photos/ --vectors embeddings.npy --normalise -o neighbours.csv
    """
    vectors = Vectors.taken_from({**given, "source": source})
    reading = Reading.taken_from({**given, "test_fraction": 0.0})
    search = Search.taken_from({**given, "source": source or "", "output": output, "picture": picture})
    images: Collection
    if vectors.given:
        images, neighbors = _of_vectors(search, vectors, source, reading, given["count"])
    else:
        images = search.read(reading)
        neighbors = search.find(images, given["count"], exact=vectors.exact)
        report_recall(neighbors.recall)
    search.write(images, _HEADER, _rows(images, neighbors), _summary(images, neighbors))
    if picture is not None and images.images is not None:
        _draw(images.images, neighbors, picture, overwrite=search.force)
    search.report_written(drawn=True)


def _of_vectors(
    search: Search, vectors: Vectors, source: str | None, reading: Reading, n_neighbors: int
) -> tuple[VectorCollection, ImageNeighbors]:
    """Read vectors, and find those nearest to each."""
    if search.picture is not None and source is None:
        raise click.UsageError("--picture draws images; name SOURCE, where they are, or leave it out")
    search.check_outputs()
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.errors import DataError
    from kmosaic.features import StageProgress, VectorGraph

    with ProgressBar(quiet=search.quiet) as bar:
        collection = vectors.load(source, reading.options(), bar).train
        if len(collection) < 2:
            raise DataError(f"{vectors.vectors} has one vector; neighbours need at least two")
        rows = vectors.recipe(collection).fit_transform(
            collection.rows, n_threads=search.threads, progress=bar
        )
        graph = VectorGraph(
            n_neighbors=n_neighbors,
            exact=vectors.exact or None,
            n_threads=search.threads,
            callback=StageProgress(bar),
        )
        neighbors = graph.neighbors(rows)
    report_recall(neighbors.recall)
    return collection, neighbors


@dataclass(frozen=True)
class Search(Options):
    """A search for neighbours of the images of ``source``, and where its results go."""

    source: str
    output: Path | None
    picture: Path | None
    deskew: bool | None
    threads: int | None
    force: bool
    quiet: bool

    def check_outputs(self) -> None:
        """Check that the outputs can be written."""
        check_outputs([self.output, self.picture], overwrite=self.force)
        check_table(self.output)
        check_picture(self.picture, overwrite=self.force)

    def read(self, reading: Reading) -> ImageCollection:
        """Read the images, once it is known that the outputs can be written.

        Raises DataError when they cannot be read, or there is one alone.
        """
        self.check_outputs()
        warn_missing_data_folder(reading.data_dir, self.source)
        from kmosaic.cli.progress import ProgressBar
        from kmosaic.errors import DataError
        from kmosaic.images import load_dataset

        with ProgressBar(quiet=self.quiet) as bar:
            images = load_dataset(self.source, reading.options(), bar).train
        if len(images) < 2:
            raise DataError(f"{self.source} has one image; neighbours need at least two")
        return images

    def find(self, images: ImageCollection, n_neighbors: int, *, exact: bool = False) -> ImageNeighbors:
        """Find the nearest of each image."""
        from kmosaic.cli.progress import ProgressBar
        from kmosaic.features import GraphEmbedding, StageProgress

        with ProgressBar(quiet=self.quiet) as bar:
            pixels = deskewed(images, self.source, self.deskew, self.threads, bar)
            graph = GraphEmbedding(
                n_neighbors=n_neighbors,
                n_candidates=max(50, 2 * n_neighbors),
                exact=exact or None,
                image_shape=images.format.shape,
                n_threads=self.threads,
                callback=StageProgress(bar),
            )
            return graph.neighbors(pixels)

    def write(
        self, images: Collection, header: Sequence[str], rows: Iterator[tuple[object, ...]], summary: str
    ) -> None:
        """Write the table, on stdout or into the output; then a sentence sums it up."""
        report_skipped(images.skipped)
        if self.output is None:
            print_rows(header, rows)
        else:
            write_assignments(self.output, header, rows, overwrite=self.force)
            print_results(summary)

    def report_written(self, *, drawn: bool) -> None:
        """Name the files that were written, unless the table is on stdout."""
        if self.output is not None:
            picture = self.picture if drawn else None
            print_results(written([path for path in (self.output, picture) if path is not None]))


def _rows(images: Collection, neighbors: ImageNeighbors) -> Iterator[tuple[object, ...]]:
    from kmosaic.features.drawings import first_rows

    first = first_rows(neighbors)
    for row, node in enumerate(neighbors.nodes):
        pairs = zip(neighbors.indices[node], neighbors.distances[node], strict=True)
        for rank, (other, distance) in enumerate(pairs, start=1):
            yield images.ids[row], rank, images.ids[first[other]], f"{distance:.4f}"


def _outliers(neighbors: ImageNeighbors) -> NDArray[np.intp]:
    import numpy as np

    from kmosaic.features.drawings import nearest_distances

    return np.argsort(-nearest_distances(neighbors), kind="stable")[:_MAX_OUTLIERS]


def _summary(images: Collection, neighbors: ImageNeighbors) -> str:
    names = ", ".join(images.ids[row] for row in _outliers(neighbors))
    what = "image" if images.images is not None else "vector"
    return f"{count(len(images), what)}; least like any other, the first least of all: {names}"


def _draw(images: ImageCollection, neighbors: ImageNeighbors, path: Path, *, overwrite: bool) -> None:
    from kmosaic.features.drawings import first_rows
    from kmosaic.report import save_figure
    from kmosaic.report.rows import PictureRow, image_rows

    first = first_rows(neighbors)
    rows = []
    for row in _outliers(neighbors):
        node = neighbors.nodes[row]
        others = first[neighbors.indices[node]].tolist()
        rows.append(PictureRow([int(row), *others], [None, *neighbors.distances[node].tolist()]))
    explanation = "Each line: an image, then those most like it, with their distances from it."
    title = f"The {count(len(rows), 'image')} least like any other"
    save_figure(image_rows(images, rows, title, explanation), path, overwrite=overwrite)
