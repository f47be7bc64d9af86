"""``kmosaic superpixels``: a photo or scene cut into regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import print_notes, print_results, written
from kmosaic.cli.options import (
    RealRange,
    WholeNumber,
    command,
    ending_options,
    option_group,
    path_option,
    threads_option,
)
from kmosaic.cli.outputs import check_table, write_assignments
from kmosaic.cli.progress import ProgressBar
from kmosaic.cli.request import Options
from kmosaic.cli.segment import BandsType
from kmosaic.errors import DataError, OutputError
from kmosaic.files import atomic_write, check_outputs
from kmosaic.text import count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kmosaic.scenes.scene import Grid
    from kmosaic.superpixels import Regions

_RASTERS = (".tif", ".tiff", ".vrt", ".img", ".jp2")
_MAX_PIXELS = 1 << 30


@dataclass(frozen=True)
class _Outputs(Options):
    """What to write."""

    output: Path
    outline: Path | None
    table: Path | None
    vectors: Path | None
    force: bool

    @property
    def paths(self) -> list[Path]:
        paths = (self.output, self.outline, self.table, self.vectors)
        return [path for path in paths if path is not None]


@dataclass(frozen=True, eq=False)
class _Source:
    """What was read: values (h, w, channels), where they are valid, and a scene's grid; as a picture."""

    values: NDArray[Any]
    valid: NDArray[np.bool_] | None
    grid: Grid | None
    picture: NDArray[np.uint8]

    @property
    def colours(self) -> bool:
        """Whether channels are red, green and blue, as eyes see them."""
        return bool(self.values.shape[2] == 3)


_fitting_options = option_group(
    "Regions",
    click.option(
        "--count",
        "-n",
        type=WholeNumber(1),
        default=600,
        help="About how many regions."
    ),
    click.option(
        "--compactness",
        type=RealRange(min=0.0, min_open=True),
        help="How much place counts against colour: low values follow edges, high ones make squares. "
        "[default: 10; 0.1 for other bands than RGB]"
    ),
    click.option(
        "--smooth", type=RealRange(0.0, 100.0), default=0.0, metavar="PIXELS",
        help="Smooth colours by a Gaussian of this deviation first."
    ),
    click.option("--adaptive", is_flag=True, help="Adapt compactness to each region (SLICO)."),
    click.option(
        "--max-iter", type=WholeNumber(1), default=10, help="Iterations at most."
    ),
    click.option(
        "--merge", "n_classes", type=WholeNumber(1), metavar="K",
        help="Join the regions into K classes by k-means of their means."
    ),
    click.option("--bands", type=BandsType(), help="Read these bands of a raster. [default: all]"),
)  # fmt: skip


@command(short_help="Cut a photo into small regions that follow its edges.")
@click.argument("picture", type=click.Path(path_type=Path))
@_fitting_options
@option_group(
    "Output",
    path_option(
        "-o",
        "--output",
        required=True,
        help="Write each pixel's region, from 1: .png (16 bits where needed), .tif; 0 is transparent or "
        "missing.",
    ),
    path_option("--outline", help="Draw the regions' outlines on the picture: a PNG."),
    path_option("--table", help="Write size, centre, mean and neighbours of each region as CSV."),
    path_option("--vectors", help="Write polygons of a georeferenced raster: .geojson or .gpkg."),
)
@threads_option
@ending_options
def superpixels(picture: Path, **given: Any) -> None:
    """Cut PICTURE into connected regions of similar colour (SLIC): superpixels.

    PICTURE is an image file, or a raster with coordinates, whose regions are a GeoTIFF on the same grid. The
    same picture gives the same regions on every machine.

    \b
    Examples:
      kmosaic superpixels photo.jpg --count 600 -o regions.png --outline outlines.png
      kmosaic superpixels photo.jpg --merge 5 -o classes.png --outline classes-outlines.png
      kmosaic superpixels scene.tif --count 2000 -o regions.tif --vectors fields.gpkg
    """
    outputs, quiet = _Outputs.taken_from(given), given.pop("quiet")
    _check(picture, outputs)
    with ProgressBar(quiet=quiet) as bar:
        bar(0, None, "reading")
        source = _read(picture, given["bands"])
        if outputs.vectors is not None and source.grid is None:
            raise OutputError(f"--vectors: {picture} states no coordinates; give a georeferenced raster")
        bar(0, None, "finding regions")
        labels = _fit(source, given)
        bar(0, None, "writing")
        table = _write(outputs, source, labels)
    _tell(outputs, table, given["n_classes"], quiet=quiet)


def _check(picture: Path, outputs: _Outputs) -> None:
    from kmosaic.superpixels.label_files import check_label_name
    from kmosaic.superpixels.vectors import check_vector_name

    check_label_name(outputs.output)
    check_vector_name(outputs.vectors)
    check_table(outputs.table)
    if outputs.outline is not None and outputs.outline.suffix.lower() != ".png":
        raise OutputError(f"--outline {outputs.outline} must end in .png")
    check_outputs(outputs.paths, overwrite=outputs.force, read={str(picture.resolve())})


def _read(path: Path, bands: tuple[int | str, ...] | None) -> _Source:
    if path.suffix.lower() in _RASTERS and path.is_file():
        source = _read_scene(path, bands)
        if source is not None:
            return source
    if bands is not None:
        raise click.UsageError("--bands are of a raster with coordinates; a photo has its colours")
    import numpy as np

    from kmosaic.colours.picture_files import read_picture
    from kmosaic.colours.result import eight_bits, flattened

    values = read_picture(path).frames[0]
    valid = None if values.shape[2] == 3 else values[..., 3] > 0
    colours = np.ascontiguousarray(values[..., :3])
    return _Source(colours, valid, None, flattened(eight_bits(values)))


def _read_scene(path: Path, bands: tuple[int | str, ...] | None) -> _Source | None:
    """A raster that states where it lies; None where it does not, or nothing here reads it."""
    from kmosaic.errors import MissingLibraryError
    from kmosaic.scenes import ReadOptions
    from kmosaic.scenes.io.raster_scene import open_scene

    try:
        scene = open_scene(str(path), ReadOptions(bands=bands))
    except (MissingLibraryError, DataError):
        if bands is not None:
            raise
        return None
    with scene:
        if not scene.grid.crs and bands is None:
            return None
        if scene.grid.n_pixels * len(scene.bands) > _MAX_PIXELS:
            raise DataError(f"{path}: more than {_MAX_PIXELS:,} values; cut the raster into parts")
        strip = scene.read(0, scene.grid.height)
        return _Source(strip.values, strip.valid, scene.grid, _shown(strip.values, strip.valid))


def _shown(values: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """Three bands as a picture, each from its 2nd to its 98th percentile."""
    import numpy as np

    shown = np.zeros((*values.shape[:2], 3), np.uint8)
    for channel in range(3):
        band = values[..., channel if values.shape[2] >= 3 else 0].astype(np.float64)
        present = band if valid is None else band[valid]
        if not present.size:
            continue
        low, high = np.percentile(present, (2, 98))
        share = np.clip((band - low) / ((high - low) or 1.0), 0, 1)
        shown[..., channel] = np.where(True if valid is None else valid, share * 255, 0)
    return shown


def _fit(source: _Source, given: dict[str, Any]) -> NDArray[np.int32]:
    from kmosaic.superpixels import merge, slic

    if source.valid is not None and not source.valid.any():
        raise DataError("every pixel is transparent or missing; there is nothing to cut into regions")
    labels = slic(
        source.values,
        given["count"],
        given["compactness"] or (10.0 if source.colours else 0.1),
        given["max_iter"],
        sigma=given["smooth"],
        slic_zero=given["adaptive"],
        mask=source.valid,
        n_threads=given["threads"],
    )
    if given["n_classes"] is None:
        return labels
    return merge(labels, source.values, given["n_classes"], n_threads=given["threads"])


def _write(outputs: _Outputs, source: _Source, labels: NDArray[np.int32]) -> Regions:
    from kmosaic.superpixels import draw_outlines, regions
    from kmosaic.superpixels.label_files import write_labels
    from kmosaic.superpixels.vectors import write_vectors

    table = regions(labels, source.values)
    write_labels(outputs.output, labels, source.grid, overwrite=outputs.force)
    if outputs.outline is not None:
        from PIL import Image

        with atomic_write(outputs.outline, overwrite=outputs.force) as temporary:
            Image.fromarray(draw_outlines(source.picture, labels)).save(temporary, "PNG")
    if outputs.table is not None:
        header = ["region", "pixels", "row", "column"]
        header += [f"mean_{channel + 1}" for channel in range(table.means.shape[1])] + ["neighbors"]
        write_assignments(outputs.table, header, _rows(table), overwrite=outputs.force)
    if outputs.vectors is not None and source.grid is not None:
        write_vectors(outputs.vectors, labels, table, source.grid, overwrite=outputs.force)
    return table


def _rows(table: Regions) -> Iterator[list[object]]:
    for number, label in enumerate(table.labels.tolist()):
        yield [
            label,
            int(table.sizes[number]),
            *(f"{place:.2f}" for place in table.centers[number]),
            *(f"{mean:.6g}" for mean in table.means[number]),
            " ".join(str(other) for other in table.neighbors[number].tolist()),
        ]


def _tell(outputs: _Outputs, table: Regions, n_classes: int | None, *, quiet: bool) -> None:
    sizes = table.sizes
    what = count(len(sizes), "region") if n_classes is None else count(len(sizes), "class", "classes")
    print_results(
        f"{what}: {int(sizes.min()):,} to {int(sizes.max()):,} pixels, {float(sizes.mean()):,.0f} on average"
    )
    print_results(written(outputs.paths))
    if not quiet and outputs.outline is None:
        print_notes("Next: add --outline outlines.png to see the regions on the picture")
