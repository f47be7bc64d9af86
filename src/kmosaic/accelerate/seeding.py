"""Greedy k-means++ along scikit-learn's random stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.metrics.pairwise import _euclidean_distances
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

from kmosaic.accelerate.rows import AnyEngine, NotTakenError, engine_of
from kmosaic.cluster.seeding import MAX_CANDIDATES

_NEAR_TIE = 1e-4
"""Sums in float32 may differ by this share of the whole."""


def kmeans_plusplus(  # noqa: PLR0913 (scikit-learn's signature)
    original: Callable[..., Any],  # noqa: ARG001
    X: Any,
    n_clusters: int,
    x_squared_norms: NDArray[Any],  # noqa: ARG001
    sample_weight: NDArray[Any],
    random_state: np.random.RandomState,
    n_local_trials: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """``sklearn.cluster._kmeans._kmeans_plusplus``: the seeds, and their rows' numbers."""
    n_trials = n_local_trials or 2 + int(np.log(n_clusters))
    if n_trials > MAX_CANDIDATES:
        raise NotTakenError(f"n_local_trials={n_trials} is above {MAX_CANDIDATES}")
    engine = engine_of(X, sample_weight, _openmp_effective_n_threads())
    if X.dtype == np.float32:
        indices = _SingleDraws(X, sample_weight, engine, n_clusters, n_trials).rows(random_state)
    else:
        indices = seed_rows(engine, sample_weight, n_clusters, n_trials, random_state)
    centers = X[indices]
    return (centers.toarray() if sparse.issparse(X) else centers), indices


def seed_rows(
    engine: AnyEngine,
    sample_weight: NDArray[Any],
    n_clusters: int,
    n_trials: int,
    random_state: np.random.RandomState,
) -> NDArray[np.intp]:
    """The numbers of the rows that scikit-learn draws: each the best of ``n_trials``, in the rows' order."""
    n_rows = len(sample_weight)
    seeder = engine.seeder(n_clusters, np.arange(n_rows))
    chosen = [int(random_state.choice(n_rows, p=sample_weight / sample_weight.sum()))]
    seeder.add_best(chosen, engine.n_threads)
    while len(chosen) < n_clusters:
        drawn = seeder.draw(random_state.uniform(size=n_trials))
        # Where every row is a seed, scikit-learn's search ends at the first one.
        chosen.append(seeder.add_best(drawn, engine.n_threads) if drawn else 0)
    return np.array(chosen)


class _SingleDraws:
    """Seeds of float32 rows.

    scikit-learn measures distances in float64, rounds them to float32 and adds them up so, one after the
    other; that rounding decides which row is drawn. Here they come from the engine, and are rounded and added
    alike.
    """

    def __init__(
        self, X: Any, sample_weight: NDArray[Any], engine: AnyEngine, n_clusters: int, n_trials: int
    ) -> None:
        self._X, self._weights, self._engine = X, sample_weight, engine
        self._n_clusters, self._n_trials = n_clusters, n_trials
        self._seeder: Any = engine.seeder(n_clusters, np.arange(len(sample_weight)))

    def rows(self, random_state: np.random.RandomState) -> NDArray[np.intp]:
        """The numbers of the rows drawn."""
        weights = self._weights
        chosen = [int(random_state.choice(len(weights), p=weights / weights.sum()))]
        nearest = self._add(chosen[0])
        potential = nearest @ weights
        while len(chosen) < self._n_clusters:
            numbers = random_state.uniform(size=self._n_trials) * potential
            candidates = np.searchsorted(np.cumsum(weights * nearest), numbers).clip(None, len(weights) - 1)
            best = self._best(candidates, nearest, float(potential[0]))
            chosen.append(int(candidates[best]))
            nearest = self._add(chosen[-1])
            # As many rows as scikit-learn multiplies: how a library of BLAS adds them up may depend on it.
            potential = (np.repeat(nearest, self._n_trials, axis=0) @ weights.reshape(-1, 1))[best]
        return np.array(chosen)

    def _add(self, row: int) -> NDArray[np.float32]:
        """Make a row a seed; return all rows' squared distance to their nearest seed, (1, n_samples)."""
        self._seeder.add_best([row], self._engine.n_threads)
        nearest: NDArray[np.float32] = self._seeder.nearest.astype(np.float32)[None]
        return nearest

    def _best(self, candidates: NDArray[np.intp], nearest: NDArray[np.float32], potential: float) -> int:
        """Which candidate leaves the least; those that rounding may put in another order are added up as
        scikit-learn does."""
        gains = self._seeder.gains(candidates.tolist(), self._engine.n_threads)
        best = int(gains.argmax())
        others = gains[candidates != candidates[best]]
        if not len(others) or gains[best] - others.max() > _NEAR_TIE * potential:
            return best
        distances = _euclidean_distances(self._X[candidates], self._X, squared=True)
        np.minimum(nearest, distances, out=distances)
        return int((distances @ self._weights.reshape(-1, 1)).argmin())
