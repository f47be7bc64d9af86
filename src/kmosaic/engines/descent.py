"""The way of rows down a tree of centres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.engine import Rows
from kmosaic.engines.threads import resolve_n_threads


def descend(
    rows: Rows,
    centers: NDArray[np.float64],
    children: tuple[NDArray[np.int32], NDArray[np.int32]],
    n_threads: int | None = None,
) -> NDArray[np.int32]:
    """Return the node without children that each row comes to from node 0, always to the nearest child.

    ``children`` has each node's first child and how many there are; they are consecutive and after the node.
    Decided exactly; ties go to the lowest node.

    >>> nodes = np.array([[0.0], [-4.0], [4.0]])
    >>> first, count = np.array([1, 0, 0], np.int32), np.array([2, 0, 0], np.int32)
    >>> descend(np.array([[-1.0], [0.0], [3.0]]), nodes, (first, count)).tolist()
    [1, 1, 2]
    """
    rows = np.require(rows, requirements=["C", "A"])
    nodes: NDArray[np.float64] = np.require(centers, np.float64, ["C", "A"])
    return np.asarray(_core.descend(rows, nodes, *children, resolve_n_threads(n_threads)))
