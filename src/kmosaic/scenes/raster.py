"""Scenes from raster files, read by rasterio."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.gdal import CACHE_BYTES
from kmosaic.scenes.grids import check_same_grid
from kmosaic.scenes.mask_file import MaskFile
from kmosaic.scenes.masks import BandValues, Mask, Presence, missing_range
from kmosaic.scenes.raster_file import RasterFile
from kmosaic.scenes.reading import ReadOptions, chosen_bands, held_as, nodata_values
from kmosaic.scenes.scaled import Scales
from kmosaic.scenes.scene import Band, Grid, Strip

# Blocks of unlike heights meet again after lcm lines; where that is more, the tallest is gone by.
_MOST_LINES = 1024
# What Python, rasterio and GDAL were seen to take for themselves while reading, beside cache and blocks.
_BASE_BYTES = 16 << 20


@dataclass(frozen=True)
class _Source:
    """One band of a file."""

    file: int
    number: int


class RasterScene:
    """Bands of one or more rasters on one grid; see ``open_scene``."""

    def __init__(self, files: Sequence[RasterFile], options: ReadOptions) -> None:
        self._files = list(files)
        self._options = options
        for file in files[1:]:
            check_same_grid(self.grid, file.grid, (files[0].path, file.path))
        sources = [_Source(i, n) for i, file in enumerate(files) for n in range(1, len(file.bands) + 1)]
        bands = [files[source.file].bands[source.number - 1] for source in sources]
        alpha = [i for i, source in enumerate(sources) if files[source.file].alpha == source.number]
        places = chosen_bands(bands, options, self.name, alpha=alpha)
        self._sources = [sources[place] for place in places]
        self._bands = tuple(bands[place] for place in places)
        if options.bands is None:
            self._refuse_palettes()
        dtypes = [band.dtype for band in self._bands]
        tags = [files[source.file].scale(source.number) for source in self._sources]
        self._scales = Scales(tags) if options.use_scale_offset else None
        self._dtype = held_as(dtypes, self.name, tags if options.use_scale_offset else None)
        self._presence = self._told_by_values()
        self._masked = list(self._mask_bands())
        self._mask = options.mask and MaskFile(
            options.mask, self.grid, files[0].path, network=options.network
        )

    def _refuse_palettes(self) -> None:
        for source in self._sources:
            file = self._files[source.file]
            if file.is_palette(source.number):
                raise DataError(
                    f"band {source.number} of {file.name} holds indices into a table of colours, whose order "
                    "means nothing: expand it (gdal_translate -expand rgb), or name it all the same (bands=)"
                )

    def _told_by_values(self) -> Presence:
        nodata = nodata_values(self._bands, self._options, self.name)
        several = len(self._files) > 1 or len(self._files[0].bands) > 1
        values = [
            BandValues(
                f"band {source.number} of {self._files[source.file].name}" if several else self.name,
                band.dtype,
                missing_range(value, band.dtype),
            )
            for source, band, value in zip(self._sources, self._bands, nodata, strict=True)
        ]
        return Presence(values, self._options.missing)

    def _mask_bands(self) -> Iterator[tuple[_Source, str, tuple[int, ...]]]:
        """Masks to read: the band, "alpha" or "mask", and the features that it goes for."""
        for number, file in enumerate(self._files):
            features = tuple(i for i, source in enumerate(self._sources) if source.file == number)
            numbers = [self._sources[i].number for i in features]
            if features and file.alpha and file.alpha not in numbers:
                yield _Source(number, file.alpha), "alpha", features
            shared = [i for i in features if file.mask_of(self._sources[i].number) == "dataset"]
            if shared and not file.alpha and not self._overridden(file):
                yield self._sources[shared[0]], "mask", tuple(shared)
            for i in features:
                if file.mask_of(self._sources[i].number) == "band":
                    yield self._sources[i], "mask", (i,)

    def _overridden(self, file: RasterFile) -> bool:
        """Whether the dataset's mask is made of nodata values (NODATA_VALUES), and others were given."""
        flags = {flag.name for flag in file.dataset.mask_flag_enums[0]}
        return "nodata" in flags and self._options.nodata is not None

    @property
    def name(self) -> str:
        """The first file's name."""
        return self._files[0].name

    @property
    def grid(self) -> Grid:
        """Where its pixels lie."""
        return self._files[0].grid

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands read, in their order, as they are stored."""
        return self._bands

    @property
    def dtype(self) -> np.dtype[Any]:
        """The least of ``DTYPES`` that holds every value of every band."""
        return self._dtype

    @property
    def block_height(self) -> int:
        """Lines that all files store together."""
        heights = {self._files[source.file].block_height(source.number) for source in self._sources}
        together = math.lcm(*heights)
        return min(together if together <= _MOST_LINES else max(heights), self.grid.height)

    def overhead_bytes(self, n_lines: int) -> int:
        """What reading so many lines takes beside the strip's values: masks, ``valid``, GDAL's cache."""
        planes = 1 + (1 if self._options.missing == "any" else len(self._masked)) * bool(self._masked)
        planes += (8 if self._masked else 0) + (1 + self._mask.bytes_per_pixel if self._mask else 0)
        return CACHE_BYTES + _BASE_BYTES + n_lines * self.grid.width * planes

    def read(self, top: int, n_lines: int, out: NDArray[Any] | None = None) -> Strip:
        """See ``Scene.read``."""
        if top < 0 or n_lines < 1 or top + n_lines > self.grid.height:
            raise ValueError(
                f"lines {top} to {top + n_lines} are not within the {self.grid.height} of {self.name}"
            )
        values = np.empty((n_lines, self.grid.width, len(self._bands)), self._dtype) if out is None else out
        self._fill(top, np.moveaxis(values, 2, 0))
        valid = self._presence.of(values, top, self._masks(top, n_lines))
        if self._scales:
            self._scales.apply(values)
        return Strip(top, values, valid)

    def _fill(self, top: int, planes: NDArray[Any]) -> None:
        first = 0
        for number, run in groupby(self._sources, lambda source: source.file):
            numbers = [source.number for source in run]
            self._files[number].read(numbers, top, planes[first : first + len(numbers)])
            first += len(numbers)

    def _masks(self, top: int, n_lines: int) -> list[Mask]:
        masks: list[Mask] = []
        if self._mask:
            masks.append(Mask(None, self._mask.read(top, n_lines)))
        for source, kind, features in self._masked:
            file = self._files[source.file]
            present = (
                self._alpha(file, top, n_lines)
                if kind == "alpha"
                else file.read_mask(source.number, top, n_lines)
            )
            if masks and self._options.missing == "any":
                masks[0].present[:] &= present
            else:
                masks.append(Mask(None if self._options.missing == "any" else features, present))
        return masks

    def _alpha(self, file: RasterFile, top: int, n_lines: int) -> NDArray[np.bool_]:
        assert file.alpha
        alpha = np.empty((1, n_lines, self.grid.width), file.bands[file.alpha - 1].dtype)
        file.read([file.alpha], top, alpha)
        return np.asarray(alpha[0] != 0)

    def close(self) -> None:
        """Close the files that were opened here."""
        for file in [*self._files, *([self._mask.file] if self._mask else [])]:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
