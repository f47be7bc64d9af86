"""How rows are gone through within a cap on memory: held, or in blocks of so many rows."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from kmosaic.errors import DataError
from kmosaic.rows.source import RowSource
from kmosaic.text import bytes_in

_FIXED = 24 << 20  # threads' buffers and Python's own objects
_BLOCK_BYTES = 1 << 22  # larger blocks are slower: their memory is new each time
_MAP_BYTES = 1 << 26  # a memory map that cannot be read in place is held, uncapped, within this
_LEAST_BLOCK_BYTES = 1 << 20
# Measured per row: labels, the hash order, and k-means++ or, after it, costs of rows for empty clusters.
_FIT_BYTES = 100
# Of a fit in memory, besides the rows: the same, with codes, bounds and label changes.
_HELD_BYTES = 400
_CENTER_COPIES = 10  # centres, means, int64 slices of sums, and transposed copies


@dataclass(frozen=True)
class RowPlan:
    """``holds_rows``: whether all rows fit in memory, with what a fit of them takes; else ``block_rows`` are
    read at a time, and as many ahead."""

    holds_rows: bool
    block_rows: int


def cap_in_bytes(memory: int | str | None) -> int | None:
    """Return a cap on memory in bytes; None is no cap.

    Raises ValueError for what is no amount of memory.
    """
    if memory is None:
        return None
    if isinstance(memory, str):
        return bytes_in(memory)
    if isinstance(memory, bool) or not hasattr(memory, "__index__") or int(memory) < 1:
        raise ValueError(f"memory={memory!r} must be a number of bytes, a text such as '2GB', or None")
    return int(memory)


def plan_fit(source: RowSource, n_clusters: int, cap: int | None) -> RowPlan:
    """Plan a fit; a ``cap`` of None is half of the memory that is free.

    Raises DataError where the cap is too small to go through the rows.
    """
    available = psutil.virtual_memory().available // 2 if cap is None else cap
    centers = _CENTER_COPIES * 8 * n_clusters * source.n_features
    row = source.n_features * source.dtype.itemsize
    held = _FIXED + centers + source.n_rows * (row + source.n_features + _HELD_BYTES)
    fixed = _FIXED + centers + _FIT_BYTES * source.n_rows
    holds_rows = held <= (_MAP_BYTES if cap is None and source.is_map else available)
    plan = RowPlan(holds_rows, _block_rows(source, available - fixed))
    if not plan.holds_rows and cap is not None:
        _check(source, cap, fixed)
    return plan


def plan_pass(source: RowSource, n_clusters: int, n_out: int, cap: int | None) -> RowPlan:
    """Plan one pass over the rows that keeps ``n_out`` bytes a row."""
    available = psutil.virtual_memory().available // 2 if cap is None else cap
    fixed = _FIXED + _CENTER_COPIES * 8 * n_clusters * source.n_features + n_out * source.n_rows
    if cap is not None:
        _check(source, cap, fixed)
    return RowPlan(False, _block_rows(source, available - fixed))


def _row_bytes(source: RowSource) -> int:
    """Bytes of a row in two blocks, one read while the other is used, and what is computed from it."""
    return 2 * source.row_bytes + 64


def _block_rows(source: RowSource, free: int) -> int:
    return max(1, _least_rows(source), min(free // _row_bytes(source), _BLOCK_BYTES // source.row_bytes))


def _least_rows(source: RowSource) -> int:
    return min(source.n_rows, max(1, _LEAST_BLOCK_BYTES // source.row_bytes))


def _check(source: RowSource, cap: int, fixed: int) -> None:
    least = fixed + _least_rows(source) * _row_bytes(source)
    if cap < least:
        raise DataError(
            f"memory={cap:,} bytes are too few for {source.n_rows:,} rows of {source.n_features:,} features; "
            f"{-(-least // 10**6):,} MB is the least that works"
        )
