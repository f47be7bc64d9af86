"""Estimators on rows that are no array in memory: sparse, in files, or read by slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from kmosaic.engines import Block, MemoryEngine, Rows, make_engine, nearest_centers
from kmosaic.engines.magnitude import exponent_of
from kmosaic.engines.read_engine import ReadEngine
from kmosaic.engines.source_engine import SourceEngine
from kmosaic.engines.sparse_engine import SparseEngine, SparseRows, nearest_centers_of_sparse
from kmosaic.rows import RowSource, SourceBlocks, is_source, is_sparse, open_source, sparse_rows
from kmosaic.rows.plan import cap_in_bytes, plan_fit, plan_pass

Source = RowSource | SparseRows


def source_of(X: Any, memory: int | str | None) -> Source | None:
    """Return X as a source of rows, or None where it is an array in memory, or to become one."""
    cap = cap_in_bytes(memory)
    if is_sparse(X):
        return sparse_rows(X)
    return open_source(X) if is_source(X, capped=cap is not None) else None


def stand_in(source: Source) -> NDArray[Any]:
    """Return an array of as many rows, which takes no memory."""
    return np.broadcast_to(np.zeros((1, 1)), (source.n_rows, 1))
