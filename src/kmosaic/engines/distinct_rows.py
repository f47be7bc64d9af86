"""Equal rows of few bits merged into one: a photo has far fewer colours than pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core


class MergedRows:
    """The distinct rows among rows of at most 24 bits, how often each occurs, and the way back.

    ``rows`` has each distinct row once, in ascending order, and ``counts`` how many rows equal it (uint32).
    The rows merged are kept, and must stay as they are. There is no table of each row's number: 3 MB for RGB
    stand in for it.
    """

    rows: NDArray[Any]
    counts: NDArray[np.uint32]

    def __init__(self, distinct: _core.DistinctRows, n_rows: int, n_threads: int) -> None:
        self.rows = np.asarray(distinct.rows(n_threads))
        self.counts = np.asarray(distinct.counts(n_threads))
        self._distinct = distinct
        self._n_rows = n_rows
        self._n_threads = n_threads

    def expand(self, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Labels of all rows, given those of the distinct ones."""
        expanded = np.empty(self._n_rows, dtype=np.int32)
        self._distinct.expand(labels, expanded, self._n_threads)
        return expanded

    def expand_bytes(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same for labels of a byte."""
        expanded = np.empty(self._n_rows, dtype=np.uint8)
        self._distinct.expand(labels, expanded, self._n_threads)
        return expanded


def merge_colours(rows: NDArray[np.uint8], n_threads: int) -> MergedRows:
    """Merge equal rows (n, 3) of RGB, however many are distinct."""
    return MergedRows(_core.DistinctRows(rows, 1 << 24, n_threads), len(rows), n_threads)


def count_bytes(labels: NDArray[np.uint8], n_threads: int) -> NDArray[np.int64]:
    """How often each of 256 values occurs, without a wider copy of them.

    >>> count_bytes(np.array([[3, 0], [3, 3]], np.uint8), n_threads=1)[:4].tolist()
    [1, 0, 0, 3]
    """
    merged = MergedRows(_core.DistinctRows(labels.reshape(-1, 1), 256, n_threads), labels.size, n_threads)
    counts = np.zeros(256, np.int64)
    counts[merged.rows[:, 0]] = merged.counts
    return counts


def merge_equal_rows(rows: NDArray[Any], plan: _core.MergePlan, n_threads: int) -> MergedRows | None:
    """Merge equal rows, or return None where that would not pay: ``plan`` says so, before or once they are
    counted.

    >>> import numpy as np
    >>> pixels = np.array([[7, 0, 0], [0, 9, 9], [7, 0, 0], [7, 0, 0]], dtype=np.uint8)
    >>> rows = np.tile(pixels, (10_000, 1))
    >>> merged = merge_equal_rows(rows, _core.choose_merge_plan("uint8", rows.shape), n_threads=1)
    >>> merged.rows.tolist(), merged.counts.tolist()
    ([[0, 9, 9], [7, 0, 0]], [10000, 30000])
    >>> merged.expand(np.array([4, 5], dtype=np.int32))[:4].tolist()
    [5, 4, 5, 5]
    """
    if not plan.merge:
        return None
    distinct = _core.DistinctRows(rows, plan.max_distinct, n_threads)
    plan.record_distinct(distinct.size)
    return MergedRows(distinct, len(rows), n_threads) if plan.merge else None
