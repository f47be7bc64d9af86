"""Rows in memory as they are summed: scaled where they must be, with what their exact sums are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.magnitude import exponent_of, high_exponent_of, times_two_to
from kmosaic.errors import DataError


@dataclass(frozen=True)
class Summable:
    """Rows times two to the power of ``exponent``, and the origin and the spacings of their sums."""

    rows: NDArray[Any]
    exponent: int
    origin: NDArray[np.float64]
    spacings: list[float]
    weight_spacings: list[float]

    def empty(self, n_clusters: int) -> _core.ClusterSums:
        return _core.ClusterSums(n_clusters, self.origin, self.spacings, self.weight_spacings)


def summable(rows: NDArray[Any], weights: NDArray[np.float64] | None, n_threads: int) -> Summable:
    """Return rows as they are summed.

    Raises DataError where values, times their weights, span more than float64 does.
    """
    if rows.dtype.kind in "iu":
        zeros = np.zeros(rows.shape[1])
        if weights is None:
            return Summable(rows, 0, zeros, [], [])
        ends = zeros.tolist()
        spacings, weight_spacings = _core.weighted_spacings(rows, weights, zeros, (ends, ends), n_threads)
        return Summable(rows, 0, zeros, spacings, weight_spacings)
    low, high = (np.array(ends) for ends in _core.value_range(rows, n_threads))
    exponent = exponent_of(low, high)
    scaled = _scaled(rows, weights, (low, high), exponent, n_threads)
    if not scaled.spacings:
        scaled = _scaled(rows, weights, (low, high), high_exponent_of(low, high), n_threads)
    if not scaled.spacings:
        raise too_wide(low, high)
    return scaled


def too_wide(low: NDArray[np.float64], high: NDArray[np.float64]) -> DataError:
    """Return the error for values, between these, that no float64 sums hold."""
    return DataError(
        f"X has values up to {max(high.max(), -low.min()):.3g} and others so small that, times "
        "sample_weight, they span more than float64 can; set values that mean nothing to 0"
    )


def _scaled(
    rows: NDArray[Any],
    weights: NDArray[np.float64] | None,
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
    exponent: int,
    n_threads: int,
) -> Summable:
    if exponent:
        rows = times_two_to(rows.astype(np.float64, copy=False), exponent)
    low, high = (times_two_to(end, exponent) for end in ends)
    origin = _core.exact_origin(low, high)
    if weights is None:
        return Summable(rows, exponent, origin, _core.slice_spacings(rows, origin, low, high, n_threads), [])
    scaled_ends = low.tolist(), high.tolist()
    return Summable(
        rows, exponent, origin, *_core.weighted_spacings(rows, weights, origin, scaled_ends, n_threads)
    )
