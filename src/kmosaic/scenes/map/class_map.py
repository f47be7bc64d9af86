"""Class maps: codes and names of classes, and the GeoTIFF with its sidecar."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.files import atomic_write
from kmosaic.scenes.io.geotiff_writer import Layout, RasterOutput, raster_output
from kmosaic.scenes.map.attribute_table import Column, sidecar
from kmosaic.scenes.scene import Grid
from kmosaic.scenes.stats.class_statistics import ClassSizes

MAX_CLASSES = 65535


@dataclass(frozen=True)
class Coding:
    """The codes of classes in a map: 1, 2, ... and ``nodata`` 0, or 0, 1, ... and ``nodata`` 255.

    Raises DataError for another nodata value, or more classes than there are values.

    >>> Coding(12).encoded(np.array([[0, -1, 11]])).tolist(), Coding(255).dtype, Coding(256).dtype
    ([[1, 0, 12]], 'uint8', 'uint16')
    """

    n_classes: int
    nodata: int = 0

    def __post_init__(self) -> None:
        if self.nodata not in (0, 255):
            raise DataError(f"nodata={self.nodata} must be 0 (classes from 1) or 255 (classes from 0)")
        max_classes = MAX_CLASSES if self.nodata == 0 else 255
        if self.n_classes > max_classes:
            raise DataError(
                f"{self.n_classes} classes are more than the {max_classes} values that nodata {self.nodata} "
                f"leaves; use {'nodata 0' if self.nodata else 'fewer clusters'}"
            )

    @property
    def first(self) -> int:
        return 1 if self.nodata == 0 else 0

    @property
    def dtype(self) -> str:
        """The smallest dtype that holds every class and nodata."""
        return "uint8" if self.n_classes <= 255 else "uint16"

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(range(self.first, self.first + self.n_classes))

    def names(self, given: Sequence[str] | None) -> tuple[str, ...]:
        """Return each class's name: as given, or its number where none is."""
        names = given or [""] * self.n_classes
        return tuple(name or f"class {value}" for value, name in zip(self.values, names, strict=True))

    def encoded(self, labels: NDArray[np.int32]) -> NDArray[Any]:
        """Return labels, -1 where missing, as values of a map."""
        # Missing pixels, -1, become 0 where classes begin with 1, and else the last value, 255.
        coded: NDArray[Any] = np.add(labels, self.first, dtype=self.dtype, casting="unsafe")
        return coded


@dataclass(frozen=True, eq=False)
class ClassMap:
    """A map to be written: its grid, coding, class names and colours (n_classes, 3) uint8."""

    grid: Grid
    coding: Coding
    names: tuple[str, ...]
    colours: NDArray[np.uint8]
    cog: bool = False

    def layout(self, description: str) -> Layout:
        """Return how a band of classes is written."""
        colours = [(int(red), int(green), int(blue)) for red, green, blue in self.colours]
        table = dict(zip(self.coding.values, colours, strict=True))
        return Layout(self.coding.dtype, self.coding.nodata, (description,), "mode", table, self.cog)


class ClassMapOutput:
    """A map that is being written: labels from top to bottom, then the statistics for its table."""

    def __init__(self, raster: RasterOutput, class_map: ClassMap) -> None:
        self._raster = raster
        self._class_map = class_map
        self.columns: Sequence[Column] = ()

    def write(self, labels: NDArray[np.int32]) -> None:
        """Write the next lines of labels, (n_lines, width), -1 where missing."""
        self._raster.write(self._class_map.coding.encoded(labels))


@contextlib.contextmanager
def class_map_output(
    path: str | os.PathLike[str], class_map: ClassMap, description: str = "class", *, overwrite: bool = False
) -> Iterator[ClassMapOutput]:
    """Yield a map to write labels to, and ``columns`` of its attribute table to set.

    The map and its sidecar, PATH.aux.xml, appear once both are complete.

    Raises OutputError when one of them exists and ``overwrite`` is false, or cannot be written.
    """
    layout = class_map.layout(description)
    with (
        atomic_write(sidecar_path(path), overwrite=overwrite) as table,
        raster_output(path, class_map.grid, layout, overwrite=overwrite) as raster,
    ):
        output = ClassMapOutput(raster, class_map)
        yield output
        values, names, colours = class_map.coding.values, class_map.names, class_map.colours
        table.write_bytes(sidecar(values, names, colours, output.columns))


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Return where GDAL looks for what a GeoTIFF itself cannot hold."""
    return Path(f"{os.fspath(path)}.aux.xml")


def size_columns(sizes: ClassSizes) -> list[Column]:
    """Return the columns of the attribute table with each class's pixels and, where known, its area."""
    columns = [Column("Count", "PixelCount", [int(n) for n in sizes.pixels])]
    if sizes.areas is not None:
        columns.append(Column("Area_m2", "Generic", [float(area) for area in sizes.areas]))
    return columns
