"""Rows of extreme magnitude, times a power of two: exactly, and so that no square or product vanishes.

Rows of usual magnitude are left where they are. What engines are given and give back is in the rows' own
units.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows whose largest value is below 2^-200 (6e-61) are brought near 1: their squares, weighted, lose digits.
_LEAST_EXPONENT = -200
# What rows are brought to where their products with weights have bits below float64's: as high as weighted
# squares allow.
_HIGH_EXPONENT = 300
# Centres beyond 2^332, about 1e100, are too large to square.
_FARTHEST = 2.0**332
# Below this, J may have lost digits to underflow: squares are added up anew, of differences times 2^450.
LEAST_SAFE_INERTIA = 2.0**-300
SQUARES_EXPONENT = 450
_SMALL_SQUARE = 2.0**-900


def exponent_of(*values: NDArray[np.float64]) -> int:
    """Return the power of two to multiply such float64 values by, or values between them: mostly 0."""
    largest = _exponent(*values)
    return -largest if largest < _LEAST_EXPONENT else 0


def high_exponent_of(*values: NDArray[np.float64]) -> int:
    """Return the power of two that brings such values as high as weighted squares allow."""
    return max(0, _HIGH_EXPONENT - _exponent(*values))


def times_two_to(values: NDArray[Any], exponent: int) -> NDArray[Any]:
    """Return the values times a power of two: themselves, where that is 1."""
    return np.ldexp(values, exponent) if exponent else values


def scaled_centers(centers: NDArray[np.float64], exponent: int) -> NDArray[np.float64] | None:
    """Return centres in units of scaled rows, or None where they are too far from such rows to be squared."""
    if not exponent:
        return centers
    with np.errstate(over="ignore"):
        scaled = np.ldexp(centers, exponent)
    return scaled if np.abs(scaled).max(initial=0) <= _FARTHEST else None


def near_centers(centers: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    """Return centres in units of scaled rows, those too far from such rows no farther than can be squared."""
    if not exponent:
        return centers
    with np.errstate(over="ignore"):
        return np.clip(np.ldexp(centers, exponent), -_FARTHEST, _FARTHEST)


def precise_distances(
    rows: NDArray[Any], centers: NDArray[np.float64], squared: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return distances, given their squares, (n_rows, n_centers), in place of which they are written.

    Squares that have lost digits to underflow are added up anew.
    """
    pairs = squared < _SMALL_SQUARE if rows.dtype == np.float64 else np.zeros((0, 0), bool)
    row, center = np.nonzero(pairs)
    np.sqrt(squared, out=squared)
    for start in range(0, len(row), 4096):
        some = slice(start, start + 4096)
        apart = np.ldexp(rows[row[some]] - centers[center[some]], 2 * SQUARES_EXPONENT)
        squared[row[some], center[some]] = np.ldexp(
            np.sqrt(np.square(apart).sum(axis=1)), -2 * SQUARES_EXPONENT
        )
    return squared


def _exponent(*values: NDArray[np.float64]) -> int:
    """The least e with every value below 2^e in size, or 0 where all are 0."""
    return math.frexp(max(max(-float(v.min(initial=0)), float(v.max(initial=0))) for v in values))[1]
