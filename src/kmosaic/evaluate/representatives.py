"""The images that stand for their clusters, and those that are unlike the rest of theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic.evaluate.summary import ClusterSummary


@dataclass(frozen=True)
class Representative:
    """One of the rows nearest a centroid: ``rank`` 1 is the nearest, ``size`` counts the cluster's rows."""

    cluster: int
    size: int
    rank: int
    row: int
    distance: float


@dataclass(frozen=True)
class Outlier:
    """A row far from its centroid: ``score`` is its distance over the median distance in its cluster."""

    row: int
    cluster: int
    distance: float
    score: float


def representatives(summary: ClusterSummary, per_cluster: int = 1) -> list[Representative]:
    """Give the ``per_cluster`` rows nearest each centroid, fewer of a cluster that has fewer.

    Clusters are in order, and within one the nearest row comes first; equal distances are in the order of
    rows.

    Raises ValueError when ``per_cluster`` is below 1.

    >>> from sklearn.datasets import load_digits
    >>> from kmosaic import KMeans
    >>> from kmosaic.evaluate import summarise
    >>> X = load_digits().data
    >>> chosen = representatives(summarise(KMeans(10, random_state=0).fit(X), X), 2)
    >>> [(one.cluster, one.rank) for one in chosen[:3]], len(chosen)
    ([(0, 1), (0, 2), (1, 1)], 20)
    """
    if per_cluster < 1:
        raise ValueError(f"per_cluster={per_cluster} must be 1 or more")
    return [
        Representative(cluster, len(rows), rank, int(row), float(summary.distances[row]))
        for cluster, rows in enumerate(_by_cluster(summary))
        for rank, row in enumerate(rows[:per_cluster], start=1)
    ]


def outliers(summary: ClusterSummary, count: int = 100) -> list[Outlier]:
    """Give the ``count`` rows of the highest scores, the highest first; equal ones are in the order of rows.

    A score of 1 is usual in any cluster, tight or wide, and 3 is three times as far as usual. Where more than
    half of a cluster lies on its centroid, its other rows have an infinite score.

    Raises ValueError when ``count`` is below 1.

    >>> from sklearn.datasets import load_digits
    >>> from kmosaic import KMeans
    >>> from kmosaic.evaluate import summarise
    >>> X = load_digits().data
    >>> found = outliers(summarise(KMeans(10, random_state=0).fit(X), X), 3)
    >>> len(found), found[0].score >= found[1].score > 1
    (3, True)
    """
    if count < 1:
        raise ValueError(f"count={count} must be 1 or more")
    scores = _scores(summary)
    return [
        Outlier(int(row), int(summary.labels[row]), float(summary.distances[row]), float(scores[row]))
        for row in np.argsort(-scores, kind="stable")[:count]
    ]


def _by_cluster(summary: ClusterSummary) -> list[NDArray[np.intp]]:
    """Each cluster's rows, that nearest its centroid first."""
    order = np.lexsort((summary.distances, summary.labels))
    sizes = np.bincount(summary.labels, minlength=summary.n_clusters)
    return np.split(order, np.cumsum(sizes)[:-1])


def _scores(summary: ClusterSummary) -> NDArray[np.float64]:
    usual = np.ones(summary.n_clusters)
    for cluster, rows in enumerate(_by_cluster(summary)):
        if len(rows):
            usual[cluster] = np.median(summary.distances[rows])
    own = usual[summary.labels]
    scores = np.where(summary.distances > 0, np.inf, 1.0)
    np.divide(summary.distances, own, out=scores, where=own > 0)
    return scores
