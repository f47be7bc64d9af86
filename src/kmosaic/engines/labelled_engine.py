"""What engines share that keep the label of every row, and can go back to any row."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.engine import Donor, Engine, Rows

SUM_BATCH = 1 << 16

Order = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows by their hashes, and where each run of equal rows starts there."""


@dataclass(frozen=True)
class DistinctRows:
    """Runs of equal rows along an engine's hash order: where each starts there, and its total weight."""

    starts: NDArray[np.intp]
    weights: NDArray[np.float64]


class LabelledEngine(Engine):
    """Derives what follows from labels, from single rows and from their hashes."""

    n_rows: int
    n_features: int
    weights: NDArray[np.float64] | None
    """None where every row counts once."""
    _weights: NDArray[Any] | None
    """How much each row adds to J: ``weights``, or how many rows it stands for."""
    _order_and_starts: Order | None = None

    @property
    @abstractmethod
    def labels(self) -> NDArray[np.int32]:
        """The cluster of each row, -1 before any ``assign``; it may be set, but not written to."""

    @labels.setter
    @abstractmethod
    def labels(self, labels: NDArray[np.integer[Any]]) -> None: ...

    @abstractmethod
    def rows_at(self, numbers: NDArray[np.intp]) -> Rows:
        """The rows of these numbers, in this order."""

    @abstractmethod
    def sums(self, n_clusters: int) -> _core.ClusterSums:
        """Sum the rows by their present labels. The object is the engine's own: the next call reuses it."""

    @abstractmethod
    def _costs(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each row's squared distance to the centre of its cluster, in the units of scaled rows."""

    @abstractmethod
    def _sorted_by_hash(self) -> Order:
        """Of all scaled rows."""

    def donors(
        self, centers: NDArray[np.float64], random_state: np.random.RandomState | None
    ) -> Iterator[Donor]:
        """Rows away from their centre: those that cost most first or, given a random state, at random."""
        costs = self._costs(centers)
        if self.weights is not None:
            costs[self.weights == 0] = 0
        order = self.hash_order()
        if random_state is None:
            order = order[np.argsort(-costs[order], kind="stable")]
        else:
            order = order[random_state.permutation(len(costs))]
        yield from (self.donor(int(row)) for row in order[costs[order] > 0])

    def donor(self, row: int) -> Donor:
        """A row as one that may go to another cluster."""
        weight = 1.0 if self.weights is None else float(self.weights[row])
        return Donor(row, int(self.labels[row]), self.rows_at(np.array([row])), weight)

    def keep_clusters(self, kept: NDArray[np.bool_], centers: NDArray[np.float64]) -> _core.ClusterSums:
        """Forget the clusters not kept, which are without weight, and return the sums at
        ``centers[kept]``."""
        self.labels = (np.cumsum(kept) - 1)[self.labels]
        if self.weights is not None:  # rows without weight may have sat in a cluster that goes
            return self.assign(np.ascontiguousarray(centers[kept])).sums
        return self.sums(int(kept.sum()))

    def mean_variance(self) -> float:
        """The mean over features of the rows' variance, in the units of scaled rows. Forgets the labels."""
        self.labels = np.zeros(self.n_rows, np.int32)
        sums = self.sums(1)
        inertia = self.inertia(sums, self.means(sums, np.zeros((1, self.n_features))), self.exponent)
        self.forget_labels()
        return inertia / float(sums.counts[0] * self.n_features)

    def hash_order(self) -> NDArray[np.intp]:
        """An order of the rows that depends on their values alone, not on where they stand.

        Seeds drawn along it are the same rows however the rows were ordered, repeated or weighted.
        """
        return self._hash_order()[0]

    def distinct_rows(self) -> DistinctRows:
        """The distinct rows that have weight."""
        order, starts = self._hash_order()
        if self._weights is None:
            return DistinctRows(starts, np.diff(starts, append=len(order)).astype(np.float64))
        totals = np.add.reduceat(self._weights[order].astype(np.float64), starts)
        return DistinctRows(starts[totals > 0], totals[totals > 0])

    def _hash_order(self) -> Order:
        if self._order_and_starts is None:
            self._order_and_starts = self._sorted_by_hash()
        return self._order_and_starts

    def _weighted_sum(self, distances: NDArray[np.float64]) -> float:
        """J of these squared distances, which may be changed."""
        if self._weights is None:
            return sum_in_batches(distances)
        distances[self._weights == 0] = 0  # not infinity, be it so
        return sum_in_batches(distances * self._weights)


def sum_in_batches(values: NDArray[np.float64]) -> float:
    """The sum, which is the same however values come in lots of ``SUM_BATCH``."""
    return math.fsum(values[start : start + SUM_BATCH].sum() for start in range(0, len(values), SUM_BATCH))
