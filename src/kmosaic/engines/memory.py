"""The engine over rows in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.threads import resolve_n_threads

Rows = NDArray[Any]
"""(n_samples, n_features), C-contiguous and aligned, uint8, uint16, float32 or float64."""


@dataclass(frozen=True)
class Assigned:
    """What one pass over the rows gives: the sums by cluster, and how many labels it changed."""

    partial: _core.Partial
    n_changed: int


@dataclass(frozen=True)
class DistinctRows:
    """Runs of equal rows along an engine's canonical order: where each starts there, and its total weight."""

    starts: NDArray[np.intp]
    weights: NDArray[np.float64]


class MemoryEngine:
    """Assigns rows that lie in memory to centres, and sums them by cluster.

    Rows are read in place, whatever their dtype. ``labels`` holds the cluster of each row after
    ``assign``. Unweighted integer rows are summed exactly, others in double-double and in row order: the
    number of threads changes no bit.
    """

    def __init__(self, rows: Rows, weights: NDArray[np.float64] | None, n_threads: int) -> None:
        self.rows = rows
        self.weights = weights
        self.n_threads = n_threads
        self.labels = np.full(len(rows), -1, dtype=np.int32)
        self._integer = weights is None and rows.dtype.kind == "u"
        self._origin = self._exact_origin()
        self._partials: dict[int, _core.Partial] = {}
        self._order_and_starts: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None
        self._lazy_assigner: _core.Assigner | None = None

    def assign(self, centers: NDArray[np.float64]) -> Assigned:
        """Label every row with its nearest centre (ties: the lowest) and sum the rows by label."""
        n_changed = _core.assign(self.rows, centers, self.labels, self.n_threads)
        return Assigned(self.sums(len(centers)), n_changed)

    def sums(self, n_clusters: int) -> _core.Partial:
        """Sum the rows by their present labels. The Partial is the engine's own: the next call reuses it."""
        partial = self._empty_partial(n_clusters)
        partial.add(self.rows, self.weights, self.labels, self.n_threads)
        return partial

    def move(self, partial: _core.Partial, row: int, cluster: int) -> None:
        """Give one row to another cluster."""
        partial.move(self.rows, self.weights, row, (int(self.labels[row]), cluster))
        self.labels[row] = cluster

    def inertia(self, partial: _core.Partial, centers: NDArray[np.float64]) -> float:
        """J of the rows, as ``partial`` sums them by their present labels, at these centres.

        From the sums alone, unless cancellation (an outlier, a weight of another magnitude) leaves fewer
        digits than float64 has: then from the rows' own distances.
        """
        certified = self.certified_inertia(partial, centers)
        return self.summed_inertia(centers) if certified is None else certified

    def summed_inertia(self, centers: NDArray[np.float64]) -> float:
        """J added up from the rows' own distances, each rounded."""
        distances = self.own_squared_distances(centers)
        return float(distances.sum() if self.weights is None else (distances * self.weights).sum())

    def certified_inertia(self, partial: _core.Partial, centers: NDArray[np.float64]) -> float | None:
        """J from the sums alone, or None where their error bound is not within float64's own rounding."""
        value, error = partial.inertia(centers)
        return value if error <= value * 2.0**-53 or value == error else None

    def own_squared_distances(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each row's squared distance to the centre of its cluster."""
        return _core.own_squared_distances(self.rows, centers, self.labels, self.n_threads)

    def squared_distances(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every row's squared distance to every centre: (n_samples, n_clusters)."""
        return _core.squared_distances(self.rows, centers, self.n_threads)

    def seeder(self) -> _core.Seeder:
        """Start k-means++ over the rows, drawn along the canonical order."""
        return _core.Seeder(self.rows, self.weights, self.canonical_order(), self._assigner())

    def mean_variance(self) -> float:
        """The mean over features of the rows' variance. Forgets the labels."""
        self.labels[:] = 0
        partial = self.sums(1)
        inertia = self.inertia(partial, partial.means(np.zeros((1, self.rows.shape[1]))))
        self.labels[:] = -1
        return inertia / float(partial.counts[0] * self.rows.shape[1])

    def canonical_order(self) -> NDArray[np.intp]:
        """An order of the rows that depends on their values alone, not on where they stand.

        Seeds drawn along it are the same rows however the rows were ordered, repeated or weighted.
        """
        return self._canonical()[0]

    def distinct_rows(self) -> DistinctRows:
        """The distinct rows that have weight."""
        order, starts = self._canonical()
        if self.weights is None:
            return DistinctRows(starts, np.diff(starts, append=len(order)).astype(np.float64))
        totals = np.add.reduceat(self.weights[order], starts)
        return DistinctRows(starts[totals > 0], totals[totals > 0])

    def _canonical(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        if self._order_and_starts is None:
            self._order_and_starts = _core.canonical_order(self.rows, self.n_threads)
        return self._order_and_starts

    def _assigner(self) -> _core.Assigner:
        if self._lazy_assigner is None:
            self._lazy_assigner = _core.Assigner(self.rows, self.n_threads)
        return self._lazy_assigner

    def _empty_partial(self, n_clusters: int) -> _core.Partial:
        if n_clusters not in self._partials:
            partial = _core.Partial(n_clusters, self._origin, self._integer)
            partial.add_squares(self.rows, self.weights, self.n_threads)
            self._partials = {n_clusters: partial}
        self._partials[n_clusters].clear()
        return self._partials[n_clusters]

    def _exact_origin(self) -> NDArray[np.float64]:
        if self.rows.dtype.kind == "u":
            return np.zeros(self.rows.shape[1])
        return _core.exact_origin(
            self.rows.min(axis=0).astype(np.float64), self.rows.max(axis=0).astype(np.float64)
        )


def nearest_centers(
    rows: Rows, centers: NDArray[np.float64], n_threads: int | None = None
) -> NDArray[np.int32]:
    """Return the index of the nearest centre of each row, decided exactly; ties go to the lowest index.

    Parameters
    ----------
    rows : (n_samples, n_features) uint8, uint16, float32 or float64
    centers : (n_clusters, n_features) float64
    n_threads : None for all processors

    Examples
    --------
    >>> import numpy as np
    >>> nearest_centers(np.array([[0], [5], [9]], np.uint8), np.array([[1.0], [9.0]]))
    array([0, 0, 1], dtype=int32)
    """
    labels = np.full(len(rows), -1, dtype=np.int32)
    rows = np.require(rows, requirements=["C", "A"])
    centers = np.require(centers, np.float64, ["C", "A"])
    _core.assign(rows, centers, labels, resolve_n_threads(n_threads))
    return labels
