"""The engine over sparse rows: it works on the values that are not 0, and keeps zeros out of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.engine import Rows
from kmosaic.engines.plan import FitPlan
from kmosaic.engines.source_engine import Range, Seeding, SourceEngine, scaled_rows

DENSE_BYTES = 1 << 24
"""Rows that are made dense at a time, where no way round it is known, take no more."""


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Rows in CSR: ``values`` float64, none of them 0, ``columns`` int32, ascending in each row, and
    ``starts`` int64, (n_rows + 1,). ``dtype`` is that of the rows when they are dense."""

    values: NDArray[np.float64]
    columns: NDArray[np.int32]
    starts: NDArray[np.int64]
    n_features: int
    dtype: np.dtype[Any]
    given: Any = None

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.starts) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_features)."""
        return self.n_rows, self.n_features

    def dense(self, numbers: NDArray[np.intp]) -> Rows:
        """The rows of these numbers, in this order, with their zeros."""
        sizes = self.starts[numbers + 1] - self.starts[numbers]
        ends = np.cumsum(sizes)
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(
            self.starts[numbers] - ends + sizes, sizes
        )
        rows = np.zeros((len(numbers), self.n_features), self.dtype)
        rows[np.repeat(np.arange(len(numbers)), sizes), self.columns[places]] = self.values[places]
        return rows

    @property
    def share(self) -> float:
        """Of all values, how many are not 0."""
        return len(self.values) / (self.n_rows * self.n_features)

    def narrowed(self) -> SparseRows:
        """The same rows in float32, where that holds all values of float64 ones; else themselves."""
        if self.dtype != np.float64:
            return self
        with np.errstate(over="ignore", under="ignore"):
            same = np.array_equal(self.values.astype(np.float32), self.values)
        return replace(self, dtype=np.dtype(np.float32)) if same else self

    def all_dense(self) -> Rows:
        """All rows with their zeros."""
        rows = np.empty(self.shape, self.dtype)
        for first, block in self.blocks():
            rows[first : first + len(block)] = block
        return rows

    def blocks(self) -> Iterator[tuple[int, Rows]]:
        """All rows, dense, a few at a time, and the number of the first of them."""
        size = max(1, DENSE_BYTES // (self.n_features * self.dtype.itemsize))
        for first in range(0, self.n_rows, size):
            yield first, self.dense(np.arange(first, min(first + size, self.n_rows)))

    def native(self, weights: NDArray[np.float64] | None = None, exponent: int = 0) -> _core.SparseRows:
        """As the core takes them, times two to a power."""
        values = np.ldexp(self.values, exponent) if exponent else self.values
        return _core.SparseRows(values, self.columns, self.starts, self.n_features, weights)


def nearest_centers_of_sparse(
    rows: SparseRows, centers: NDArray[np.float64], n_threads: int
) -> NDArray[np.int32]:
    """Return the index of the nearest centre of each row, decided exactly; ties go to the lowest index."""
    labels = np.full(rows.n_rows, -1, np.int32)
    _core.assign_sparse(rows.native(), centers, labels, n_threads)
    return labels


class SparseEngine(SourceEngine):
    """``SourceEngine`` of sparse rows."""

    def __init__(self, sparse: SparseRows, weights: NDArray[np.float64] | None, n_threads: int) -> None:
        self.sparse = sparse
        self.rows = sparse.given
        self.n_rows, self.n_features = sparse.shape
        self._native: _core.SparseRows | None = None
        super().__init__(sparse.dtype, weights, n_threads)

    def plan(self) -> FitPlan:
        """How rows were assigned, and why."""
        reason = f"sparse: only values that are not 0 are multiplied, {self.sparse.share:.2%} of all"
        return FitPlan("sparse", False, False, False, False, (reason,))

    @property
    def _scaled(self) -> _core.SparseRows:
        """The rows as they are summed."""
        if self._native is None:
            self._native = self.sparse.native(self.weights, self.exponent)
        return self._native

    def rows_at(self, numbers: NDArray[np.intp]) -> Rows:
        return self.sparse.dense(numbers)

    def seeder(self, n_seeds: int, order: NDArray[np.intp] | None = None) -> Seeding:  # noqa: ARG002
        """Start k-means++ over the rows, drawn along ``order``, or along the hash order."""
        order = self.hash_order() if order is None else order
        seeder: Seeding = _core.Seeder.of_sparse(self._scaled, order)
        return seeder

    def _range(self) -> Range:
        sparse = self.sparse
        low, high = np.full(self.n_features, np.inf), np.full(self.n_features, -np.inf)
        np.minimum.at(low, sparse.columns, sparse.values)
        np.maximum.at(high, sparse.columns, sparse.values)
        has_zeros = np.bincount(sparse.columns, minlength=self.n_features) < self.n_rows
        low[has_zeros], high[has_zeros] = np.minimum(low[has_zeros], 0), np.maximum(high[has_zeros], 0)
        return low, high

    def _exponent_and_bit(self, origin: NDArray[np.float64]) -> tuple[int, float]:
        values = np.ldexp(self.sparse.values, self.exponent) if self.exponent else self.sparse.values
        if origin.any():
            values = values - origin[self.sparse.columns]
        return _core.exponent_and_bit(np.append(values, 0.0)[:, None], [0.0], self.n_threads)

    def _add_squares(self, sums: _core.ClusterSums) -> None:
        squares = _core.SquaresInParts(sums)
        squares.add_sparse(self._scaled, self.n_threads)
        squares.finish()

    def _step(self, centers: NDArray[np.float64], sums: _core.ClusterSums, *, follows: bool) -> int:
        scaled = self._scaled_centers(centers)
        before = self._labels.copy() if follows else np.full(self.n_rows, -1, np.int32)
        rows = self._scaled if scaled is not None else self.sparse.native()
        n_changed = _core.assign_sparse(
            rows, centers if scaled is None else scaled, self._labels, self.n_threads
        )
        sums.move_sparse(self._scaled, before, self._labels, self.n_threads)
        return n_changed

    def _add(self, sums: _core.ClusterSums) -> None:
        none = np.full(self.n_rows, -1, np.int32)
        sums.move_sparse(self._scaled, none, self._labels, self.n_threads)

    def _distances(self, centers: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
        def measured(first: int, rows: Rows) -> NDArray[np.float64]:
            labels = self._labels[first : first + len(rows)]
            return _core.own_squared_distances(scaled_rows(rows, exponent), centers, labels, self.n_threads)

        return np.concatenate([measured(*block) for block in self.sparse.blocks()])

    def _hashes(self) -> NDArray[np.uint64]:
        return _core.hash_sparse(self._scaled, self.n_threads)
