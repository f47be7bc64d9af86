"""``kmosaic predict``: the cluster of new images, by a model that was fitted before."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import print_notes, print_results, print_rows, report_skipped, written
from kmosaic.cli.options import (
    command,
    data_dir_option,
    ending_options,
    labels_from_option,
    option_group,
    path_option,
    strict_option,
    threads_option,
)
from kmosaic.cli.outputs import check_table, label_texts, write_assignments
from kmosaic.cli.request import warn_missing_data_folder
from kmosaic.cli.sorting import ClusteredImages, Sorting, sorting_options
from kmosaic.cli.vectors import Vectors, optional_source_argument, vector_file_options
from kmosaic.errors import DataError
from kmosaic.files import check_outputs
from kmosaic.text import count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kmosaic.cli.progress import ProgressBar
    from kmosaic.cluster import Model
    from kmosaic.evaluate import ClusterSummary
    from kmosaic.features import Recipe
    from kmosaic.images import ReadOptions
    from kmosaic.images.collection import Collection

_HEADER = ("id", "cluster", "name", "distance")


@dataclass(frozen=True)
class _Choices:
    """The options of predict that more than one step asks for."""

    source: str | None
    features: str | None
    names: Path | None
    labels_from: str
    strict: bool
    data_dir: Path | None
    force: bool
    quiet: bool


@dataclass(frozen=True, eq=False)
class _Predicted:
    """New images, and where a model puts them."""

    model: Model
    images: Collection
    summary: ClusterSummary
    names: tuple[str, ...] | None


@command(short_help="Find the cluster of every new image, by a model.")
@click.argument("model", type=click.Path(path_type=Path))
@optional_source_argument
@option_group(
    "The model",
    click.option(
        "--features",
        metavar="NAME",
        help="The features that the model was fitted on, which it knows itself; needed only where the file "
        "of onnx:FILE has moved.",
    ),
    path_option(
        "--names",
        help="Take the clusters' names from this file, exported from the model's report. A cluster without "
        "one keeps the model's name for it, or has its number.",
    ),
)
@option_group("Reading images", labels_from_option, strict_option, data_dir_option)
@vector_file_options
@option_group(
    "Output",
    path_option(
        "-o",
        "--output",
        help="Where to write the table, as CSV, .json or .parquet: id, cluster, name, distance.",
    ),
)
@sorting_options
@threads_option
@ending_options
def predict(model: Path, output: Path | None, threads: int | None, **given: Any) -> None:
    """Find the cluster of every image in SOURCE, by a MODEL made with `kmosaic fit`.

    SOURCE is as for `kmosaic fit`, or one image file. A model of vectors needs the --vectors of the new
    images, of which SOURCE has the pictures; or SOURCE is a file of vectors itself. Images are brought to the
    model's size and colours by the policy it was fitted with, and seen as it saw those it was fitted on. The
    distance is that to the cluster's centroid, in pixel values or the units of the model's features; without
    -o, and where nothing else is to be written, the table goes to stdout.

    \b
    Examples:
      kmosaic predict digits.kmosaic new-images/ -o predictions.csv
      kmosaic predict digits.kmosaic one-more.png
      kmosaic predict digits.kmosaic new-images/ --names names.json -o predictions.csv
      kmosaic predict photos.kmosaic new-photos/ --sort-into sorted/
      kmosaic predict photos.kmosaic new-photos/ --vectors new-embeddings.npy -o predictions.parquet
    """
    vectors = Vectors.taken_from(given)
    sorting = Sorting.taken_from(given)
    chosen = _Choices(**given)
    sorting.check(chosen.source, force=chosen.force)
    check_outputs([output, *sorting.tables], overwrite=chosen.force)
    check_table(output)
    warn_missing_data_folder(chosen.data_dir, chosen.source or "")
    result = _predict(model, threads, chosen, vectors)
    report_skipped(result.images.skipped)
    _warn_converted(result)
    if output is None and not sorting.asked:
        print_rows(_HEADER, _rows(result))
        return
    images = ClusteredImages(result.images.ids, result.summary, result.names)
    paths = list(sorting.write_tables(images, force=chosen.force))
    if output is not None:
        write_assignments(output, _HEADER, _rows(result), overwrite=chosen.force)
        paths.insert(0, output)
    print_results(*_summary(result), *([written(paths)] if paths else []))
    sorting.sort(chosen.source, [images], quiet=chosen.quiet)
    if not chosen.quiet and output is not None:
        print_results(
            f"Next: sort {output} by distance; the images far from every centroid are unlike those fitted on"
        )


def _predict(path: Path, threads: int | None, chosen: _Choices, vectors: Vectors) -> _Predicted:
    from kmosaic.cli.progress import ImageProgress, ProgressBar
    from kmosaic.cluster import load_model
    from kmosaic.evaluate import read_names, summarise
    from kmosaic.features import Recipe
    from kmosaic.images import ReadOptions

    model = load_model(path)
    recipe = Recipe.of(model, chosen.features)
    names = model.cluster_names
    if chosen.names is not None:
        names = _names_for_all(read_names(chosen.names, model.n_clusters), names)
    with ProgressBar(quiet=chosen.quiet) as bar:
        options = ReadOptions(
            strict=chosen.strict, data_dir=chosen.data_dir, labels_from=chosen.labels_from, test_fraction=0.0
        )
        images = _read(model, recipe, chosen.source, vectors, options, bar)
        bar.start_over("finding the nearest centroids")
        rows = recipe.transform(images.rows, n_threads=threads, progress=ImageProgress(bar))
        summary = summarise(model, rows, labels=_labels(model, rows, threads))
    return _Predicted(model, images, summary, names)


def _labels(model: Model, rows: NDArray[Any], threads: int | None) -> NDArray[np.int32] | None:
    """The cluster of each row; None for those in files, which are better read where they are summarised."""
    import numpy as np

    return model.predict(rows, n_threads=threads) if isinstance(rows, np.ndarray) else None


def _read(
    model: Model,
    recipe: Recipe,
    source: str | None,
    vectors: Vectors,
    options: ReadOptions,
    bar: ProgressBar,
) -> Collection:
    """What is to be named: images in the model's form, rows, or vectors with their pictures."""
    from kmosaic.images import load_images

    assert source is not None or vectors.given  # or Vectors.taken_from had refused it
    if model.image is not None:
        if vectors.given or source is None:
            raise DataError("the model was fitted on images, not on vectors; leave --vectors out")
        return load_images(source, model.image, options, bar)
    return vectors.load_for(model, recipe, source, options, bar)


def _warn_converted(result: _Predicted) -> None:
    """Warn where images are of another size or colour than those fitted on were, as far as that is known."""
    from kmosaic.images import ImageCollection

    form = result.model.image
    if form is None or not isinstance(result.images, ImageCollection):
        return
    converted = result.images.converted
    # The size and the grey that a model was made with on request, its own images were brought to, too.
    asked = shlex.split(result.model.command or "")
    parts = []
    if converted.n_resized and not any(word.startswith("--size") for word in asked):
        parts.append(f"{count(converted.n_resized, 'image')} of {converted.sizes} resized by {form.fit}")
    if converted.n_greyed and "--grey" not in asked:
        parts.append(f"{count(converted.n_greyed, 'image')} in colour turned to grey")
    if parts:
        colour = "grey" if form.channels == 1 else "colour"
        print_notes(
            f"kmosaic: warning: the model was fitted on {form.width} x {form.height} images in {colour}, and "
            f"of the {count(len(result.images), 'image')} given, {' and '.join(parts)}; clusters mean "
            "little where images are unlike those fitted on"
        )


def _names_for_all(given: tuple[str, ...], own: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names given; a cluster without one keeps the model's name for it, or else has its number."""
    others = own or ("",) * len(given)
    return tuple(
        name.strip() or other.strip() or str(cluster)
        for cluster, (name, other) in enumerate(zip(given, others, strict=True))
    )


def _rows(result: _Predicted) -> Iterator[tuple[object, ...]]:
    names = result.names or ("",) * result.model.n_clusters
    for row, image in enumerate(result.images.ids):
        cluster = int(result.summary.labels[row])
        yield image, cluster, names[cluster], float(result.summary.distances[row])


def _summary(result: _Predicted) -> Iterator[str]:
    n_used = int((result.summary.cluster_sizes > 0).sum())
    n_images = count(len(result.images), "image" if result.model.image is not None else "row")
    yield f"{n_images} fell into {n_used:,} of {count(result.model.n_clusters, 'cluster')}"
    names = result.names
    if names is not None and result.images.labels is not None:
        labels = label_texts(result.images)
        right = sum(
            names[cluster] == label for cluster, label in zip(result.summary.labels, labels, strict=True)
        )
        yield f"The clusters' names are the images' own labels for {right / len(labels):.1%} of them"
