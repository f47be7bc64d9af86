"""SciPy's sparse matrices and arrays as rows: checked before SciPy's own code, which trusts indices, runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kmosaic.engines.sparse_engine import SparseRows
from kmosaic.errors import DataError
from kmosaic.models.validation import first_beyond, within_range
from kmosaic.rows.source import bad_value, check_not_empty
from kmosaic.tensors import native_dtype

_MAX_COLUMNS = 2**31 - 1


def is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix or array of SciPy."""
    return bool(sparse.issparse(X))


def sparse_rows(X: Any) -> SparseRows:
    """Return X, (n_samples, n_features) of any of SciPy's formats, as rows; its values where they are so.

    Entries that occur twice are summed, as SciPy sums them.

    Raises DataError for indices beyond the shape, for NaN, infinity and values too large to square, which are
    named by their row, and for values that are no real numbers.
    """
    dtype = native_dtype(X.dtype)
    if X.ndim != 2:
        raise DataError(f"X has {X.ndim} dimensions; sparse rows have two, (n_samples, n_features)")
    check_not_empty("X", X.shape)
    if X.shape[1] > _MAX_COLUMNS:
        raise DataError(f"X has {X.shape[1]:,} features; sparse rows have at most {_MAX_COLUMNS:,}")
    _check_indices(X)
    csr = X if X.format == "csr" else X.tocsr()
    if csr is not X:
        _check_indices(csr)
    starts, columns, values = _canonical(csr)
    _check_values(values, columns, starts)
    return SparseRows(
        np.require(values, np.float64, ["C", "A"]),
        np.array(columns, np.int32),  # the core trusts them, so nobody else may change them
        np.require(starts, np.int64, ["C", "A"]),
        int(X.shape[1]),
        dtype,
        X,
    )


def _check_indices(X: Any) -> None:
    """Refuse indices that point beyond the shape, or starts that do beyond the values."""
    n_rows, n_columns = X.shape
    if X.format == "coo":
        _check_below(X.row, n_rows, "row")
        _check_below(X.col, n_columns, "column")
    elif X.format in ("csr", "csc", "bsr"):
        height, width = X.blocksize if X.format == "bsr" else (1, 1)
        n_lines, n_places = (
            (n_columns, n_rows) if X.format == "csc" else (n_rows // height, n_columns // width)
        )
        _check_below(X.indices, n_places, "row" if X.format == "csc" else "column")
        starts, n_values = X.indptr, len(X.indices)
        sound = len(starts) == n_lines + 1 and starts[0] == 0 and (np.diff(starts) >= 0).all()
        if not sound or not starts[-1] <= n_values or len(X.data) < starts[-1]:
            raise DataError(
                "X is a damaged sparse matrix: its indptr does not ascend from 0 to the number of its "
                "values; build it anew, and let scipy check it: X.check_format()"
            )


def _check_below(indices: NDArray[Any], n: int, kind: str) -> None:
    if len(indices) and not (indices.min() >= 0 and indices.max() < n):
        worst = int(indices.max()) if indices.max() >= n else int(indices.min())
        raise DataError(
            f"X is a damaged sparse matrix: it has a value in {kind} {worst:,}, where its shape has {n:,} of "
            "them; build it anew with the right shape"
        )


def _canonical(csr: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Starts, columns and values, of which none is 0 and no two have one place; columns ascend in rows."""
    n = int(csr.indptr[-1])
    starts, columns, values = csr.indptr, csr.indices[:n], csr.data[:n]
    rows = np.repeat(np.arange(csr.shape[0]), np.diff(starts))
    if len(columns) > 1:
        ahead = columns[1:] - columns[:-1]
        if not ((ahead > 0) | (rows[1:] > rows[:-1])).all():
            rows, columns, values = _summed(rows, columns, values)
    if not values.all():
        kept = values != 0
        rows, columns, values = rows[kept], columns[kept], values[kept]
    starts = np.zeros(csr.shape[0] + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=csr.shape[0]), out=starts[1:])
    return starts, columns, values


def _summed(
    rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Entries by row and column; those of one place are added one after the other, as ``toarray`` does."""
    order = np.lexsort((columns, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    begins = np.ones(len(rows), bool)
    begins[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
    firsts = np.flatnonzero(begins)
    sums = values[firsts]
    sizes = np.diff(firsts, append=len(rows))
    with np.errstate(over="ignore", invalid="ignore"):
        more, turn = np.flatnonzero(sizes > 1), 1
        while len(more):
            sums[more] += values[firsts[more] + turn]
            turn += 1
            more = more[sizes[more] > turn]
    return rows[firsts], columns[firsts], sums


def _check_values(values: NDArray[Any], columns: NDArray[Any], starts: NDArray[Any]) -> None:
    if within_range(values):
        return
    (at,) = first_beyond(values)
    row = int(np.searchsorted(starts, at, side="right")) - 1
    raise bad_value("X", values[at], row, int(columns[at]))
