"""Scenes from arrays, and from whatever holds a scene."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.dask_chunks import is_dask, refuse_unknown_chunks, with_checked_chunks
from kmosaic.scenes.labelled import Labelled, labelled
from kmosaic.scenes.mask_file import MaskFile
from kmosaic.scenes.presence import BandValues, Mask, Presence, missing_range
from kmosaic.scenes.raster import open_scene
from kmosaic.scenes.reading import ReadOptions, check_lines, chosen_bands, held_as, nodata_values
from kmosaic.scenes.scale_tags import Scales
from kmosaic.scenes.scene import Band, Grid, Scene, Strip

# A last axis of no more, and less than a quarter of both others, is taken for one of bands.
_MOST_BANDS_LAST = 16
_NO_GRID = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class ArrayScene:
    """Bands of an array, read line by line; see ``as_scene``.

    A Dask array is computed for the lines that are read, and no others, in whole chunks. Masked arrays are
    missing where they are masked.
    """

    def __init__(self, given: Labelled, options: ReadOptions) -> None:
        self._data = with_checked_chunks(given.data) if is_dask(given.data) else given.data
        self._item_bytes = int(np.dtype(given.data.dtype).itemsize)
        self._axes = given.axes
        self._options = options
        self._name = given.name
        self._grid = given.grid
        self._places = chosen_bands(given.bands, options, self._name)
        self._bands = tuple(given.bands[place] for place in self._places)
        tags = [given.scales[place] for place in self._places] if options.use_scale_offset else None
        self._dtype = held_as([band.dtype for band in self._bands], self._name, tags)
        self._scales = Scales(tags) if tags else None
        nodata = nodata_values(self._bands, options, self._name)
        values = [
            BandValues(f"band {place + 1} of {self._name}", band.dtype, missing_range(value, band.dtype))
            for place, band, value in zip(self._places, self._bands, nodata, strict=True)
        ]
        self._presence = Presence(values, options.missing)
        self._mask = options.mask and MaskFile(options.mask, self._grid, self._name, network=options.network)

    @property
    def name(self) -> str:
        """The array's name, or "the array"."""
        return self._name

    @property
    def files(self) -> tuple[str, ...]:
        """The files of its mask."""
        return self._mask.file.files if self._mask else ()

    @property
    def grid(self) -> Grid:
        """Where its pixels lie: (column, line) themselves where nothing else is known."""
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
        """Lines of the tallest chunk of an array that has chunks, as Dask's; 1 of others."""
        chunks = getattr(self._data, "chunks", None)
        return int(np.max(chunks[self._axes[1]])) if chunks else 1

    def overhead_bytes(self, n_lines: int) -> int:
        """What reading so many lines takes beside the strip's values."""
        lines = int(max(n_lines, self.block_height))
        stored = len(self._bands) * (self._item_bytes + 1) + 2
        return lines * self._grid.width * (stored + (1 + self._mask.bytes_per_pixel if self._mask else 0))

    def read(self, top: int, n_lines: int, out: NDArray[Any] | None = None) -> Strip:
        """See ``Scene.read``."""
        check_lines(self, top, n_lines)
        found = self._lines(top, n_lines)
        values = np.empty(found.shape, self._dtype) if out is None else out
        np.copyto(values, np.ma.getdata(found), casting="unsafe")
        masks = [Mask(None, self._mask.read(top, n_lines))] if self._mask else []
        if np.ma.is_masked(found):
            masked = np.ma.getmaskarray(found)
            masks += [Mask((band,), ~masked[..., band]) for band in range(len(self._bands))]
        valid = self._presence.of(values, top, masks)
        if self._scales:
            self._scales.apply(values)
        return Strip(top, values, valid)

    def _lines(self, top: int, n_lines: int) -> NDArray[Any]:
        """(n_lines, width, n_bands), as the array has them."""
        band_axis, line_axis, column_axis = self._axes
        index: list[Any] = [slice(None)] * self._data.ndim
        index[line_axis] = slice(top, top + n_lines)
        if band_axis is not None and self._places != list(range(self._data.shape[band_axis])):
            index[band_axis] = self._places
        try:
            lazy = self._data[tuple(index)]
            part: NDArray[Any] = np.asanyarray(lazy.compute() if hasattr(lazy, "compute") else lazy)
            if (part.shape, part.dtype) != (lazy.shape, lazy.dtype):
                raise ValueError(
                    f"computed, it has shape {part.shape} and dtype {part.dtype}; it was declared with "
                    f"{lazy.shape} and {lazy.dtype}; mend what makes its chunks, or their declaration"
                )
        except (OSError, RuntimeError, ValueError, MemoryError) as error:  # whatever a lazy array reads
            raise DataError(
                f"{self._name} cannot be read in lines {top + 1} to {top + n_lines}: {str(error)[:300]}"
            ) from error
        if band_axis is None:
            return np.asanyarray(part.transpose(line_axis, column_axis)[..., np.newaxis])
        return np.asanyarray(part.transpose(line_axis, column_axis, band_axis))

    def close(self) -> None:
        """Close the mask file, where there is one."""
        if self._mask:
            self._mask.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        refuse_unknown_chunks(source)
        return ArrayScene(labelled(source) if hasattr(source, "dims") else _plain(source), settings)
    if isinstance(source, str | os.PathLike | Sequence) or hasattr(source, "read_masks"):
        return open_scene(source, settings)
    raise DataError(f"{type(source).__name__} is no path, rasterio dataset, array or DataArray")


def _plain(array: Any) -> Labelled:
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError(f"an array of shape {array.shape} was given; (n_bands, n_lines, n_columns) is needed")
    if array.ndim == 3:
        _refuse_bands_last(*array.shape)
    axes = (None, 0, 1) if array.ndim == 2 else (0, 1, 2)
    n_bands = 1 if array.ndim == 2 else array.shape[0]
    grid = Grid(array.shape[-1], array.shape[-2], _NO_GRID, "")
    bands = (Band("", np.dtype(array.dtype).name, None),) * n_bands
    return Labelled("the array", array, axes, grid, bands, ((1.0, 0.0),) * n_bands)


def _refuse_bands_last(n_bands: int, n_lines: int, n_columns: int) -> None:
    if n_columns <= _MOST_BANDS_LAST and min(n_bands, n_lines) > 4 * n_columns:
        raise DataError(
            f"an array of shape {(n_bands, n_lines, n_columns)} would be {n_bands} bands of {n_lines} x "
            f"{n_columns} pixels; where its bands come last, give np.moveaxis(a, -1, 0), and where not, "
            "xarray.DataArray(a, dims=('band', 'y', 'x'))"
        )
