"""Scores for clusterings of data without labels, on a sample: their cost does not grow with the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, silhouette_score

_MAX_SAMPLE_ROWS = 2_000
# Each labelling is compared with this many neighbours on either side, so 11 seeds and fewer are compared in
# all pairs.
_NEIGHBOURS = 5
# 2,000 rows of 1,024 features are 16 MB as float64.
_FEATURES_AT_ONCE = 1_024


class LabelSample:
    """A fixed sample of at most 2,000 rows, with the distances between them worked out once.

    The silhouette (Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of
    cluster analysis") of any number of labellings of the sample then costs at most four million additions
    each. X may be of any real dtype; only the sampled rows are converted, a few features at a time.
    """

    def __init__(self, X: NDArray[Any]) -> None:
        n_samples = len(X)
        drawn = np.random.default_rng(0).choice(n_samples, min(n_samples, _MAX_SAMPLE_ROWS), replace=False)
        self.rows: NDArray[np.intp] = np.sort(drawn)
        self._distances = _pairwise_distances(X[self.rows])

    def silhouette(self, labels: NDArray[Any]) -> float | None:
        """Give the mean silhouette of the sampled rows, -1..1; None in one cluster, or each in its own.

        ``labels`` (n_samples,) are those of all rows.
        """
        sampled = labels[self.rows]
        if not 2 <= len(np.unique(sampled)) < len(sampled):
            return None
        return float(silhouette_score(self._distances, sampled, metric="precomputed"))


def _pairwise_distances(sample: NDArray[Any]) -> NDArray[np.float64]:
    """Euclidean distances by ||x-y||^2 = ||x||^2 - 2 x.y + ||y||^2, centred first so that little cancels."""
    products = np.zeros((len(sample), len(sample)))
    for start in range(0, sample.shape[1], _FEATURES_AT_ONCE):
        block = sample[:, start : start + _FEATURES_AT_ONCE].astype(np.float64)
        block -= block.mean(axis=0)
        products += block @ block.T
    norms = np.diag(products).copy()
    squared_distances = norms[:, None] - 2.0 * products + norms[None, :]
    np.fill_diagonal(squared_distances, 0.0)
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squared_distances, 0.0))
    return distances


def stabilities(labellings: Sequence[NDArray[Any]]) -> list[float | None]:
    """Give, for every labelling of the same rows, its mean adjusted Rand index against the others.

    1 is the same clustering, 0 is what chance gives (Hubert and Arabie 1985, "Comparing partitions"). With
    more than 11 labellings each is compared with the 10 next to it. One labelling alone has no stability:
    None.

    >>> stabilities([np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])])
    [1.0, 1.0]
    """
    n = len(labellings)
    reach = min(_NEIGHBOURS, n - 1)
    pairs = {tuple(sorted((i, (i + step) % n))) for i in range(n) for step in range(1, reach + 1)}
    scores: list[list[float]] = [[] for _ in labellings]
    for first, second in sorted(pairs):
        score = float(adjusted_rand_score(labellings[first], labellings[second]))
        scores[first].append(score)
        scores[second].append(score)
    return [sum(found) / len(found) if found else None for found in scores]
