"""Exact nearest rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.engine import Rows


@dataclass(frozen=True)
class Neighbours:
    """Each row's nearest rows, nearest first.

    ``indices`` is (n_rows, n_neighbours) int32, ``squared_distances`` of the same shape, float64.
    """

    indices: NDArray[np.int32]
    squared_distances: NDArray[np.float64]


def nearest_rows(
    rows: Rows,
    references: Rows,
    n_neighbours: int,
    n_threads: int,
    *,
    own: int | None = None,
    limits: NDArray[np.float64] | None = None,
) -> Neighbours:
    """Return the ``n_neighbours`` references nearest to each row, by float64 distances; ties: lowest first.

    A float32 filter with an error bound, the assignment step's blocked product, rules out most pairs; the
    others are measured. Neither threads nor the instruction set change a bit. References are read in place
    where they are float64; there must be ``n_neighbours`` of them, beside the row itself. Given
    ``own``, ``rows`` are the references from this number on, and no row is its own neighbour; its equals may
    be. References beyond a row's entry of ``limits`` (n_rows,), a squared distance, are not wanted, and soon
    ruled out; where fewer than ``n_neighbours`` are within it, the last are infinitely far.

    >>> import numpy as np
    >>> places = np.array([[0.0], [1.0], [5.0]])
    >>> nearest_rows(places, places, 1, n_threads=1, own=0).indices.tolist()
    [[1], [0], [1]]
    """
    rows = np.require(rows, requirements=["C", "A"])
    others: NDArray[Any] = np.require(references, np.float64, ["C", "A"])
    indices, squares = _core.nearest_rows(rows, others, n_neighbours, own, limits, n_threads)
    return Neighbours(np.asarray(indices), np.asarray(squares))
