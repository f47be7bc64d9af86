"""What commands say: tables and sentences on stdout, notes and advice on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from kmosaic.cli.errors import StdoutError
from kmosaic.csv_table import write_rows
from kmosaic.text import count, inertia_units, printable, whole

if TYPE_CHECKING:
    from pathlib import Path

    from kmosaic.images.collection import SkippedFile

# A pipe has no width: wide enough that rich never breaks a line of a table there.
_PIPE_WIDTH = 400
_MAX_FILES_NAMED = 10


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading, and which way its cells lean."""

    heading: str
    justify: Literal["left", "right"] = "right"


def print_results(*lines: str) -> None:
    with _writing_stdout():
        for line in lines:
            click.echo(line)


def print_rows(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table on stdout as CSV."""
    with _writing_stdout():
        write_rows(sys.stdout, header, rows)


def print_notes(*lines: str) -> None:
    """Write lines on stderr, beside the results."""
    for line in lines:
        click.echo(line, err=True)


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Write a table on stdout: as wide as the terminal, or as it needs in a pipe; cells are never markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if is_terminal else _PIPE_WIDTH,
    )
    # Without rules the widest table, a sweep of MNIST over several seeds, just fits 80 columns.
    table = Table(box=None, pad_edge=False, header_style="bold underline")
    for column in columns:
        table.add_column(Text(column.heading), justify=column.justify, no_wrap=not is_terminal)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if is_terminal:
        with _writing_stdout():
            console.print(table)
        return
    with _writing_stdout(), console.capture() as captured:
        console.print(table)
    print_results(*(line.rstrip() for line in captured.get().splitlines()))


@contextmanager
def _writing_stdout() -> Iterator[None]:
    """Tell an error of stdout itself, which has no name, from those of files."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StdoutError(error.errno, error.strerror) from error


def report_skipped(skipped: Sequence[SkippedFile]) -> None:
    """Name and count the files that could not be used."""
    report_files([(file.path, file.reason) for file in skipped], "skipped")


def report_files(files: Sequence[tuple[str | Path, str]], what: str) -> None:
    """Say of how many files ``what`` is true, and name the first of them, each with its reason."""
    if not files:
        return
    print_notes(f"kmosaic: {count(len(files), 'file')} {what}:")
    print_notes(*(f"  {printable(str(path))}: {reason}" for path, reason in files[:_MAX_FILES_NAMED]))
    if len(files) > _MAX_FILES_NAMED:
        print_notes(f"  and {len(files) - _MAX_FILES_NAMED:,} more")


def warn_crowded(share: float, n_clusters: int, where: str, what: str = "image") -> None:
    """Warn where one cluster of three or more has most of the images: ``share`` of them, ``where`` it is.

    ``what`` is "vector" where these were clustered.
    """
    if n_clusters < 3 or share <= 0.5:
        return
    remedy = "--features gradients, patches or graph" if what == "image" else "--normalise or --whiten 64"
    print_notes(
        f"kmosaic: warning: {where} has {share:.0%} of the {what}s. They may look alike as they were "
        f"clustered: try {remedy}. Or a few like no other took the rest: `kmosaic neighbours` finds these."
    )


def written(paths: Sequence[Path]) -> str:
    """Return one line that names what was written.

    >>> from pathlib import Path
    >>> written([Path("a.json"), Path("b.html")])
    'Written: a.json, b.html'
    """
    return f"Written: {', '.join(str(path) for path in paths)}"


def inertia_words(inertia: float, features: str | None, *, spherical: bool = False) -> str:
    """Return J and what it is in: pixel values, ``features`` in words, or cosine distances.

    >>> inertia_words(1234567.8, None), inertia_words(321.05, "gradients")
    ('inertia J 1,234,568 (squared pixel values)', 'inertia J 321.05 (squared distances of gradients)')
    """
    number = whole(inertia) if features is None and not spherical else f"{inertia:,.6g}"
    return f"inertia J {number} ({inertia_units(features, spherical=spherical)})"


def in_seconds(seconds: float) -> str:
    """Return a duration to three digits.

    >>> in_seconds(0.01234), in_seconds(75.2)
    ('0.012', '75.2')
    """
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.1f}"
