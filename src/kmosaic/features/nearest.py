"""The nearest other rows of every row: exactly, or among the rows of near k-means cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster import KMeans
from kmosaic.engines import nearest_rows, resolve_n_threads
from kmosaic.features.base import Progress

MAX_PAIRS = 10**10
"""Up to so many pairs, those of 100,000 rows, all are compared, unless asked otherwise."""
RECALL = 0.98
"""Of the neighbours of a sample: as many cells are searched as it takes to find so many of them."""

_ROWS_PER_CELL = 500
_TRAINING_ROWS_PER_CELL = 40
_ITERATIONS = 6
_MAX_CELLS = 8192
_SAMPLE = 1000
# Cells that a sample's neighbours are looked for in, nearest first; those beyond count as not found.
_MAX_SEARCHED = 256
# References, or rows, at a time: 65,536 x 128 float64 are 64 MB, and Ctrl-C is heard in between.
_SLAB = 1 << 16


@dataclass(frozen=True)
class NearestRows:
    """Each row's nearest references, nearest first, and how they were found.

    ``indices`` is (n_rows, n_neighbors) int32; ``distances``, of that shape, Euclidean and float64.
    ``recall`` is the share of a sample's true neighbours that are among those found: 1 where all pairs were
    compared, and ``n_cells`` is 0 then. Otherwise each row was compared with the references of the
    ``n_searched`` cells nearest to it, of ``n_cells``.
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float64]
    recall: float = 1.0
    n_cells: int = 0
    n_searched: int = 0


class NeighborIndex:
    """Rows that the nearest of others are looked for in: an inverted file over k-means cells.

    Comparing all pairs takes time with the square of their number. Here references are grouped by k-means,
    and a row is compared, exactly, with those of the cells whose centroids are nearest to it. How many cells,
    a sample decides: its neighbours are found exactly, and as many cells are searched as hold ``recall`` of
    them. J. Sivic, A. Zisserman (2003), "Video Google"; H. Jégou, M. Douze, C. Schmid (2011),
    "Product quantization for nearest neighbor search", section 4 (the inverted file, without its codes).

    Parameters
    ----------
    references : (n, d) array
        Of any dtype k-means takes, finite; a memory map is read by parts, and never copied as a whole.
    exact : bool or None
        Compare all pairs. None: where there are at most 10^10, such as those of 100,000 rows.
    recall : float
        The share of a sample's true neighbours to be found, above 0; at most 256 cells are searched for it.
    n_threads : int or None
        None: all. The result does not depend on it.
    callback : callable or None
        Called with (rows done, rows in all).

    Raises
    ------
    ValueError
        Where there are fewer references than neighbours asked for, or ``recall`` is out of range.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(500, 4))
    >>> NeighborIndex(rows).search(None, 3).indices.shape
    (500, 3)
    """

    def __init__(
        self,
        references: NDArray[Any],
        *,
        exact: bool | None = None,
        recall: float = RECALL,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        if not 0 < recall <= 1:
            raise ValueError(f"recall={recall!r} must be above 0, and at most 1")
        self.references = references
        self.exact = exact
        self.recall = recall
        self.n_threads = resolve_n_threads(n_threads)
        self.callback = callback

    def search(self, rows: NDArray[Any] | None, n_neighbors: int) -> NearestRows:
        """Return the ``n_neighbors`` references nearest to each of ``rows``, (n_rows, d); ties: lowest first.

        None: of each reference, the nearest others.
        """
        n_others = len(self.references) - (rows is None)
        if not 1 <= n_neighbors <= n_others:
            raise ValueError(
                f"n_neighbors={n_neighbors} must be from 1 to {n_others}, the number of other rows"
            )
        n_pairs = len(self.references) * len(self.references if rows is None else rows)
        if self.exact or (self.exact is None and n_pairs <= MAX_PAIRS):
            return self._all_pairs(rows, n_neighbors)
        n_searched, recall = self._calibrate(rows, n_neighbors)
        found = self._search_cells(rows, n_neighbors, n_searched)
        n_cells = len(self._cells.centers)
        return NearestRows(found.indices, np.sqrt(found.squares), recall, n_cells, n_searched)

    @cached_property
    def _cells(self) -> _Cells:
        n = len(self.references)
        n_cells = min(_MAX_CELLS, max(1, n // _ROWS_PER_CELL))
        training = self.references[_spread(n, n_cells * _TRAINING_ROWS_PER_CELL)]
        model = KMeans(
            n_cells,
            init="random",
            n_init=1,
            max_iter=_ITERATIONS,
            random_state=0,
            n_threads=self.n_threads,
            empty_clusters="drop",
        ).fit(np.ascontiguousarray(training))
        return _Cells.of(
            np.asarray(model.cluster_centers_, np.float64),
            np.concatenate([model.predict(part) for _, part in _slabs(self.references)]),
        )

    def _all_pairs(self, rows: NDArray[Any] | None, n_neighbors: int) -> NearestRows:
        whole = np.require(self.references, np.float64)
        n_rows = len(self.references if rows is None else rows)
        best = _Best.empty(n_rows, n_neighbors)
        for start, part in _slabs(self.references if rows is None else rows, _SLAB // 8):
            found = nearest_rows(
                part, whole, n_neighbors, self.n_threads, own=start if rows is None else None
            )
            own = slice(start, start + len(part))
            best.indices[own], best.squares[own] = found.indices, found.squared_distances
            self._report(own.stop, n_rows)
        return NearestRows(best.indices, np.sqrt(best.squares))

    def _calibrate(self, rows: NDArray[Any] | None, n_neighbors: int) -> tuple[int, float]:
        """How many cells to search, and the recall of a sample's neighbours among them."""
        cells, asked = self._cells, self.references if rows is None else rows
        drawn = _spread(len(asked), _SAMPLE)
        sample = np.ascontiguousarray(asked[drawn])
        true = self._true_neighbors(sample, drawn if rows is None else None, n_neighbors)
        n_ranked = min(_MAX_SEARCHED, len(cells.centers))
        ranked = nearest_rows(sample, cells.centers, n_ranked, self.n_threads).indices
        # Of each cell, the place among those nearest to the row of the sample.
        places = np.full((len(sample), len(cells.centers)), n_ranked)
        np.put_along_axis(places, ranked, np.arange(n_ranked)[None], axis=1)
        of_neighbors = np.take_along_axis(places, cells.labels[true], axis=1)
        found = np.cumsum(np.bincount(of_neighbors.ravel(), minlength=n_ranked + 1)[:n_ranked]) / true.size
        # Enough cells that no row of the sample comes short of references.
        sizes = np.cumsum(np.diff(cells.ends, prepend=0)[ranked], axis=1)
        enough = int(np.argmax((sizes > n_neighbors).all(axis=0))) + 1
        n_searched = min(n_ranked, max(enough, int(np.searchsorted(found, self.recall)) + 1))
        return n_searched, float(found[n_searched - 1])

    def _true_neighbors(
        self, sample: NDArray[Any], drawn: NDArray[np.intp] | None, n_neighbors: int
    ) -> NDArray[np.int32]:
        best = _Best.empty(len(sample), n_neighbors)
        every = np.arange(len(sample))
        for some in self._some():
            best.search(every, sample, some, drawn)
        return best.indices

    def _search_cells(self, rows: NDArray[Any] | None, n_neighbors: int, n_searched: int) -> _Best:
        cells, asked = self._cells, self.references if rows is None else rows
        best = _Best.empty(len(asked), n_neighbors)
        searched = np.concatenate(
            [
                nearest_rows(part, cells.centers, n_searched, self.n_threads).indices
                for _, part in _slabs(asked)
            ]
        )
        # All rows that search a cell do so together. The nearest cells go first: what is found there rules
        # out most of the rest.
        done = 0
        for ranks in (slice(0, 1), slice(1, None)):
            tasks = np.ascontiguousarray(searched[:, ranks])
            order = np.argsort(tasks, axis=None, kind="stable")
            ends = np.cumsum(np.bincount(tasks.ravel(), minlength=len(cells.centers)))
            for cell, searching in enumerate(np.split(order // max(1, tasks.shape[1]), ends[:-1])):
                members = cells.members(cell)
                if len(searching) and len(members):
                    queries = np.ascontiguousarray(asked[searching])
                    among = _Some(self.references[members], members, self.n_threads)
                    best.search(searching, queries, among, searching if rows is None else None)
                done += len(searching)
                self._report(len(asked) * done // searched.size, len(asked))
        return self._mended(asked, best, rows is None)

    def _mended(self, asked: NDArray[Any], best: _Best, own: bool) -> _Best:
        """Compare rows with all references whose cells, small ones, held too few."""
        short = np.flatnonzero(~np.isfinite(best.squares[:, -1]))
        if len(short):
            best.squares[short] = np.inf
            rows = np.ascontiguousarray(asked[short])
            for some in self._some():
                best.search(short, rows, some, short if own else None)
        return best

    def _some(self) -> Iterator[_Some]:
        """All references, by parts."""
        for start, part in _slabs(self.references):
            yield _Some(part, np.arange(start, start + len(part), dtype=np.int32), self.n_threads)

    def _report(self, done: int, total: int) -> None:
        if self.callback is not None:
            self.callback(done, total)


@dataclass(frozen=True)
class _Cells:
    """k-means cells: ``labels`` says which one each reference is in, ``order`` has these cell by cell."""

    centers: NDArray[np.float64]
    labels: NDArray[np.int32]
    order: NDArray[np.int32]
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, centers: NDArray[np.float64], labels: NDArray[np.int32]) -> _Cells:
        order = np.argsort(labels, kind="stable").astype(np.int32)
        return cls(centers, labels, order, np.cumsum(np.bincount(labels, minlength=len(centers))))

    def members(self, cell: int) -> NDArray[np.int32]:
        return self.order[self.ends[cell - 1] if cell else 0 : self.ends[cell]]


@dataclass(frozen=True)
class _Some:
    """Some of the references, (m, d), their numbers (m,), and by how many threads they are searched."""

    rows: NDArray[Any]
    numbers: NDArray[np.int32]
    n_threads: int


@dataclass(frozen=True)
class _Best:
    """The nearest of each row so far, (n, n_neighbors): index, and squared distance, infinite if none is."""

    indices: NDArray[np.int32]
    squares: NDArray[np.float64]

    @classmethod
    def empty(cls, n_rows: int, n_neighbors: int) -> _Best:
        return cls(np.zeros((n_rows, n_neighbors), np.int32), np.full((n_rows, n_neighbors), np.inf))

    def search(
        self, numbers: NDArray[np.intp], rows: NDArray[Any], among: _Some, own: NDArray[np.intp] | None
    ) -> None:
        """Look for nearer ones among some references.

        ``rows`` are those of these ``numbers``; ``own`` is which reference each of them is.
        """
        n_neighbors = self.indices.shape[1]
        n_wanted = min(n_neighbors + (own is not None), len(among.rows))
        limits = np.ascontiguousarray(self.squares[numbers, -1])
        found = nearest_rows(rows, among.rows, n_wanted, among.n_threads, limits=limits)
        near = np.isfinite(found.squared_distances[:, 0])
        numbers, squares = numbers[near], found.squared_distances[near]
        indices = among.numbers[found.indices[near]]
        if own is not None:
            squares[indices == own[near, None]] = np.inf
        indices = np.concatenate((self.indices[numbers], indices), axis=1)
        squares = np.concatenate((self.squares[numbers], squares), axis=1)
        order = np.lexsort((indices, squares), axis=1)[:, :n_neighbors]
        self.indices[numbers] = np.take_along_axis(indices, order, axis=1)
        self.squares[numbers] = np.take_along_axis(squares, order, axis=1)


def _spread(n: int, n_wanted: int) -> NDArray[np.intp]:
    """So many of n rows, at equal distances."""
    return np.arange(min(n, n_wanted), dtype=np.intp) * n // min(n, n_wanted)


def _slabs(rows: NDArray[Any], size: int = _SLAB) -> Iterator[tuple[int, NDArray[Any]]]:
    for start in range(0, len(rows), size):
        yield start, np.ascontiguousarray(rows[start : start + size])
