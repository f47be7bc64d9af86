"""Mini-batches of rows: drawn from all rows in memory, or from a Dask array chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster.dask.rows import checked_rows
from kmosaic.engines import BlockEngine, MemoryEngine, make_engine
from kmosaic.engines.magnitude import exponent_of

if TYPE_CHECKING:
    from dask.array import Array


class Batches(Protocol):
    """Rows, a batch at a time."""

    @property
    def n_rows(self) -> int:
        """All there are."""

    @property
    def exponent(self) -> int:
        """The power of two in whose units J of these rows keeps its digits."""

    def first(self, size: int, random_state: np.random.RandomState) -> MemoryEngine:
        """Some rows to start from: ``size`` of them, or all where there are no more."""

    def once(self, size: int, random_state: np.random.RandomState) -> Iterator[MemoryEngine]:
        """One pass: every row in one batch of ``size``; the last may be smaller."""


class DrawnBatches:
    """Batches drawn from all rows, which subclasses make engines of by their numbers: ``Batches``."""

    n_rows: int

    def first(self, size: int, random_state: np.random.RandomState) -> MemoryEngine:
        if size >= self.n_rows:
            return self._engine(np.arange(self.n_rows))
        return self._engine(random_state.choice(self.n_rows, size, replace=False))

    def once(self, size: int, random_state: np.random.RandomState) -> Iterator[MemoryEngine]:
        if size >= self.n_rows:
            yield self._engine(np.arange(self.n_rows))
            return
        order = random_state.permutation(self.n_rows)
        for start in range(0, self.n_rows, size):
            yield self._engine(order[start : start + size])

    def _engine(self, batch: NDArray[np.intp]) -> MemoryEngine:
        raise NotImplementedError


class HeldBatches(DrawnBatches):
    """Batches of rows in memory."""

    def __init__(self, rows: NDArray[Any], weights: NDArray[np.float64] | None, n_threads: int) -> None:
        self._rows = rows
        self._weights = weights
        self._n_threads = n_threads
        self.n_rows = len(rows)
        self.exponent = exponent_of(rows) if rows.dtype == np.float64 else 0

    def _engine(self, batch: NDArray[np.intp]) -> MemoryEngine:
        whole = len(batch) == self.n_rows
        rows = self._rows if whole else np.ascontiguousarray(self._rows[batch])
        weights = self._weights if whole or self._weights is None else self._weights[batch]
        return make_engine(rows, weights, self._n_threads)


class DaskBatches:
    """Batches of a Dask array's rows: ``Batches``.

    Chunks are computed one at a time, in a random order, and their rows shuffled, so that a batch has rows of
    one chunk, or of two. Which those are depends on the chunks and the seed alone.
    """

    def __init__(self, rows: Array, engine: BlockEngine, n_threads: int) -> None:
        self._rows = rows
        self._engine = engine
        self._n_threads = n_threads
        self._firsts = [0, *accumulate(rows.chunks[0])]
        self.n_rows = engine.n_rows
        self.exponent = engine.exponent

    def first(self, size: int, random_state: np.random.RandomState) -> MemoryEngine:
        return self._make_engine(self._engine.sample(size, int(random_state.randint(1 << 31))))

    def once(self, size: int, random_state: np.random.RandomState) -> Iterator[MemoryEngine]:
        rest = np.empty((0, self._rows.shape[1]), self._rows.dtype)
        for number in random_state.permutation(len(self._firsts) - 1):
            chunk = self._chunk(int(number))
            rows = np.concatenate([rest, chunk[random_state.permutation(len(chunk))]])
            whole = len(rows) // size * size
            for start in range(0, whole, size):
                yield self._make_engine(rows[start : start + size])
            rest = rows[whole:]
        if len(rest):
            yield self._make_engine(rest)

    def _chunk(self, number: int) -> NDArray[Any]:
        first, end = self._firsts[number : number + 2]
        return checked_rows(self._rows.blocks[number].compute(), f"rows {first} to {end - 1} of X have")

    def _make_engine(self, rows: NDArray[Any]) -> MemoryEngine:
        return make_engine(rows, None, self._n_threads)
