"""``kmosaic datasets``: what is here, what can be downloaded, from where, how large, under which licence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from kmosaic.cli.console import Column, print_results, print_table
from kmosaic.cli.options import command, data_dir_option, quiet_option
from kmosaic.cli.request import data_dir_option_again, warn_missing_data_folder

if TYPE_CHECKING:
    from kmosaic.images import DatasetCard

_COLUMNS = (
    Column("name", "left"),
    Column("training"),
    Column("test"),
    Column("pixels"),
    Column("here?", "left"),
    Column("download"),
    Column("licence", "left"),
)


@command(short_help="List the data sets known by name, or download one.")
@click.option("--download", "wanted", metavar="NAME", help="Fetch this data set into the data folder.")
@data_dir_option
@quiet_option
def datasets(wanted: str | None, data_dir: Path | None, quiet: bool) -> None:
    """List the data sets known by name, or download one.

    Downloads come over HTTPS from several mirrors in turn, go on where they broke off, and are checked
    against a checksum of the unpacked content. Without a network, put the files into DIR/NAME yourself.

    \b
    Examples:
      kmosaic datasets
      kmosaic datasets --download mnist
      kmosaic datasets --download fashion-mnist --data-dir ~/data
    """
    if wanted is not None:
        _download(wanted, data_dir, quiet)
        return
    from kmosaic.images import catalogue
    from kmosaic.images.registry import data_folders

    warn_missing_data_folder(data_dir)
    cards = catalogue(data_dir)
    searched = " and ".join(str(folder) for folder in data_folders(data_dir))
    print_table(_COLUMNS, [_row(card) for card in cards])
    for card in cards:
        print_results("", f"{card.name}: {card.title}", *_details(card, data_dir, searched))


def _download(name: str, data_dir: Path | None, quiet: bool) -> None:
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.images import catalogue, download

    known = {card.name: card for card in catalogue(data_dir)}
    if name not in known:
        raise click.UsageError(f"{name!r} is no data set known by name; those are {', '.join(known)}")
    if known[name].status == "embedded":
        print_results(f"{name} is embedded; there is nothing to download")
        return
    with ProgressBar(quiet=quiet) as bar:
        folder = download(name, data_dir, progress=bar)
    print_results(f"{name} is complete and checked: {folder}")
    if not quiet:
        print_results(f"Next: kmosaic sweep {name}{data_dir_option_again(data_dir)}")


def _row(card: DatasetCard) -> tuple[str, ...]:
    height, width, channels = card.shape
    return (
        card.name,
        f"{card.n_train:,}",
        f"{card.n_test:,}" if card.n_test else "",
        f"{width} x {height}" + ("" if channels == 1 else f" x {channels}"),
        {"embedded": "yes, embedded", "found": "yes"}.get(card.status, "no"),
        _megabytes(card.bytes_download) if card.bytes_download else "",
        card.licence,
    )


def _details(card: DatasetCard, data_dir: Path | None, searched: str) -> list[str]:
    lines = [f"  {card.citation}.", f"  {card.homepage}"]
    if card.handwriting:
        lines.append("  handwriting: set upright for features other than pixels (--deskew, --no-deskew)")
    if card.location is not None:
        lines.append(f"  here: {card.location}")
    elif card.status == "downloadable":
        hosts = ", ".join(urlsplit(mirror).hostname or mirror for mirror in card.mirrors)
        lines.append(f"  not in {searched}")
        lines.append(f"  {_megabytes(card.bytes_download)} from {hosts}")
        lines.append(f"  get it: kmosaic datasets --download {card.name}{data_dir_option_again(data_dir)}")
    return lines


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
