"""``kmosaic fit``: group the images of a source, name the groups, and keep the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import (
    Column,
    in_seconds,
    inertia_words,
    print_results,
    print_table,
    report_skipped,
    warn_crowded,
    written,
)
from kmosaic.cli.errors import given_command
from kmosaic.cli.features import FeatureMatrix, features_options
from kmosaic.cli.options import (
    WholeNumber,
    command,
    ending_options,
    estimator_options,
    option_group,
    path_option,
    picture_format_option,
    pictures_option,
    reading_options,
    test_fraction_option,
    tree_options,
)
from kmosaic.cli.outputs import (
    check_model_name,
    check_pictures_folder,
    check_report_name,
    check_table,
    label_texts,
    write_assignments,
    write_pictures,
)
from kmosaic.cli.request import Fitting, provenance, warn_missing_data_folder
from kmosaic.cli.save_vectors import SavedVectors, save_vectors_options
from kmosaic.cli.sorting import ClusteredImages, Sorting, sorting_options
from kmosaic.cli.thumbnails import ThumbnailFolder, thumbnails_option
from kmosaic.cli.vectors import Input, optional_source_argument, vectors_options
from kmosaic.files import check_outputs
from kmosaic.text import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kmosaic.cli.progress import ProgressBar
    from kmosaic.cli.request import Estimator
    from kmosaic.evaluate import ClusterSummary
    from kmosaic.features import ClusterPictures
    from kmosaic.images import Dataset, ImageCollection, ReadOptions, SkippedFile
    from kmosaic.images.collection import Collection

_PICTURES = (
    "first-images",
    "centroids",
    "medoids",
    "members",
    "cluster-sizes",
    "confusion-matrix",
    "inertia-history",
)
_CLUSTERS_IN_MEMBERS = 12
_MAX_CLUSTERS_LISTED = 40


@dataclass(frozen=True)
class _Request:
    """Everything a fit was asked for, besides reading and fitting."""

    source: str | None
    clusters: int
    seed: int
    output: Path | None
    labels: Path | None
    report: Path | None
    thumbnails: ThumbnailFolder | None
    saving: SavedVectors | None
    pictures: Path | None
    picture_format: str
    sorting: Sorting
    force: bool
    quiet: bool
    command: str

    def check_outputs(self) -> None:
        outputs = (self.output, self.labels, self.report, self.pictures, self.saving)
        if not any((*outputs, self.sorting.asked)):
            raise click.UsageError(
                "name what to write: -o MODEL, --labels CSV, --report HTML, --pictures DIR or --sort-into DIR"
            )
        self.sorting.check(self.source, force=self.force)
        check_model_name(self.output)
        check_report_name(self.report)
        check_table(self.labels)
        saved = None if self.saving is None else self.saving.path
        files = (self.output, self.labels, self.report, saved, *self.sorting.tables)
        check_outputs(files, overwrite=self.force)
        if self.thumbnails is not None:
            others = (*files, self.pictures, self.sorting.sort_into)
            self.thumbnails.check(others, overwrite=self.force)
        if self.pictures is not None:
            names = [f"{name}.{self.picture_format}" for name in _PICTURES]
            check_pictures_folder(self.pictures, names, overwrite=self.force)


@dataclass(frozen=True, eq=False)
class _Finished:
    """A fit, and what it makes of the images it was fitted on and of those held out.

    ``shown`` are the clusters' pictures, where the centroids are none; the summaries have the estimator's own
    centroids.
    """

    dataset: Dataset[Collection]
    matrix: FeatureMatrix
    shown: ClusterPictures | None
    estimator: Estimator
    summary: ClusterSummary
    test_summary: ClusterSummary | None
    fit_seconds: float

    @property
    def images(self) -> ImageCollection | None:
        """The images fitted on, or, of vectors, those they are of; None where there are none."""
        return self.dataset.train.images

    @property
    def unreadable(self) -> tuple[SkippedFile, ...]:
        """The files of pictures that turned out to be damaged when they were looked at."""
        from kmosaic.images.thumbnails import FilePixels

        pixels: object = None if self.images is None else self.images.pixels
        return pixels.unreadable if isinstance(pixels, FilePixels) else ()

    @property
    def of_vectors(self) -> bool:
        """Whether vectors were clustered, whose centroids are no images."""
        from kmosaic.images import VectorCollection

        return isinstance(self.dataset.train, VectorCollection)

    @property
    def what(self) -> str:
        """What was clustered."""
        return "vector" if self.of_vectors else "image"

    @property
    def spherical(self) -> bool:
        from kmosaic.evaluate.summary import is_spherical

        return is_spherical(self.estimator)

    @property
    def accuracy_test(self) -> float | None:
        return None if self.test_summary is None else self.test_summary.accuracy

    @property
    def pictured(self) -> ClusterSummary:
        """The summary with an image for every centroid; directions are as bright as images can be."""
        if self.of_vectors:
            return self.summary
        if self.shown is None and self.spherical and self.images is not None:
            from kmosaic.models.image_model import brightened

            white = self.images.format.max_value
            return replace(self.summary, cluster_centers=brightened(self.summary.cluster_centers, white))
        if self.shown is None:
            return self.summary
        return replace(self.summary, cluster_centers=self.shown.means)


@command(short_help="Group images into clusters, and keep the result.")
@optional_source_argument
@reading_options
@test_fraction_option(0.0)
@features_options
@vectors_options
@option_group(
    "Clustering",
    click.option(
        "--clusters",
        type=WholeNumber(1),
        required=True,
        metavar="K",
        help="The number of clusters; `kmosaic sweep SOURCE` helps to choose it.",
    ),
    click.option(
        "--seed", type=WholeNumber(0, 2**32 - 1), default=0, help="The same seed, the same clusters."
    ),
)
@estimator_options()
@tree_options
@option_group(
    "Output",
    path_option("-o", "--output", help="Write the model, for `kmosaic predict` and `kmosaic show`."),
    path_option(
        "--labels", help="Write the cluster of every image, and its distance: as CSV, .json or .parquet."
    ),
    path_option("--report", help="Write a report: one HTML file with pictures of every group."),
    thumbnails_option,
    save_vectors_options,
    pictures_option,
    picture_format_option,
    sorting_options,
)
@ending_options
@click.pass_context
def fit(ctx: click.Context, /, **given: Any) -> None:
    """Group the images of SOURCE into clusters.

    Where the images have labels, every cluster is named after its most common one. All images are fitted on,
    save the test set of data that was published with one, or the share held out by --test-fraction. With
    --features, images are clustered as these, and a cluster is shown as the mean of its images. With
    --vectors, the vectors of a file are clustered, and SOURCE has the pictures that they are of, or is left
    out.

    \b
    Examples:
      kmosaic fit digits --clusters 36 -o digits.kmosaic --report digits.html
      kmosaic fit mnist --clusters 256 --features gradients -o mnist.kmosaic
      kmosaic fit photos/ --clusters 20 --size 64x64 -o photos.kmosaic --labels labels.csv
      kmosaic fit photos/ --clusters 20 --size 64x64 --sort-into sorted/ --outliers outliers.csv
      kmosaic fit scans/ --clusters 8 --size 48x64 --fit crop --grey --pictures pictures/
      kmosaic fit photos/ --vectors embeddings.npy --clusters 100 --report photos.html
    """
    fitting, asked = Fitting.taken_from(given), Input.taken_from(given)
    sorting = Sorting.taken_from(given)
    saved = given.pop("save_vectors"), given.pop("vectors_dtype")
    saving = SavedVectors.asked(*saved, overwrite=given["force"])
    thumbnails = ThumbnailFolder.asked(given.pop("thumbnails"), given["report"], given["source"])
    command = given_command(ctx)
    request = _Request(**given, thumbnails=thumbnails, saving=saving, sorting=sorting, command=command)
    request.check_outputs()
    warn_missing_data_folder(asked.reading.data_dir, request.source or "")
    finished = _run(request, asked, fitting)
    report_skipped(finished.dataset.train.skipped)
    paths = list(_write(request, asked, finished))
    report_skipped(finished.unreadable)
    _print_result(finished)
    if paths:
        print_results(written(paths))
    sorting.sort(request.source, list(_clustered(finished)), quiet=request.quiet)
    if not request.quiet:
        print_results(f"Next: {_next(request, finished)}")


def _run(request: _Request, asked: Input, fitting: Fitting) -> _Finished:
    from kmosaic.cli.progress import FitProgress, ProgressBar
    from kmosaic.evaluate import summarise

    estimator = fitting.estimator(request.clusters, request.seed)
    with ProgressBar(quiet=request.quiet) as bar:
        dataset, recipe = asked.load(request.source, request.seed, request.clusters, bar)
        train = dataset.train
        matrix = FeatureMatrix.fitted(
            recipe,
            train,
            fitting.threads,
            bar,
            saving=request.saving,
            whole=fitting.algorithm not in ("kmeans", "minibatch"),
        )
        estimator.callback = FitProgress(bar, len(train), f"k={request.clusters}")
        start = time.perf_counter()
        estimator.fit(matrix.rows)
        seconds = time.perf_counter() - start
        estimator.callback = None
        bar.start_over("naming clusters")
        summary = summarise(
            estimator, matrix.rows, train.labels, label_names=train.label_names, labels=estimator.labels_
        )
        if fitting.algorithm not in ("kmeans", "spherical"):
            # Pictures and reports show J after every half step; others have one estimate a batch, or a split.
            summary = replace(summary, inertia_history=summary.inertia_history[:0])
        return _Finished(
            dataset,
            matrix,
            matrix.pictures(train, estimator),
            estimator,
            summary,
            _test_summary(dataset, matrix, estimator, summary, bar),
            seconds,
        )


def _test_summary(
    dataset: Dataset[Collection],
    matrix: FeatureMatrix,
    estimator: Estimator,
    summary: ClusterSummary,
    bar: ProgressBar,
) -> ClusterSummary | None:
    from kmosaic.evaluate import summarise

    test, naming = dataset.test, _naming(summary)
    if test is None:
        return None
    rows = matrix.test_rows(test, estimator.n_threads, bar)
    if naming is None:
        return summarise(estimator, rows)
    return summarise(estimator, rows, test.labels, label_names=test.label_names, naming=naming)


def _naming(summary: ClusterSummary) -> Any:
    from kmosaic.models.image_model import ClusterNaming

    if summary.cluster_names is None or summary.label_names is None or summary.label_shares is None:
        return None
    return ClusterNaming(summary.cluster_names, summary.label_names, summary.label_shares)


def _print_result(finished: _Finished) -> None:
    summary, dataset = finished.summary, finished.dataset
    ended = "converged after" if summary.converged else "stopped before it converged, after"
    rows = f"{count(len(dataset.train), finished.what)} in {count(summary.n_clusters, 'cluster')}"
    print_results(
        f"{dataset.name}: {rows}, "
        f"{inertia_words(summary.inertia, finished.matrix.feature_name, spherical=finished.spherical)}, "
        f"{ended} {count(summary.n_iter, 'iteration')} in {in_seconds(finished.fit_seconds)} s"
    )
    finished.matrix.report(dataset.train)
    if summary.n_clusters <= _MAX_CLUSTERS_LISTED:
        _show_clusters(summary)
    else:
        print_results(f"(table of clusters left out: more than {_MAX_CLUSTERS_LISTED}; the report has it)")
    largest = int(summary.cluster_sizes.argmax())
    share = float(summary.cluster_sizes[largest]) / len(dataset.train)
    warn_crowded(share, summary.n_clusters, f"cluster {largest}", finished.what)
    if summary.accuracy is not None:
        right = f"{summary.accuracy:.1%} of the {finished.what}s fitted on"
        print_results(f"Naming clusters by majority vote is right for {right}")
    if finished.accuracy_test is not None and dataset.test is not None:
        origin = f"{count(len(dataset.test), f'test {finished.what}')} ({dataset.test_origin})"
        print_results(f"and for {finished.accuracy_test:.1%} of {origin}")


def _show_clusters(summary: ClusterSummary) -> None:
    columns = [Column("cluster"), Column("images"), Column("name", "left"), Column("purity")]
    if summary.cluster_names is None or summary.cluster_purity is None:
        print_table(columns[:2], [(f"{i}", f"{n:,}") for i, n in enumerate(summary.cluster_sizes)])
        return
    lines = zip(summary.cluster_sizes, summary.cluster_names, summary.cluster_purity, strict=True)
    rows = [
        (f"{i}", f"{n:,}", name, f"{purity:.0%}" if n else "") for i, (n, name, purity) in enumerate(lines)
    ]
    print_table(columns, rows)


def _write(request: _Request, asked: Input, finished: _Finished) -> Iterator[Path]:
    if request.saving is not None:
        yield request.saving.path
    if request.output is not None:
        _write_model(request, request.output, finished)
        yield request.output
    if request.labels is not None:
        _write_labels(request.labels, finished, overwrite=request.force)
        yield request.labels
    if request.report is not None:
        _write_report(request, request.report, asked.reading.options(), finished)
        yield request.report
        if request.thumbnails is not None:
            yield request.thumbnails.folder
    if request.pictures is not None:
        yield from write_pictures(
            request.pictures, _figures(finished), request.picture_format, overwrite=request.force
        )
    yield from request.sorting.write_tables(next(_clustered(finished)), force=request.force)


def _clustered(finished: _Finished) -> Iterator[ClusteredImages]:
    """The images fitted on, and those held out, if any."""
    names = finished.summary.cluster_names
    yield ClusteredImages(finished.dataset.train.ids, finished.summary, names)
    if finished.dataset.test is not None and finished.test_summary is not None:
        yield ClusteredImages(finished.dataset.test.ids, finished.test_summary, names)


def _write_model(request: _Request, path: Path, finished: _Finished) -> None:
    from kmosaic.cluster import save_model
    from kmosaic.models.image_model import Model, Origin

    train = finished.dataset.train
    origin = Origin(trained_on=train.source, command=request.command)
    model = Model.from_fit(
        finished.estimator,
        None if finished.of_vectors or finished.images is None else finished.images.format,
        naming=_naming(finished.summary),
        origin=origin,
        representation=finished.matrix.representation(train, finished.shown),
    )
    save_model(model, path, overwrite=request.force)


def _write_labels(path: Path, finished: _Finished, *, overwrite: bool) -> None:
    def rows() -> Iterator[tuple[object, ...]]:
        yield from _label_rows(finished.dataset.train, finished.summary, "train")
        if finished.dataset.test is not None and finished.test_summary is not None:
            yield from _label_rows(finished.dataset.test, finished.test_summary, "test")

    write_assignments(
        path, ("id", "cluster", "name", "distance", "label", "part"), rows(), overwrite=overwrite
    )


def _label_rows(collection: Collection, summary: ClusterSummary, part: str) -> Iterator[tuple[object, ...]]:
    names = summary.cluster_names or [""] * summary.n_clusters
    for row, label in enumerate(label_texts(collection)):
        cluster = int(summary.labels[row])
        yield collection.ids[row], cluster, names[cluster], float(summary.distances[row]), label, part


def _write_report(request: _Request, path: Path, reading: ReadOptions, finished: _Finished) -> None:
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.evaluate.peak_memory import peak_resident_bytes
    from kmosaic.report import FitReport, write_fit_report

    test = finished.dataset.test
    parameters = finished.estimator.get_params(deep=False)
    parameters.pop("callback")
    report = FitReport(
        collection=finished.dataset.train,
        summary=finished.pictured,
        rows=finished.matrix.rows if finished.of_vectors else None,
        provenance=provenance(request.command, (request.seed,)),
        algorithm=type(finished.estimator).__name__,
        parameters=parameters,
        fit_seconds=finished.fit_seconds,
        peak_memory_bytes=peak_resident_bytes(),
        accuracy_test=finished.accuracy_test,
        n_test=None if test is None else len(test),
        test_origin=finished.dataset.test_origin,
        features=finished.matrix.feature_name,
        features_seconds=finished.matrix.seconds if finished.matrix.recipe.steps else None,
        medoids=None if finished.shown is None else finished.shown.medoids,
        centroids=finished.summary.cluster_centers,
    )
    with ProgressBar(quiet=request.quiet) as bar:
        bar.start_over("writing the report")
        thumbnails = None
        if request.thumbnails is not None and finished.images is not None:
            thumbnails = request.thumbnails.of(finished.images, reading, bar)
        write_fit_report(path, replace(report, thumbnails=thumbnails), overwrite=request.force)


def _figures(finished: _Finished) -> dict[str, Callable[[], Figure]]:
    """The pictures this fit has, by the names of their files; each is drawn when called."""
    from kmosaic import report
    from kmosaic.text import inertia_units

    summary, images = finished.pictured, finished.images
    texts = report.MosaicText(names=summary.cluster_names, sizes=summary.cluster_sizes)
    shown = report.clusters_to_show(summary, _CLUSTERS_IN_MEMBERS)
    figures: dict[str, Callable[[], Figure]] = {}
    if images is not None:
        figures["first-images"] = lambda: report.first_images(images)
        figures["members"] = lambda: report.cluster_members(finished.dataset.train, summary, shown)
    if images is not None and not finished.of_vectors:
        figures["centroids"] = lambda: report.centroid_mosaic(summary.cluster_centers, images.format, texts)
    if images is not None and (finished.shown is not None or finished.of_vectors):
        shown_as = None if finished.shown is None else finished.shown.medoids
        nearest = report.medoid_pixels(images, summary, shown_as)
        titled = replace(texts, title=f"{count(len(nearest), 'medoid')}, each the image nearest its centroid")
        figures["medoids"] = lambda: report.centroid_mosaic(nearest, images.format, titled)
    figures["cluster-sizes"] = lambda: report.cluster_sizes(summary)
    if summary.confusion is not None:
        figures["confusion-matrix"] = lambda: report.confusion_matrix(finished.test_summary or summary)
    if len(summary.inertia_history):
        units = inertia_units(finished.matrix.feature_name, spherical=finished.spherical)
        figures["inertia-history"] = lambda: report.inertia_history(summary, units=units)
    return figures


def _next(request: _Request, finished: _Finished) -> str:
    import shlex

    if request.output is None:
        return "add -o MODEL to keep the clusters for `kmosaic predict` and `kmosaic show`"
    model = shlex.quote(str(request.output))
    if finished.of_vectors:
        pictures = " NEW-IMAGES" if request.source else ""
        return f"kmosaic predict {model}{pictures} --vectors NEW-VECTORS -o predictions.csv"
    return f"kmosaic show {model} -o centroids.png; kmosaic predict {model} NEW-IMAGES -o predictions.csv"
