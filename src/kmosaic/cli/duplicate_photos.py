"""What ``kmosaic duplicates`` does with photos: the search, its table and page, and moving files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import print_notes, print_results, print_rows, report_skipped, written
from kmosaic.cli.features import report_recall
from kmosaic.cli.options import option_group, path_option
from kmosaic.cli.outputs import check_report_name, check_table, write_assignments
from kmosaic.cli.request import Options, Reading, refuse_without
from kmosaic.cli.sorting import check_placing, report_failed
from kmosaic.files import check_outputs
from kmosaic.text import count, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kmosaic.cli.vectors import Vectors
    from kmosaic.duplicates import PhotoDuplicates
    from kmosaic.images import ImageCollection
    from kmosaic.sorting import Placed

_HEADER = ("path", "group", "distance", "width", "height", "bytes", "kept", "mirrored")


photo_options = option_group(
    "Photos",
    click.option(
        "--against",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="DIR",
        help="Find photos of SOURCE that are in this folder, too. Nothing in it is ever moved.",
    ),
    click.option("--mirrored", is_flag=True, help="Photos mirrored left to right are duplicates, too."),
    path_option("--report", help="Write an HTML page that shows the groups side by side."),
    click.option(
        "--keep",
        type=click.Choice(["best", "first"]),
        help="Which photo of a group is kept: the best has the most pixels, then the most bytes, then "
        "the first name. [default: best]",
    ),
    path_option(
        "--move-to",
        metavar="DIR",
        help="Move the others into this folder, in the sub-folders they are in. Nothing is overwritten, "
        "and `kmosaic undo DIR --origin SOURCE` moves them back.",
    ),
)


@dataclass(frozen=True)
class PhotoSearch(Options):
    """A search for duplicates of photos, and what becomes of them."""

    source: str
    output: Path | None
    max_distance: float | None
    against: Path | None
    mirrored: bool
    report: Path | None
    keep: Any
    move_to: Path | None
    threads: int | None
    force: bool
    quiet: bool
    command: str

    def check_photo_options(self) -> None:
        """Raise click.UsageError where an option was given that drawings do not have."""
        names = ("against", "mirrored", "report", "keep", "move_to")
        refuse_without("--measure photos", **{name: getattr(self, name) for name in names})

    def check_vector_options(self, given: dict[str, Any]) -> None:
        """Raise click.UsageError where an option was given that vectors do not have."""
        deskew = given["deskew"] is not None
        refuse_without("--measure photos, without --vectors", against=self.against, mirrored=self.mirrored)
        refuse_without("--measure drawings, without --vectors", picture=given["picture"], deskew=deskew)
        if self.source == "":
            refuse_without("SOURCE, where the pictures are", report=self.report)
        if self.move_to is not None and not os.path.isdir(self.source):
            raise click.UsageError(
                "--move-to moves the files of a folder; name it as SOURCE, or leave it out"
            )

    def check_drawing_options(self, given: dict[str, Any]) -> None:
        """Raise click.UsageError where an option was given that photos do not have."""
        deskew = given["deskew"] is not None
        refuse_without("--measure drawings", picture=given["picture"], deskew=deskew)
        if os.path.isdir(self.source) and (given["size"] or given["grey"] or given["rgb"]):
            raise click.UsageError(
                "photos of a folder are compared at any size and colour; leave out --size, --grey and --rgb, "
                "or give --measure drawings"
            )

    def run(self, reading: Reading) -> None:
        """Find duplicates among photos, write what was asked for, and move files last."""
        self._check()
        from kmosaic.cli.progress import ProgressBar
        from kmosaic.duplicates import LIMIT, FindOptions, find_duplicates

        limit = LIMIT if self.max_distance is None else self.max_distance
        options = FindOptions(limit, self.mirrored, reading.strict, self.threads)
        with ProgressBar(quiet=self.quiet) as bar:
            found = find_duplicates(self._images(reading, bar), options, against=self.against, progress=bar)
        self._finish(found)

    def run_on_vectors(self, vectors: Vectors, metric: str, reading: Reading) -> None:
        """The same of vectors, and of the pictures that they are of."""
        if self.max_distance is None and metric == "euclidean":
            raise click.UsageError("--measure euclidean needs --distance; its unit is that of the vectors")
        self._check()
        from kmosaic.cli.progress import ProgressBar
        from kmosaic.duplicates import COSINE_LIMIT, VectorFindOptions, find_near_vectors
        from kmosaic.sorting import files_of

        limit = COSINE_LIMIT if self.max_distance is None else self.max_distance
        options = VectorFindOptions(limit, metric, vectors.exact or None, self.threads)
        with ProgressBar(quiet=self.quiet) as bar:
            collection = vectors.load(self.source or None, reading.options(), bar).train
            files = files_of(Path(self.source), collection.ids) if os.path.isdir(self.source) else None
            found = find_near_vectors(collection, files, options, progress=bar)
        report_recall(found.recall)
        self._finish(found)

    def _finish(self, found: PhotoDuplicates) -> None:
        from kmosaic.duplicates import kept

        keep = kept(found, self.keep or "best")
        self._write(found, keep)
        if self.move_to is not None:
            self._move(found, keep, self.move_to)
        elif not self.quiet and self.output is not None and not keep.all():
            advice = []
            if self.source and self.report is None:
                advice.append("look at them (--report duplicates.html)")
            if os.path.isdir(self.source):
                advice.append("move the others (--move-to with a folder elsewhere)")
            if advice:
                print_results(f"Next: {', then '.join(advice)}")

    def _check(self) -> None:
        check_report_name(self.report)
        check_table(self.output)
        check_outputs([self.output, self.report], overwrite=self.force)
        if self.move_to is None:
            return
        from kmosaic.images.datasets import check_has_files
        from kmosaic.sorting import check_apart

        check_has_files(self.source)
        for folder in filter(None, (Path(self.source), self.against)):
            check_apart(folder, self.move_to)
        check_placing(self.move_to)

    def _images(self, reading: Reading, bar: Any) -> Path | ImageCollection:
        if os.path.isdir(self.source):
            return Path(self.source)
        from kmosaic.images import load_dataset

        return load_dataset(self.source, reading.options(), bar).train

    def _write(self, found: PhotoDuplicates, keep: NDArray[np.bool_]) -> None:
        report_skipped(found.images.skipped)
        rows = _rows(found, keep)
        if self.output is None:
            print_rows(_HEADER, rows)
        else:
            write_assignments(self.output, _HEADER, rows, overwrite=self.force)
            print_results(self._summary(found, keep))
        if self.report is not None:
            self._write_report(found, keep, self.report)
        if self.output is not None:
            print_results(written([path for path in (self.output, self.report) if path is not None]))

    def _write_report(self, found: PhotoDuplicates, keep: NDArray[np.bool_], path: Path) -> None:
        from kmosaic.cli.request import provenance
        from kmosaic.duplicates import picture_of
        from kmosaic.report import DuplicatesReport, write_duplicates_report

        report = DuplicatesReport(
            printable(str(Path(self.source))),
            found,
            keep,
            picture=lambda row, side: picture_of(found.images, row, side),
            summary=self._summary(found, keep),
            provenance=provenance(self.command, ()),
        )
        write_duplicates_report(path, report, self.force)

    def _summary(self, found: PhotoDuplicates, keep: NDArray[np.bool_]) -> str:
        from kmosaic.report.wording import memory

        images = count(found.n_own, "image" if self.source else "vector")
        beside = (
            "" if self.against is None else f" beside {len(found.images) - found.n_own:,} in {self.against}"
        )
        if not found.groups:
            return f"No duplicates among {images}{beside}; a larger --distance finds more"
        grouped = sum(int((group.rows < found.n_own).sum()) for group in found.groups)
        spare, n_bytes = int((~keep).sum()), int(found.images.n_bytes[~keep].sum())
        size = f" ({memory(n_bytes)})" if n_bytes else ""  # none where they are in no files
        return (
            f"{count(len(found.groups), 'group')} of duplicates, with {grouped:,} of {images}{beside}; "
            f"not kept: {spare:,}{size}"
        )

    def _move(self, found: PhotoDuplicates, keep: NDArray[np.bool_], folder: Path) -> None:
        from kmosaic.cli.progress import ProgressBar
        from kmosaic.duplicates import moves
        from kmosaic.sorting import place_files

        placements = moves(found, keep, Path(self.source))
        if not placements:
            print_notes("kmosaic: nothing to move")
            return
        with ProgressBar(quiet=self.quiet) as bar:
            placed = place_files(placements, folder, "move", bar)
        self._report_moved(placed, folder)

    def _report_moved(self, placed: Placed, folder: Path) -> None:
        say = print_notes if self.output is None else print_results
        say(f"Into {folder}: {placed.in_words()}")
        if not self.quiet:
            manifest, origin = shlex.quote(str(placed.manifest)), shlex.quote(self.source)
            say(f"To move them back: kmosaic undo {manifest} --origin {origin}")
        report_failed(placed, "moved")


def _rows(found: PhotoDuplicates, keep: NDArray[np.bool_]) -> Iterator[tuple[object, ...]]:
    images = found.images
    for number, group in enumerate(found.groups):
        for row, distance, mirrored in zip(group.rows, group.distances, group.mirrored, strict=True):
            path = images.paths[row]
            height, width = images.sizes[row]
            yield (
                images.ids[row] if path is None else printable(str(path)),
                number,
                f"{distance:.4f}",
                int(width),
                int(height),
                int(images.n_bytes[row]),
                "yes" if keep[row] else "no",
                "yes" if mirrored else "no",
            )
