"""A tree of clusters: how rows were split, part by part, and the way down for new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import descend, nearest_centers
from kmosaic.models.validation import check_values, checked_array

TREE_PREFIX = "tree."
TREE_DTYPES = {"parents": "I32", "sizes": "I64", "inertia": "F64", "inner_centers": "F64"}


@dataclass(frozen=True, eq=False)
class ClusterTree:
    """Clusters as the leaves of a tree, whose nodes are numbered from the root, 0.

    ``parents`` (n_nodes,) int32 has each node's parent, a lower number, and -1 for the root; the children of
    a node are consecutive, and two or more. ``centers`` (n_nodes, n_features) float64, ``sizes`` (n_nodes,)
    int64 and ``inertia`` (n_nodes,) float64 are each node's centre, how many rows are below it, and their
    weighted J about its centre. Clusters are numbered along the leaves, from left to right, so that those
    below a node are consecutive.

    ``descends`` says how rows are labelled: going down from the root, at each node to the child whose centre
    is nearest; or else as the leaf whose centre is nearest of all.

    Raises
    ------
    ValueError
        When arrays do not go together, or describe no such tree.

    Examples
    --------
    >>> tree = ClusterTree(
    ...     np.array([[4.0], [0.0], [6.0]]), np.array([-1, 0, 0], np.int32), np.array([3, 1, 2]), np.zeros(3)
    ... )
    >>> tree.children(0), tree.leaves.tolist(), tree.predict(np.array([[2.0], [7.0]])).tolist()
    (range(1, 3), [1, 2], [0, 1])
    """

    centers: NDArray[np.float64]
    parents: NDArray[np.int32]
    sizes: NDArray[np.int64]
    inertia: NDArray[np.float64]
    descends: bool = True

    def __post_init__(self) -> None:
        centers = checked_array("the tree's centers", self.centers, np.float64, ndim=2)
        check_values("the tree's centers", centers)
        for name, dtype in (("parents", np.int32), ("sizes", np.int64), ("inertia", np.float64)):
            if len(checked_array(f"the tree's {name}", getattr(self, name), dtype, ndim=1)) != len(centers):
                raise ValueError(f"the tree's {name} must be one for each of {len(centers)} nodes")
        if not isinstance(self.descends, bool):
            raise ValueError("the tree's descends must be true or false")
        _check_parents(self.parents)
        if not (np.isfinite(self.inertia).all() and (self.inertia >= 0).all()):
            raise ValueError("the tree's inertia must be finite, and 0 or more")
        self._check_sizes()

    @property
    def n_nodes(self) -> int:
        """How many nodes there are, the root and the leaves among them."""
        return len(self.parents)

    @property
    def n_clusters(self) -> int:
        """How many leaves there are."""
        return len(self.leaves)

    def children(self, node: int) -> range:
        """The children of a node; none of a leaf."""
        first = int(self._first_child[node])
        return range(first, first + int(self._n_children[node]))

    def clusters(self, node: int) -> range:
        """The clusters below a node; of a leaf its own."""
        first, n = self._clusters
        return range(int(first[node]), int(first[node] + n[node]))

    @cached_property
    def leaves(self) -> NDArray[np.int32]:
        """The node of each cluster: (n_clusters,)."""
        return _leaves(self.parents)

    @cached_property
    def depths(self) -> NDArray[np.int32]:
        """How many steps below the root each node is: (n_nodes,)."""
        depths = [0] * self.n_nodes
        for node, parent in enumerate(self.parents.tolist()[1:], 1):
            depths[node] = depths[parent] + 1
        return np.array(depths, np.int32)

    def predict(self, rows: NDArray[Any], n_threads: int | None = None) -> NDArray[np.int32]:
        """The cluster of each row, decided exactly; of equally near centres the lowest node's.

        ``rows`` (n_samples, n_features) are of a dtype that engines read in place, in C order.
        """
        if not self.descends:
            return nearest_centers(rows, self.centers[self.leaves], n_threads)
        found = descend(rows, self.centers, (self._first_child, self._n_children), n_threads)
        clusters: NDArray[np.int32] = self._clusters[0][found]
        return clusters

    def document(self) -> dict[str, Any]:
        """Return what of it is JSON."""
        return {"descends": self.descends}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return its arrays, under names of their own in a model file; leaves' centres are the model's."""
        inner = np.ascontiguousarray(self.centers[self._n_children > 0])
        named: dict[str, NDArray[Any]] = {
            "parents": self.parents,
            "sizes": self.sizes,
            "inertia": self.inertia,
            "inner_centers": inner,
        }
        return {TREE_PREFIX + name: array for name, array in named.items()}

    @classmethod
    def of(
        cls, document: Any, arrays: Mapping[str, NDArray[Any]], cluster_centers: NDArray[Any]
    ) -> ClusterTree | None:
        """Return what ``document()`` and ``arrays()`` of a model file describe, trusting nothing.

        Raises
        ------
        ValueError
            When they do not describe one, or not one with these centres as leaves.
        """
        own = {
            name[len(TREE_PREFIX) :]: array for name, array in arrays.items() if name.startswith(TREE_PREFIX)
        }
        if document is None and not own:
            return None
        if not isinstance(document, dict) or set(document) != {"descends"} or set(own) != set(TREE_DTYPES):
            raise ValueError("fields of the tree are missing or unknown")
        parents = checked_array("the tree's parents", own["parents"], np.int32, ndim=1)
        _check_parents(parents)
        checked_array("the tree's inner centers", own["inner_centers"], np.float64, ndim=2)
        inner = _n_children(parents) > 0
        wanted = np.count_nonzero(inner), *cluster_centers.shape[1:]
        if own["inner_centers"].shape != wanted or len(parents) - wanted[0] != len(cluster_centers):
            raise ValueError("the tree's nodes do not go with the clusters' centers")
        centers = np.empty((len(parents), *cluster_centers.shape[1:]))
        centers[inner] = own["inner_centers"]
        centers[_leaves(parents)] = cluster_centers
        return cls(centers, parents, own["sizes"], own["inertia"], document["descends"])

    @cached_property
    def _n_children(self) -> NDArray[np.int32]:
        return _n_children(self.parents)

    @cached_property
    def _first_child(self) -> NDArray[np.int32]:
        first = np.zeros(self.n_nodes, np.int32)
        starts = 1 + np.flatnonzero(np.diff(self.parents[1:], prepend=-1))
        first[self.parents[starts]] = starts
        return first

    @cached_property
    def _clusters(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The first cluster below each node, and how many there are."""
        return _clusters(self.parents)

    def _check_sizes(self) -> None:
        below = np.zeros(self.n_nodes, np.int64)
        np.add.at(below, self.parents[1:], self.sizes[1:])
        inner = self._n_children > 0
        if (self._n_children == 1).any():
            raise ValueError("a node of the tree has one child alone")
        if self.sizes.min() < 0 or (below[inner] != self.sizes[inner]).any():
            raise ValueError("the tree's sizes must be counts, and a node's the sum of its children's")


def _check_parents(parents: NDArray[np.int32]) -> None:
    """Refuse what is no tree: parents come first, so that there is no way around, and siblings together."""
    if not len(parents) or parents[0] != -1:
        raise ValueError("the tree's first node must be the root, whose parent is -1")
    above = parents[1:]
    if (above < 0).any() or (above >= np.arange(1, len(parents))).any():
        raise ValueError("the parent of a node of the tree must be a node before it")
    runs = np.count_nonzero(np.diff(above, prepend=-1))
    if runs != len(np.unique(above)):
        raise ValueError("the children of a node of the tree must be consecutive")


def _n_children(parents: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.bincount(parents[1:], minlength=len(parents)).astype(np.int32)


def _leaves(parents: NDArray[np.int32]) -> NDArray[np.int32]:
    """The leaves from left to right."""
    nodes = np.flatnonzero(_n_children(parents) == 0).astype(np.int32)
    return nodes[np.argsort(_clusters(parents)[0][nodes])]


def _clusters(parents: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    above, n = parents.tolist(), (_n_children(parents) == 0).astype(int).tolist()
    for node in range(len(above) - 1, 0, -1):
        n[above[node]] += n[node]
    first, taken = [0] * len(above), [0] * len(above)
    for node in range(1, len(above)):
        parent = above[node]
        first[node] = first[parent] + taken[parent]
        taken[parent] += n[node]
    return np.array(first, np.int32), np.array(n, np.int32)
