"""What follows from sums by cluster, wherever their rows are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.magnitude import (
    LEAST_SAFE_INERTIA,
    SQUARES_EXPONENT,
    scaled_centers,
    times_two_to,
)


class FromSums:
    """The update step and J, for the engines to inherit."""

    n_threads: int

    @property
    def _exponent(self) -> int:
        """Rows are summed times two to this power: see ``magnitude``."""
        raise NotImplementedError

    def update(self, partial: _core.Partial, centers: NDArray[np.float64]) -> float | None:
        """Move each centre, in place, to its cluster's mean; one without rows stays where it is.

        Returns J there, as ``certified_inertia`` does.
        """
        if not self._exponent:
            return _certified(*partial.update(centers, self.n_threads))
        centers[:] = self.means(partial, centers)
        return self.certified_inertia(partial, centers)

    def means(self, partial: _core.Partial, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each cluster's mean; of one without rows, its centre."""
        if not self._exponent:
            return partial.means(centers, self.n_threads)
        means = np.ldexp(partial.means(np.zeros_like(centers), self.n_threads), -self._exponent)
        return np.where(partial.counts[:, None] > 0, means, centers)

    def squared_shift(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
        """The centres' summed squared shift, in the units of ``mean_variance``."""
        return float(np.square(times_two_to(after - before, self._exponent)).sum())

    def inertia(self, partial: _core.Partial, centers: NDArray[np.float64]) -> float:
        """J of the rows, as ``partial`` sums them by their present labels, at these centres.

        From the sums alone, unless cancellation (an outlier, a weight of another magnitude) leaves fewer
        digits than float64 has: then from the rows' own distances.
        """
        certified = self.certified_inertia(partial, centers)
        return self.summed_inertia(centers) if certified is None else certified

    def _scaled_inertia(self, partial: _core.Partial, centers: NDArray[np.float64]) -> float:
        """``inertia`` in the units of scaled rows, where it keeps its digits."""
        scaled = scaled_centers(centers, self._exponent)
        certified = None if scaled is None else _certified(*partial.inertia(scaled, self.n_threads))
        if certified is not None:
            return certified
        return math.ldexp(self.summed_inertia(centers), 2 * self._exponent)

    def certified_inertia(self, partial: _core.Partial, centers: NDArray[np.float64]) -> float | None:
        """J from the sums alone, or None where their error bound is not within float64's own rounding."""
        if not self._exponent:
            return _certified(*partial.inertia(centers, self.n_threads))
        scaled = scaled_centers(np.where(partial.counts[:, None] > 0, centers, 0), self._exponent)
        certified = None if scaled is None else _certified(*partial.inertia(scaled, self.n_threads))
        return None if certified is None else math.ldexp(certified, -2 * self._exponent)

    def summed_inertia(self, centers: NDArray[np.float64]) -> float:
        """J added up from the rows' own distances, each rounded."""
        inertia = self._added_inertia(centers, 0)
        if inertia >= LEAST_SAFE_INERTIA or self._dtype != np.float64:
            return inertia
        return math.ldexp(self._added_inertia(centers, SQUARES_EXPONENT), -2 * SQUARES_EXPONENT)

    @property
    def _dtype(self) -> np.dtype[Any]:
        """That of rows."""
        raise NotImplementedError

    def _added_inertia(self, centers: NDArray[np.float64], exponent: int) -> float:
        """J of rows and centres times two to a power."""
        raise NotImplementedError


def _certified(value: float, error: float) -> float | None:
    return value if error <= value * 2.0**-53 or value == error else None
