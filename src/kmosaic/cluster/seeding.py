"""Where the centres start.

Draws are made along the engine's canonical order of rows, so that a seed gives the same rows however they
were ordered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmosaic.engines.memory import MemoryEngine

LARGEST_CENTER = 1e100
Init = str | ArrayLike | Callable[..., ArrayLike]


def starting_centers(
    engine: MemoryEngine, n_clusters: int, init: Any, random_state: np.random.RandomState
) -> NDArray[np.float64]:
    """Return (n_clusters, n_features) float64 centres to start from.

    ``init`` is "k-means++", "random", an array, or a callable ``init(X, n_clusters, random_state)`` that
    returns one. Data with fewer distinct rows than ``n_clusters`` gives some rows twice.

    Raises
    ------
    ValueError
        Where an array has the wrong shape or is not finite.
    """
    if isinstance(init, str):
        draw = greedy_kmeans_plus_plus if init == "k-means++" else distinct_rows
        rows = draw(engine, n_clusters, random_state)
        return engine.rows[rows[np.arange(n_clusters) % len(rows)]].astype(np.float64)
    given = init(engine.rows, n_clusters, random_state) if callable(init) else init
    return _checked_centers(given, n_clusters, engine.rows.shape[1])


def greedy_kmeans_plus_plus(
    engine: MemoryEngine, n_clusters: int, random_state: np.random.RandomState
) -> NDArray[np.intp]:
    """Draw distinct rows far apart: each the best of 2 + ln k drawn in proportion to squared distance.

    Arthur and Vassilvitskii (2007), "k-means++: the advantages of careful seeding", SODA, section 2, with the
    greedy choice of their section 5. Returns fewer than ``n_clusters`` rows where there are no more distinct
    ones.
    """
    order = engine.canonical_order()
    weights = engine.weights
    nearest = np.full(len(order), np.inf)
    n_trials = 2 + int(np.log(n_clusters))
    chosen: list[int] = []
    while len(chosen) < n_clusters:
        if not chosen:
            mass = np.ones(len(order)) if weights is None else weights
            best = int(_draw(mass, order, random_state, 1)[0])
        else:
            mass = nearest if weights is None else nearest * weights
            candidates = _draw(mass, order, random_state, n_trials)
            if not len(candidates):
                break
            best = int(candidates[np.argmin(engine.potentials(nearest, candidates))])
        chosen.append(best)
        engine.lower_to_seed(nearest, best)
    return np.array(chosen, dtype=np.intp)


def distinct_rows(
    engine: MemoryEngine, n_clusters: int, random_state: np.random.RandomState
) -> NDArray[np.intp]:
    """Draw rows with unlike values in proportion to their weight, or all of them if they are too few."""
    order, distinct = engine.canonical_order(), engine.distinct_rows()
    # Gumbel's trick: the k largest of log w + noise are a draw of k without replacement.
    keys = np.log(distinct.weights) + random_state.gumbel(size=len(distinct.weights))
    drawn: NDArray[np.intp] = order[distinct.starts[np.argsort(-keys, kind="stable")[:n_clusters]]]
    return drawn


def _draw(
    mass: NDArray[np.float64], order: NDArray[np.intp], random_state: np.random.RandomState, n: int
) -> NDArray[np.intp]:
    """Draw n rows in proportion to their mass; none where there is no mass."""
    cumulated = np.cumsum(mass[order])
    total = cumulated[-1]
    if total == 0:
        return np.empty(0, dtype=np.intp)
    places = np.searchsorted(cumulated, random_state.uniform(size=n) * total, side="right")
    last = np.searchsorted(cumulated, total, side="left")
    drawn: NDArray[np.intp] = order[np.minimum(places, last)]
    return drawn


def _checked_centers(given: ArrayLike, n_clusters: int, n_features: int) -> NDArray[np.float64]:
    centers = np.array(given, dtype=np.float64, order="C")
    if centers.shape != (n_clusters, n_features):
        raise ValueError(
            f"init has shape {centers.shape}; it must have one row a cluster, ({n_clusters}, {n_features})"
        )
    if not np.abs(centers).max() <= LARGEST_CENTER:
        raise ValueError(
            f"init has NaN, infinity or values above {LARGEST_CENTER:g}; give centres within that"
        )
    return centers
