"""``kmosaic explain``: the lesson on k-means, as a page and as slides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import print_notes, print_results, written
from kmosaic.cli.errors import given_command
from kmosaic.cli.options import (
    NamesType,
    NumbersType,
    WholeNumber,
    command,
    ending_options,
    option_group,
    path_option,
    reading_options,
)
from kmosaic.cli.outputs import check_pictures_folder
from kmosaic.cli.request import Options, Reading, provenance, refuse_without, warn_missing_data_folder
from kmosaic.files import check_outputs
from kmosaic.libraries import check_drawing

if TYPE_CHECKING:
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.explain import Frame, Lesson, PointSet

_MAX_CLUSTERS = 8  # as many as the page has shapes and colours for


@dataclass(frozen=True)
class _Request(Options):
    """Everything the lesson was asked for."""

    output: Path | None
    frames: Path | None
    animation: Path | None
    parts: tuple[int, ...] | None
    data: Path | None
    columns: tuple[str, ...] | None
    clusters: int | None
    images: str
    force: bool
    quiet: bool
    command: str

    def check_outputs(self) -> None:
        from kmosaic.explain import PARTS, check_animation_name
        from kmosaic.explain.files import NOTES_NAME

        if not any((self.output, self.frames, self.animation)):
            raise click.UsageError("name what to write: -o HTML, --frames DIR or --animation FILE")
        if self.output is not None and self.output.suffix.lower() not in (".html", ".htm"):
            raise click.UsageError(f"-o {self.output} must end in .html or .htm; the lesson is a web page")
        if self.data is None:
            refuse_without("--data, points of your own", clusters=self.clusters, columns=self.columns)
        if not (self.frames or self.animation):
            refuse_without("--frames or --animation", parts=self.parts)
        unknown = sorted(set(self.parts or ()) - set(PARTS))
        if unknown:
            raise click.UsageError(f"--parts {unknown[0]} must be from 1 to {len(PARTS)}")
        if self.animation is not None:
            check_animation_name(self.animation)
            check_drawing()
        check_outputs((self.output, self.animation), overwrite=self.force)
        if self.frames is not None:
            if self.frames in (self.output, self.animation):
                raise click.UsageError(f"{self.frames} is named twice; give --frames a folder of its own")
            check_pictures_folder(self.frames, [NOTES_NAME], overwrite=self.force)


@command(short_help="Make the lesson on k-means: a page to play with, slides to show.")
@option_group(
    "Output",
    path_option(
        "-o", "--output", help="Write the lesson: one HTML file that opens anywhere, without a network."
    ),
    path_option(
        "--frames",
        metavar="DIR",
        help="Write every picture as PNG into this folder, made if missing, with speaker notes in Markdown.",
    ),
    path_option(
        "--animation", help="Write the pictures as one animation: .gif, or .png or .apng for animated PNG."
    ),
    click.option(
        "--parts",
        type=NumbersType(),
        help="Only these parts (1 to 6) as frames and animation. [default: all]",
    ),
)
@option_group(
    "Points and images",
    path_option(
        "--data",
        metavar="CSV",
        help="Points of your own, two columns of numbers, to teach parts 1, 2, 3 and 5 on.",
    ),
    click.option(
        "--columns",
        type=NamesType(),
        help="The two columns of a CSV file that has more, by name or by number from 1.",
    ),
    click.option(
        "--clusters",
        type=WholeNumber(2, _MAX_CLUSTERS),
        metavar="K",
        help="The number of clusters to begin with on those points. [default: 3]",
    ),
    click.option(
        "--images",
        default="digits",
        metavar="SOURCE",
        help="The labelled images of part 6: a data set's name, a folder or a file.",
    ),
)
@reading_options
@ending_options
@click.pass_context
def explain(ctx: click.Context, /, **given: Any) -> None:
    """Explain k-means in six parts, step by step.

    Each part is computed by kmosaic when the lesson is made; on the page, points and centroids can be moved,
    and every run can be gone through forward and back.

    \b
    Examples:
      kmosaic explain -o lesson.html
      kmosaic explain --data points.csv --clusters 3 -o mine.html
      kmosaic explain --data people.csv --columns height,weight -o mine.html
      kmosaic explain --images mnist -o lesson.html --frames slides/
      kmosaic explain --animation two-steps.gif --parts 1
    """
    reading = Reading.taken_from({**given, "test_fraction": 0.0})
    request = _Request.taken_from({**given, "command": given_command(ctx)})
    request.check_outputs()
    warn_missing_data_folder(reading.data_dir, request.images)
    print_results(written(_run(request, reading)))
    if not request.quiet and request.output is not None:
        print_results(f"Next: open {request.output} in a browser")


def _run(request: _Request, reading: Reading) -> list[Path]:
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.explain import make_lesson
    from kmosaic.images import load_dataset

    own = _own_points(request)
    with ProgressBar(quiet=request.quiet) as bar:
        collection = load_dataset(request.images, reading.options(), bar).train
        bar.start_over("the lesson", total=100)
        lesson = make_lesson(collection, own, bar)
        return _write(request, lesson, bar)


def _own_points(request: _Request) -> PointSet | None:
    from kmosaic.explain import read_points, scale_hint

    if request.data is None:
        return None
    own = read_points(request.data, request.clusters or 3, request.columns)
    hint = scale_hint(own)
    if hint and not request.quiet:
        print_notes(f"Hint: {hint}")
    return own


def _write(request: _Request, lesson: Lesson, bar: ProgressBar) -> list[Path]:
    from kmosaic.explain import PARTS, write_animation, write_frames, write_lesson

    paths: list[Path] = []
    if request.output is not None:
        bar.start_over("writing the page")
        paths.append(write_lesson(request.output, lesson, provenance(request.command, ()), request.force))
    if not (request.frames or request.animation):
        return paths
    from kmosaic.explain import frames

    drawn: list[Frame] = frames(lesson, request.parts or tuple(PARTS))
    if request.frames is not None:
        bar.start_over("drawing frames", total=len(drawn))
        written_frames = write_frames(
            request.frames,
            drawn,
            lesson,
            overwrite=request.force,
            on_frame=lambda done, total: bar(done, total, "drawing frames"),
        )
        paths.append(written_frames[-1])
    if request.animation is not None:
        bar.start_over("drawing the animation", total=len(drawn))
        paths.append(
            write_animation(
                request.animation,
                drawn,
                overwrite=request.force,
                on_frame=lambda done, total: bar(done, total, "drawing the animation"),
            )
        )
    return paths
