"""What estimators share whose clusters are the leaves of a tree."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from kmosaic.cluster.estimator import all_or_nothing, check_enough_rows, checked_weights
from kmosaic.cluster.in_memory import InMemoryEstimator
from kmosaic.engines import make_engine, resolve_n_threads
from kmosaic.models.cluster_tree import ClusterTree


class TreeEstimator(InMemoryEstimator):
    """Base of ``BisectingKMeans`` and ``TwoLevelKMeans``: labels are those of a ``ClusterTree``."""

    tree_: ClusterTree

    @all_or_nothing
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Cluster the rows of X.

        Parameters
        ----------
        X : (n_samples, n_features)
        y : ignored
        sample_weight : (n_samples,), optional
            How often each row counts: 0, or from 1e-100 to 1e100; not all zero.
        """
        self._validate_params()
        rows = self._rows(X, reset=True)
        weights = checked_weights(sample_weight, rows)
        check_enough_rows(len(rows), self.n_clusters)
        self._fit(rows, weights, check_random_state(self.random_state))
        self.inertia_ = self._inertia_of(rows, weights, self.labels_)
        return self

    def _fit(
        self, rows: NDArray[Any], weights: NDArray[np.float64] | None, random_state: np.random.RandomState
    ) -> None:
        """Set the centroids, the labels, the tree, ``n_iter_`` and ``converged_``."""
        raise NotImplementedError

    def predict(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> NDArray[np.int32]:
        """Return the cluster of each row, decided exactly: that of the tree's way down, as in the fit.

        At each node a row goes to the child whose centre is nearest; ties go to the lower one. So a row's
        cluster need not be the one whose centroid is nearest, unless ``tree_.descends`` is false; that would
        be ``transform(X).argmin(axis=1)``.

        Parameters
        ----------
        X : (n_samples, n_features)
            Native dtypes in C order are read in place, as in ``KMeans``.
        sample_weight : (n_samples,), optional
            Checked, and otherwise without effect.

        Returns
        -------
        labels : (n_samples,) int32
        """
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        checked_weights(sample_weight, rows)
        return self.tree_.predict(rows, self.n_threads)

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:  # noqa: ARG002
        """Return minus J of X: weighted squared distances to the centroids that ``predict`` gives rows."""
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        weights = checked_weights(sample_weight, rows)
        return -self._inertia_of(rows, weights, self.tree_.predict(rows, self.n_threads))

    def _inertia_of(
        self, rows: NDArray[Any], weights: NDArray[np.float64] | None, labels: NDArray[np.int32]
    ) -> float:
        """J of rows with these labels about the centroids."""
        engine = make_engine(rows, weights, resolve_n_threads(self.n_threads))
        engine.labels = labels
        centers = self._centers()
        return engine.inertia(engine.sums(len(centers)), centers)
