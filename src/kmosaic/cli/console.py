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

if TYPE_CHECKING:
    from pathlib import Path

    from kmosaic.images import ImageCollection

# A pipe has no width: wide enough that rich never breaks a line of a table there.
_PIPE_WIDTH = 400
_MOST_SKIPPED_NAMED = 10


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading, and which way its cells lean."""

    heading: str
    justify: Literal["left", "right"] = "right"


def say(*lines: str) -> None:
    """Write lines on stdout."""
    with _writing_stdout():
        for line in lines:
            click.echo(line)


def say_rows(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table on stdout as CSV."""
    with _writing_stdout():
        write_rows(sys.stdout, header, rows)


def note(*lines: str) -> None:
    """Write lines on stderr, beside the results."""
    for line in lines:
        click.echo(line, err=True)


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
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
    say(*(line.rstrip() for line in captured.get().splitlines()))


@contextmanager
def _writing_stdout() -> Iterator[None]:
    """Tell an error of stdout itself, which has no name, from those of files."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StdoutError(error.errno, error.strerror) from error


def note_skipped(collection: ImageCollection) -> None:
    """Name and count the files that could not be used."""
    skipped = collection.skipped
    if not skipped:
        return
    note(f"kmosaic: {plural(len(skipped), 'file')} skipped:")
    note(*(f"  {file.path}: {file.reason}" for file in skipped[:_MOST_SKIPPED_NAMED]))
    if len(skipped) > _MOST_SKIPPED_NAMED:
        note(f"  and {len(skipped) - _MOST_SKIPPED_NAMED:,} more")


def note_crowded(share: float, n_clusters: int, where: str) -> None:
    """Warn where one cluster of three or more has most of the images: ``share`` of them, ``where`` it is."""
    if n_clusters < 3 or share <= 0.5:
        return
    note(
        f"kmosaic: warning: {where} has {share:.0%} of the images. They may look alike as they were "
        "clustered: try --features gradients, patches or graph. Or a few like no other took the rest: "
        "`kmosaic neighbours` finds these."
    )


def written(paths: Sequence[Path]) -> str:
    """Return one line that names what was written.

    Examples
    --------
    >>> from pathlib import Path
    >>> written([Path("a.json"), Path("b.html")])
    'Written: a.json, b.html'
    """
    return f"Written: {', '.join(str(path) for path in paths)}"


def plural(n: int, noun: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "file"), plural(60000, "image")
    ('1 file', '60,000 images')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def inertia_words(inertia: float, features: str | None) -> str:
    """Return J and what it is in: pixel values, or ``features`` in words.

    Examples
    --------
    >>> inertia_words(1234567.8, None), inertia_words(321.05, "gradients")
    ('inertia J 1,234,568 (squared pixel values)', 'inertia J 321.05 (squared distances of gradients)')
    """
    if features is None:
        return f"inertia J {inertia:,.0f} (squared pixel values)"
    return f"inertia J {inertia:,.6g} (squared distances of {features})"


def scaled_inertia_units(features: str | None) -> str:
    """Return what J is in where white counts as 1, as in a sweep: pixel values, or ``features`` in words.

    Examples
    --------
    >>> scaled_inertia_units(None), scaled_inertia_units("gradients")
    ('squared pixel values, scaled to 0..1', 'squared distances of gradients')
    """
    if features is None:
        return "squared pixel values, scaled to 0..1"
    return f"squared distances of {features}"


def in_seconds(seconds: float) -> str:
    """Return a duration to three digits.

    Examples
    --------
    >>> in_seconds(0.01234), in_seconds(75.2)
    ('0.012', '75.2')
    """
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.1f}"
