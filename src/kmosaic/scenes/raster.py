"""Scenes from raster files, read by rasterio."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.band_names import names_from_files
from kmosaic.scenes.gdal import CACHE_BYTES, n_threads
from kmosaic.scenes.grids import check_same_grid
from kmosaic.scenes.mask_file import MaskFile
from kmosaic.scenes.presence import BandValues, Presence, missing_range
from kmosaic.scenes.raster_file import LONGEST_DESCRIPTION, RasterBand, RasterFile
from kmosaic.scenes.raster_masks import RasterMasks
from kmosaic.scenes.reading import ReadOptions, check_lines, chosen_bands, held_as, nodata_values
from kmosaic.scenes.scale_tags import Scales
from kmosaic.scenes.scene import Band, Grid, Strip

# Blocks of unlike heights meet again after lcm lines; where that is more, the tallest is gone by.
_MOST_LINES = 1024
# What Python, rasterio and GDAL were seen to take for themselves while reading, beside cache and blocks.
_BASE_BYTES = 20 << 20


class RasterScene:
    """Bands of one or more rasters on one grid; see ``open_scene``."""

    def __init__(self, files: Sequence[RasterFile], options: ReadOptions) -> None:
        self._files = list(files)
        for file in files[1:]:
            check_same_grid(self.grid, file.grid, (files[0].path, file.path))
        every = [RasterBand(file, number) for file in files for number in range(1, len(file.bands) + 1)]
        alpha = [place for place, band in enumerate(every) if band.file.alpha == band.number]
        named = _named(every)
        places = chosen_bands(named, options, self.name, alpha=alpha)
        self._read = [every[place] for place in places]
        self._bands = tuple(named[place] for place in places)
        if options.bands is None:
            _refuse_palettes(self._read)
        tags = [band.meaning.scale for band in self._read] if options.use_scale_offset else None
        self._scales = Scales(tags) if tags else None
        self._dtype = held_as([band.dtype for band in self.bands], self.name, tags)
        self._presence = self._told_by_values(options)
        self._mask = (
            MaskFile(options.mask, self.grid, files[0].path, network=options.network)
            if options.mask
            else None
        )
        self._masks = RasterMasks(self._read, self._mask, options)

    def _told_by_values(self, options: ReadOptions) -> Presence:
        values = [
            BandValues(
                f"band {band.number} of {band.file.name}",
                band.stored.dtype,
                missing_range(nodata, band.stored.dtype),
            )
            for band, nodata in zip(self._read, nodata_values(self.bands, options, self.name), strict=True)
        ]
        return Presence(values, options.missing)

    @property
    def name(self) -> str:
        """The first file's name."""
        return self._files[0].name

    @property
    def files(self) -> tuple[str, ...]:
        """Every file it is read from, as far as GDAL tells: a VRT's sources, masks and sidecars, too."""
        masks = [self._mask.file] if self._mask else []
        return tuple(path for file in (*self._files, *masks) for path in file.files)

    @property
    def grid(self) -> Grid:
        """Where its pixels lie."""
        return self._files[0].grid

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands read, in their order, as they are stored, but for names from files."""
        return self._bands

    @property
    def dtype(self) -> np.dtype[Any]:
        """The least of ``DTYPES`` that holds every value of every band."""
        return self._dtype

    @property
    def block_height(self) -> int:
        """Lines that all files store together."""
        heights = {band.file.block_height for band in self._read}
        together = math.lcm(*heights)
        return min(together if together <= _MOST_LINES else max(heights), self.grid.height)

    def overhead_bytes(self, n_lines: int) -> int:
        """What reading so many lines takes beside the strip's values: its masks, GDAL's cache and blocks."""
        # Each thread has a block as it is stored, and one as it was.
        blocks = 2 * n_threads() * max(file.block_bytes for file in self._files)
        masks = n_lines * self.grid.width * (1 + self._masks.bytes_per_pixel)
        return CACHE_BYTES + _BASE_BYTES + blocks + masks

    def read(self, top: int, n_lines: int, out: NDArray[Any] | None = None) -> Strip:
        """See ``Scene.read``."""
        check_lines(self, top, n_lines)
        values = np.empty((n_lines, self.grid.width, len(self._read)), self._dtype) if out is None else out
        self._fill(top, np.moveaxis(values, 2, 0))
        valid = self._presence.of(values, top, self._masks.read(top, n_lines))
        if self._scales:
            self._scales.apply(values)
        return Strip(top, values, valid)

    def _fill(self, top: int, planes: NDArray[Any]) -> None:
        """Read neighbouring bands of a file together: a block may hold all of them."""
        first = 0
        for file, bands in groupby(self._read, lambda band: band.file):
            numbers = [band.number for band in bands]
            file.read(numbers, top, planes[first : first + len(numbers)])
            first += len(numbers)

    def close(self) -> None:
        """Close the files that were opened here."""
        for file in [*self._files, *([self._mask.file] if self._mask else [])]:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _named(bands: Sequence[RasterBand]) -> list[Band]:
    """How bands are stored; of several files of one band each, those without a description get one."""
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
        if band.meaning.colour == "palette":
            raise DataError(
                f"band {band.number} of {band.file.name} holds indices into a table of colours, whose order "
                "means nothing: expand it (gdal_translate -expand rgb), or name it all the same (bands=)"
            )


def open_scene(source: Any, options: ReadOptions | None = None) -> RasterScene:
    """Open one raster, or several on one grid, as a scene.

    Parameters
    ----------
    source : path or open rasterio dataset, or a sequence of these
        Whatever GDAL reads. Bands are taken in the order of the files.
    options : ReadOptions
        Which bands, and what counts as missing.

    Returns
    -------
    RasterScene
        To be closed, or used in a ``with`` statement; datasets that were given stay open. It can be pickled:
        files are opened again by their paths.

    Raises
    ------
    DataError
        For a file that is missing, unreadable or given twice; bands that are not there or cannot be
        clustered; and grids that differ, with the ``gdalwarp`` line that mends it.
    MissingLibraryError
        Without rasterio.
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
