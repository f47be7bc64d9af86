"""Near-duplicates and outliers among drawings such as digits: what neighbours tell about single images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kmosaic.features.graph import ImageNeighbors


@dataclass(frozen=True)
class DuplicateGroup:
    """Images that are nearly the same: their rows, ascending, and how far each is from the nearest other."""

    rows: NDArray[np.intp]
    distances: NDArray[np.float64]


def duplicate_groups(neighbors: ImageNeighbors, max_distance: float) -> list[DuplicateGroup]:
    """Return the groups of two images or more that distances of at most ``max_distance`` join, both ways.

    Both ways, since a simple image is found in many that it is no duplicate of. Distances are those of
    ``ImageNeighbors``, 0 to 1; groups come in the order of their first rows.

    Examples
    --------
    >>> import numpy as np
    >>> near = np.array([[1], [0], [0]], dtype=np.int32)
    >>> found = ImageNeighbors(np.array([0, 1, 2, 2]), near, np.array([[0.02], [0.03], [0.01]]))
    >>> [group.rows.tolist() for group in duplicate_groups(found, 0.05)]
    [[0, 1], [2, 3]]
    """
    n, k = neighbors.indices.shape
    ends = np.repeat(np.arange(n), k)
    close = (neighbors.distances <= max_distance).ravel() & (neighbors.indices.ravel() != ends)
    pairs = coo_matrix((close[close], (ends[close], neighbors.indices.ravel()[close])), shape=(n, n)).tocsr()
    mutual = pairs.multiply(pairs.T)
    _, component = connected_components(mutual, directed=False)
    groups = component[neighbors.nodes]
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    nearest = nearest_distances(neighbors)
    several = sorted((part for part in parts if len(part) > 1), key=lambda part: int(part[0]))
    return [DuplicateGroup(part, nearest[part]) for part in several]


def nearest_distances(neighbors: ImageNeighbors) -> NDArray[np.float64]:
    """Return how far each image is from the one most like it: (n_samples,); 0 for one that has an equal.

    The images for which it is largest are unlike all others: outliers.
    """
    equals = np.bincount(neighbors.nodes, minlength=len(neighbors.indices))[neighbors.nodes] > 1
    return np.where(equals, 0.0, neighbors.distances[neighbors.nodes, 0])


def first_rows(neighbors: ImageNeighbors) -> NDArray[np.intp]:
    """Return the first row of each distinct image: (n_distinct,)."""
    return np.unique(neighbors.nodes, return_index=True)[1]
