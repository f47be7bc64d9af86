"""Rows and centres scaled to unit length, in the same bits for any number of threads and on any processor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.errors import DataError

# Lengths this near 1, in units of the dtype's spacing there, count as 1: scaling once more changes nothing.
_SPACINGS = 4
_VALUES_AT_A_TIME = 1 << 20
# Squares below have lost digits to underflow; such rows are brought near 1 first.
_SMALL_SQUARE = 2.0**-900


def unit_rows(rows: NDArray[Any], n_threads: int = 1) -> NDArray[Any]:
    """Return rows (n_samples, n_features) divided by their lengths: float64 of float64, float32 of all else.

    Quotients are of float64 and rounded once, so that equal values give equal bits in float32, whatever their
    dtype. A row whose length is 1 up to rounding in the result's dtype stays as it is; where all are so, of
    float32 or float64, they are returned themselves, not copied.

    Raises DataError where a row is all zeros.

    >>> unit_rows(np.array([[3, 4], [0, 9]], np.uint8))
    array([[0.6, 0.8],
           [0. , 1. ]], dtype=float32)
    """
    scaled, zero = _scaled(rows, np.float64 if rows.dtype == np.float64 else np.float32, n_threads)
    if len(zero):
        others = "" if len(zero) == 1 else f" and {len(zero) - 1:,} more are too"
        raise DataError(
            f"row {zero[0]} of X is all zeros, which has no direction{others}; "
            "leave rows of zeros out, or use KMeans"
        )
    return scaled


def unit_centers(centers: NDArray[np.float64], n_threads: int = 1) -> NDArray[np.float64]:
    """Return centres divided by their lengths; zero, of which any direction is as good, is the first axis.

    >>> unit_centers(np.array([[0.0, 5.0], [0.0, 0.0]]))
    array([[0., 1.],
           [1., 0.]])
    """
    scaled, zero = _scaled(np.require(centers, np.float64, ["C", "A"]), np.float64, n_threads)
    if len(zero):
        scaled[zero] = np.eye(1, centers.shape[1])
    return scaled


def rounding_cost(dtype: np.dtype[Any]) -> float:
    """Return the squared distance up to which a unit row of this dtype is where its unit centre is."""
    return float((4 * _SPACINGS * np.finfo(dtype).eps) ** 2)


def _scaled(
    rows: NDArray[Any], dtype: type[np.floating[Any]], n_threads: int
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The rows at unit length, which may be they themselves, and which of them are all zeros."""
    zero: list[NDArray[np.intp]] = []
    out: NDArray[Any] | None = None
    step = max(1, _VALUES_AT_A_TIME // rows.shape[1])
    for start in range(0, len(rows), step):
        block, lengths = _lengths(rows[start : start + step], dtype, n_threads)
        zero.append(start + np.flatnonzero(lengths == 0))
        lengths[lengths == 0] = 1
        if out is None and rows.dtype == dtype and (lengths == 1).all() and not len(zero[-1]):
            continue
        if out is None:
            out = np.empty(rows.shape, dtype)
            out[:start] = rows[:start]
        some = out[start : start + step]
        np.divide(block, lengths[:, None], out=some, dtype=np.float64, casting="same_kind")
    return rows if out is None else out, np.concatenate(zero)


def _lengths(
    block: NDArray[Any], dtype: type[np.floating[Any]], n_threads: int
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Rows, tiny ones times a power of two each, and their lengths."""
    readable = block.astype(np.float32) if block.dtype == np.float16 else block
    squares = _squared_lengths(readable, n_threads)
    tiny = np.flatnonzero(squares < _SMALL_SQUARE)
    if len(tiny) and block.dtype == np.float64:
        readable = readable.copy()
        exponents = np.frexp(np.abs(readable[tiny]).max(axis=1))[1]
        readable[tiny] = np.ldexp(readable[tiny], -exponents[:, None])
        squares[tiny] = _squared_lengths(readable[tiny], n_threads)
    lengths = np.sqrt(squares, out=squares)
    lengths[np.abs(lengths - 1) <= _SPACINGS * np.finfo(dtype).eps] = 1
    return readable, lengths


def _squared_lengths(rows: NDArray[Any], n_threads: int) -> NDArray[np.float64]:
    origin = np.zeros((1, rows.shape[1]))
    return _core.own_squared_distances(rows, origin, np.zeros(len(rows), np.int32), n_threads)
