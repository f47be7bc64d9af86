"""What --thumbnails asks for: the pictures of a report in a folder beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from kmosaic.cli.options import path_option
from kmosaic.errors import DataError

if TYPE_CHECKING:
    from kmosaic.images import ImageCollection, Progress, ReadOptions
    from kmosaic.report import Thumbnails


thumbnails_option = path_option(
    "--thumbnails",
    metavar="DIR",
    help="Write the pictures of all images into this folder, larger, and let the report show them from "
    "there. [default: those of some images, within the report]",
)


@dataclass(frozen=True)
class ThumbnailFolder:
    """A folder for the pictures of ``report``."""

    folder: Path
    report: Path
    source: str

    @classmethod
    def asked(cls, folder: Path | None, report: Path | None, source: str | None) -> Self | None:
        """Return what the option asks for; None where that is nothing.

        Raises click.UsageError without a report or pictures.
        """
        if folder is None:
            return None
        if report is None:
            raise click.UsageError("--thumbnails goes with --report HTML; name the report, or leave it out")
        if source is None:
            raise click.UsageError("--thumbnails needs SOURCE, where the pictures are")
        return cls(folder, report, source)

    def check(self, outputs: Iterable[Path | None], *, overwrite: bool) -> None:
        """Raise OutputError where the folder cannot be made, or one of the other outputs would be in it.

        Raises DataError where it would lie in the folder that is read.
        """
        from kmosaic.report import check_thumbnails
        from kmosaic.sorting import check_apart

        if Path(self.source).is_dir():
            check_apart(Path(self.source), self.folder)
        check_thumbnails(self.folder, self.report, overwrite=overwrite, outputs=outputs)

    def of(self, images: ImageCollection, reading: ReadOptions, progress: Progress) -> Thumbnails:
        """Return what the report is to write: pictures read anew from files, at their own size otherwise."""
        from kmosaic.images.datasets import is_image_folder
        from kmosaic.images.folder import folder_pictures
        from kmosaic.images.listing import found_file
        from kmosaic.images.thumbnails import FilePixels
        from kmosaic.report import Thumbnails
        from kmosaic.report.thumbnails import THUMBNAIL_SIDE
        from kmosaic.sorting import files_of

        if not is_image_folder(self.source):
            return Thumbnails(self.folder, None, progress)
        source = Path(self.source)
        files = [found_file(path, source) for path in files_of(source, images.ids)]
        try:
            larger = folder_pictures(source, reading, progress, files, THUMBNAIL_SIDE)
        except DataError:  # gone since they were read
            larger = None
        if larger is not None and isinstance(images.pixels, FilePixels):
            larger = replace(larger, pixels=images.pixels.in_form(larger.pixels.form))
        return Thumbnails(self.folder, larger, progress)
