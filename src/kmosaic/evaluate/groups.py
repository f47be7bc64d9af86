"""Clusters that are alike, put into groups: many centroids are read a group at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cluster_groups(centers: ArrayLike, sizes: ArrayLike, n_groups: int) -> list[list[int]]:
    """Merge clusters upwards until ``n_groups`` are left, and give the clusters of each.

    Each time those two are merged that raise the inertia least: by n_i n_j / (n_i + n_j) |c_i - c_j|^2, for
    clusters of ``sizes`` n rows around ``centers`` c, (n_clusters, n_features). J. H. Ward (1963),
    "Hierarchical grouping to optimize an objective function"; the costs of the merged follow from those of
    their parts (G. N. Lance, W. T. Williams, 1967). A cluster without rows counts as one of one row.

    Groups are in the order in which they would merge further, so alike ones are near each other; within one,
    so are clusters.

    Raises ValueError when ``n_groups`` is not from 1 to the number of clusters.

    >>> cluster_groups([[0.0], [9.0], [1.0], [7.0]], [5, 5, 5, 5], 2)
    [[0, 2], [1, 3]]
    """
    points, weights = np.asarray(centers, dtype=np.float64), np.maximum(np.asarray(sizes, np.float64), 1.0)
    if not 1 <= n_groups <= len(points):
        raise ValueError(f"n_groups={n_groups} must be from 1 to {len(points)}, the number of clusters")
    merging = _Merging.of(points, weights)
    groups = {cluster: [cluster] for cluster in range(len(points))}
    while len(groups) > n_groups:
        into, other = merging.merge()
        groups[into] += groups.pop(other)
    group_of = {cluster: group for group, clusters in groups.items() for cluster in clusters}
    while len(groups) > 1:
        into, other = merging.merge()
        groups[into] += groups.pop(other)
    ordered: dict[int, list[int]] = {}
    for cluster in next(iter(groups.values())):
        ordered.setdefault(group_of[cluster], []).append(cluster)
    return list(ordered.values())


@dataclass(eq=False)
class _Merging:
    """What it costs to merge each pair of clusters, infinite for those gone, and of each the best."""

    costs: NDArray[np.float64]
    weights: NDArray[np.float64]
    best: NDArray[np.intp]

    @classmethod
    def of(cls, points: NDArray[np.float64], weights: NDArray[np.float64]) -> _Merging:
        centred = points - points.mean(axis=0)
        norms = np.square(centred).sum(axis=1)
        squared = np.maximum(norms[:, None] - 2 * centred @ centred.T + norms, 0)
        costs = squared * (weights[:, None] * weights / (weights[:, None] + weights))
        np.fill_diagonal(costs, np.inf)
        return cls(costs, weights, costs.argmin(axis=1))

    def merge(self) -> tuple[int, int]:
        """Merge the pair of the least cost into its first, which is the lower, and return both."""
        costs, rows = self.costs, np.arange(len(self.best))
        at = int(costs[rows, self.best].argmin())
        i, j = sorted((at, int(self.best[at])))
        n, between = self.weights, costs[i, j]
        kept = np.isfinite(costs[i])
        kept[[i, j]] = False
        merged = np.full(len(costs), np.inf)
        merged[kept] = (
            (n[i] + n[kept]) * costs[i, kept] + (n[j] + n[kept]) * costs[j, kept] - n[kept] * between
        ) / (n[i] + n[j] + n[kept])
        costs[i], costs[:, i] = merged, merged
        costs[j], costs[:, j] = np.inf, np.inf
        n[i] += n[j]
        # Only rows whose best was one of both can have a worse one now: Ward's costs never shrink by a merge.
        stale = np.flatnonzero((self.best == i) | (self.best == j) | (rows == i))
        self.best[stale] = costs[stale].argmin(axis=1)
        return i, j
