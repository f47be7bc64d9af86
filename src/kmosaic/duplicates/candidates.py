"""All pairs of vectors within a radius: exact, in blocks, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2048
# More than a float32 product of unit vectors is off; what it lets through is measured in float64.
_ROUNDING = 1e-5


def pairs_within(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32] | None,
    radius: float,
    n_threads: int = 1,
) -> NDArray[np.int32]:
    """Return every pair of a row of ``vectors`` and one of ``others`` within ``radius``: int32 (n_pairs, 2).

    Without ``others`` of two rows of ``vectors``, the lower first. Pairs are in ascending order.

    >>> places = np.array([[0.0], [0.4], [1.0]], np.float32)
    >>> pairs_within(places, None, 0.5).tolist()
    [[0, 1]]
    """
    targets = vectors if others is None else others
    halves = (targets * targets).sum(axis=1) / 2

    def search(block: tuple[int, int]) -> NDArray[np.int32]:
        row, column = block
        rows, columns = vectors[row : row + _BLOCK], targets[column : column + _BLOCK]
        # |a - b|^2 <= r^2 where a.b - |b|^2 / 2 >= (|a|^2 - r^2) / 2
        products = rows @ columns.T
        products -= halves[column : column + _BLOCK]
        least = ((rows * rows).sum(axis=1, keepdims=True) - radius * radius) / 2 - _ROUNDING
        found = np.flatnonzero(products >= least)
        pairs = np.stack([found // len(columns) + row, found % len(columns) + column], axis=1)
        if others is None and row == column:
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        apart = vectors[pairs[:, 0]].astype(np.float64) - targets[pairs[:, 1]]
        near = (apart * apart).sum(axis=1) <= radius * radius
        close: NDArray[np.int32] = pairs[near].astype(np.int32)
        return close

    with ThreadPoolExecutor(n_threads) as pool:
        found = list(pool.map(search, _blocks(len(vectors), len(targets), symmetric=others is None)))
    pairs = np.concatenate([np.empty((0, 2), np.int32), *found])
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _blocks(n_rows: int, n_columns: int, *, symmetric: bool) -> Iterator[tuple[int, int]]:
    for row in range(0, n_rows, _BLOCK):
        for column in range(row if symmetric else 0, n_columns, _BLOCK):
            yield row, column
