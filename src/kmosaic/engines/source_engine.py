"""Engines over rows that do not lie in memory as an array: the bits of ``MemoryEngine`` over such an array.

Labels are kept, four bytes a row, and so are weights. Whatever else needs the rows goes through them once
more.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.engine import Assigned, Donor, Rows
from kmosaic.engines.labelled_engine import LabelledEngine, Order
from kmosaic.engines.magnitude import (
    exponent_of,
    high_exponent_of,
    near_centers,
    scaled_centers,
    times_two_to,
)
from kmosaic.engines.summable import too_wide

Range = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Each feature's least and greatest value."""


class Seeding(Protocol):
    """K-means++, seed by seed: what ``_core.Seeder`` can do."""

    def draw(self, numbers: NDArray[np.float64], /) -> list[int]:
        """A row for each number in [0, 1), in proportion to mass along the hash order."""

    def add_best(self, candidates: Sequence[int], n_threads: int, /) -> int:
        """Make the candidate of largest gain a seed, and return its row."""


class SourceEngine(LabelledEngine):
    """Assigns rows that a source holds to centres, and sums them by cluster.

    ``rows`` is what a callable ``init`` is given. Neither how rows are read nor the number of threads changes
    a bit.
    """

    rows: Any

    def __init__(self, dtype: np.dtype[Any], weights: NDArray[np.float64] | None, n_threads: int) -> None:
        self.n_threads = n_threads
        self.weights = self._weights = weights
        self._rows_dtype = dtype
        self._labels = np.full(self.n_rows, -1, np.int32)
        self._exponent = 0
        self._sums: _core.ClusterSums | None = None  # of the labels
        self._empty = self._without_rows()
        self._add_squares(self._empty)

    @property
    def exponent(self) -> int:
        return self._exponent

    @property
    def _dtype(self) -> np.dtype[Any]:
        return self._rows_dtype

    @property
    def _integer(self) -> bool:
        return self._rows_dtype.kind in "iu"

    @abstractmethod
    def seeder(self, n_seeds: int) -> Seeding:
        """Start k-means++ over the rows, drawn along the hash order, for about so many seeds."""

    @abstractmethod
    def _range(self) -> Range:
        """Of float rows. Refuses values that cannot be clustered."""

    @abstractmethod
    def _exponent_and_bit(self, origin: NDArray[np.float64]) -> tuple[int, float]:
        """Of scaled float rows less the origin: the exponent of the largest, and the least bit."""

    @abstractmethod
    def _add_squares(self, sums: _core.ClusterSums) -> None:
        """Add the squares of all scaled rows."""

    @abstractmethod
    def _step(self, centers: NDArray[np.float64], sums: _core.ClusterSums, *, follows: bool) -> int:
        """Label all rows and bring their sums from the labels before to those after; or from none, where
        the sums are empty. Returns how many labels changed."""

    @abstractmethod
    def _add(self, sums: _core.ClusterSums) -> None:
        """Add all rows to the clusters of their labels."""

    @abstractmethod
    def _distances(self, centers: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
        """Each row's squared distance to its centre in ``centers``; rows come times two to a power, as the
        centres did."""

    @abstractmethod
    def _hashes(self) -> NDArray[np.uint64]:
        """Of all scaled rows."""

    def _without_rows(self) -> _core.ClusterSums:
        """Empty sums for these rows, of one cluster; sets the exponent."""
        zeros = np.zeros(self.n_features)
        if self._integer:
            if self.weights is None:
                return _core.ClusterSums(1, zeros)
            return _core.ClusterSums(1, zeros, *self._spacings(8 * self._rows_dtype.itemsize, 1.0))
        low, high = self._range()
        for exponent in (exponent_of(low, high), high_exponent_of(low, high)):
            self._exponent = exponent
            origin = np.asarray(_core.exact_origin(times_two_to(low, exponent), times_two_to(high, exponent)))
            spacings, of_weights = self._spacings(*self._exponent_and_bit(origin))
            if spacings:
                return _core.ClusterSums(1, origin, spacings, of_weights)
        raise too_wide(low, high)

    def _spacings(self, exponent: int, bit: float) -> tuple[list[float], list[float]]:
        """Spacings of sums of values below 2^exponent that are multiples of a bit, and of the weights."""
        if self.weights is None:
            return _core.spacings_for(exponent, self.n_rows, bit), []
        of_weights, weight_bit = _core.exponent_and_bit(self.weights[:, None], [0.0], self.n_threads)
        weight_spacings = _core.spacings_for(of_weights, self.n_rows, weight_bit)
        if not weight_bit * bit > 0:
            return [], []
        return _core.spacings_for(exponent + of_weights, 2 * self.n_rows, weight_bit * bit), weight_spacings

    @property
    def labels(self) -> NDArray[np.int32]:
        """See ``LabelledEngine``."""
        labels = self._labels.view()
        labels.flags.writeable = False
        return labels

    @labels.setter
    def labels(self, labels: NDArray[np.integer[Any]]) -> None:
        self._labels, self._sums = labels.astype(np.int32), None

    def forget_labels(self) -> None:
        self._labels.fill(-1)
        self._sums = None

    def give_labels(self) -> NDArray[np.int32]:
        labels, self._labels, self._sums = self._labels, np.empty(0, np.int32), None
        return labels

    def assign(self, centers: NDArray[np.float64]) -> Assigned:
        """Label every row with its nearest centre (ties: the lowest) and sum the rows by label.

        The sums are the engine's own, and change with the next call.
        """
        if len(self._labels) != self.n_rows:
            self._labels = np.full(self.n_rows, -1, np.int32)
        sums, self._sums = self._sums, None  # should this be interrupted
        follows = sums is not None and sums.n_clusters == len(centers)
        if sums is None or not follows:
            sums = self._empty.emptied(len(centers))
        n_changed = self._step(centers, sums, follows=follows)
        self._sums = sums
        return Assigned(sums, n_changed)

    def sums(self, n_clusters: int) -> _core.ClusterSums:
        """Sum the rows by their present labels. The object is the engine's own."""
        if self._sums is None or self._sums.n_clusters != n_clusters:
            sums = self._empty.emptied(n_clusters)
            self._add(sums)
            self._sums = sums
        return self._sums

    def _costs(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._distances(near_centers(centers, self.exponent), self.exponent)

    def move(self, sums: _core.ClusterSums, donor: Donor, cluster: int) -> None:
        weight = None if self.weights is None else np.array([donor.weight])
        sums.move(scaled_rows(donor.values, self.exponent), weight, 0, (donor.cluster, cluster))
        self._labels[donor.row] = cluster

    def _added_inertia(self, centers: NDArray[np.float64], exponent: int) -> float:
        return self._weighted_sum(self._distances(times_two_to(centers, exponent), exponent))

    def own_squared_distances(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each row's squared distance to the centre of its cluster."""
        return self._distances(centers, 0)

    def _sorted_by_hash(self) -> Order:
        return _core.order_of_hashes(self._hashes(), self.n_threads)

    def _scaled_centers(self, centers: NDArray[np.float64]) -> NDArray[np.float64] | None:
        return scaled_centers(centers, self.exponent)


def scaled_rows(rows: Rows, exponent: int) -> Rows:
    """Return rows times two to a power, in float64 where that is not 1."""
    return times_two_to(rows.astype(np.float64, copy=False), exponent) if exponent else rows
