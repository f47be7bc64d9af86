"""Which images stand for a cluster: nearest its centroid, farthest from it, and named wrongly by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.evaluate.representatives import representatives
from kmosaic.report.wording import clean, percent
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.evaluate import ClusterSummary
    from kmosaic.images.collection import ImageCollection


@dataclass(frozen=True, eq=False)
class MemberRows:
    """Rows of a collection that stand for one cluster; ``wrongly_named`` is empty without labels."""

    cluster: int
    nearest: NDArray[np.int64]
    farthest: NDArray[np.int64]
    wrongly_named: NDArray[np.int64]

    @classmethod
    def candidates(cls, summary: ClusterSummary, cluster: int, n_nearest: int, n: int) -> MemberRows:
        """Return at most ``n_nearest`` nearest, and ``n`` rows of each other kind, some of them the same."""
        wrong = np.empty(0, dtype=np.int64)
        if summary.true_labels is not None:
            wrong = np.asarray(summary.wrongly_named(cluster, n), dtype=np.int64)
        nearest = np.asarray(summary.nearest(cluster, n_nearest), dtype=np.int64)
        return cls(cluster, nearest, np.asarray(summary.farthest(cluster, n), dtype=np.int64), wrong)

    def first(self, n: int) -> MemberRows:
        """Return the first ``n`` of each kind, and none as farthest that is among the nearest."""
        nearest, farthest = self.nearest[:n], self.farthest[:n]
        farthest = farthest[~np.isin(farthest, nearest)]
        return MemberRows(self.cluster, nearest, farthest, self.wrongly_named[:n])


def clusters_to_show(summary: ClusterSummary, n: int) -> list[int]:
    """Return the clusters worth a look, ``n`` at most: all, or by turns the largest and the least pure.

    Without labels the second half are the loosest: largest mean squared distance to their centroid. Clusters
    without rows are never among them.
    """
    sizes = np.asarray(summary.cluster_sizes)
    filled = np.flatnonzero(sizes)
    if len(filled) <= n:
        return [int(cluster) for cluster in filled]
    largest = filled[np.argsort(-sizes[filled], kind="stable")]
    worst = filled[np.argsort(_trouble(summary)[filled], kind="stable")]
    by_turns = np.stack([largest, worst], axis=1).ravel()
    return sorted(int(cluster) for cluster in list(dict.fromkeys(by_turns.tolist()))[:n])


def _trouble(summary: ClusterSummary) -> NDArray[np.float64]:
    """The lower, the more a cluster deserves a look."""
    if summary.cluster_purity is not None:
        return np.asarray(summary.cluster_purity, dtype=np.float64)
    sizes = np.asarray(summary.cluster_sizes)
    squared = np.bincount(summary.labels, np.asarray(summary.distances) ** 2, minlength=len(sizes))
    mean = np.divide(squared, sizes, out=np.zeros(len(sizes)), where=sizes > 0)
    return -np.asarray(mean, dtype=np.float64)


def purity_of(summary: ClusterSummary, cluster: int) -> float | None:
    """Return the share of the cluster's most common label; None without labels, or without rows."""
    purity = np.nan if summary.cluster_purity is None else float(summary.cluster_purity[cluster])
    return None if np.isnan(purity) else purity


def common_labels(summary: ClusterSummary, cluster: int, n: int) -> list[tuple[int, float]]:
    """Return the ``n`` most common labels of a cluster, and their shares; none without labels or rows."""
    if summary.label_shares is None or not summary.cluster_sizes[cluster]:
        return []
    shares = np.asarray(summary.label_shares[cluster])
    common = np.argsort(-shares, kind="stable")[:n]
    return [(int(label), float(shares[label])) for label in common if shares[label] > 0]


def medoid_pixels(
    images: ImageCollection, summary: ClusterSummary, medoids: NDArray[np.integer[Any]] | None = None
) -> NDArray[Any]:
    """Return the pixels of the image that stands for each cluster, (n_clusters, n_pixels).

    ``medoids`` are its rows; by default those nearest the centroids. A cluster without images is grey.
    """
    if medoids is None:
        medoids = np.full(summary.n_clusters, -1, dtype=np.intp)
        for one in representatives(summary):
            medoids[one.cluster] = one.row
    pixels: NDArray[Any] = images.pixels[np.maximum(medoids, 0)]
    pixels[medoids < 0] = images.format.max_value / 2
    return pixels


def cluster_title(summary: ClusterSummary, cluster: int) -> str:
    """Return one line on a cluster, as ``Cluster 1, named "0": 175 images, 98.3% pure``."""
    subject = f"Cluster {cluster}"
    if summary.cluster_names is not None:
        subject += f', named "{clean(summary.cluster_names[cluster])}"'
    parts = [count(int(summary.cluster_sizes[cluster]), "image")]
    if (purity := purity_of(summary, cluster)) is not None:
        parts.append(f"{percent(purity)} pure")
    return f"{subject}: {', '.join(parts)}"


def min_purity(summary: ClusterSummary) -> float:
    """Return the least purity there can be, where all labels are equally common: 1 / n_labels.

    0 where the labels are not known, or are one.
    """
    n_labels = len(summary.label_names or ())
    return 1 / n_labels if n_labels > 1 else 0.0


def image_titles(collection: ImageCollection, rows: Sequence[int] | range) -> list[str]:
    """Return what to write over each of ``rows``: the label, nothing where there is none."""
    if collection.labels is None or collection.label_names is None:
        return [""] * len(rows)
    return [clean(collection.label_names[int(collection.labels[row])]) for row in rows]
