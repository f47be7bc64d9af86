"""All pairs of vectors within a radius: exact, in blocks, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.collection import Progress

_BLOCK = 2048
# More than a float32 product of vectors no longer than 1 is off; what it lets through is measured in float64.
_ROUNDING = 1e-5
_ROUNDING_PER_FEATURE = 2.0**-23
MAX_PAIRS = 20_000_000


def pairs_within(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32] | None,
    radius: float,
    n_threads: int = 1,
    progress: Progress | None = None,
) -> NDArray[np.int32]:
    """Return every pair of a row of ``vectors`` and one of ``others`` within ``radius``: int32 (n_pairs, 2).

    Vectors are no longer than 1. Without ``others`` of two rows of ``vectors``, the lower first. Pairs are in
    ascending order.

    Raises DataError where there are more than 20,000,000.

    >>> places = np.array([[0.0], [0.4], [1.0]], np.float32)
    >>> pairs_within(places, None, 0.5).tolist()
    [[0, 1]]
    """
    targets = vectors if others is None else others
    halves = (targets * targets).sum(axis=1) / 2
    slack = max(_ROUNDING, vectors.shape[1] * _ROUNDING_PER_FEATURE)

    def search(block: tuple[int, int]) -> NDArray[np.int32]:
        row, column = block
        rows, columns = vectors[row : row + _BLOCK], targets[column : column + _BLOCK]
        # |a - b|^2 <= r^2 where a.b - |b|^2 / 2 >= (|a|^2 - r^2) / 2
        products = rows @ columns.T
        products -= halves[column : column + _BLOCK]
        least = ((rows * rows).sum(axis=1, keepdims=True) - radius * radius) / 2 - slack
        found = np.flatnonzero(products >= least)
        pairs = np.stack([found // len(columns) + row, found % len(columns) + column], axis=1)
        if others is None and row == column:
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        close: NDArray[np.int32] = pairs[_are_near(vectors, targets, pairs, radius)].astype(np.int32)
        return close

    blocks = list(_blocks(len(vectors), len(targets), symmetric=others is None))
    found, n_found = [np.empty((0, 2), np.int32)], 0
    pool = ThreadPoolExecutor(n_threads)
    try:
        for done, pairs in enumerate(pool.map(search, blocks), start=1):
            found.append(pairs)
            n_found += len(pairs)
            if n_found > MAX_PAIRS:
                raise DataError(
                    f"more than {MAX_PAIRS:,} pairs are within the distance; choose a smaller one"
                )
            if progress is not None:
                progress(done, len(blocks), "comparing all pairs")
    finally:
        # Ctrl-C must not wait for the blocks still in the queue.
        pool.shutdown(wait=True, cancel_futures=True)
    whole = np.concatenate(found)
    return whole[np.lexsort((whole[:, 1], whole[:, 0]))]


def _are_near(
    vectors: NDArray[np.float32], targets: NDArray[np.float32], pairs: NDArray[np.intp], radius: float
) -> NDArray[np.bool_]:
    """Which pairs are within the radius, measured in float64, some at a time."""
    near = np.empty(len(pairs), bool)
    for start in range(0, len(pairs), _BLOCK):
        some = pairs[start : start + _BLOCK]
        apart = vectors[some[:, 0]].astype(np.float64) - targets[some[:, 1]]
        near[start : start + _BLOCK] = (apart * apart).sum(axis=1) <= radius * radius
    return near


def _blocks(n_rows: int, n_columns: int, *, symmetric: bool) -> Iterator[tuple[int, int]]:
    for row in range(0, n_rows, _BLOCK):
        for column in range(row if symmetric else 0, n_columns, _BLOCK):
            yield row, column
