"""Naming clusters by majority vote, which turns a clusterer into a classifier.

Nothing is learnt from the labels but the names: the rows are clustered without them, and each cluster is
then called what most of its rows are called. How pure the clusters are says how well the clustering follows
the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import check_consistent_length, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
    validate_data,
)

from kmosaic import cluster
from kmosaic.models.image_model import ClusterNaming
from kmosaic.tensors import readable


@dataclass(frozen=True, eq=False)
class Votes:
    """The labels counted cluster by cluster, and the name that follows for each.

    ``weights`` is float64 (n_clusters, n_labels): rows, or their sample weights, of each label in each
    cluster. ``label_shares``, same shape, has rows that add to 1; ``name_codes`` int64 (n_clusters,)
    indexes the labels; ``purity`` float64 (n_clusters,) is the share of the most common label, NaN for a
    cluster without rows; ``overall_shares`` (n_labels,) is the share of each label among all rows.
    """

    weights: NDArray[np.float64]
    label_shares: NDArray[np.float64]
    name_codes: NDArray[np.int64]
    purity: NDArray[np.float64]
    overall_shares: NDArray[np.float64]


def count_votes(
    cluster_labels: NDArray[Any],
    label_codes: NDArray[Any],
    n_labels: int,
    cluster_centers: NDArray[Any],
    sample_weight: NDArray[np.float64] | None = None,
) -> Votes:
    """Name every cluster after its most common label; ties go to the lowest label.

    ``cluster_labels`` and ``label_codes`` are whole numbers of shape (n_samples,), the latter below
    ``n_labels``; rows in no cluster (-1) vote only in ``overall_shares``. A cluster without rows takes the
    shares of the nearest one that has some: ``cluster_centers`` is (n_clusters, n_features), with no
    features where a clusterer has no centroids, and such a cluster then takes the overall shares.

    Examples
    --------
    >>> votes = count_votes(np.array([0, 0, 1]), np.array([1, 1, 0]), 2, np.array([[0.0], [5.0], [6.0]]))
    >>> votes.name_codes
    array([1, 0, 0])
    >>> votes.purity
    array([ 1.,  1., nan])
    """
    n_clusters = cluster_centers.shape[0]
    weights = np.ones(len(label_codes)) if sample_weight is None else sample_weight
    overall = np.bincount(label_codes, weights, minlength=n_labels)
    inside = cluster_labels >= 0
    cells = cluster_labels[inside].astype(np.int64) * n_labels + label_codes[inside]
    counts = np.bincount(cells, weights[inside], minlength=n_clusters * n_labels).astype(np.float64)
    table = counts.reshape(n_clusters, n_labels)
    totals = table.sum(axis=1)
    named = np.flatnonzero(totals > 0)
    shares = np.tile(overall / overall.sum(), (n_clusters, 1))
    shares[named] = table[named] / totals[named, None]
    purity = np.where(totals > 0, shares.max(axis=1, initial=0.0), np.nan)
    if cluster_centers.shape[1] and len(named):
        for empty in np.flatnonzero(totals == 0):
            squared_distances = np.square(cluster_centers[named] - cluster_centers[empty]).sum(axis=1)
            shares[empty] = shares[named[squared_distances.argmin()]]
    codes = shares.argmax(axis=1).astype(np.int64)
    return Votes(table, shares, codes, purity, overall / overall.sum())


class ClusterClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Classify by clustering without the labels, then naming each cluster after its most common label.

    Parameters
    ----------
    clusterer : estimator, default None
        Any clusterer with scikit-learn's interface whose ``predict`` places new rows: KMeans,
        MiniBatchKMeans, Birch, BisectingKMeans, GaussianMixture and so on. It is cloned, never changed.
        None means ``KMeans(n_clusters=8, random_state=0)``.

    Attributes
    ----------
    clusterer_ : estimator
        The fitted clone.
    classes_ : array of shape (n_labels,)
        The labels seen in ``fit``, sorted.
    cluster_names_ : array of shape (n_clusters,)
        The name of each cluster, one of ``classes_``. Ties go to the lowest; a cluster without rows takes
        the name of the one nearest to it that has rows.
    cluster_purity_ : float64 array of shape (n_clusters,)
        The share of the most common label in each cluster; NaN for a cluster without rows.
    label_shares_ : float64 array of shape (n_clusters, n_labels)
        The share of every label in each cluster.
    n_features_in_ : int
        How many features ``fit`` saw.

    Notes
    -----
    ``X`` is passed to the clusterer as it is, so images that it reads in place are not copied here either.
    A row that the clusterer leaves in no cluster (-1) gets the shares of all rows together.

    Examples
    --------
    >>> from kmosaic.cluster import KMeans
    >>> X = np.array([[0, 0], [1, 0], [200, 200], [201, 200]], dtype=np.uint8)
    >>> y = ["dark", "dark", "light", "light"]
    >>> classifier = ClusterClassifier(KMeans(n_clusters=2, random_state=0)).fit(X, y)
    >>> classifier.predict(np.array([[3, 3]], dtype=np.uint8)).tolist()
    ['dark']
    """

    def __init__(self, clusterer: Any = None) -> None:
        self.clusterer = clusterer

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Cluster ``X`` (n_samples, n_features) without ``y`` (n_samples,), then name the clusters by it.

        ``sample_weight`` (n_samples,) weighs the votes, and is handed to the clusterer where its ``fit``
        takes one.

        Raises
        ------
        TypeError
            When the clusterer cannot place new rows (DBSCAN, for example, has no ``predict``).
        ValueError
            When ``y`` is missing, continuous or of another length than ``X``, or when the clusterer refuses
            ``X``.
        """
        clusterer = _default_clusterer() if self.clusterer is None else clone(self.clusterer)
        if not hasattr(clusterer, "predict"):
            raise TypeError(
                f"{type(clusterer).__name__} has no predict, so it cannot place new rows in its clusters; "
                "use a clusterer that can, such as KMeans, Birch or GaussianMixture"
            )
        # The clusterer is the one to check X; only its width and the names of its columns are noted here.
        X = readable(X)
        validate_data(self, X, y, skip_check_array=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        check_consistent_length(X, y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)
        passed = weights is not None and has_fit_parameter(clusterer, "sample_weight")
        self.clusterer_ = clusterer.fit(X, sample_weight=weights) if passed else clusterer.fit(X)
        cluster_labels = _training_labels(self.clusterer_, X)
        centers = _centers(self.clusterer_, cluster_labels)
        votes = count_votes(cluster_labels, codes, len(self.classes_), centers, weights)
        self.label_shares_ = votes.label_shares
        self.cluster_names_ = self.classes_[votes.name_codes]
        self.cluster_purity_ = votes.purity
        self._overall_shares = votes.overall_shares
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Give each row of ``X`` (n_samples, n_features) the name of its cluster."""
        shares = self.predict_proba(X)
        return self.classes_[shares.argmax(axis=1)]  # type: ignore[no-any-return]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Give the share of every label in each row's cluster: float64 (n_samples, n_labels)."""
        check_is_fitted(self)
        cluster_labels = np.asarray(self.clusterer_.predict(X))
        # One row more than there are clusters, for rows in none: index -1 is the last.
        shares = np.vstack([self.label_shares_, self._overall_shares])
        known = (cluster_labels >= 0) & (cluster_labels < len(self.label_shares_))
        return shares[np.where(known, cluster_labels, -1)]

    def naming(self, label_names: tuple[str, ...] | None = None) -> ClusterNaming:
        """Give the names and votes as texts, as model files and summaries hold them.

        Without ``label_names`` the texts are those of ``classes_``; with them, ``classes_`` must be whole
        numbers that index them, and a name that no row had gets shares of 0.

        Raises
        ------
        ValueError
            When ``classes_`` does not index ``label_names``.
        """
        check_is_fitted(self)
        if label_names is None:
            label_names, columns = tuple(str(name) for name in self.classes_), np.arange(len(self.classes_))
        else:
            columns = label_codes(self.classes_, len(label_names))
        shares = np.zeros((len(self.label_shares_), len(label_names)))
        shares[:, columns] = self.label_shares_
        return ClusterNaming(tuple(label_names[code] for code in shares.argmax(axis=1)), label_names, shares)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(_default_clusterer() if self.clusterer is None else self.clusterer)
        tags.input_tags = inner.input_tags
        return tags


def label_codes(labels: ArrayLike, n_labels: int) -> NDArray[np.int64]:
    """Check that labels are whole numbers from 0 to ``n_labels`` - 1, and give them as int64.

    Raises ValueError when they are not.
    """
    codes = np.asarray(labels)
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be whole numbers that index label_names, got {codes.dtype} {codes.shape}"
        )
    if codes.size and (codes.min() < 0 or codes.max() >= n_labels):
        raise ValueError(
            f"labels run from {codes.min()} to {codes.max()}, but there are {n_labels} label_names"
        )
    return codes.astype(np.int64)


def _default_clusterer() -> Any:
    return cluster.KMeans(n_clusters=8, random_state=0)


def _training_labels(clusterer: Any, X: Any) -> NDArray[np.int64]:
    """The training rows' clusters: remembered by most clusterers; mixtures have to be asked again."""
    labels = getattr(clusterer, "labels_", None)
    return np.asarray(clusterer.predict(X) if labels is None else labels).astype(np.int64)


def _centers(clusterer: Any, cluster_labels: NDArray[np.int64]) -> NDArray[Any]:
    """Centroids, or a mixture's means, one row a cluster; no columns where there are none to compare."""
    n_seen = int(cluster_labels.max(initial=-1)) + 1
    for name in ("cluster_centers_", "means_"):
        centers = getattr(clusterer, name, None)
        if isinstance(centers, np.ndarray) and centers.ndim == 2 and len(centers) >= n_seen:
            return centers
    return np.empty((n_seen, 0))
