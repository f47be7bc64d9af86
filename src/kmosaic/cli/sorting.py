"""What fit and predict do with files of clustered images: folders of clusters, representatives, outliers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import print_results, report_files
from kmosaic.cli.options import WholeNumber, option_group, path_option
from kmosaic.cli.outputs import check_table, write_assignments
from kmosaic.cli.request import Options, refuse_without
from kmosaic.errors import OutputError
from kmosaic.files import check_output
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.evaluate import ClusterSummary
    from kmosaic.sorting import Placed

_REPRESENTATIVES = ("cluster", "name", "size", "rank", "id", "distance")
_OUTLIERS = ("id", "cluster", "name", "distance", "score")


sorting_options = option_group(
    "Files of clusters",
    path_option(
        "--sort-into",
        metavar="DIR",
        help="Link the files of a folder of images into this folder, a sub-folder for each cluster. "
        "Nothing is overwritten, and `kmosaic undo DIR` takes it back.",
    ),
    click.option(
        "--link",
        type=click.Choice(["hard", "symbolic", "copy"]),
        help="How files get there: hard links where the disk allows, else copies; symbolic links; or "
        "copies. [default: hard]",
    ),
    path_option("--representatives", help="Write the images nearest each centroid as CSV."),
    click.option("--per-cluster", type=WholeNumber(1), help="So many of each cluster. [default: 1]"),
    path_option(
        "--outliers",
        help="Write the images least like their cluster as CSV. Their score is the distance to the "
        "centroid over the cluster's median distance.",
    ),
    click.option("--outlier-count", type=WholeNumber(1), help="So many of them. [default: 100]"),
)


@dataclass(frozen=True)
class Sorting(Options):
    """The options about the images of clusters."""

    sort_into: Path | None
    link: Any
    representatives: Path | None
    per_cluster: int | None
    outliers: Path | None
    outlier_count: int | None

    @property
    def tables(self) -> tuple[Path | None, ...]:
        return self.representatives, self.outliers

    @property
    def asked(self) -> bool:
        return any((self.sort_into, *self.tables))

    def check(self, source: str | None, *, force: bool) -> None:
        """Check before the long work that files can be sorted.

        Raises click.UsageError where an option lacks the one it goes with, DataError where ``source`` has no
        files, OutputError where the folder cannot be made, or, unless ``force``, is not empty.
        """
        if self.sort_into is None:
            refuse_without("--sort-into", link=self.link)
        if self.representatives is None:
            refuse_without("--representatives", per_cluster=self.per_cluster)
        if self.outliers is None:
            refuse_without("--outliers", outlier_count=self.outlier_count)
        for table in self.tables:
            check_table(table)
        if self.sort_into is None:
            return
        if source is None:
            raise click.UsageError("--sort-into needs SOURCE, the folder whose files it sorts")
        from kmosaic.images.datasets import check_has_files
        from kmosaic.sorting import check_apart

        check_has_files(source)
        check_apart(Path(source), self.sort_into)
        _check_folder(self.sort_into, force=force)

    def write_tables(self, images: ClusteredImages, *, force: bool) -> Iterator[Path]:
        """Write the tables that were asked for; yield the path of each."""
        if self.representatives is not None:
            rows = _representatives(images, self.per_cluster or 1)
            write_assignments(self.representatives, _REPRESENTATIVES, rows, overwrite=force)
            yield self.representatives
        if self.outliers is not None:
            rows = _outliers(images, self.outlier_count or 100)
            write_assignments(self.outliers, _OUTLIERS, rows, overwrite=force)
            yield self.outliers

    def sort(self, source: str | None, parts: Sequence[ClusteredImages], *, quiet: bool) -> None:
        """Place the files of all ``parts`` where that was asked for, and say what was done."""
        if self.sort_into is None or source is None:
            return
        from kmosaic.cli.progress import ProgressBar
        from kmosaic.sorting import cluster_folders, files_of, place_files, sorted_by_cluster

        folders = cluster_folders(parts[0].summary.n_clusters, parts[0].names)
        ids = [name for part in parts for name in part.ids]
        labels = [int(label) for part in parts for label in part.summary.labels]
        placements = sorted_by_cluster(files_of(Path(source), ids), labels, folders)
        with ProgressBar(quiet=quiet) as bar:
            placed = place_files(placements, self.sort_into, self.link or "hard", bar)
        print_results(f"Sorted into {self.sort_into}: {placed.in_words()}")
        if not quiet:
            print_results(f"To take it back: kmosaic undo {shlex.quote(str(placed.manifest))}")
        report_failed(placed, "placed")


@dataclass(frozen=True, eq=False)
class ClusteredImages:
    """Images by their ids, the clusters they fell into, and what these are called, if known."""

    ids: Sequence[str]
    summary: ClusterSummary
    names: Sequence[str] | None

    def name(self, cluster: int) -> str:
        return "" if self.names is None else self.names[cluster]


def _check_folder(folder: Path, *, force: bool) -> None:
    if folder.is_dir() and not force and any(folder.iterdir()):
        raise OutputError(
            f"{folder} is not empty; name another, or sort into it all the same (--force): nothing in it is "
            "overwritten"
        )
    check_placing(folder)


def check_placing(folder: Path) -> None:
    """Check that files can be placed in ``folder``, which may be there. Raises OutputError where not."""
    from kmosaic.sorting import MANIFEST_NAME

    check_output(folder / MANIFEST_NAME if folder.is_dir() else folder, overwrite=folder.is_dir())


def report_failed(placed: Placed, what: str) -> None:
    """Name the files that could not be ``what``. Raises OutputError where there are any."""
    if not placed.failed:
        return
    report_files(placed.failed, f"could not be {what}")
    files = count(len(placed.failed), "file")
    raise OutputError(f"{files} could not be {what}, for the reasons above")


def _representatives(images: ClusteredImages, per_cluster: int) -> Iterator[tuple[object, ...]]:
    from kmosaic.evaluate import representatives

    for one in representatives(images.summary, per_cluster):
        name, image = images.name(one.cluster), images.ids[one.row]
        yield one.cluster, name, one.size, one.rank, image, one.distance


def _outliers(images: ClusteredImages, n: int) -> Iterator[tuple[object, ...]]:
    from kmosaic.evaluate import outliers

    for one in outliers(images.summary, n):
        yield images.ids[one.row], one.cluster, images.name(one.cluster), one.distance, one.score
