"""The engine over rows in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.distinct_rows import MergedRows
from kmosaic.engines.engine import Assigned, Donor, Rows
from kmosaic.engines.labelled_engine import SUM_BATCH, LabelledEngine, Order
from kmosaic.engines.magnitude import near_centers, precise_distances, scaled_centers
from kmosaic.engines.plan import FitPlan, fit_plan
from kmosaic.engines.summable import Summable, summable
from kmosaic.engines.threads import resolve_n_threads

Int16Range = tuple[list[int], list[int]]
"""Each feature's least and greatest value, of integer rows that the int16 filter takes."""


class MemoryEngine(LabelledEngine):
    """Assigns rows that lie in memory to centres, and sums them by cluster.

    Rows are read in place, whatever their dtype, unless they are of extreme magnitude: see ``magnitude``.
    They are summed exactly, so that the sums follow the rows that change cluster, in any order. The number of
    threads changes no bit.

    ``weights`` (n_samples,) is None where every row counts once; ``counts`` (n_samples,) is how many equal
    rows each row stands for: for integer rows of few features, without weights. ``keeps_bounds`` says that
    ``assign`` will be called again and again: then what a call learns speeds up the next. Rows with counts
    are always assigned so.
    """

    def __init__(
        self,
        rows: Rows,
        weights: NDArray[np.float64] | None,
        n_threads: int,
        counts: NDArray[np.uint32] | None = None,
        *,
        keeps_bounds: bool = False,
    ) -> None:
        self.rows = rows
        self.n_rows, self.n_features = rows.shape
        self.weights = weights
        self.counts = counts
        self.n_threads = n_threads
        self.keeps_bounds = keeps_bounds
        self.merged: MergedRows | None = None  # what the rows are the distinct ones of: see make_engine
        self.merging: _core.MergePlan | None = None
        self._assigner: _core.Assigner | None = None
        self._weights = weights if counts is None else counts
        # Labels are kept in one of these two.
        self._wide: NDArray[np.int32] | None = None
        self._small: NDArray[np.uint8] | None = None
        self._labelled = False
        self._summable: Summable | None = None
        self._sums: _core.ClusterSums | None = None
        self._in_step = False
        # Rows of which one moved to another cluster ahead of the rows equal to it.
        self._pending_relocations: dict[int, int] = {}

    def rows_at(self, numbers: NDArray[np.intp]) -> Rows:
        """The rows of these numbers, in this order."""
        rows: Rows = self.rows[numbers]
        return rows

    def plan(self) -> FitPlan:
        """How rows were merged, seeded and last assigned, and why."""
        assigner = self._steps()
        return fit_plan(assigner.plan, assigner.seeding_plan, self.merging)

    def expand(self, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Labels of all rows, given those of the engine's, which may be merged."""
        return labels if self.merged is None else self.merged.expand(labels)

    @property
    def labels(self) -> NDArray[np.int32]:
        """The cluster of each row, -1 before any ``assign``; a read-only view, but it may be set."""
        labels = self._labels.view()
        labels.flags.writeable = False
        return labels

    @labels.setter
    def labels(self, labels: NDArray[np.integer[Any]]) -> None:
        self._labels[:] = labels
        self._labelled = True
        self._in_step = False
        self._pending_relocations.clear()

    def forget_labels(self) -> None:
        self._wide = self._small = None
        self._labelled = False
        self._in_step = False
        self._pending_relocations.clear()

    def give_labels(self) -> NDArray[np.int32]:
        """Hand over the labels, and forget them."""
        labels = self._labels
        self.forget_labels()
        return labels

    @property
    def _labels(self) -> NDArray[np.int32]:
        if self._wide is None:
            if self._small is None or not self._labelled:
                self._wide = np.full(len(self.rows), -1, np.int32)
            else:
                self._wide = np.empty(len(self.rows), np.int32)
                _core.widen_labels(self._small, self._wide, self.n_threads)
            self._small = None
        return self._wide

    def _small_labels(self, sums: _core.ClusterSums) -> NDArray[np.uint8] | None:
        """A byte a row for its label, where assigning takes it: a quarter of the memory to go through."""
        if self._wide is not None or not self.keeps_bounds or not sums.few:
            return None
        if not _core.choose_plan(self.rows.dtype.name, self.rows.shape, sums.n_clusters, 1).small_labels:
            return None
        if self._small is None:
            self._small = np.full(len(self.rows), _core.MAX_SMALL_LABELS, np.uint8)
        return self._small

    def assign(self, centers: NDArray[np.float64]) -> Assigned:
        """Label every row with its nearest centre (ties: the lowest) and sum the rows by label.

        The sums are the engine's own, and change with the next call.
        """
        sums = self._own_sums(len(centers))
        if not self._labelled:
            sums.clear()
        scaled = scaled_centers(centers, self.exponent)
        # Where no row has a label all move: more than are listed where sums are many.
        follows = scaled is not None and (self._in_step if self._labelled else sums.few)
        before = {row: self._labels[row] for row in self._pending_relocations}
        changes = _core.LabelChanges(self._scaled.rows, self._weights, sums) if follows else None
        small = self._small_labels(sums) if follows else None
        self._labelled, self._in_step = True, False  # should this be interrupted
        labels = self._labels if small is None else small
        if scaled is None:  # centres too far from such rows for their units
            n_changed = _core.assign(self.rows, centers, labels, self.n_threads, None)
        else:
            n_changed = self._steps().assign(scaled, labels, self.n_threads, changes)
        for row, cluster in self._pending_relocations.items():
            n_changed += int(cluster != self._labels[row]) - int(before[row] != self._labels[row])
        self._pending_relocations.clear()
        if changes is not None:
            sums.apply(changes, self._labels if small is None else None, self.n_threads)
            self._in_step = True
        return Assigned(self.sums(len(centers)), n_changed)

    def sums(self, n_clusters: int) -> _core.ClusterSums:
        """Sum the rows by their present labels. The object is the engine's own: the next call reuses it."""
        sums = self._own_sums(n_clusters)
        if not self._in_step:
            sums.clear()
            sums.add(self._scaled.rows, self._weights, self._labels, self.n_threads)
            self._in_step = True
        return sums

    def move(self, sums: _core.ClusterSums, donor: Donor, cluster: int) -> None:
        """Give one row, or one of the equal rows it stands for, to another cluster."""
        row = donor.row
        sums.move(self._scaled.rows, self._weights, row, (donor.cluster, cluster))
        if self.counts is not None and self.counts[row] > 1:  # the others stay until the next step
            self._in_step = False
            self._pending_relocations[row] = cluster
        else:
            self._labels[row] = cluster

    def _added_inertia(self, centers: NDArray[np.float64], exponent: int) -> float:
        if not exponent:
            distances = self.own_squared_distances(centers)
        elif exponent == self.exponent:
            distances = self._costs(centers)
        else:
            scaled = np.ldexp(centers, exponent)
            distances = np.concatenate(
                [
                    _core.own_squared_distances(
                        np.ldexp(self.rows[start : start + SUM_BATCH], exponent),
                        scaled,
                        self._labels[start : start + SUM_BATCH],
                        self.n_threads,
                    )
                    for start in range(0, len(self.rows), SUM_BATCH)
                ]
            )
        return self._weighted_sum(distances)

    def _costs(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each row's squared distance to the centre of its cluster, in the units of scaled rows."""
        scaled = near_centers(centers, self.exponent)
        return _core.own_squared_distances(self._scaled.rows, scaled, self._labels, self.n_threads)

    def weighted_costs(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each row adds to J, but for a common factor."""
        costs = self._costs(centers)
        return costs if self.weights is None else costs * self.weights

    def own_squared_distances(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each row's squared distance to the centre of its cluster."""
        return _core.own_squared_distances(self.rows, centers, self._labels, self.n_threads)

    def distances(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every row's distance to every centre: (n_samples, n_clusters)."""
        return precise_distances(self.rows, centers, self.squared_distances(centers))

    def squared_distances(self, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every row's squared distance to every centre: (n_samples, n_clusters)."""
        return _core.squared_distances(self.rows, centers, self.n_threads)

    def seeder(self, n_seeds: int, order: NDArray[np.intp] | None = None) -> _core.Seeder:
        """Start k-means++ over the rows, drawn along ``order`` (None: the hash order), for about so many
        seeds."""
        order = self.hash_order() if order is None else order
        return _core.Seeder(self._scaled.rows, self._weights, order, self._steps(), n_seeds, self.n_threads)

    def _sorted_by_hash(self) -> Order:
        return _core.hash_order(self._scaled.rows, self.n_threads)

    def _steps(self) -> _core.Assigner:
        if self._assigner is None:
            repeated = self.keeps_bounds or self.counts is not None
            self._assigner = _core.Assigner(
                self._scaled.rows, self.counts, _core.MANY_STEPS if repeated else 1
            )
        return self._assigner

    @property
    def _scaled(self) -> Summable:
        if self._summable is None:
            self._summable = summable(self.rows, self.weights, self.n_threads)
        return self._summable

    @property
    def exponent(self) -> int:
        return self._scaled.exponent

    @property
    def _dtype(self) -> np.dtype[Any]:
        return self.rows.dtype

    def _own_sums(self, n_clusters: int) -> _core.ClusterSums:
        """The engine's ClusterSums, of that many clusters; its sums are the labels' where ``_in_step``."""
        if self._sums is None:
            self._sums = self._scaled.empty(n_clusters)
            self._sums.add_squares(self._scaled.rows, self._weights, self.n_threads)
        elif self._sums.n_clusters != n_clusters:
            self._sums = self._sums.emptied(n_clusters)
            self._in_step = False
        return self._sums


def nearest_centers(
    rows: Rows,
    centers: NDArray[np.float64],
    n_threads: int | None = None,
    int16_range: Int16Range | None = None,
) -> NDArray[np.int32]:
    """Return the index of the nearest centre of each row, decided exactly; ties go to the lowest index.

    ``int16_range`` is each feature's range in these rows, or in more, as ``Survey`` has it.

    >>> import numpy as np
    >>> nearest_centers(np.array([[0], [5], [9]], np.uint8), np.array([[1.0], [9.0]]))
    array([0, 0, 1], dtype=int32)
    """
    labels = np.full(len(rows), -1, dtype=np.int32)
    rows = np.require(rows, requirements=["C", "A"])
    centers = np.require(centers, np.float64, ["C", "A"])
    _core.assign(rows, centers, labels, resolve_n_threads(n_threads), None, int16_range)
    return labels
