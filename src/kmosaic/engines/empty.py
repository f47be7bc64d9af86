"""What to do with a cluster that has lost all its rows. None of the ways raises J."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.engine import Donor, Engine
from kmosaic.errors import DataError

EmptyClusters = Literal["relocate", "random", "drop", "error"]


@dataclass(frozen=True)
class Repaired:
    """The sums and centres to go on with, and how many empty clusters were given a row."""

    sums: _core.ClusterSums
    centers: NDArray[np.float64]
    n_filled: int


def repair_empty(
    engine: Engine,
    sums: _core.ClusterSums,
    centers: NDArray[np.float64],
    policy: EmptyClusters,
    random_state: np.random.RandomState,
    negligible: float = 0.0,
) -> Repaired:
    """Apply the policy to the clusters without rows.

    A filled cluster gets one row, taken from a cluster that keeps others: that row then costs nothing, so J
    falls. Where there are fewer distinct rows than clusters, some stay empty; rows that cost no more than
    ``negligible`` are not moved either.

    Raises DataError where the policy is "error".
    """
    empty = sums.counts == 0
    if policy in ("drop", "error"):
        _refuse(empty, policy)
        return Repaired(engine.keep_clusters(~empty, centers), _kept(centers, ~empty), 0)
    candidates = engine.donors(centers, None if policy == "relocate" else random_state)
    if negligible > 0:
        # Those that cost most come first, so that with one all others are left out; random ones are tried.
        keep = takewhile if policy == "relocate" else filter
        candidates = keep(lambda donor: _cost(donor, centers) > negligible, candidates)
    n_filled = 0
    for cluster, donor in zip(np.flatnonzero(empty), _fit_to_go(candidates, sums), strict=False):
        engine.move(sums, donor, int(cluster))
        n_filled += 1
    return Repaired(sums, centers, n_filled)


def drop_empty(
    engine: Engine, sums: _core.ClusterSums, centers: NDArray[np.float64], policy: EmptyClusters
) -> NDArray[np.float64]:
    """Return the centres that have rows and renumber the labels, where the policy is "drop".

    Raises DataError where the policy is "error".
    """
    kept = sums.counts > 0
    _refuse(~kept, policy)
    if policy != "drop" or kept.all():
        return centers
    engine.keep_clusters(kept, centers)
    return _kept(centers, kept)


def _refuse(empty: NDArray[np.bool_], policy: EmptyClusters) -> None:
    if policy == "error":
        raise DataError(
            f"cluster {int(np.flatnonzero(empty)[0])} has lost all its rows; lower n_clusters, start "
            "or choose empty_clusters='relocate', 'random' or 'drop'"
        )


def _kept(centers: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.ascontiguousarray(centers[kept])


def _cost(donor: Donor, centers: NDArray[np.float64]) -> float:
    return float(np.square(donor.values[0] - centers[donor.cluster]).sum())


def _fit_to_go(candidates: Iterable[Donor], sums: _core.ClusterSums) -> Iterator[Donor]:
    """Those unlike each other that leave no cluster empty, as ``sums`` are when each is asked for."""
    taken: set[bytes] = set()
    for donor in candidates:
        values = donor.values.tobytes()
        if values not in taken and sums.outweighs(donor.cluster, donor.weight):
            taken.add(values)
            yield donor
