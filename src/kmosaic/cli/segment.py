"""``kmosaic segment``: from a scene to the map of its classes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import Column, in_seconds, print_results, print_table, written
from kmosaic.cli.errors import given_command
from kmosaic.cli.options import (
    IsodataType,
    ParsedType,
    WholeNumber,
    command,
    ending_options,
    option_group,
    path_option,
)
from kmosaic.cli.outputs import check_model_name, check_report_name
from kmosaic.cli.request import Options
from kmosaic.files import check_outputs
from kmosaic.text import bytes_in, count

if TYPE_CHECKING:
    from kmosaic.scenes import ReadOptions, Segmentation
    from kmosaic.scenes.fit.fitting import SceneFit
    from kmosaic.scenes.fit.scene_model import SceneModel

_MAX_CLASSES_LISTED = 40


class BytesType(ParsedType):
    """An amount of memory, such as 512MB or 2GiB; given on in bytes."""

    name = "SIZE"

    def parse(self, text: str) -> int:
        """Parse ``1GB`` to 1000000000."""
        return bytes_in(text)


class BandsType(ParsedType):
    """Bands with commas between, by number from 1 or by description; given on as a tuple."""

    name = "B,B,..."

    def parse(self, text: str) -> tuple[int | str, ...]:
        """Parse ``4,nir`` to (4, "nir")."""
        parts = [part.strip() for part in text.split(",")]
        if not all(parts):
            raise ValueError(f"{text!r} must be bands with commas between, such as 4,3,2 or red,nir")
        return tuple(int(part) if part.isascii() and part.isdecimal() else part for part in parts)


@dataclass(frozen=True)
class _Request(Options):
    """Everything that was asked for, besides how to read."""

    sources: tuple[str, ...]
    output: Path
    clusters: int | None
    model: Path | None
    names: Path | None
    statistics: Path | None
    report: Path | None
    force: bool
    quiet: bool
    command: str
    read: ReadOptions


_fitting_options = option_group(
    "Classes",
    click.option(
        "--scale",
        "scaling",
        type=click.Choice(["none", "standard", "min-max", "percentile"]),
        help="Bring bands to one scale before they are compared: by mean and deviation, by lowest and "
        "highest value, or by percentiles. [default: none]",
    ),
    click.option(
        "--seed", type=WholeNumber(0, 2**32 - 1), help="The same seed, the same classes. [default: 0]"
    ),
    click.option("--max-iter", type=WholeNumber(1), help="Stop after this many iterations. [default: 300]"),
    click.option(
        "--sample",
        type=WholeNumber(1),
        help="Find the classes in N pixels spread over the scene. [default: in all, exactly]",
    ),
    click.option(
        "--isodata",
        type=IsodataType(),
        help="Start from K classes, and let their number follow the scene: dissolve those of fewer than "
        "SIZE pixels, split those that deviate by more than SPREAD in some band, merge those whose "
        "centres are nearer than DISTANCE; both in scaled units.",
    ),
)


_reading_options = option_group(
    "Reading the scene",
    click.option(
        "--bands",
        type=BandsType(),
        help="Read these bands, in this order: numbers from 1 on through all files, or descriptions. "
        "[default: all]",
    ),
    path_option("--mask", help="Leave out pixels where this raster is 0 or nodata."),
    click.option(
        "--missing",
        type=click.Choice(["any", "all"]),
        default="any",
        help="Leave out a pixel where any of its bands is missing, or only where all are.",
    ),
    click.option(
        "--source-nodata", type=float, metavar="VALUE", help="What stands for missing values in the scene."
    ),
    click.option("--use-scale-offset", is_flag=True, help="Apply the bands' scale and offset tags."),
    click.option(
        "--network", is_flag=True, help="Let a local file, such as a VRT, take in others over the network."
    ),
)


_map_options = option_group(
    "The map",
    click.option(
        "--majority",
        type=WholeNumber(3, 15),
        help="Give each pixel the most common class of the N x N pixels around it; N is odd.",
    ),
    click.option(
        "--sieve",
        type=WholeNumber(2),
        help="Give patches of fewer than N pixels to the largest patch beside them.",
    ),
    path_option("--names", help="Take the classes' names from this CSV table, with columns class and name."),
    click.option(
        "--rgb",
        type=BandsType(),
        help="Colour classes by their means in these three of the bands read: red, green, blue.",
    ),
    click.option(
        "--palette",
        type=click.Choice(["auto", "means", "distinct"]),
        default="auto",
        help="Colour classes by their means in the RGB bands, or so that every eye tells them apart. "
        "auto: by their means where it is known which bands are RGB.",
    ),
    click.option(
        "--nodata",
        type=click.Choice(["0", "255"]),
        default="0",
        help="What missing pixels are in the map: 0, with classes from 1, or 255, with classes from 0.",
    ),
)
_output_options = option_group(
    "Output",
    path_option(
        "-o",
        "--output",
        required=True,
        help="Write the map: a GeoTIFF (.tif), with colours and names in FILE.aux.xml.",
    ),
    click.option("--cog", is_flag=True, help="Write cloud-optimised GeoTIFFs."),
    path_option("--second-best", help="Write a map of the second-best classes, too."),
    path_option("--distances", help="Write how far pixels are from the best and the second-best class."),
    path_option(
        "--statistics",
        help="Write sizes, areas, means, deviations and separability of the classes, as CSV or JSON by "
        "the suffix.",
    ),
    path_option("--report", help="Write a report: one HTML file with the map beside a picture of the scene."),
)


@command(short_help="Find the classes of a satellite scene, and draw their map.")
@click.argument("sources", nargs=-1, required=True, metavar="SCENE...")
@option_group(
    "Classes",
    click.option("--clusters", type=WholeNumber(1), metavar="K", help="Find this many classes."),
    path_option(
        "--model", help="With --clusters, write the classes to this file; without, take them from it."
    ),
)
@_fitting_options
@_reading_options
@_map_options
@_output_options
@option_group(
    "Computing",
    click.option(
        "--memory",
        type=BytesType(),
        help="Use no more than this, such as 1GB; the classes are the same. [default: half of what is free]",
    ),
    click.option(
        "--dask",
        metavar="WHERE",
        help="Let Dask workers find the classes and the map: those of a scheduler, such as tcp://host:8786, "
        "or started here: local, or local:4 for four.",
    ),
    click.option(
        "--threads",
        "n_threads",
        type=WholeNumber(1),
        help="Threads to use; the result is the same for any number. [default: all]",
    ),
)
@ending_options
@click.pass_context
def segment(ctx: click.Context, /, **given: Any) -> None:
    """Find the classes of SCENE, one raster of several bands or several of one grid, and draw their map.

    Classes are found by k-means on all pixels, exactly, however large the scene is; pixels that are missing
    are left out. With a model written before, another scene is put in the same classes.

    \b
    Examples:
      kmosaic segment scene.tif --clusters 12 -o classes.tif
      kmosaic segment B2.tif B3.tif B4.tif B8.tif --clusters 12 --scale standard -o classes.tif \\
          --rgb 3,2,1 --model scene.kmosaic --statistics classes.csv --report report.html
      kmosaic segment other.tif --model scene.kmosaic -o other-classes.tif
      kmosaic segment huge.vrt --clusters 20 --memory 1GB -o classes.tif
      kmosaic segment huge.vrt --clusters 20 --dask tcp://scheduler:8786 -o classes.tif
    """
    given |= {"command": given_command(ctx), "read": _read_options(given)}
    request = _Request.taken_from(given)
    _check(request, given)
    result = _run(request, given)
    if request.report is not None:
        _write_report(request, request.report, result, given)
    print_results(*_summary(result, len(request.sources)))
    if result.model.n_classes <= _MAX_CLASSES_LISTED:
        _show_classes(result)
    else:
        print_results(f"(table of classes left out: more than {_MAX_CLASSES_LISTED}; --statistics has it)")
    print_results(written(list(_written(request, given))))
    if not request.quiet:
        print_results(f"Next: {_next(request)}")


def _read_options(given: dict[str, Any]) -> ReadOptions:
    """Take the options about reading the scene out of ``given``."""
    from kmosaic.scenes import ReadOptions

    names = ("bands", "mask", "missing", "use_scale_offset", "network")
    return ReadOptions(nodata=given.pop("source_nodata"), **{name: given.pop(name) for name in names})


def _check(request: _Request, given: dict[str, Any]) -> None:
    if request.clusters is None and request.model is None:
        raise click.UsageError("give --clusters K to find classes, or --model FILE to use those of a model")
    fitting = {"scaling": "--scale", "seed": "--seed", "max_iter": "--max-iter", "sample": "--sample"}
    fitting |= {"isodata": "--isodata"}
    odd = [option for name, option in fitting.items() if given[name] is not None]
    if request.clusters is None and odd:
        raise click.UsageError(f"{', '.join(odd)}: the model's classes are used as they are; leave it out")
    if given["isodata"] is not None and request.names is not None:
        raise click.UsageError(
            "--names with --isodata: how many classes there will be is not known; write them to a --model, "
            "then map SCENE again with --model and --names"
        )
    if given["majority"] is not None and given["majority"] % 2 == 0:
        raise click.UsageError(
            f"--majority {given['majority']} must be odd, so that a pixel is in the middle"
        )
    check_report_name(request.report)
    check_outputs(_written(request, given), overwrite=request.force, read=_read(request))
    check_model_name(request.model if request.clusters is not None else None, "--model")
    if request.report is not None:
        # What this takes is in use before memory is planned with.
        from kmosaic.report import check_report_classes

        check_report_classes(request.clusters or 0)


def _run(request: _Request, given: dict[str, Any]) -> Segmentation:
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.scenes import segment as run

    options = {name: value for name, value in given.items() if value is not None}
    options["nodata"] = int(options["nodata"])
    if request.report is not None:
        from kmosaic.report import N_PIXELS

        options["quicklook"] = N_PIXELS
    source = request.sources[0] if len(request.sources) == 1 else list(request.sources)
    model: Path | SceneModel | None = request.model
    if request.names is not None:
        options["names"], model = _named(request, options["nodata"])
    with ProgressBar(quiet=request.quiet) as bar:
        return run(
            source,
            request.clusters,
            request.output,
            read=request.read,
            model=model,
            statistics=request.statistics or request.report is not None,
            overwrite=request.force,
            command=request.command,
            progress=bar,
            **options,
        )


def _write_report(request: _Request, path: Path, result: Segmentation, given: dict[str, Any]) -> None:
    from kmosaic.cli.request import provenance
    from kmosaic.report import SceneReport, write_scene_report

    asked = {"clusters": request.clusters, **given}
    parameters = {name: value for name, value in asked.items() if value not in (None, False)}
    made = provenance(request.command, (result.model.seed,))
    report = SceneReport(result, made, parameters, _name(result, len(request.sources)))
    write_scene_report(path, report, overwrite=request.force)


def _named(request: _Request, nodata: int) -> tuple[tuple[str, ...], Path | SceneModel | None]:
    """The names in the file, and the model, which says how many there are to be."""
    from kmosaic.scenes.fit.scene_model import load_scene_model
    from kmosaic.scenes.map.class_map import Coding
    from kmosaic.scenes.map.class_names import read_class_names

    assert request.names is not None
    if request.clusters is not None:
        return read_class_names(request.names, Coding(request.clusters, nodata).values), request.model
    assert request.model is not None
    model = load_scene_model(request.model)
    return read_class_names(request.names, Coding(model.n_classes, nodata).values), model


def _summary(result: Segmentation, n_files: int) -> Iterator[str]:
    present, missing = int(result.sizes.pixels.sum()), result.sizes.missing
    left_out = f", {count(missing, 'pixel')} left out as missing" if missing else ""
    scene = f"{_name(result, n_files)}: {count(present, 'pixel')} of {count(len(result.model.bands), 'band')}"
    classes = "1 class" if result.model.n_classes == 1 else f"{result.model.n_classes:,} classes"
    if result.fit is None:
        yield f"{scene} in {classes} of a model, mapped in {in_seconds(result.map_seconds)} s{left_out}"
        described = zip(result.scene.bands, result.model.bands, strict=True)
        if not all(band.description == of_model != "" for band, of_model in described):
            yield "Bands without a description were taken for the model's in the order given"
    else:
        fit = result.fit
        ended = "converged after" if fit.converged else "stopped before it converged, after"
        scaled = "" if fit.scaling.method == "none" else f" of bands scaled by {fit.scaling.method}"
        yield (
            f"{scene} in {classes}{left_out}; inertia J {fit.inertia:,.6g} (squared distances{scaled}), "
            f"{ended} {_iterations(fit)} in {in_seconds(result.fit_seconds)} s, mapped in "
            f"{in_seconds(result.map_seconds)} s"
        )
        yield from _isodata_words(fit)
        yield from _sample_words(fit)
    if result.sizes.areas is None:
        yield "The scene does not say what its pixels cover, so classes are counted in pixels only"


def _iterations(fit: SceneFit) -> str:
    if fit.sampled is not None:
        return count(fit.n_iter, "iteration")
    return f"{count(fit.n_start, 'iteration')} on pixels drawn and {fit.n_iter:,} on all"


def _name(result: Segmentation, n_files: int) -> str:
    return result.scene.name + (f" and {n_files - 1} more" if n_files > 1 else "")


def _isodata_words(fit: SceneFit) -> Iterator[str]:
    if not fit.rounds:
        return
    changes = [
        f"{n:,} {what}"
        for what in ("dissolved", "split", "merged")
        if (n := sum(getattr(done, what) for done in fit.rounds))
    ]
    wide = "1 class stays" if fit.n_wide == 1 else f"{fit.n_wide:,} classes stay"
    ended = f"; {wide} wider, since splitting led back to what there was" if fit.n_wide else ""
    yield (
        f"Started from {fit.rounds[0].n_classes:,}, in {count(len(fit.rounds), 'round')}: "
        f"{', '.join(changes) or 'none dissolved, split or merged'}{ended}"
    )


def _sample_words(fit: SceneFit) -> Iterator[str]:
    if fit.sampled is None or fit.sample_inertia is None:
        return
    expected = fit.sample_inertia * fit.n_pixels / fit.sampled
    share = f", {fit.inertia / expected - 1:+.2%} from" if expected else ", beside"
    yield (
        f"The classes are those of a sample of {count(fit.sampled, 'pixel')}; J is of all pixels{share} the "
        f"{expected:,.6g} that the sample led to expect"
    )


def _show_classes(result: Segmentation) -> None:
    columns = [Column("class"), Column("name", "left"), Column("pixels"), Column("share")]
    sizes = result.sizes
    rows = [
        [f"{value}", name, f"{pixels:,}", f"{share:.1%}"]
        for value, name, pixels, share in zip(
            result.coding.values, result.names, sizes.pixels, sizes.shares, strict=True
        )
    ]
    if sizes.areas is not None:
        columns.append(Column("hectares"))
        for row, area in zip(rows, sizes.areas, strict=True):
            row.append(f"{area / 10_000:,.1f}" if area < 1e8 else f"{area / 10_000:,.0f}")
    print_table(columns, rows)


def _written(request: _Request, given: dict[str, Any]) -> Iterator[Path]:
    yield request.output
    for path in (given["second_best"], given["distances"], request.statistics, request.report):
        if path is not None:
            yield path
    if request.clusters is not None and request.model is not None:
        yield request.model


def _read(request: _Request) -> frozenset[str]:
    """The files that are read, but for those that only an opened scene tells of."""
    from kmosaic.scenes.io.sources import files_read

    model = request.model if request.clusters is None else None
    others = (request.read.mask, request.names, model)
    return files_read([*request.sources, *(path for path in others if path is not None)])


def _next(request: _Request) -> str:
    output = shlex.quote(str(request.output))
    if request.statistics is not None and request.statistics.suffix.lower() == ".csv" and not request.names:
        table = shlex.quote(str(request.statistics))
        return f"open {output} in a GIS, name the classes in {table}, and give it back with --names {table}"
    if request.clusters is None:
        return f"open {output} in a GIS"
    if request.model is None:
        return f"open {output} in a GIS; add --model FILE to keep the classes for other scenes"
    bands = [] if request.read.bands is None else ["--bands", ",".join(map(str, request.read.bands))]
    scale = ["--use-scale-offset"] if request.read.use_scale_offset else []
    again = shlex.join(["--model", str(request.model), *bands, *scale])
    return f"open {output} in a GIS; kmosaic segment OTHER-SCENE {again} -o OTHER-MAP"
