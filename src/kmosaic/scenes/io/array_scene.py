"""Scenes from arrays, and from whatever holds a scene."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster.dask.rows import is_dask_array, with_checked_chunks
from kmosaic.errors import DataError
from kmosaic.scenes.io.band_scene import BandScene, SourceBand
from kmosaic.scenes.io.raster_scene import open_scene
from kmosaic.scenes.io.read_options import ReadOptions, chosen_bands
from kmosaic.scenes.io.valid_pixels import Mask
from kmosaic.scenes.io.xarray_metadata import GriddedArray, from_xarray
from kmosaic.scenes.scene import Band, Grid, Scene

# A last axis of no more, and less than a quarter of both others, is taken for one of bands.
_MAX_BANDS_LAST = 16
_NO_GRID = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class ArrayScene(BandScene):
    """Bands of an array, read line by line; see ``as_scene``.

    A Dask array is computed for the lines that are read, and no others, in whole chunks. Masked arrays are
    missing where they are masked.
    """

    def __init__(self, array: GriddedArray, options: ReadOptions) -> None:
        self._data = array.data
        if is_dask_array(array.data):
            self._data = with_checked_chunks(array.data, "the Dask array")
        self._item_bytes = int(np.dtype(array.data.dtype).itemsize)
        self._axes = array.axes
        self._places = chosen_bands(array.bands, options, array.name)
        sources = [
            SourceBand(array.bands[place], f"band {place + 1} of {array.name}", array.scales[place])
            for place in self._places
        ]
        super().__init__(array.name, array.grid, sources, options)

    @property
    def block_height(self) -> int:
        """Lines of the tallest chunk of an array that has chunks, as Dask's; 1 of others."""
        chunks = getattr(self._data, "chunks", None)
        return int(np.max(chunks[self._axes[1]])) if chunks else 1

    def overhead_bytes(self, n_lines: int) -> int:
        lines = int(max(n_lines, self.block_height))
        stored = len(self.bands) * (self._item_bytes + 1) + 2
        return lines * self.grid.width * (stored + (1 + self._mask.bytes_per_pixel if self._mask else 0))

    def _fill(self, top: int, values: NDArray[Any]) -> list[Mask]:
        lines = self._lines(top, len(values))
        np.copyto(values, np.ma.getdata(lines), casting="unsafe")
        masks = [Mask(None, self._mask.read(top, len(values)))] if self._mask else []
        if np.ma.is_masked(lines):
            masked = np.ma.getmaskarray(lines)
            masks += [Mask((band,), ~masked[..., band]) for band in range(len(self.bands))]
        return masks

    def _lines(self, top: int, n_lines: int) -> NDArray[Any]:
        """Lines in the array's own dtype: (n_lines, width, n_bands)."""
        band_axis, line_axis, column_axis = self._axes
        index: list[Any] = [slice(None)] * self._data.ndim
        index[line_axis] = slice(top, top + n_lines)
        if band_axis is not None and self._places != list(range(self._data.shape[band_axis])):
            index[band_axis] = self._places
        try:
            lazy = self._data[tuple(index)]
            part: NDArray[Any] = np.asanyarray(lazy.compute() if hasattr(lazy, "compute") else lazy)
        except (OSError, RuntimeError, ValueError, MemoryError) as error:  # whatever a lazy array reads
            raise DataError(
                f"{self.name} cannot be read in lines {top + 1} to {top + n_lines}: {str(error)[:300]}"
            ) from error
        if band_axis is None:
            return np.asanyarray(part.transpose(line_axis, column_axis)[..., np.newaxis])
        return np.asanyarray(part.transpose(line_axis, column_axis, band_axis))


def as_scene(source: Any, options: ReadOptions | None = None) -> Scene:
    """Return a scene of whatever holds one.

    Parameters
    ----------
    source : path, open rasterio dataset, a sequence of these, array, xarray.DataArray or Scene
        Arrays (NumPy, Dask, or any that is sliced like them) are (n_bands, n_lines, n_columns) or
        (n_lines, n_columns); those that look as if bands came last are refused. A DataArray has dimensions
        y and x, or latitude and longitude, and at most one other, in any order; its nodata value,
        descriptions, scale, CRS and transform are taken from where rioxarray has them. A Scene is returned
        as it is.
    options : ReadOptions
        Which bands, and what counts as missing.

    Raises
    ------
    DataError
        For what is none of these, or an array of bands last, or as ``open_scene``.

    Examples
    --------
    >>> scene = as_scene(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), ReadOptions(nodata=(0, "none")))
    >>> scene.read(top=0, n_lines=1).pixels()
    array([[ 1, 13],
           [ 2, 14],
           [ 3, 15]], dtype=uint8)
    """
    settings = options or ReadOptions()
    if all(hasattr(source, name) for name in ("grid", "bands", "block_height", "read")):
        if options not in (None, ReadOptions()):
            raise DataError("a scene has its options already; open it with these instead")
        return source  # type: ignore[no-any-return]
    if hasattr(source, "data_vars"):
        raise DataError("a Dataset was given; choose its bands as one DataArray, with to_dataarray()")
    if hasattr(source, "shape") and hasattr(source, "dtype") and hasattr(source, "ndim"):
        if any(math.isnan(size) for size in source.shape):
            raise DataError(
                f"the array has shape {source.shape}, of chunks whose sizes are not known; let Dask find "
                "them out (array.compute_chunk_sizes())"
            )
        return ArrayScene(from_xarray(source) if hasattr(source, "dims") else _from_array(source), settings)
    if isinstance(source, str | os.PathLike | Sequence) or hasattr(source, "read_masks"):
        return open_scene(source, settings)
    raise DataError(f"{type(source).__name__} is no path, rasterio dataset, array or DataArray")


def _from_array(array: Any) -> GriddedArray:
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError(f"an array of shape {array.shape} was given; (n_bands, n_lines, n_columns) is needed")
    if array.ndim == 3:
        _refuse_bands_last(*array.shape)
    axes = (None, 0, 1) if array.ndim == 2 else (0, 1, 2)
    n_bands = 1 if array.ndim == 2 else array.shape[0]
    grid = Grid(array.shape[-1], array.shape[-2], _NO_GRID, "")
    bands = (Band("", np.dtype(array.dtype).name, None),) * n_bands
    return GriddedArray("the array", array, axes, grid, bands, ((1.0, 0.0),) * n_bands)


def _refuse_bands_last(n_bands: int, n_lines: int, n_columns: int) -> None:
    if n_columns <= _MAX_BANDS_LAST and min(n_bands, n_lines) > 4 * n_columns:
        raise DataError(
            f"an array of shape {(n_bands, n_lines, n_columns)} would be {n_bands} bands of {n_lines} x "
            f"{n_columns} pixels; where its bands come last, give np.moveaxis(a, -1, 0), and where not, "
            "xarray.DataArray(a, dims=('band', 'y', 'x'))"
        )
