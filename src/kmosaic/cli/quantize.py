"""``kmosaic quantize``: pictures in few colours, and the colours of pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import Column, print_notes, print_results, print_table, report_skipped, written
from kmosaic.cli.errors import given_command, in_words
from kmosaic.cli.options import command, ending_options
from kmosaic.cli.outputs import check_report_name
from kmosaic.cli.progress import ProgressBar
from kmosaic.cli.quantize_options import output_options, palette_options
from kmosaic.cli.request import Options
from kmosaic.errors import DataError, OutputError
from kmosaic.files import atomic_write, check_not_read, check_output, check_outputs
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.colours import Quantized, QuantizeOptions
    from kmosaic.colours.picture_files import FoundPictures, PictureFile

_STREAM = Path("-")
_MAX_STREAM = 1 << 30
_MAX_LISTED = 40
# SSIMULACRA2 compares six sizes, each half of the one before, down to 8 pixels: smaller pictures lack most.
_MIN_SCORED = 64


@dataclass(frozen=True)
class _Outputs(Options):
    """What to write."""

    output: Path | None
    suffix: str
    labels: Path | None
    swatches: Path | None
    palette_out: Path | None
    json_out: Path | None
    report: Path | None
    keep_metadata: bool
    allow_larger: bool
    force: bool

    @property
    def beside(self) -> tuple[Path | None, ...]:
        """Files beside the picture, which one picture has."""
        return (self.labels, self.swatches, self.palette_out, self.json_out, self.report)


@dataclass(frozen=True, eq=False)
class _Done:
    """A picture that was written: its name, sizes before and after, and result (of its first frame)."""

    source: PictureFile
    results: list[Quantized]
    n_bytes: int | None
    kept: bool = False


@dataclass(frozen=True, eq=False)
class _Request:
    """One command line."""

    outputs: _Outputs
    options: QuantizeOptions
    colors: int
    quality: float | None
    command: str
    targets: dict[Path, Path | None] = field(default_factory=dict)


@command(short_help="Show a photo in few colours, or find its palette.")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@palette_options
@output_options
@ending_options
def quantize(pictures: tuple[Path, ...], **given: Any) -> None:
    """Find the few colours that come closest to those of PICTURES, by k-means, and write them in these.

    PICTURES are image files, folders of them, or - for stdin. Animated GIF, PNG and WebP stay animated, with
    one palette for all frames. Colour profiles and orientation are honoured. The same picture gives the same
    colours and pixels on every machine, but for --quality and --saliency.

    \b
    Examples:
      kmosaic quantize photo.jpg --colors 64 -o photo.png
      kmosaic quantize photo.jpg --quality 80 -o photo.png
      kmosaic quantize photos/ --shared-palette --colors 128 -o out/
      kmosaic quantize photo.jpg --palette brand.gpl --extra 8 -o photo.png
      kmosaic quantize photo.jpg --colors 6 --swatches palette.png --palette-out palette.gpl
    """
    from kmosaic.colours.picture_files import find_pictures

    quiet, jobs, shared = given.pop("quiet"), given.pop("jobs"), given.pop("shared_palette")
    outputs = _Outputs.taken_from(given)
    request = _request(outputs, given)
    found = find_pictures(pictures)
    request = replace(request, targets=_targets(pictures, found, outputs))
    _check(request, pictures)
    with ProgressBar(quiet=quiet or outputs.output == _STREAM) as bar:
        done = _all_with_one_palette(request, bar) if shared else _one_by_one(request, jobs, bar)
    _write_beside(request, done)
    report_skipped(found.skipped)
    _tell(request, done, quiet=quiet)


def _request(outputs: _Outputs, given: dict[str, Any]) -> _Request:
    from kmosaic.colours import Palette, QuantizeOptions

    colors, quality, path = given["colors"], given["quality"], given["palette"]
    if quality is not None and (colors is not None or path is not None):
        raise click.UsageError("--quality finds how many colours; give it without --colors and --palette")
    if colors is not None and path is not None:
        raise click.UsageError("--palette says which colours; give --extra N beside it, not --colors")
    palette = None if path is None else Palette.read(path)
    fields = ("space", "dither", "strength", "extra", "medoids", "saliency", "exact", "seed")
    options = QuantizeOptions(
        palette=palette, n_threads=given["threads"], **{name: given[name] for name in fields}
    )
    return _Request(outputs, options, colors or 256, quality, given_command(click.get_current_context()))


def _targets(pictures: tuple[Path, ...], found: FoundPictures, outputs: _Outputs) -> dict[Path, Path | None]:
    """Where each picture goes; None: nowhere."""
    sources = found.pictures
    folder = outputs.output
    one = len(pictures) == 1 and not pictures[0].is_dir()
    if one or folder is None or folder == _STREAM:
        if len(sources) > 1 and folder == _STREAM:
            raise click.UsageError("stdout takes one picture; name a folder with -o")
        return {path: folder for path, _ in sources}
    targets: dict[Path, Path | None] = {}
    for path, below in sources:
        targets[path] = folder / below.with_suffix(f".{outputs.suffix}")
    if len(set(targets.values())) < len(sources):
        raise OutputError("two pictures would be written to one file; give them in different folders")
    return targets


def _check(request: _Request, pictures: tuple[Path, ...]) -> None:
    """Check all outputs before the work begins."""
    from kmosaic.colours.encode import check_picture_name
    from kmosaic.colours.palette_files import check_palette_name

    outputs = request.outputs
    if outputs.output is None and not any(outputs.beside):
        raise click.UsageError(
            "nothing to write; give -o FILE, or --swatches, --palette-out, --json, --report"
        )
    if len(request.targets) > 1 and any(outputs.beside):
        raise click.UsageError("--labels, --swatches, --palette-out, --json and --report are of one picture")
    check_report_name(outputs.report)
    check_palette_name(outputs.palette_out)
    for path in (outputs.labels, outputs.swatches):
        if path is not None and path.suffix.lower() != ".png":
            raise OutputError(f"{path} must end in .png")
    read = {str(path.resolve()) for path in request.targets}
    files = [path for path in request.targets.values() if path not in (None, _STREAM)]
    for path in files:
        assert path is not None
        check_picture_name(path)
    if len(request.targets) > 1 or any(path.is_dir() for path in pictures):
        _check_folder(files, outputs, read)
        files = []
    check_outputs([*files, *outputs.beside], overwrite=outputs.force, read=read)


def _check_folder(files: Sequence[Path | None], outputs: _Outputs, read: set[str]) -> None:
    folder = outputs.output
    if folder is None:
        return
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder for several pictures")
    if not folder.exists():
        check_output(folder)
    targets = [path for path in files if path is not None]
    check_not_read(targets, read)
    for path in targets:
        if path.exists():
            check_output(path, overwrite=outputs.force)


def _read(path: Path) -> PictureFile:
    from kmosaic.colours.picture_files import decode_picture, read_picture

    if path != _STREAM:
        return read_picture(path)
    data = sys.stdin.buffer.read(_MAX_STREAM + 1)
    if len(data) > _MAX_STREAM:
        raise DataError(f"more than {_MAX_STREAM:,} bytes on stdin; write them to a file and reduce it first")
    return decode_picture(data, "stdin")


def _kind(request: _Request, target: Path | None) -> str:
    from kmosaic.colours.encode import FORMATS, check_picture_name

    if target is None or target == _STREAM:
        return FORMATS[f".{request.outputs.suffix}"]
    return check_picture_name(target)


def _results(request: _Request, source: PictureFile, target: Path | None) -> list[Quantized]:
    from kmosaic.colours import quantize_all
    from kmosaic.colours.encode import for_gif
    from kmosaic.colours.search import fewest_colors

    frames = (
        [for_gif(one) for one in source.frames] if _kind(request, target) == "GIF" else list(source.frames)
    )
    colors = request.colors
    if request.quality is not None:
        best = fewest_colors(frames[0], request.quality, request.options)
        if len(frames) == 1:
            return [best]
        colors = len(best.palette)
    return quantize_all(frames, colors, request.options)


def _one(request: _Request, path: Path) -> _Done:
    target = request.targets[path]
    source = _read(path)
    return _write(request, source, _results(request, source, target), target)


def _one_by_one(request: _Request, jobs: int, bar: ProgressBar) -> list[_Done]:
    """Every picture for itself. A picture that cannot be read is named at the end, and costs no other."""
    paths = list(request.targets)
    if len(paths) == 1:
        bar(0, None, "finding colours")
        return [_one(request, paths[0])]
    if jobs > 1:  # a thread a picture is faster than threads within
        request = replace(request, options=replace(request.options, n_threads=1))
    done: dict[Path, _Done] = {}
    failed: dict[Path, Exception] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        waiting = {pool.submit(_one, request, path): path for path in paths}
        for number, future in enumerate(as_completed(waiting), 1):
            path = waiting[future]
            try:
                done[path] = future.result()
            except (DataError, OutputError) as error:
                failed[path] = error
            bar(number, len(paths), f"{path.name}")
    finally:  # interrupted: what is being written is finished, the rest is not begun
        pool.shutdown(wait=True, cancel_futures=True)
    _tell_failed(failed, len(paths))
    return [done[path] for path in paths if path in done]


def _tell_failed(failed: dict[Path, Exception], n_pictures: int) -> None:
    for error in failed.values():
        print_notes(f"kmosaic: skipped: {in_words(error)}")
    if len(failed) == n_pictures:
        raise DataError("none of the pictures could be used")


def _all_with_one_palette(request: _Request, bar: ProgressBar) -> list[_Done]:
    from kmosaic.colours import quantize_all
    from kmosaic.colours.encode import for_gif

    if request.quality is not None:
        raise click.UsageError("--quality is of one picture; give --colors beside --shared-palette")
    sources = []
    for number, path in enumerate(request.targets):
        bar(number, len(request.targets), f"reading {path.name}")
        sources.append(_read(path))
    bar.start_over("finding colours")
    frames = [frame for source in sources for frame in source.frames]
    if any(_kind(request, target) == "GIF" for target in request.targets.values()):
        frames = [for_gif(frame) for frame in frames]
    results = iter(quantize_all(frames, request.colors, request.options))
    done = []
    for number, (source, target) in enumerate(zip(sources, request.targets.values(), strict=True), 1):
        done.append(_write(request, source, [next(results) for _ in source.frames], target))
        bar(number, len(sources), f"writing {source.name}")
    return done


def _write(request: _Request, source: PictureFile, results: list[Quantized], target: Path | None) -> _Done:
    from kmosaic.colours.encode import encode

    if target is None:
        return _Done(source, results, None)
    kind = _kind(request, target)
    data = encode(results, kind, source, metadata=request.outputs.keep_metadata)
    larger = kind == source.format and len(data) > len(source.data)
    kept = larger and not request.outputs.allow_larger and request.options.palette is None
    data = source.data if kept else data
    if target == _STREAM:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target, overwrite=request.outputs.force) as temporary:
            temporary.write_bytes(data)
    return _Done(source, results, len(data), kept)


def _write_beside(request: _Request, done: list[_Done]) -> None:
    outputs = request.outputs
    if not any(outputs.beside):
        return
    only = done[0]
    result, force = only.results[0], outputs.force
    if outputs.labels is not None:
        from PIL import Image

        with atomic_write(outputs.labels, overwrite=force) as temporary:
            Image.fromarray(result.labels).save(temporary, "PNG")
    if outputs.swatches is not None:
        result.palette.save(outputs.swatches, overwrite=force)
    if outputs.palette_out is not None:
        result.palette.save(outputs.palette_out, overwrite=force)
    if outputs.json_out is not None:
        with atomic_write(outputs.json_out, overwrite=force) as temporary:
            temporary.write_text(json.dumps(_data(only), indent=1) + "\n", encoding="utf-8")
    if outputs.report is not None:
        _write_report(outputs.report, request, only)


def _write_report(path: Path, request: _Request, done: _Done) -> None:
    from kmosaic.colours.curve import DEFAULT_COLORS, error_curve
    from kmosaic.report import ColoursReport, Provenance, write_colours_report

    result = done.results[0]
    curve = error_curve(result.original, (*DEFAULT_COLORS, len(result.palette)), request.options)
    page = ColoursReport(
        Path(done.source.name).name,
        result,
        Provenance(request.command, (request.options.seed,)),
        request.options.dither,
        curve,
        (len(done.source.data), done.n_bytes),
    )
    write_colours_report(path, page, overwrite=request.outputs.force)


def _data(done: _Done) -> dict[str, Any]:
    from kmosaic.colours.palette_files import palette_data

    result = done.results[0]
    height, width = result.labels.shape
    psnr = result.psnr
    return {
        "picture": done.source.name,
        "width": width,
        "height": height,
        "distinct_colors": result.n_distinct,
        "mse": round(result.mse, 4),
        "psnr": round(psnr, 4) if psnr < 1e9 else None,
        "ssimulacra2": round(result.ssimulacra2, 4),
        "iterations": result.n_iter,
        **palette_data(result.palette),
    }


def _tell(request: _Request, done: list[_Done], *, quiet: bool) -> None:
    if request.outputs.output == _STREAM:
        if not quiet:
            print_notes(*(f"{name}: {value}" for name, value in zip(_HEADINGS, _row(done[0]), strict=True)))
        return
    columns = [Column(_HEADINGS[0], "left"), *(Column(name) for name in _HEADINGS[1:])]
    print_table(columns, [_row(one) for one in done[:_MAX_LISTED]])
    if len(done) > _MAX_LISTED:
        print_results(f"and {len(done) - _MAX_LISTED:,} more")
    if quiet:
        return
    print_notes(*_remarks(request, done))
    paths = [path for path in (*request.targets.values(), *request.outputs.beside) if path is not None]
    several = len(request.targets) > 1 and request.outputs.output is not None
    print_results(
        f"Written: {count(len(done), 'picture')} in {request.outputs.output}" if several else written(paths)
    )
    if request.outputs.report is None and not several:
        print_notes("Next: add --report page.html to see picture and original side by side")


_HEADINGS = ("picture", "colours", "bytes before", "after", "MSE", "PSNR", "SSIMULACRA2")


def _row(done: _Done) -> list[str]:
    result = done.results[0]
    return [
        done.source.name,
        f"{len(result.palette)}",
        f"{len(done.source.data):,}",
        "" if done.n_bytes is None else f"{done.n_bytes:,}",
        f"{result.mse:.1f}",
        f"{result.psnr:.1f}",
        f"{result.ssimulacra2:.1f}",
    ]


def _remarks(request: _Request, done: list[_Done]) -> Iterator[str]:
    small = sum(min(one.results[0].labels.shape) < _MIN_SCORED for one in done)
    if small:
        size = f"{_MIN_SCORED} x {_MIN_SCORED} pixels"
        yield f"{count(small, 'picture')} smaller than {size}, for which SSIMULACRA2 scores mean little"
    for one in done:
        result = one.results[0]
        if one.kept:
            yield f"{one.source.name}: the original is smaller and was copied; --allow-larger writes it anew"
        elif one.n_bytes is not None and one.n_bytes > len(one.source.data):
            yield f"{one.source.name}: larger than the original, which is {one.source.format}"
        wanted = request.colors if request.options.palette is None and request.quality is None else 0
        if result.n_distinct < wanted and wanted != 256:
            yield f"{one.source.name}: has {count(result.n_distinct, 'colour')}, fewer than {wanted}"
