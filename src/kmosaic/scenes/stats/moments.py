"""Exact accumulators of bands' means, deviations and counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Pixels added at a time: 2^16 whole numbers of up to 2^36 add up to less than 2^53, so exactly in float64.
PIXELS = 1 << 16
_SLICE_BITS = 36
# All float64 are whole multiples of 2^-1074.
_LOWEST_BIT = 1074


@dataclass(frozen=True)
class Moments:
    """A band's mean and deviation (of the population), each rounded once; 0 only where all are equal."""

    mean: float
    deviation: float


def exact_sum(values: NDArray[np.float64]) -> int:
    """Return the sum of at most ``PIXELS`` values, in units of 2^-1074.

    Each round subtracts from every value its nearest multiple of a spacing, a power of two chosen such that
    the multiples are integers of at most 36 bits, which float64 adds exactly. Most values are 0 after two.
    """
    total = 0
    while values.size:
        _, exponent = math.frexp(max(float(values.max()), -float(values.min())))
        shift = max(exponent - _SLICE_BITS, -_LOWEST_BIT)
        spacing = math.ldexp(1.0, shift)
        whole = np.rint(values / spacing)
        total += int(whole.sum()) << (shift + _LOWEST_BIT)
        residual = values - whole * spacing
        values = residual[residual != 0]
    return total


class FloatMoments:
    """The mean and the deviation of each of several bands of floats.

    Sums are exact, so they do not depend on how the pixels come. Squares are of differences from ``origin``,
    by default the first pixel, so that nothing cancels where bands lie far from zero; each is rounded, once.
    """

    def __init__(self, n_bands: int, origin: NDArray[np.float64] | None = None) -> None:
        self._n = 0
        self._origin = origin
        self._sums = [0] * n_bands
        self._squares = [0] * n_bands
        self._varies = [False] * n_bands

    def add(self, pixels: NDArray[Any]) -> None:
        """Add pixels (n, n_bands), 1 to ``PIXELS`` of them, of finite values of at most 1e100."""
        if self._origin is None:
            self._origin = pixels[0].astype(np.float64)
        self._n += len(pixels)
        for band, origin in enumerate(self._origin):
            values = pixels[:, band].astype(np.float64)
            self._sums[band] += exact_sum(values)
            values -= origin
            self._varies[band] |= bool(values.any())
            self._squares[band] += exact_sum(np.square(values, out=values))

    def merge(self, other: FloatMoments) -> None:
        """Add the pixels of another, of the same origin."""
        self._n += other._n
        for mine, others in ((self._sums, other._sums), (self._squares, other._squares)):
            mine[:] = [own + more for own, more in zip(mine, others, strict=True)]
        self._varies = [own or more for own, more in zip(self._varies, other._varies, strict=True)]

    def result(self) -> list[Moments]:
        """Return the moments of each band; there must have been a pixel."""
        assert self._origin is not None
        unit = 1 << _LOWEST_BIT
        moments = []
        bands = zip(self._origin, self._sums, self._squares, self._varies, strict=True)
        for origin, total, squares, varies in bands:
            mean = Fraction(total, unit * self._n)
            variance = Fraction(squares, unit * self._n) - (mean - Fraction(float(origin))) ** 2
            deviation = math.sqrt(max(0.0, float(variance)))
            moments.append(Moments(float(mean), deviation or (math.ulp(0.0) if varies else 0.0)))
        return moments


class IntegerCounts:
    """How often each value occurs in each of several bands of uint8 or uint16: everything else follows."""

    def __init__(self, n_bands: int, dtype: np.dtype[Any]) -> None:
        self._counts = np.zeros((n_bands, int(np.iinfo(dtype).max) + 1), np.int64)

    def add(self, pixels: NDArray[Any]) -> None:
        for band, counts in enumerate(self._counts):
            counts += np.bincount(pixels[:, band], minlength=len(counts))

    def merge(self, other: IntegerCounts) -> None:
        self._counts += other._counts

    @property
    def n_pixels(self) -> int:
        return int(self._counts[0].sum())

    def moments(self) -> list[Moments]:
        """Return the moments of each band; there must have been a pixel."""
        moments = []
        for counts in self._counts:
            values = np.flatnonzero(counts).tolist()
            often = counts[values].tolist()
            n = sum(often)
            total = sum(value * count for value, count in zip(values, often, strict=True))
            squares = sum(value * value * count for value, count in zip(values, often, strict=True))
            variance = Fraction(n * squares - total * total, n * n)
            moments.append(Moments(float(Fraction(total, n)), math.sqrt(float(variance))))
        return moments

    def at(self, ranks: Sequence[int]) -> list[list[float]]:
        """Return, for each band, its values of these ranks, from 0, in ascending order of value."""
        sums = np.cumsum(self._counts, axis=1)
        return [np.searchsorted(of_band, ranks, "right").astype(float).tolist() for of_band in sums]
