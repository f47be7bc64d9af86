"""Greedy k-means++ along scikit-learn's random stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kmosaic.accelerate.rows import AnyEngine, NotTakenError, engine_of
from kmosaic.cluster.seeding import MAX_CANDIDATES


def kmeans_plusplus(  # noqa: PLR0913 (scikit-learn's signature)
    original: Callable[..., Any],  # noqa: ARG001
    X: Any,
    n_clusters: int,
    x_squared_norms: NDArray[Any],  # noqa: ARG001
    sample_weight: NDArray[Any],
    random_state: np.random.RandomState,
    n_local_trials: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """``sklearn.cluster._kmeans._kmeans_plusplus``: the seeds, and their rows' numbers.

    scikit-learn draws float32 rows by sums in float32, whose rounding decides which row is drawn: only its
    own code has the same.
    """
    if X.dtype != np.float64:
        raise NotTakenError("float32 rows are drawn by sums in float32, as only scikit-learn has them")
    n_trials = n_local_trials or 2 + int(np.log(n_clusters))
    if n_trials > MAX_CANDIDATES:
        raise NotTakenError(f"n_local_trials={n_trials} is above {MAX_CANDIDATES}")
    engine = engine_of(X, sample_weight, 1)
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
