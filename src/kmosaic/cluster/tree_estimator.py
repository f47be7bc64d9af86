"""What estimators share whose clusters are the leaves of a tree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from kmosaic.cluster.estimator import checked_weights
from kmosaic.cluster.in_memory import InMemoryEstimator
from kmosaic.engines import make_engine, resolve_n_threads
from kmosaic.models.cluster_tree import ClusterTree


class TreeEstimator(InMemoryEstimator):
    """Base of ``BisectingKMeans`` and ``TwoLevelKMeans``: labels are those of a ``ClusterTree``."""

    tree_: ClusterTree

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
