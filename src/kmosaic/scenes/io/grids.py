"""Grids of rasters: whether they agree, and the command that makes them."""

from __future__ import annotations

import math
import shlex
from pathlib import PurePath
from typing import Any

from kmosaic.errors import DataError
from kmosaic.scenes.io.gdal_env import load_rasterio
from kmosaic.scenes.scene import Grid

# Corners further apart than this, in pixels, are different places: transforms are often written rounded.
_TOLERANCE = 0.01


def grid_of(dataset: Any) -> Grid:
    """Return where the pixels of an open rasterio dataset lie."""
    crs = dataset.crs.to_wkt() if dataset.crs else ""
    a, b, c, d, e, f = (float(value) for value in tuple(dataset.transform)[:6])
    return Grid(dataset.width, dataset.height, (a, b, c, d, e, f), crs)


def check_same_grid(first: Grid, other: Grid, names: tuple[str, str], *, classes: bool = False) -> None:
    """Refuse two rasters whose pixels do not lie on each other.

    ``names`` are those of their files, for the command that brings the other to the grid of the first; where
    it holds ``classes``, values are not to be mixed.

    Raises DataError with what differs, and that command.
    """
    differences = []
    if not _same_crs(first, other):
        differences.append(f"CRS {_crs_name(other)[:80]} and not {_crs_name(first)[:80]}")
    if (first.width, first.height) != (other.width, other.height):
        differences.append(f"{other.width} x {other.height} pixels and not {first.width} x {first.height}")
    if not _same_transform(first, other):
        differences.append(_transform_difference(first, other))
    if differences:
        raise DataError(
            f"{names[1]} does not lie on the grid of {names[0]}: it has {'; '.join(differences)}. "
            f"To bring it there: {_mending(first, other, names, classes)}"
        )


def _same_crs(first: Grid, other: Grid) -> bool:
    if first.crs == other.crs or not (first.crs and other.crs):
        return first.crs == other.crs
    from_wkt = load_rasterio().crs.CRS.from_wkt
    return bool(from_wkt(first.crs) == from_wkt(other.crs))


def _crs_name(grid: Grid) -> str:
    """As short as it is exact, as GDAL's commands take it."""
    if not grid.crs:
        return "none"
    crs_type = load_rasterio().crs.CRS
    crs = crs_type.from_wkt(grid.crs)
    code = crs.to_epsg()
    return f"EPSG:{code}" if code and crs_type.from_epsg(code) == crs else grid.crs


def _pixel(grid: Grid) -> tuple[float, float]:
    a, b, _, d, e, _ = grid.transform
    return math.hypot(a, d), math.hypot(b, e)


def _place(grid: Grid, column: float, line: float) -> tuple[float, float]:
    a, b, c, d, e, f = grid.transform
    return a * column + b * line + c, d * column + e * line + f


def _same_transform(first: Grid, other: Grid) -> bool:
    near = _TOLERANCE * min(_pixel(first))
    corners = [(column, line) for column in (0, first.width) for line in (0, first.height)]
    return first.transform == other.transform or all(
        math.dist(_place(first, *corner), _place(other, *corner)) <= near for corner in corners
    )


def _transform_difference(first: Grid, other: Grid) -> str:
    sizes = [" x ".join(f"{side:.10g}" for side in _pixel(grid)) for grid in (other, first)]
    if sizes[0] != sizes[1]:
        return f"pixels of {sizes[0]} and not {sizes[1]}"
    origins = ["({:.10g}, {:.10g})".format(*_place(grid, 0, 0)) for grid in (other, first)]
    if origins[0] != origins[1]:
        return f"its first corner at {origins[0]} and not {origins[1]}"
    return f"the transform {other.transform} and not {first.transform}"


def _mending(first: Grid, other: Grid, names: tuple[str, str], classes: bool) -> str:
    if other.crs and not first.crs:
        beside = _beside(names[0], "crs")
        return shlex.join(["gdal_translate", "-a_srs", _crs_name(other), names[0], beside]) + (
            f", if that is the CRS of {names[0]}"
        )
    line = _warp(first, other, names[1], classes)
    a, b, _, d, e, _ = first.transform
    if a > 0 > e and not b and not d:
        return line
    # gdalwarp makes north-up grids only, so both have to be brought to one.
    return f"{_warp(first, first, names[0], classes)} && {line}, and use both results"


def _warp(target: Grid, grid: Grid, name: str, classes: bool) -> str:
    corners = [_place(target, column, line) for column in (0, target.width) for line in (0, target.height)]
    xs, ys = zip(*corners, strict=True)
    crs = [] if not target.crs else ["-t_srs", _crs_name(target)]
    if target.crs and not grid.crs:
        crs = ["-s_srs", _crs_name(target), *crs]
    extent = [repr(value) for value in (min(xs), min(ys), max(xs), max(ys))]
    how = "near" if classes else "average" if max(_pixel(grid)) < 0.75 * min(_pixel(target)) else "bilinear"
    size = [str(target.width), str(target.height)]
    arguments = ["gdalwarp", *crs, "-te", *extent, "-ts", *size, "-r", how, name, _beside(name, "aligned")]
    return shlex.join(arguments)


def _beside(name: str, what: str) -> str:
    path = PurePath(name)
    return str(path.with_name(f"{path.stem}-{what}.tif"))
