"""``kmosaic undo``: take back what --sort-into or --move-to did, by its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kmosaic.cli.console import print_results, report_files
from kmosaic.cli.options import command, quiet_option

if TYPE_CHECKING:
    from kmosaic.sorting import Undone


@command(short_help="Take back the sorting or moving of files.")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--origin",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="The folder that files were moved from; needed where they were moved: none goes back elsewhere.",
)
@quiet_option
def undo(manifest: Path, origin: Path | None, quiet: bool) -> None:
    """Take back what MANIFEST says was done in its folder: links and copies go, moved files go back.

    MANIFEST is the file that `--sort-into` or `duplicates --move-to` wrote into a folder, or that folder.
    Only what is still as it was made is removed, and never the last of a file: what was changed, or whose
    original is gone, is kept and named. Folders that are left empty go, too.

    \b
    Examples:
      kmosaic undo sorted/
      kmosaic undo duplicates/kmosaic-manifest.jsonl --origin photos/
    """
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.sorting import find_manifest
    from kmosaic.sorting import undo as undo_manifest

    found = find_manifest(manifest)
    with ProgressBar(quiet=quiet) as bar:
        undone = undo_manifest(found, origin, bar)
    print_results(_in_words(undone, found))
    report_files(undone.kept, f"kept, and {found} with them")


def _in_words(undone: Undone, manifest: Path) -> str:
    counts = {
        "removed": undone.n_removed,
        "moved back": undone.n_moved_back,
        "gone before": undone.n_gone,
        "kept": len(undone.kept),
    }
    words = [f"{n:,} {what}" for what, n in counts.items() if n]
    return f"{manifest.parent}: {', '.join(words) or 'nothing to undo'}"
