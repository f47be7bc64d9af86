"""Where the centres start.

Draws are made along the engine's hash order of rows, so that a seed gives the same rows however they
were ordered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmosaic.engines.in_memory import MemoryEngine
from kmosaic.engines.source_engine import SourceEngine
from kmosaic.models.validation import LARGEST_VALUE

MAX_CANDIDATES = 16  # the core measures no more together; 2 + ln k stays below up to a million clusters
Init = str | ArrayLike | Callable[..., ArrayLike]


def starting_centers(
    engine: MemoryEngine | SourceEngine, n_clusters: int, init: Any, random_state: np.random.RandomState
) -> NDArray[np.float64]:
    """Return (n_clusters, n_features) float64 centres to start from.

    ``init`` is "k-means++", "random", an array, or a callable ``init(X, n_clusters, random_state)`` that
    returns one. Data with fewer distinct rows than ``n_clusters`` gives some rows twice.

    Raises ValueError where an array has the wrong shape or is not finite.
    """
    if isinstance(init, str):
        draw = greedy_kmeans_plus_plus if init == "k-means++" else distinct_rows
        rows = draw(engine, n_clusters, random_state)
        return engine.rows_at(rows[np.arange(n_clusters) % len(rows)]).astype(np.float64)
    given = init(engine.rows, n_clusters, random_state) if callable(init) else init
    return checked_centers(given, n_clusters, engine.n_features)


def greedy_kmeans_plus_plus(
    engine: MemoryEngine | SourceEngine, n_clusters: int, random_state: np.random.RandomState
) -> NDArray[np.intp]:
    """Draw distinct rows far apart: each the best of 2 + ln k drawn in proportion to squared distance.

    Arthur and Vassilvitskii (2007), "k-means++: the advantages of careful seeding", SODA, section 2, with the
    greedy choice of their section 5. Returns fewer than ``n_clusters`` rows where there are no more distinct
    ones.
    """
    seeder = engine.seeder(n_clusters)
    n_trials = min(2 + int(np.log(n_clusters)), MAX_CANDIDATES)
    chosen: list[int] = []
    while len(chosen) < n_clusters:
        drawn = seeder.draw(random_state.uniform(size=n_trials if chosen else 1))
        if not drawn:
            break
        chosen.append(seeder.add_best(drawn, engine.n_threads))
    return np.array(chosen, dtype=np.intp)


def distinct_rows(
    engine: MemoryEngine | SourceEngine, n_clusters: int, random_state: np.random.RandomState
) -> NDArray[np.intp]:
    """Draw rows with unlike values in proportion to their weight, or all of them if they are too few."""
    order, distinct = engine.hash_order(), engine.distinct_rows()
    # Gumbel's trick: the k largest of log w + noise are a draw of k without replacement.
    keys = np.log(distinct.weights) + random_state.gumbel(size=len(distinct.weights))
    drawn: NDArray[np.intp] = order[distinct.starts[_largest(keys, n_clusters)]]
    return drawn


def _largest(keys: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Where the n largest keys are, largest first; ties: the first."""
    if n >= len(keys):
        return np.argsort(-keys, kind="stable")
    large = np.flatnonzero(keys >= np.partition(keys, -n)[-n])
    return large[np.argsort(-keys[large], kind="stable")[:n]]


def checked_centers(given: ArrayLike, n_clusters: int, n_features: int) -> NDArray[np.float64]:
    """Return given centres as float64, or raise ValueError with what is wrong with them."""
    if np.iscomplexobj(np.asanyarray(given)):
        raise ValueError("Complex data not supported: init must have real numbers")
    centers = np.array(given, dtype=np.float64, order="C")
    if centers.shape != (n_clusters, n_features):
        raise ValueError(
            f"init has shape {centers.shape}; it must have one row a cluster, ({n_clusters}, {n_features})"
        )
    if not np.abs(centers).max() <= LARGEST_VALUE:
        raise ValueError(
            f"init has NaN, infinity or values above {LARGEST_VALUE:g}; give centres within that"
        )
    return centers
