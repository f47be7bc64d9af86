"""Dask arrays as rows, block by block: one chunk is one block."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import Block, Rows
from kmosaic.engines.dask.blocks import applied
from kmosaic.errors import DataError
from kmosaic.models.validation import LARGEST_VALUE, within_range
from kmosaic.rows.source import read_ahead
from kmosaic.tensors import native_dtype

if TYPE_CHECKING:
    from dask.array import Array
    from distributed import Client, Future

T = TypeVar("T")
MIN_BLOCK_BYTES = 16 << 20  # a task costs the scheduler about a millisecond: see docs/measurements/


def is_dask_array(X: Any) -> bool:
    """Whether X is a Dask array. Does not import Dask: without it, nothing is one."""
    module = sys.modules.get("dask.array")
    return module is not None and isinstance(X, module.Array)


def dask_rows(X: Array) -> Array:
    """Return X as (n_samples, n_features) of a dtype that engines read, each chunk with whole rows.

    X may have more dimensions, as (n_images, height, width, channels) has: each sample is then one row.

    Raises DataError for fewer than two dimensions, none of whose sizes may be unknown, or values that are no
    numbers.
    """
    if X.ndim < 2:
        raise DataError(f"X has shape {X.shape}; rows are needed, (n_samples, n_features): X.reshape(-1, 1)")
    if any(np.isnan(size) for axis in X.chunks for size in axis):
        raise DataError("X has chunks of unknown sizes; call X.compute_chunk_sizes() first")
    native = native_dtype(X.dtype)
    X = with_checked_chunks(X, "X")
    X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    if X.ndim > 2:
        X = X.reshape(X.shape[0], int(np.prod(X.shape[1:])))
    return X.astype(native)


def with_checked_chunks(array: Array, name: str) -> Array:
    """Return a Dask array that fails with ``DataError`` where a chunk's shape or dtype is not that declared.

    Dask does not check chunks: it would drop lines of one that is too tall, and move up those below one that
    is too short.
    """
    return array.map_blocks(_checked_chunk, name, array.dtype, dtype=array.dtype, meta=array._meta)


def _checked_chunk(chunk: Any, name: str, dtype: np.dtype[Any], block_info: Any = None) -> Any:
    where = block_info[0]
    declared = tuple(stop - start for start, stop in where["array-location"])
    shape, chunk_dtype = np.shape(chunk), getattr(chunk, "dtype", None)
    if shape == declared and chunk_dtype == dtype:
        return chunk
    raise DataError(
        f"chunk {tuple(where['chunk-location'])} of {name} is {chunk_dtype} of shape {shape}, where "
        f"{dtype} of shape {declared} is declared; correct the function that makes it, or what it declares"
    )


def checked_rows(chunk: NDArray[Any], where: str) -> Rows:
    """Return a chunk as engines read it.

    Raises DataError for NaN, infinity, and values whose squares could leave float64's range.
    """
    rows = np.require(chunk, requirements=["C", "A"])
    if not within_range(rows):
        raise DataError(
            f"{where} NaN, infinity or values above {LARGEST_VALUE:g}; leave such rows out, or fill them"
        )
    return rows


class ArrayRows:
    """Rows that a cluster's workers compute: a ``Source`` of ``DaskBlocks``.

    Chunks much smaller than ``least_bytes`` are put together, since each costs a task.
    """

    def __init__(self, rows: Array, least_bytes: int = MIN_BLOCK_BYTES) -> None:
        if rows.npartitions > 1 and rows.nbytes / rows.npartitions < least_bytes / 2:
            row_bytes = max(1, rows.shape[1] * rows.dtype.itemsize)
            rows = rows.rechunk({0: max(least_bytes // row_bytes, max(rows.chunks[0])), 1: -1})
        self._rows = rows
        self._firsts = [0, *accumulate(rows.chunks[0])]
        self.n_features = int(rows.shape[1])
        self.dtype: np.dtype[Any] = rows.dtype
        self.n_blocks = len(rows.chunks[0])
        self.n_bytes = int(rows.nbytes)

    def submit(self, client: Client, numbers: range, step: Future | None) -> list[Future]:
        from dask.core import flatten
        from distributed import futures_of

        # Each chunk becomes the result of a step, an object that Dask does not inspect.
        results = client.persist(
            self._rows.blocks[numbers.start : numbers.stop].map_blocks(
                _applied_to_chunk,
                first=self._firsts[numbers.start],
                step=step,
                dtype=object,
                meta=np.empty((0, 0), object),
            )
        )
        futures = {future.key: future for future in futures_of(results)}
        return [futures[key] for key in flatten(results.__dask_keys__())]


class LocalRows:
    """Rows that this process computes by Dask's own scheduler, a block ahead: ``Blocks``."""

    def __init__(self, rows: Array) -> None:
        self._rows = rows
        self.n_features = int(rows.shape[1])
        self.dtype: np.dtype[Any] = rows.dtype

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        firsts = [0, *accumulate(self._rows.chunks[0])]

        def read(number: int) -> Block:
            return _block(self._rows.blocks[number].compute(), firsts[number])

        yield from map(task, read_ahead(read, range(len(firsts) - 1)))


def in_memory(rows: Array) -> Rows:
    """Compute all rows into one array."""
    import dask.array

    held = np.empty(rows.shape, rows.dtype)
    dask.array.store(rows, held, lock=False)
    return held


def _applied_to_chunk(
    chunk: NDArray[Any], first: int, step: Callable[[Block], Any] | None, block_info: Any = None
) -> Any:
    start = first + block_info[0]["array-location"][0][0]
    return applied(step, _block(chunk, start))


def _block(chunk: NDArray[Any], first: int) -> Block:
    return Block(checked_rows(chunk, f"rows {first} to {first + len(chunk) - 1} of X have"), first)
