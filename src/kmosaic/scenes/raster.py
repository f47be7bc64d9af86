"""Scenes from raster files, read by rasterio."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.gdal import gdal_settings, load_rasterio, open_dataset, reason
from kmosaic.scenes.grids import grid_of
from kmosaic.scenes.masks import missing_range, present
from kmosaic.scenes.reading import ReadOptions, chosen_bands, held_as
from kmosaic.scenes.scene import Band, Grid, Strip


@dataclass(frozen=True)
class _Source:
    """One band of a file."""

    dataset: int
    number: int


class RasterScene:
    """Bands of one or more rasters on one grid; see ``open_scene``."""

    def __init__(self, datasets: Sequence[Any], options: ReadOptions) -> None:
        self._datasets = list(datasets)
        self._options = options
        self._name = os.path.basename(str(datasets[0].name))
        self._grid = grid_of(datasets[0])
        sources = [_Source(i, n) for i, dataset in enumerate(datasets) for n in dataset.indexes]
        bands = [_band(datasets[source.dataset], source.number) for source in sources]
        places = chosen_bands(bands, options, self._name)
        self._sources = [sources[place] for place in places]
        self._bands = tuple(bands[place] for place in places)
        self._dtype = held_as([band.dtype for band in self._bands], self._name)
        self._ranges = [missing_range(band.nodata, band.dtype) for band in self._bands]

    @property
    def name(self) -> str:
        """The first file's name."""
        return self._name

    @property
    def grid(self) -> Grid:
        """Where its pixels lie."""
        return self._grid

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands read, in their order."""
        return self._bands

    @property
    def dtype(self) -> np.dtype[Any]:
        """The least of ``DTYPES`` that holds every value of every band."""
        return self._dtype

    @property
    def block_height(self) -> int:
        """Lines that all files store together."""
        heights = [
            self._datasets[source.dataset].block_shapes[source.number - 1][0] for source in self._sources
        ]
        return min(math.lcm(*heights), self._grid.height)

    def read(self, top: int, n_lines: int, out: NDArray[Any] | None = None) -> Strip:
        """See ``Scene.read``."""
        if out is None:
            out = np.empty((n_lines, self._grid.width, len(self._bands)), self._dtype)
        self._fill(top, out)
        return Strip(top, out, present(out, self._ranges, self._name, top))

    def _fill(self, top: int, out: NDArray[Any]) -> None:
        planes = np.moveaxis(out, 2, 0)
        first = 0
        window = ((top, top + len(out)), (0, self._grid.width))
        with gdal_settings():
            for dataset, run in groupby(self._sources, lambda source: source.dataset):
                numbers = [source.number for source in run]
                try:
                    self._datasets[dataset].read(
                        numbers, out=planes[first : first + len(numbers)], window=window
                    )
                except (load_rasterio().errors.RasterioError, OSError) as error:
                    raise DataError(
                        f"{self._datasets[dataset].name} cannot be read at lines {top + 1} to {top + len(out)}: "
                        f"{reason(error)}"
                    ) from error
                first += len(numbers)

    def close(self) -> None:
        """Close the files."""
        for dataset in self._datasets:
            dataset.close()

    def __enter__(self) -> RasterScene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _band(dataset: Any, number: int) -> Band:
    description = dataset.descriptions[number - 1] or ""
    nodata = dataset.nodatavals[number - 1]
    return Band(description, dataset.dtypes[number - 1], None if nodata is None else float(nodata))


def open_scene(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], options: ReadOptions | None = None
) -> RasterScene:
    """Open one or more raster files on one grid as a scene."""
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    return RasterScene([open_dataset(path) for path in files], options or ReadOptions())
