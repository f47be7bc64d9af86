"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import kmosaic

if TYPE_CHECKING:
    from kmosaic.scenes import IsodataOptions

CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "show_default": True,
}

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_GENERAL = "General"


class ParsedType(click.ParamType):  # type: ignore[type-arg]
    """A value read from text by ``parse``, which raises ValueError with a message on what is wrong."""

    def parse(self, text: str) -> Any:
        """Return the value that ``text`` stands for."""
        raise NotImplementedError

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        """What help calls the value: click would have it in capitals."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse a text; a default has its type already."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SizeType(ParsedType):
    """``WIDTHxHEIGHT`` in pixels, as image sizes are usually written; given on as (height, width)."""

    name = "WIDTHxHEIGHT"

    def parse(self, text: str) -> tuple[int, int]:
        """Parse ``64x48`` (width 64, height 48) to (48, 64)."""
        width, cross, height = text.lower().partition("x")
        if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise ValueError(f"{text!r} is no size in pixels; write width x height, such as 64x64")
        from kmosaic.images.collection import MAX_SIDE

        if max(int(width), int(height)) > MAX_SIDE:
            raise ValueError(f"{text!r} is too large; no side may have more than {MAX_SIDE} pixels")
        return int(height), int(width)


class IsodataType(ParsedType):
    """When to split and merge classes: three numbers with commas between."""

    name = "SIZE,SPREAD,DISTANCE"

    def parse(self, text: str) -> IsodataOptions:
        from kmosaic.errors import DataError
        from kmosaic.scenes import IsodataOptions

        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 3 or not (parts[0].isascii() and parts[0].isdecimal()):
            raise ValueError(
                f"{text!r} must be a number of pixels, a spread and a distance with commas between, such as "
                "100,12,20"
            )
        try:
            return IsodataOptions(int(parts[0]), float(parts[1]), float(parts[2]))
        except DataError as error:
            raise ValueError(f"{text!r}: {error}") from error
        except ValueError:
            raise ValueError(f"{parts[1]!r} and {parts[2]!r} must be numbers, such as 12 and 20") from None


class WholeNumber(ParsedType):
    """A whole number from ``low`` to ``high``."""

    name = "N"

    def __init__(self, low: int, high: int | None = None) -> None:
        self.low = low
        self.high = high

    def parse(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = self.low - 1
        if number < self.low or (self.high is not None and number > self.high):
            bounds = f"of at least {self.low}" if self.high is None else f"from {self.low} to {self.high}"
            raise ValueError(f"{text!r} must be a whole number {bounds}")
        return number


class RealRange(click.FloatRange):
    """Real numbers of a range; NaN, which is in none, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


class NamesType(ParsedType):
    """Names with commas between them, quoted as in CSV where they hold commas; given on as a tuple."""

    name = "A,B"

    def parse(self, text: str) -> tuple[str, ...]:
        try:
            names = next(csv.reader([text], skipinitialspace=True), [])
        except csv.Error:  # a line break outside quotes
            names = []
        if not names or not all(name.strip() for name in names):
            raise ValueError(f"{text!r} is not names with commas between, such as A,B; name columns")
        return tuple(names)


class NumbersType(ParsedType):
    """Whole numbers with commas between them; given on as a tuple."""

    name = "K,K,..."

    def parse(self, text: str) -> tuple[int, ...]:
        try:
            numbers = tuple(int(part) for part in text.split(","))
        except ValueError:
            raise ValueError(
                f"{text!r} must be whole numbers with commas between, such as 10,16,36"
            ) from None
        if min(numbers) < 1:
            raise ValueError(f"{min(numbers)} must be a whole number of at least 1")
        return numbers


class ChannelNumbers(ParsedType):
    """One number, or three with commas between, each of at least ``low``; given on as a tuple."""

    name = "X or R,G,B"

    def __init__(self, low: float = -1e6) -> None:
        self.low = low

    def parse(self, text: str) -> tuple[float, ...]:
        """Parse ``0.5`` to (0.5,), and ``0.485,0.456,0.406``."""
        try:
            numbers = tuple(float(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in (1, 3) or not all(self.low <= number <= 1e6 for number in numbers):
            bound = "" if self.low < 0 else " above 0"
            raise ValueError(
                f"{text!r} must be one number{bound}, or three with commas between: 0.485,0.456,0.406"
            )
        return numbers


class NamedPath(click.Path):
    """A file or folder by a name that is not empty: that would mean the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("an empty name; write '.' for the current folder", param, ctx)
        return super().convert(value, param, ctx)


def path_option(*names: str, help: str, metavar: str = "FILE", required: bool = False) -> Decorator:
    """Return an option that names a file, or a folder."""
    return click.option(*names, type=NamedPath(), metavar=metavar, required=required, help=help)


class GroupedCommand(click.Command):
    """A command whose help lists options under the titles of their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups in the order of their first options; what is in none is general."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None:
                groups.setdefault(vars(param).get("group", _GENERAL), []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


command = partial(click.command, cls=GroupedCommand)


def option_group(title: str, *options: Decorator) -> Decorator:
    """Return what adds options to a command, in this order, under a title in its help.

    Groups of one title are one; options that have a group keep it.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
            vars(command.__click_params__[-1]).setdefault("group", title)  # type: ignore[attr-defined]
        return command

    return add


labels_from_option = click.option(
    "--labels-from",
    type=click.Choice(["folders", "none"]),
    default="folders",
    help="What labels the images of a folder: its sub-folders, or none, for all images below it as they are.",
)
strict_option = click.option("--strict", is_flag=True, help="An unreadable file is an error, not skipped.")
data_dir_option = path_option(
    "--data-dir",
    metavar="DIR",
    help="Where named data sets are looked for and downloaded to. [default: $KMOSAIC_DATA, then a cache]",
)
force_option = click.option("--force", is_flag=True, help="Overwrite outputs that exist.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Results only: no progress bar, no advice.")
pictures_option = path_option(
    "--pictures", metavar="DIR", help="Write every picture of the report into this folder, made if missing."
)
picture_format_option = click.option(
    "--picture-format", type=click.Choice(["png", "svg"]), default="png", help="The format of those pictures."
)
source_argument = click.argument("source")
threads_option = click.option("--threads", type=WholeNumber(1), help="Threads to use. [default: all]")
ending_options = option_group(_GENERAL, force_option, quiet_option)
reading_options = option_group(
    "Reading images",
    click.option(
        "--size",
        type=SizeType(),
        help="Bring every image to this size first, in pixels (64x48: 64 wide, 48 high). "
        "Needed where a folder's images differ in size.",
    ),
    click.option(
        "--fit",
        "resize",
        type=click.Choice(["pad", "crop", "stretch"]),
        default="pad",
        help="How an image of another shape is brought to the size: pad keeps all of it, on black "
        "margins, crop keeps its middle, stretch distorts it.",
    ),
    click.option("--grey", is_flag=True, help="Read every image as grey."),
    click.option("--rgb", is_flag=True, help="Read every image as colour. [default: grey if all are grey]"),
    labels_from_option,
    strict_option,
    data_dir_option,
)

_ALGORITHMS = {
    "kmeans": "is Lloyd's algorithm on all images",
    "minibatch": "is faster and less exact",
    "spherical": "compares directions, whatever the brightness",
    "bisecting": "splits clusters in two",
    "two-level": "makes groups, and clusters of each; the last two are for thousands of clusters, "
    "and give a tree of them",
}


def estimator_options(without: Collection[str] = ()) -> Decorator:
    """Return what is said about the algorithm, for a command that does not take those ``without``."""
    offered = [name for name in _ALGORITHMS if name not in without]
    return option_group(
        "Clustering",
        click.option(
            "--algorithm",
            type=click.Choice(offered),
            default="kmeans",
            help="; ".join(f"{name} {_ALGORITHMS[name]}" for name in offered) + ".",
        ),
        click.option(
            "--init",
            type=click.Choice(["k-means++", "random"]),
            default="k-means++",
            help="How the first centroids are chosen.",
        ),
        click.option(
            "--n-init", type=WholeNumber(1), help="Restarts, of which the best is kept. [default: auto]"
        ),
        click.option("--max-iter", type=WholeNumber(1), help="Stop after this many iterations."),
        click.option(
            "--tol",
            type=RealRange(min=0.0),
            help="Stop once the centroids move less than this, relative to the data's variance. "
            "[default: 0, until no label changes]",
        ),
        click.option(
            "--empty-clusters",
            type=click.Choice(["relocate", "random", "drop", "error"]),
            help="What becomes of a cluster that loses all its images: it moves to the image that costs "
            "most, or to a random one, or is dropped, or the fit fails. [default: relocate]",
        ),
        click.option(
            "--threads",
            type=WholeNumber(1),
            help="Threads to use; the result is the same for any number. [default: all]",
        ),
    )


tree_options = option_group(
    "Clustering",
    click.option(
        "--bisecting-strategy",
        type=click.Choice(["biggest_inertia", "largest_cluster"]),
        help="Which cluster bisecting splits next: that of the highest J, or of the most images. "
        "[default: biggest_inertia]",
    ),
    click.option(
        "--refine",
        type=WholeNumber(0),
        help="Iterations over all clusters after two-level: slower, with a lower J. [default: 0]",
    ),
)


def test_fraction_option(default: float) -> Decorator:
    """Return the option that says how much of labelled data without a test set is held out."""
    return option_group(
        "Reading images",
        click.option(
            "--test-fraction",
            type=RealRange(0.0, 1.0, max_open=True),
            default=default,
            help="The share of every label held out for tests, where labelled images have no test set.",
        ),
    )


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    click.echo(f"kmosaic {kmosaic.__version__}")
    ctx.exit()


version_option = click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
)
