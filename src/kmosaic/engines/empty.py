"""What to do with a cluster that has lost all its rows. None of the ways raises J."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.memory import MemoryEngine
from kmosaic.errors import DataError

EmptyClusters = Literal["relocate", "random", "drop", "error"]


@dataclass(frozen=True)
class Repaired:
    """The sums and centres to go on with, and how many empty clusters were given a row."""

    partial: _core.Partial
    centers: NDArray[np.float64]
    n_filled: int


def repair_empty(
    engine: MemoryEngine,
    partial: _core.Partial,
    centers: NDArray[np.float64],
    policy: EmptyClusters,
    random_state: np.random.RandomState,
) -> Repaired:
    """Apply the policy to the clusters without rows.

    A filled cluster gets one row, taken from a cluster that keeps others: that row then costs nothing, so J
    falls. Where there are fewer distinct rows than clusters, some stay empty.

    Raises
    ------
    DataError
        Where the policy is "error".
    """
    if policy in ("drop", "error"):
        centers = drop_empty(engine, partial, centers, policy)
        return Repaired(engine.sums(len(centers)), centers, 0)
    donors = _donors(engine, partial, centers, None if policy == "relocate" else random_state)
    n_filled = 0
    for cluster, row in zip(np.flatnonzero(partial.counts == 0), donors, strict=False):
        engine.move(partial, row, int(cluster))
        n_filled += 1
    return Repaired(partial, centers, n_filled)


def drop_empty(
    engine: MemoryEngine, partial: _core.Partial, centers: NDArray[np.float64], policy: EmptyClusters
) -> NDArray[np.float64]:
    """Return the centres that have rows and renumber the labels, where the policy is "drop".

    Raises
    ------
    DataError
        Where the policy is "error".
    """
    kept = partial.counts > 0
    if policy == "error":
        raise DataError(
            f"cluster {int(np.flatnonzero(~kept)[0])} has lost all its rows; lower n_clusters, start "
            "or choose empty_clusters='relocate', 'random' or 'drop'"
        )
    if policy != "drop":
        return centers
    if not kept.all():
        engine.labels = (np.cumsum(kept) - 1)[engine.labels]
        centers = np.ascontiguousarray(centers[kept])
        if engine.weights is not None:  # rows without weight may have sat in a cluster that goes
            engine.assign(centers)
    return centers


def _donors(
    engine: MemoryEngine,
    partial: _core.Partial,
    centers: NDArray[np.float64],
    random_state: np.random.RandomState | None,
) -> Iterator[int]:
    """Rows that may found a cluster: away from their centre, unlike each other, leaving no cluster empty.

    Those that cost most come first, or, given a random state, in random order.
    """
    costs = engine.own_squared_distances(centers)
    if engine.weights is not None:
        costs[engine.weights == 0] = 0
    if random_state is None:
        order = np.argsort(-costs, kind="stable")
    else:
        order = engine.canonical_order()[random_state.permutation(len(costs))]
    taken: set[bytes] = set()
    for row in order[costs[order] > 0]:
        values = engine.rows[row].tobytes()
        weight = 1.0 if engine.weights is None else engine.weights[row]
        if values not in taken and partial.counts[engine.labels[row]] > weight:
            taken.add(values)
            yield int(row)
