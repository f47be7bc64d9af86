"""Equal rows of few bits merged into one: a photo has far fewer colours than pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.in_memory import Rows

_MAX_FEATURES = {"uint8": 3, "uint16": 1}

# 4.2 million pixels on two cores take 13 ms to merge and expand where 5% of them are distinct, 18 ms at 22%;
# an iteration over all of them takes 2 ms for 16 clusters and 6 ms for 64. At 22% merging pays after four to
# ten iterations, what seeding saves not counted.
_MAX_DISTINCT = 1 / 3


class MergedRows:
    """The distinct rows among rows of at most 24 bits, how often each occurs, and the way back.

    ``rows`` has each distinct row once, in ascending order, and ``counts`` how many rows equal it (uint32).
    The rows merged are kept, and must stay as they are. There is no table of each row's number: 3 MB for RGB
    stand in for it.
    """

    rows: Rows
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


def merge_equal_rows(rows: Rows, n_threads: int) -> MergedRows | None:
    """Merge equal rows, or return None where rows have more than 24 bits or too few of them are equal.

    >>> import numpy as np
    >>> pixels = np.array([[7, 0, 0], [0, 9, 9], [7, 0, 0], [7, 0, 0]], dtype=np.uint8)
    >>> merged = merge_equal_rows(np.tile(pixels, (2, 1)), n_threads=1)
    >>> merged.rows.tolist(), merged.counts.tolist()
    ([[0, 9, 9], [7, 0, 0]], [2, 6])
    >>> merged.expand(np.array([4, 5], dtype=np.int32)).tolist()
    [5, 4, 5, 5, 5, 4, 5, 5]
    """
    if not _mergeable(rows):
        return None
    most = int(len(rows) * _MAX_DISTINCT)
    distinct = _core.DistinctRows(rows, most, n_threads)
    if distinct.size > most:
        return None
    return MergedRows(distinct, len(rows), n_threads)


def _mergeable(rows: NDArray[Any]) -> bool:
    return rows.shape[1] <= _MAX_FEATURES.get(rows.dtype.name, 0) and len(rows) < 2**32
