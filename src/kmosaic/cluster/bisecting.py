"""Bisecting k-means: clusters split in two, one after the other, for many clusters and a tree of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions

from kmosaic.cluster.estimator import AT_LEAST_1
from kmosaic.cluster.seeding import Init, checked_centers
from kmosaic.cluster.tree_estimator import TreeEstimator
from kmosaic.engines import (
    BisectionOptions,
    Bisector,
    Halves,
    IterationProgress,
    child_keys,
    resolve_n_threads,
    root_key,
)
from kmosaic.models.cluster_tree import ClusterTree

Strategy = Literal["biggest_inertia", "largest_cluster"]


class BisectingKMeans(TreeEstimator):
    """Cluster rows by splitting one cluster in two, again and again, by k-means with two centroids.

    It takes time in proportion to the tree's depth, not to ``n_clusters``, and leaves a higher J than
    ``KMeans``; the splits make a tree. Each split is a local optimum with exact labels, and results are the
    same to the bit for any number of threads and on any processor.

    Parameters
    ----------
    n_clusters : int, default 8
        The number of clusters, the leaves of the tree.
    init : "k-means++", "random" or callable, default "k-means++"
        How both centres of a split start: the best of two rows drawn far from a first one; two distinct rows
        at random; or what ``init(X, 2, random_state)`` returns for the rows of the cluster.
    n_init : int, default 1
        Starts of every split; the one with the lowest J is kept.
    max_iter : int, default 300
        The most iterations of one start.
    tol : float, default 0
        0 goes on until no label changes. Otherwise a split also ends once its centroids' summed squared shift
        is no more than ``tol`` times the mean variance of the features of its rows.
    bisecting_strategy : "biggest_inertia" or "largest_cluster", default "biggest_inertia"
        Which cluster is split next: the one with the highest J, or that of the most weight (rows, where there
        are no weights).
    random_state : int, RandomState or None
        The seed: the same one gives the same fit. None: another fit each time.
    n_threads : int or None
        None: all processors. Changes no result.
    callback : callable or None
        Called with an ``IterationProgress`` whenever clusters were split: ``iteration`` of ``max_iter`` are
        clusters.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) float64
        The centroids of the leaves, from left to right; fewer than ``n_clusters`` where X has fewer
        distinct rows.
    labels_ : (n_samples,) int32
        The cluster of each row fitted.
    inertia_ : float
        J: the sum of weighted squared distances of the rows to their centroids.
    tree_ : ClusterTree
        Children, centre, size and J of every node. The i-th split, from 0, made nodes 2 i + 1 and 2 i + 2.
    inertia_history_ : (n_clusters,) float64
        J of 1, 2, ... clusters, as the splits came.
    n_iter_ : int
        The most iterations that a split took.
    converged_ : bool
        Whether all splits reached a fixed point (or ``tol``) within ``max_iter``.

    Raises
    ------
    ValueError
        As ``KMeans``, and where ``bisecting_strategy`` is unknown.

    Warns
    -----
    ConvergenceWarning
        Where X has fewer distinct rows than clusters, so that there are fewer clusters.

    References
    ----------
    M. Steinbach, G. Karypis, V. Kumar (2000), "A comparison of document clustering techniques", KDD Workshop
    on Text Mining.

    Examples
    --------
    >>> import numpy as np
    >>> from kmosaic import BisectingKMeans
    >>> X = np.array([[0, 0], [0, 1], [9, 9], [9, 8], [50, 50]], dtype=np.uint8)
    >>> model = BisectingKMeans(n_clusters=3, random_state=0).fit(X)
    >>> model.inertia_, model.tree_.sizes.tolist()
    (1.0, [5, 4, 1, 2, 2])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TreeEstimator._parameter_constraints,
        "init": [StrOptions({"k-means++", "random"}), callable],
        "n_init": [AT_LEAST_1],
        "bisecting_strategy": [StrOptions({"biggest_inertia", "largest_cluster"})],
    }

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        n_init: int = 1,
        max_iter: int = 300,
        tol: float = 0.0,
        bisecting_strategy: Strategy = "biggest_inertia",
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        callback: Callable[[IterationProgress], None] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.bisecting_strategy = bisecting_strategy
        self.random_state = random_state
        self.n_threads = n_threads
        self.callback = callback

    def _fit(
        self, rows: NDArray[Any], weights: NDArray[np.float64] | None, random_state: np.random.RandomState
    ) -> None:
        options = self._options(random_state)
        bisector = Bisector(rows, weights, options, resolve_n_threads(self.n_threads))
        nodes = _Nodes(bisector, options.seed)
        chosen = self._grow(nodes)
        self._take(nodes, chosen)

    def _options(self, random_state: np.random.RandomState) -> BisectionOptions:
        start: Any = self.init
        if callable(self.init):
            given = self.init

            def start(rows: NDArray[Any]) -> NDArray[np.float64]:
                return checked_centers(given(rows, 2, random_state), 2, rows.shape[1])

        seed = int(random_state.randint(np.iinfo(np.int32).max))
        return BisectionOptions(start, int(self.n_init), int(self.max_iter), float(self.tol), seed)

    def _grow(self, nodes: _Nodes) -> NDArray[np.intp]:
        """Split nodes until those that come first are split; return them, in the order of their splits.

        No node's turn is before its parent's, since it costs no more and has no more rows. So the nodes to
        split are the first n_clusters - 1 of the whole tree, and all nodes that are among the first of those
        known may be split together: what was split in vain is left out in the end.
        """
        while True:
            first = nodes.first(self.n_clusters - 1, self.bisecting_strategy)
            todo = first[~nodes.split[first]]
            if self.callback is not None:
                self.callback(self._progress(nodes, first[nodes.split[first]]))
            if not len(todo):
                return first
            nodes.split_all(todo)

    def _progress(self, nodes: _Nodes, split: NDArray[np.intp]) -> IterationProgress:
        inertia = nodes.inertia[0] - sum(nodes.gain(node) for node in split.tolist())
        scaled = float(np.ldexp(max(inertia, 0.0), -2 * nodes.exponent))
        return IterationProgress(0, 1, len(split) + 1, self.n_clusters, scaled, None)

    def _take(self, nodes: _Nodes, chosen: NDArray[np.intp]) -> None:
        if len(chosen) + 1 < self.n_clusters:
            warnings.warn(
                f"X has only {len(chosen) + 1} distinct rows for n_clusters={self.n_clusters}: there are no "
                f"more clusters; lower n_clusters to {len(chosen) + 1}",
                ConvergenceWarning,
                stacklevel=5,
            )
        kept = nodes.kept(chosen)
        self.tree_ = nodes.tree(kept, chosen)
        leaves = self.tree_.leaves
        self.cluster_centers_ = self.tree_.centers[leaves]
        self.labels_ = nodes.labels(kept[leaves])
        falls = np.array([nodes.gain(node) for node in chosen.tolist()])
        history = np.concatenate([nodes.inertia[:1], nodes.inertia[0] - np.cumsum(falls)])
        history = np.minimum.accumulate(np.maximum(history, 0))
        self.inertia_history_ = np.ldexp(history, -2 * nodes.exponent)
        self.n_iter_, self.converged_ = nodes.n_iter, nodes.converged


@dataclass
class _Turn:
    """Nodes by the order in which they are split: by what they cost or weigh, the parent's at most."""

    inertia: NDArray[np.float64]
    weight: NDArray[np.float64]


class _Nodes:
    """All nodes known so far, split or not, in the units of scaled rows."""

    def __init__(self, bisector: Bisector, seed: int) -> None:
        center, inertia, weight = bisector.whole()
        self._bisector = bisector
        self.exponent = bisector.exponent
        self.centers = center
        self.inertia = np.array([inertia])
        self._weight = np.array([weight])
        self._bounded = _Turn(self.inertia, self._weight)
        self._keys = root_key(seed)
        self._start, self._stop = np.array([0]), np.array([len(bisector.order)])
        self._first_child = np.array([0])
        self.split = np.array([False])
        self._indivisible = np.array([inertia == 0])
        self.n_iter, self.converged = 1, True

    def first(self, n: int, strategy: Strategy) -> NDArray[np.intp]:
        """The n nodes to be split first, or as many as can be; ties go to the older node."""
        turn = self._bounded.inertia if strategy == "biggest_inertia" else self._bounded.weight
        able = np.flatnonzero(~self._indivisible)
        return able[np.argsort(-turn[able], kind="stable")[:n]]

    def split_all(self, nodes: NDArray[np.intp]) -> None:
        """Split these nodes; those that cannot be are indivisible from then on."""
        nodes = nodes[np.argsort(self._start[nodes])]
        halves = self._bisector.split(
            self._start[nodes], self._stop[nodes], self._keys[nodes], self.inertia[nodes]
        )
        self.n_iter = max(self.n_iter, halves.n_iter)
        self.converged = self.converged and halves.converged
        self._indivisible[nodes[~halves.done]] = True
        self._append_halves(nodes[halves.done], halves)

    def _append_halves(self, nodes: NDArray[np.intp], halves: Halves) -> None:
        """Add the two halves of each of these nodes, which were split."""
        done = halves.done
        middle = halves.middle[done]
        self.split[nodes] = True
        self._first_child[nodes] = len(self.split) + 2 * np.arange(len(nodes))
        inertia, weight = halves.inertia[done].ravel(), halves.weights[done].ravel()
        parents = np.repeat(nodes, 2)
        self._bounded = _Turn(
            np.append(self._bounded.inertia, np.minimum(inertia, self._bounded.inertia[parents])),
            np.append(self._bounded.weight, np.minimum(weight, self._bounded.weight[parents])),
        )
        self.centers = np.concatenate([self.centers, halves.centers[done].reshape(2 * len(nodes), -1)])
        self.inertia = np.append(self.inertia, inertia)
        self._weight = np.append(self._weight, weight)
        self._keys = np.append(self._keys, child_keys(self._keys[nodes]).ravel())
        self._start = np.append(self._start, np.stack([self._start[nodes], middle], axis=1).ravel())
        self._stop = np.append(self._stop, np.stack([middle, self._stop[nodes]], axis=1).ravel())
        self.split = np.append(self.split, np.zeros(2 * len(nodes), bool))
        self._first_child = np.append(self._first_child, np.zeros(2 * len(nodes), np.intp))
        self._indivisible = np.append(self._indivisible, inertia == 0)

    def gain(self, node: int) -> float:
        """By how much J falls where a node is split."""
        child = self._first_child[node]
        return float(self.inertia[node] - (self.inertia[child] + self.inertia[child + 1]))

    def kept(self, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """The root and the children of the nodes chosen, in the order of the splits."""
        children = self._first_child[chosen]
        return np.concatenate([[0], np.stack([children, children + 1], axis=1).ravel()])

    def tree(self, kept: NDArray[np.intp], chosen: NDArray[np.intp]) -> ClusterTree:
        """The tree of these nodes, in the units of X."""
        number = np.empty(len(self.split), np.int32)
        number[kept] = np.arange(len(kept))
        parents = np.concatenate([[-1], np.repeat(number[chosen], 2)]).astype(np.int32)
        return ClusterTree(
            np.ldexp(self.centers[kept], -self.exponent),
            parents,
            (self._stop - self._start)[kept].astype(np.int64),
            np.ldexp(self.inertia[kept], -2 * self.exponent),
        )

    def labels(self, leaves: NDArray[np.intp]) -> NDArray[np.int32]:
        """The cluster of each row, given the node of each cluster."""
        labels = np.empty(len(self._bisector.order), np.int32)
        sizes = self._stop[leaves] - self._start[leaves]
        in_order = np.argsort(self._start[leaves])
        labels[self._bisector.order] = np.repeat(in_order, sizes[in_order])
        return labels
