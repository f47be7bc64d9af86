"""GeoTIFFs and COGs written strip by strip, and read back before they get their names."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError, OutputError
from kmosaic.files import atomic_write
from kmosaic.scenes.io.gdal_env import gdal_env, load_rasterio
from kmosaic.scenes.scene import Grid

TILE = 256
"""Lines and columns of a tile; strips that are whole rows of tiles are compressed once."""

_SMALLEST_OVERVIEW = 256
RASTER_SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True, eq=False)
class Layout:
    """The layout of a raster's bands: one dtype and nodata value for all, a description for each.

    ``colours`` maps values of a single band to (red, green, blue); ``resampling`` is how overviews are
    made, by GDAL's name; ``cog`` asks for a cloud-optimised GeoTIFF.
    """

    dtype: str
    nodata: float
    descriptions: tuple[str, ...]
    resampling: str
    colours: dict[int, tuple[int, int, int]] | None = None
    cog: bool = False


class RasterOutput:
    """A raster that is being written, from top to bottom, a row of tiles at a time."""

    def __init__(self, dataset: Any, layout: Layout, path: str | os.PathLike[str]) -> None:
        self._dataset = dataset
        self._path = path
        n_bands = len(layout.descriptions)
        self._tiles = np.empty((n_bands, TILE, dataset.width), layout.dtype)
        self._n_waiting = 0
        self._top = 0
        self.checksums = [0] * n_bands

    def write(self, *bands: NDArray[Any]) -> None:
        """Write the next lines: one (n_lines, width) array for each band, of the raster's dtype."""
        first = 0
        while first < len(bands[0]):
            n_lines = min(TILE - self._n_waiting, len(bands[0]) - first)
            for tiles, lines in zip(self._tiles, bands, strict=True):
                tiles[self._n_waiting : self._n_waiting + n_lines] = lines[first : first + n_lines]
            self._n_waiting += n_lines
            first += n_lines
            if self._n_waiting == TILE:
                self.flush()

    def flush(self) -> None:
        """Write the lines of an incomplete row of tiles."""
        window = ((self._top, self._top + self._n_waiting), (0, self._dataset.width))
        with _writing(self._path):
            for index, tiles in enumerate(self._tiles[:, : self._n_waiting]):
                self._dataset.write(tiles, index + 1, window=window)
                self.checksums[index] = zlib.crc32(tiles.data, self.checksums[index])
        self._top += self._n_waiting
        self._n_waiting = 0


@contextlib.contextmanager
def raster_output(
    path: str | os.PathLike[str], grid: Grid, layout: Layout, *, overwrite: bool = False
) -> Iterator[RasterOutput]:
    """Yield a raster to write to; it appears under its name once it is complete and has been read back.

    Raises OutputError when the file exists and ``overwrite`` is false, or cannot be written: a full disk, for
    example.
    """
    rasterio = load_rasterio()
    with atomic_write(path, overwrite=overwrite) as temporary:
        with _writing(path):
            dataset = _created(temporary, grid, layout)
        try:
            output = RasterOutput(dataset, layout, path)
            yield output
            output.flush()
        finally:
            with _writing(path):
                dataset.close()
        with _writing(path):
            if layout.cog:
                _turn_into_cog(temporary, layout)
            else:
                _add_overviews(rasterio, temporary, grid, layout)
            _read_back(rasterio, temporary, output.checksums)


def _created(path: Path, grid: Grid, layout: Layout) -> Any:
    rasterio = load_rasterio()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        dataset = rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=grid.width,
            height=grid.height,
            count=len(layout.descriptions),
            dtype=layout.dtype,
            nodata=layout.nodata,
            crs=grid.crs or None,
            transform=rasterio.Affine(*grid.transform),
            tiled=True,
            blockxsize=TILE,
            blockysize=TILE,
            # Every reader of TIFF knows it. Level 6 makes maps 3 % smaller in twice the time.
            compress="deflate",
            zlevel=3,
            interleave="band",
            bigtiff="if_safer",
        )
        if layout.colours is not None:
            dataset.write_colormap(1, {value: (*colour, 255) for value, colour in layout.colours.items()})
        for number, description in enumerate(layout.descriptions, 1):
            dataset.set_band_description(number, description)
    return dataset


def _add_overviews(rasterio: Any, path: Path, grid: Grid, layout: Layout) -> None:
    factors = [2]
    while max(grid.width, grid.height) / factors[-1] > _SMALLEST_OVERVIEW:
        factors.append(factors[-1] * 2)
    if max(grid.width, grid.height) <= _SMALLEST_OVERVIEW:
        return
    with _opened(rasterio, path, "r+") as dataset:
        dataset.build_overviews(factors, rasterio.enums.Resampling[layout.resampling])


def _turn_into_cog(path: Path, layout: Layout) -> None:
    from rasterio.shutil import copy

    # The driver of COG makes one only of a raster that is complete.
    descriptor, name = tempfile.mkstemp(prefix=".kmosaic-", suffix=path.suffix, dir=path.parent)
    os.close(descriptor)
    plain = Path(name)
    try:
        path.replace(plain)
        resampling = layout.resampling.upper()
        copy(
            plain, path, driver="COG", compress="deflate", overview_resampling=resampling, bigtiff="if_safer"
        )
    finally:
        plain.unlink(missing_ok=True)


def _read_back(rasterio: Any, path: Path, checksums: list[int]) -> None:
    """Compare the file with what was written: GDAL does not report every error of a full disk."""
    with _opened(rasterio, path) as dataset:
        n_overviews = len(dataset.overviews(1))
        if [_checksum(dataset, band) for band in dataset.indexes] != checksums:
            raise OSError("it does not hold what was written to it")
    for level in range(n_overviews):
        with _opened(rasterio, path, overview_level=level) as dataset:
            for band in dataset.indexes:
                _checksum(dataset, band)


def _checksum(dataset: Any, band: int) -> int:
    checksum = 0
    for top in range(0, dataset.height, TILE):
        lines = dataset.read(band, window=((top, min(top + TILE, dataset.height)), (0, dataset.width)))
        checksum = zlib.crc32(lines.data, checksum)
    return checksum


@contextlib.contextmanager
def _opened(rasterio: Any, path: Path, mode: str = "r", **options: Any) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, mode, **options) as dataset:
            yield dataset


@contextlib.contextmanager
def _writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Run GDAL on an output."""
    try:
        with gdal_env(f"{path} cannot be written", network=False):
            yield
    except DataError as error:
        raise OutputError(f"{error}; is the disk full? Free some space, or write elsewhere") from error
