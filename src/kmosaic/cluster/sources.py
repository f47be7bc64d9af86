"""Estimators on rows that are no array in memory: sparse, in files, or read by slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from kmosaic.cluster.dask.batches import DrawnBatches
from kmosaic.engines import MemoryEngine, Rows, make_engine, nearest_centers
from kmosaic.engines.magnitude import exponent_of
from kmosaic.engines.read_engine import ReadEngine
from kmosaic.engines.source_engine import SourceEngine
from kmosaic.engines.sparse_engine import SparseEngine, SparseRows, nearest_centers_of_sparse
from kmosaic.errors import DataError
from kmosaic.rows import RowSource, SourceBlocks, is_source, is_sparse, open_source, sparse_rows
from kmosaic.rows.plan import RowPlan, cap_in_bytes, plan_fit, plan_pass

Source = RowSource | SparseRows
"""Rows that are no array in memory."""


def source_of(X: Any, memory: int | str | None) -> Source | None:
    """Return X as a source of rows, or None where it is an array in memory, or is to become one."""
    cap = cap_in_bytes(memory)
    if is_sparse(X):
        return sparse_rows(X)
    return open_source(X) if is_source(X, capped=cap is not None) else None


def stand_in(source: Source) -> NDArray[Any]:
    """Return an array of as many rows, which takes no memory."""
    return np.broadcast_to(np.zeros((1, 1)), (source.n_rows, 1))


# From such a share of values that are not 0 on, by bytes of a value, a fit of the dense rows is faster: see
# docs/developer/decisions/0030-rows-in-blocks-and-sparse-rows.md.
_DENSE_SHARES = {1: 0.05, 2: 0.05, 4: 0.1, 8: 0.15}
_FIT_BYTES_PER_VALUE = 1  # quantised rows


class OpenRows:
    """A source as it is gone through within a cap on memory, and what estimators ask of it.

    ``n_out`` is how many bytes a row a single pass keeps; None plans a fit.
    """

    def __init__(
        self, source: Source, memory: int | str | None, n_clusters: int, n_threads: int, *, n_out: int | None
    ) -> None:
        self.source = source
        self.n_threads = n_threads
        self.cap = cap_in_bytes(memory)
        self.plan: RowPlan | None = None
        if isinstance(source, RowSource) and n_out is None:
            self.plan = plan_fit(source, n_clusters, self.cap)
        elif isinstance(source, RowSource):
            self.plan = plan_pass(source, n_clusters, n_out or 0, self.cap)

    def held(self, init: Any = "") -> Rows | None:
        """All rows in memory as an array, where that fits, and for sparse ones where it is faster.

        Rows of float64 may come in float32 that holds their values, which changes no bit of a result, unless
        ``init`` has centres of another magnitude.
        """
        if isinstance(self.source, SparseRows):
            if callable(init):  # which is given the rows as they are
                return None
            sparse = self.source.narrowed() if isinstance(init, str) else self.source
            return sparse.all_dense() if self._dense_pays(sparse) else None
        if self.plan is not None and self.plan.holds_rows:
            return self.source.load(self.plan.block_rows)
        return None

    def _dense_pays(self, sparse: SparseRows) -> bool:
        if sparse.share < _DENSE_SHARES[sparse.dtype.itemsize]:
            return False
        needed = sparse.n_rows * sparse.n_features * (sparse.dtype.itemsize + _FIT_BYTES_PER_VALUE)
        return needed <= self._budget()

    def _budget(self) -> int:
        """How many bytes sparse rows may take once they are dense."""
        return psutil.virtual_memory().available // 2 if self.cap is None else self.cap

    def batch(self) -> Rows:
        """All rows in memory, as one batch.

        Raises DataError where they take more than the cap or, without one, than half of the memory that is
        free.
        """
        if isinstance(self.source, SparseRows):
            needed = self.source.n_rows * self.source.n_features * self.source.dtype.itemsize
            budget = self._budget()
            if needed > budget:
                which = "half of the memory that is free" if self.cap is None else "memory"
                raise DataError(
                    f"X takes {needed / 1e6:,.1f} MB as one dense batch, where {which} is "
                    f"{budget / 1e6:,.1f} MB; give fewer rows at a time, or all to fit"
                )
            return self.source.all_dense()
        rows = self.held()
        if rows is None:
            raise DataError(
                f"X has {self.source.n_rows:,} rows, too many for one batch within memory; give fewer rows "
                "at a time, or all to fit, which takes them so"
            )
        return rows

    def engine(self, weights: NDArray[np.float64] | None) -> SourceEngine:
        """An engine over all rows."""
        if isinstance(self.source, SparseRows):
            return SparseEngine(self.source, weights, self.n_threads)
        assert self.plan is not None
        return ReadEngine(SourceBlocks(self.source, self.plan.block_rows), weights, self.n_threads)

    def blocks(self) -> Iterator[tuple[int, Rows]]:
        """All rows, checked, a few at a time, and the number of the first of them."""
        if isinstance(self.source, SparseRows):
            yield from self.source.blocks()
        else:
            assert self.plan is not None
            yield from self.source.blocks(self.plan.block_rows)

    def labels(self, centers: NDArray[np.float64]) -> NDArray[np.int32]:
        """Each row's nearest centre."""
        if isinstance(self.source, SparseRows):
            return nearest_centers_of_sparse(self.source, centers, self.n_threads)
        labels = np.empty(self.source.n_rows, np.int32)
        for first, rows in self.blocks():
            labels[first : first + len(rows)] = nearest_centers(rows, centers, self.n_threads)
        return labels

    def distances(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each row's distance to each centre."""
        distances = np.empty((self.source.n_rows, len(centers)))
        for first, rows in self.blocks():
            distances[first : first + len(rows)] = make_engine(rows, None, self.n_threads).distances(centers)
        return distances


class SourceBatches(DrawnBatches):
    """Batches of a source's rows, those that ``HeldBatches`` has of the same rows in memory."""

    def __init__(self, rows: OpenRows, weights: NDArray[np.float64] | None) -> None:
        self._source = rows.source
        self._n_threads = rows.n_threads
        self._weights = weights
        # Rows without weight are in no batch.
        self._numbers = None if weights is None else np.flatnonzero(weights)
        self.n_rows = rows.source.n_rows if self._numbers is None else len(self._numbers)
        ends = self._ends(rows) if rows.source.dtype.kind == "f" else (0.0, 0.0)
        self.exponent = exponent_of(np.array(ends)) if rows.source.dtype == np.float64 else 0

    def _ends(self, rows: OpenRows) -> tuple[float, float]:
        """The least and the greatest of 0 and all values that are in a batch. Refuses those that cannot
        be."""
        low, high = 0.0, 0.0
        for first, values in self._values(rows):
            if self._weights is not None:
                values = values[self._weights[first : first + len(values)] > 0]
            low, high = min(low, float(values.min(initial=0))), max(high, float(values.max(initial=0)))
        return low, high

    def _values(self, rows: OpenRows) -> Iterator[tuple[int, NDArray[Any]]]:
        if isinstance(rows.source, SparseRows) and self._weights is None:
            yield 0, rows.source.values
        else:
            yield from rows.blocks()

    def _engine(self, batch: NDArray[np.intp]) -> MemoryEngine:
        numbers = batch if self._numbers is None else self._numbers[batch]
        take = self._source.dense if isinstance(self._source, SparseRows) else self._source.take
        weights = None if self._weights is None else self._weights[numbers]
        return make_engine(take(numbers), weights, self._n_threads)
