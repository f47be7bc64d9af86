"""Dask arrays whose chunks are what the array says of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kmosaic.errors import DataError


def refuse_unknown_chunks(array: Any) -> None:
    """Refuse an array that does not know its own shape, as Dask's need not.

    Raises
    ------
    DataError
        Where it does not; the message says how it learns it.
    """
    if any(math.isnan(size) for size in array.shape):
        raise DataError(
            f"the array has shape {array.shape}, of chunks whose sizes are not known; let Dask find them out "
            "(array.compute_chunk_sizes())"
        )


def with_checked_chunks(array: Any) -> Any:
    """Return a Dask array that fails with ``DataError`` where a chunk's shape or dtype is not that declared.

    Dask itself takes a chunk as it comes: lines of one that is too tall would be dropped, and those below one
    that is too short would move up.
    """
    return array.map_blocks(_checked, array.dtype, dtype=array.dtype, meta=array._meta)


def _checked(chunk: Any, dtype: np.dtype[Any], block_info: Any = None) -> Any:
    where = block_info[0]
    declared = tuple(stop - start for start, stop in where["array-location"])
    shape, chunk_dtype = np.shape(chunk), getattr(chunk, "dtype", None)
    if shape == declared and chunk_dtype == dtype:
        return chunk
    raise DataError(
        f"chunk {tuple(where['chunk-location'])} of the Dask array is {chunk_dtype} of shape {shape}, where "
        f"{dtype} of shape {declared} is declared; correct the function that makes it, or what it declares"
    )
