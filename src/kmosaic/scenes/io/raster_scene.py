"""Scenes from raster files, read by rasterio."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.io.band_names import names_from_files
from kmosaic.scenes.io.band_scene import BandScene, SourceBand
from kmosaic.scenes.io.gdal_env import CACHE_BYTES, n_threads
from kmosaic.scenes.io.grids import check_same_grid
from kmosaic.scenes.io.raster_file import LONGEST_DESCRIPTION, RasterBand, RasterFile
from kmosaic.scenes.io.raster_masks import RasterMasks
from kmosaic.scenes.io.read_options import ReadOptions, chosen_bands
from kmosaic.scenes.io.valid_pixels import Mask
from kmosaic.scenes.scene import Band

# Blocks of different heights are aligned every lcm lines; where that is more, the tallest block decides.
_MAX_ALIGNED_LINES = 1024
# Measured: memory of Python, rasterio and GDAL while reading, beside cache and blocks.
_BASE_BYTES = 20 << 20


class RasterScene(BandScene):
    """Bands of one or more rasters on one grid; see ``open_scene``."""

    def __init__(self, files: Sequence[RasterFile], options: ReadOptions) -> None:
        self._files = list(files)
        for file in files[1:]:
            check_same_grid(files[0].grid, file.grid, (files[0].path, file.path))
        every = [RasterBand(file, number) for file in files for number in range(1, len(file.bands) + 1)]
        alpha = [place for place, band in enumerate(every) if band.file.alpha == band.number]
        named = _named(every)
        places = chosen_bands(named, options, files[0].name, alpha=alpha)
        self._read = [every[place] for place in places]
        if options.bands is None:
            _refuse_palettes(self._read)
        sources = [
            SourceBand(named[place], f"band {band.number} of {band.file.name}", band.metadata.scale)
            for place, band in zip(places, self._read, strict=True)
        ]
        super().__init__(files[0].name, files[0].grid, sources, options, files[0].path)
        self._masks = RasterMasks(self._read, self._mask, options)

    @property
    def _raster_files(self) -> list[RasterFile]:
        return [*self._files, *super()._raster_files]

    @property
    def block_height(self) -> int:
        """Lines that all files store together."""
        heights = {band.file.block_height for band in self._read}
        together = math.lcm(*heights)
        return min(together if together <= _MAX_ALIGNED_LINES else max(heights), self.grid.height)

    def overhead_bytes(self, n_lines: int) -> int:
        # GDAL's cache and, for each thread, a stored block and a decoded one.
        blocks = 2 * n_threads() * max(file.block_bytes for file in self._files)
        masks = n_lines * self.grid.width * (1 + self._masks.bytes_per_pixel)
        return CACHE_BYTES + _BASE_BYTES + blocks + masks

    def _fill(self, top: int, values: NDArray[Any]) -> list[Mask]:
        """Read neighbouring bands of a file together: a block may hold all of them."""
        planes, first = np.moveaxis(values, 2, 0), 0
        for file, bands in groupby(self._read, lambda band: band.file):
            numbers = [band.number for band in bands]
            file.read(numbers, top, planes[first : first + len(numbers)])
            first += len(numbers)
        return self._masks.read(top, len(values))


def _named(bands: Sequence[RasterBand]) -> list[Band]:
    """The bands as stored; of several files of one band each, those without a description get one."""
    files = list(dict.fromkeys(band.file for band in bands))
    single = [file for file in files if len(file.bands) - (file.alpha is not None) == 1]
    names: dict[RasterFile, str] = {}
    if len(files) > 1:
        names = dict(zip(single, names_from_files([file.path for file in single]), strict=True))
    return [
        band.stored
        if band.stored.description or band.number == band.file.alpha or band.file not in names
        else replace(band.stored, description=names[band.file][:LONGEST_DESCRIPTION], from_file=True)
        for band in bands
    ]


def _refuse_palettes(bands: Sequence[RasterBand]) -> None:
    for band in bands:
        if band.metadata.colour == "palette":
            raise DataError(
                f"band {band.number} of {band.file.name} holds indices into a table of colours, whose order "
                "means nothing: expand it (gdal_translate -expand rgb), or name it all the same (bands=)"
            )


def open_scene(source: Any, options: ReadOptions | None = None) -> RasterScene:
    """Open one raster, or several on one grid, as a scene.

    ``source`` is a path, an open rasterio dataset, or a sequence of these, whatever GDAL reads; bands are
    taken in the order of the files. The scene is to be closed, or used in a ``with`` statement; datasets that
    were given stay open. It can be pickled: files are opened again by their paths.

    Raises DataError for a file that is missing, unreadable or given twice; bands that are not there or cannot
    be clustered; and grids that differ, with the ``gdalwarp`` line that mends it. Raises MissingLibraryError
    without rasterio.
    """
    given = list(source) if isinstance(source, list | tuple) else [source]
    settings = options or ReadOptions()
    if not given:
        raise DataError("no raster was given; name at least one")
    paths = [os.fspath(entry) for entry in given if isinstance(entry, str | os.PathLike)]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise DataError(f"{twice} was given twice; name each file once")
    files: list[RasterFile] = []
    try:
        files.extend(RasterFile(entry, network=settings.network) for entry in given)
        return RasterScene(files, settings)
    except BaseException:
        for file in files:
            file.close()
        raise
