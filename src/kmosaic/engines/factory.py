"""The one place that makes engines over rows in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.distinct_rows import merge_equal_rows
from kmosaic.engines.engine import Rows
from kmosaic.engines.in_memory import MemoryEngine


def make_engine(
    rows: Rows,
    weights: NDArray[np.float64] | None = None,
    n_threads: int = 1,
    *,
    steps_expected: int = 1,
    may_merge: bool = False,
    counts: NDArray[np.uint32] | None = None,
) -> MemoryEngine:
    """Return an engine over rows in memory, as the planner would have it.

    ``steps_expected`` is how often the rows will be assigned: from 2 on, what a step learns speeds up the
    next. ``may_merge`` lets the engine have equal rows once, with a count, in place of ``rows``; then
    ``MemoryEngine.expand`` leads back. Not for what tells rows by their number. ``counts`` is how many equal
    rows each row stands for already: see ``MemoryEngine``.

    >>> make_engine(np.array([[0.0], [5.0]])).assign(np.array([[1.0], [4.0]])).n_changed
    2
    """
    keeps_bounds = steps_expected > 1
    if not may_merge or weights is not None or counts is not None:
        return MemoryEngine(rows, weights, n_threads, counts, keeps_bounds=keeps_bounds)
    plan = _core.choose_merge_plan(rows.dtype.name, rows.shape)
    merged = merge_equal_rows(rows, plan, n_threads)
    if merged is None:
        engine = MemoryEngine(rows, None, n_threads, keeps_bounds=keeps_bounds)
    else:
        engine = MemoryEngine(merged.rows, None, n_threads, merged.counts, keeps_bounds=keeps_bounds)
    engine.merged, engine.merging = merged, plan
    return engine
