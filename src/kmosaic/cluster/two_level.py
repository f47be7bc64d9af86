"""K-means of two levels: groups first, then clusters within each, for tens of thousands of clusters."""

from __future__ import annotations

import heapq
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions

from kmosaic.cluster.estimator import AT_LEAST_1, WHOLE_AT_LEAST_0
from kmosaic.cluster.seeding import starting_centers
from kmosaic.cluster.tree_estimator import TreeEstimator
from kmosaic.engines import (
    IterationProgress,
    LloydOptions,
    LloydResult,
    MemoryEngine,
    lloyd,
    make_engine,
    order_of_values,
    resolve_n_threads,
)
from kmosaic.engines.bisection import weights_of
from kmosaic.models.cluster_tree import ClusterTree

Allocation = Literal["inertia", "size"]


class TwoLevelKMeans(TreeEstimator):
    """Cluster rows into groups by k-means, and each group into clusters by k-means of its own.

    For ten thousand clusters and more: every row meets the centroids of the groups and those of one group,
    about 2 sqrt(n_clusters) in place of n_clusters. J is a few per cent above that of ``KMeans``; ``refine``
    wins some of it back. Results are the same to the bit for any number of threads and on any processor.

    Parameters
    ----------
    n_clusters : int, default 8
        The number of clusters, over all groups.
    n_groups : int or None
        The number of groups. None: the square root of ``n_clusters``, rounded.
    allocation : "inertia" or "size", default "inertia"
        How clusters are shared: each next one goes to the group with the most J, or the most weight (rows,
        where there are no weights), for each cluster that it has (the method of D'Hondt).
    refine : int, default 0
        Iterations of ``KMeans`` over all rows and clusters in the end, each as slow as one of ``KMeans``.
        Then clusters may take rows of other groups, and labels are the nearest of all centroids.
    init : "k-means++" or "random", default "k-means++"
        How the centroids start on both levels.
    n_init : int, default 1
        Starts of each k-means; the one with the lowest J is kept.
    max_iter : int, default 300
        The most iterations of each k-means.
    tol : float, default 0
        As in ``KMeans``, for each k-means and its rows.
    random_state : int, RandomState or None
        The seed: the same one gives the same fit. None: another fit each time.
    n_threads : int or None
        None: all processors. Changes no result.
    callback : callable or None
        Called with an ``IterationProgress`` after every iteration over all rows, and for every group: then
        ``restart`` of ``n_init`` are groups.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) float64
        The centroids, group by group; fewer than ``n_clusters`` where groups have fewer distinct rows.
    labels_ : (n_samples,) int32
        The cluster of each row fitted.
    inertia_ : float
        J: the sum of weighted squared distances of the rows to their centroids.
    tree_ : ClusterTree
        Two levels below the root, groups and clusters: centre, size and J of each. A group with one cluster
        is itself the leaf. After ``refine``, the groups are those of their clusters' rows, and
        ``tree_.descends`` is false.
    n_iter_ : int
        Iterations of the k-means that took most, ``refine`` left out.
    converged_ : bool
        Whether each k-means of both levels reached a fixed point (or ``tol``) within ``max_iter``.

    Raises
    ------
    ValueError
        As ``KMeans``, and where ``n_groups`` is above ``n_clusters``.

    Warns
    -----
    ConvergenceWarning
        Where there are fewer clusters than asked for, since rows are equal.

    References
    ----------
    The coarse quantiser of D. Baranchuk, A. Babenko, Y. Malkov (2018), "Revisiting the inverted indices for
    billion-scale approximate nearest neighbors", ECCV, and of FAISS's two-level clustering.

    Examples
    --------
    >>> import numpy as np
    >>> from kmosaic import TwoLevelKMeans
    >>> X = np.array([[0, 0], [0, 8], [90, 90], [90, 99]], dtype=np.uint8)
    >>> model = TwoLevelKMeans(n_clusters=4, random_state=0).fit(X)
    >>> model.inertia_, model.tree_.sizes.tolist()
    (0.0, [4, 2, 2, 1, 1, 1, 1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TreeEstimator._parameter_constraints,
        "n_groups": [AT_LEAST_1, None],
        "allocation": [StrOptions(set(get_args(Allocation)))],
        "refine": [WHOLE_AT_LEAST_0],
        "init": [StrOptions({"k-means++", "random"})],
        "n_init": [AT_LEAST_1],
    }

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        n_clusters: int = 8,
        *,
        n_groups: int | None = None,
        allocation: Allocation = "inertia",
        refine: int = 0,
        init: str = "k-means++",
        n_init: int = 1,
        max_iter: int = 300,
        tol: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        callback: Callable[[IterationProgress], None] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_groups = n_groups
        self.allocation = allocation
        self.refine = refine
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_threads = n_threads
        self.callback = callback

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.n_groups is not None and self.n_groups > self.n_clusters:
            raise ValueError(
                f"n_groups={self.n_groups} must be <= n_clusters={self.n_clusters}; lower n_groups"
            )

    def _fit(
        self, rows: NDArray[Any], weights: NDArray[np.float64] | None, random_state: np.random.RandomState
    ) -> None:
        data = _Data(rows, weights, resolve_n_threads(self.n_threads))
        self.n_iter_, self.converged_ = 1, True
        groups = self._groups(data, random_state)
        self._take(data, groups, self._parts(data, groups, random_state))
        if self.refine:
            self._refine(data)

    def _groups(self, data: _Data, random_state: np.random.RandomState) -> _Groups:
        """The first level, in which groups without rows are left out."""
        n_groups = self.n_groups or max(1, round(math.sqrt(self.n_clusters)))
        engine = self._engine(data)
        found = self._kmeans(engine, n_groups, random_state, self._report)
        labels = engine.expand(found.labels)
        if not found.counts.all():
            kept = found.counts > 0
            engine = self._engine(data)
            engine.assign(np.ascontiguousarray(found.centers[kept]))
            return _Groups(found.centers[kept], engine.expand(engine.give_labels()), found.counts[kept])
        return _Groups(found.centers, labels, found.counts)

    def _parts(self, data: _Data, groups: _Groups, random_state: np.random.RandomState) -> list[_Part]:
        """The second level: each group's own k-means, with its share of the clusters."""
        members = _members(groups.labels, len(groups.centers))
        costs = data.costs(groups.centers, groups.labels)
        most = data.n_distinct(groups)
        shares = shared(groups.weights if self.allocation == "size" else costs, self.n_clusters, most)
        parts = []
        for number, own in enumerate(members):
            parts.append(self._part(data, own, int(shares[number]), random_state))
            if self.callback is not None:
                done = sum(part.inertia.sum() for part in parts) + costs[number + 1 :].sum()
                self.callback(IterationProgress(number, len(members), 1, 1, float(done), None))
        return parts

    def _part(
        self, data: _Data, own: NDArray[np.intp], n_clusters: int, random_state: np.random.RandomState
    ) -> _Part:
        part = _Data(data.rows[own], weights_of(data.weights, own), data.n_threads)
        engine = self._engine(part)
        found = self._kmeans(engine, n_clusters, random_state, lambda *_: None)
        kept = found.counts > 0
        centers = np.ascontiguousarray(found.centers[kept])
        labels = found.labels if kept.all() else self._labels(engine, centers)
        labels = engine.expand(labels)
        return _Part(own, centers, labels, part.costs(centers, labels))

    def _labels(self, engine: MemoryEngine, centers: NDArray[np.float64]) -> NDArray[np.int32]:
        engine.assign(centers)
        return engine.give_labels()

    def _engine(self, data: _Data) -> MemoryEngine:
        return data.engine(steps_expected=self.max_iter + 1, may_merge=True)

    def _kmeans(
        self,
        engine: MemoryEngine,
        n_clusters: int,
        random_state: np.random.RandomState,
        report: Callable[[int, float, int | None], None],
    ) -> LloydResult:
        tolerance = self.tol * engine.mean_variance() if self.tol > 0 else 0.0
        options = LloydOptions(self.max_iter, tolerance, "relocate", random_state, report)
        starts = (
            lloyd(engine, starting_centers(engine, n_clusters, self.init, random_state), options)
            for _ in range(self._n_starts(1))
        )
        best = min(starts, key=lambda result: result.rank)
        self.n_iter_ = max(self.n_iter_, best.n_iter)
        self.converged_ = self.converged_ and best.converged
        return best

    def _report(self, iteration: int, inertia: float, n_changed: int | None) -> None:
        if self.callback is not None:
            self.callback(IterationProgress(0, 1, iteration, self.max_iter, inertia, n_changed))

    def _take(self, data: _Data, groups: _Groups, parts: list[_Part]) -> None:
        found = sum(len(part.centers) for part in parts)
        if found < self.n_clusters:
            warnings.warn(
                f"only {found} of n_clusters={self.n_clusters} clusters have rows: too few are distinct; "
                f"lower n_clusters to {found}",
                ConvergenceWarning,
                stacklevel=5,
            )
        self.labels_ = np.empty(len(data.rows), np.int32)
        first = 0
        for part in parts:
            self.labels_[part.rows] = part.labels + first
            first += len(part.centers)
        self.cluster_centers_ = np.concatenate([part.centers for part in parts])
        n_children = np.array([len(part.centers) for part in parts])
        self.tree_ = self._tree(data, groups.centers, n_children, descends=True)

    def _tree(
        self, data: _Data, groups: NDArray[np.float64], n_children: NDArray[np.intp], *, descends: bool
    ) -> ClusterTree:
        """The tree of the present labels, whose groups have these centres and consecutive clusters."""
        group_of = np.repeat(np.arange(len(groups)), n_children)
        levels = [
            (data.mean(), np.zeros(len(data.rows), np.int32)),
            (groups, group_of[self.labels_].astype(np.int32)),
            (self.cluster_centers_, self.labels_),
        ]
        centers = np.concatenate([centers for centers, _ in levels])
        sizes = np.concatenate([np.bincount(labels, minlength=len(centers)) for centers, labels in levels])
        inertia = np.concatenate([data.costs(*level) for level in levels])
        n_groups = len(groups)
        parents = np.concatenate([[-1], np.zeros(n_groups), 1 + group_of]).astype(np.int32)
        return ClusterTree(*_without_only_children(centers, parents, sizes, inertia), descends)

    def _refine(self, data: _Data) -> None:
        """A few iterations over all clusters; groups are then the means of their clusters' rows."""
        if self.tree_.n_nodes == 1:
            return
        engine = self._engine(data)
        options = LloydOptions(self.refine, 0.0, "relocate", np.random.RandomState(0), self._report)
        found = lloyd(engine, self.cluster_centers_, options)
        self.cluster_centers_, self.labels_ = found.centers, engine.expand(found.labels)
        group_of = self._group_of()
        means = data.engine()
        means.labels = group_of[self.labels_]
        n_groups = int(group_of[-1]) + 1
        groups = means.means(means.sums(n_groups), self.tree_.centers[1 : 1 + n_groups])
        self.tree_ = self._tree(data, groups, np.bincount(group_of), descends=False)

    def _group_of(self) -> NDArray[np.int32]:
        """The group of each cluster."""
        tree = self.tree_
        sizes = [len(tree.clusters(node)) for node in tree.children(0)] or [1]
        return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)


@dataclass(frozen=True)
class _Data:
    """Rows, their weights, and how many threads may work on them."""

    rows: NDArray[Any]
    weights: NDArray[np.float64] | None
    n_threads: int

    def engine(self, **options: Any) -> MemoryEngine:
        return make_engine(self.rows, self.weights, self.n_threads, **options)

    def n_distinct(self, groups: _Groups) -> NDArray[np.intp]:
        """How many distinct rows with weight each group has."""
        engine = self.engine()
        firsts = engine.hash_order()[engine.distinct_rows().starts]
        return np.bincount(groups.labels[firsts], minlength=len(groups.centers))

    def costs(self, centers: NDArray[np.float64], labels: NDArray[np.int32]) -> NDArray[np.float64]:
        """J of each cluster, added along the rows' hash order."""
        engine = self.engine()
        engine.labels = labels
        costs = engine.weighted_costs(centers)
        scaled = np.ldexp(self.rows, engine.exponent) if engine.exponent else self.rows
        order = order_of_values(scaled, self.weights, engine.n_threads)
        totals = np.bincount(labels[order], costs[order], len(centers)).astype(np.float64)
        return np.ldexp(totals, -2 * engine.exponent)

    def mean(self) -> NDArray[np.float64]:
        engine = self.engine()
        engine.labels = np.zeros(len(self.rows), np.int32)
        return engine.means(engine.sums(1), np.zeros((1, self.rows.shape[1])))


@dataclass(frozen=True)
class _Groups:
    """The first level: centres, the group of each row, and the groups' weights."""

    centers: NDArray[np.float64]
    labels: NDArray[np.int32]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class _Part:
    """The clusters of one group: which rows they have, their centres, labels among them, and J of each."""

    rows: NDArray[np.intp]
    centers: NDArray[np.float64]
    labels: NDArray[np.int32]
    inertia: NDArray[np.float64]


def shared(wants: NDArray[np.float64], n: int, most: NDArray[np.intp]) -> NDArray[np.intp]:
    """Share n clusters among groups: one each, and each next to the one that wants most a cluster it has.

    No group gets more than ``most``; where all have that, fewer than n are given. Ties go to the first group.

    >>> shared(np.array([8.0, 3.0, 1.0]), 6, np.array([9, 9, 9])).tolist()
    [4, 1, 1]
    """
    given = np.ones(len(wants), np.intp)
    queue = [(-want / 2, number) for number, want in enumerate(wants.tolist()) if most[number] > 1]
    heapq.heapify(queue)
    for _ in range(n - len(wants)):
        if not queue:
            break
        _, number = queue[0]
        given[number] += 1
        if given[number] < most[number]:
            heapq.heapreplace(queue, (-float(wants[number]) / float(given[number] + 1), number))
        else:
            heapq.heappop(queue)
    return given


def _members(labels: NDArray[np.int32], n: int) -> list[NDArray[np.intp]]:
    """The rows of each label, in their order."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels, minlength=n))[:-1])


def _without_only_children(
    centers: NDArray[np.float64],
    parents: NDArray[np.int32],
    sizes: NDArray[np.int64],
    inertia: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """The same tree, in which a node with one child has that child's place, from the leaves up."""
    kept = np.ones(len(parents), bool)
    above, n_children = parents.copy(), np.bincount(parents[1:], minlength=len(parents))
    for node in range(len(parents) - 1, 0, -1):
        parent = int(above[node])
        if n_children[parents[node]] > 1:
            continue
        kept[node] = False
        above[above == node] = parent
        centers[parent], inertia[parent] = centers[node], inertia[node]
    number = np.cumsum(kept) - 1
    above[1:] = number[above[1:]]
    return centers[kept], above[kept].astype(np.int32), sizes[kept].astype(np.int64), inertia[kept]
