"""What follows from sums by cluster, wherever their rows are."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.magnitude import MIN_SAFE_INERTIA, SQUARES_EXPONENT, scaled_centers, times_two_to


class FromSums:
    """The update step and J as ``Engine`` describes them, for the engines to inherit."""

    n_threads: int

    @property
    def exponent(self) -> int:
        """Rows are summed times two to this power: see ``magnitude``."""
        raise NotImplementedError

    @property
    def _dtype(self) -> np.dtype[Any]:
        raise NotImplementedError

    def _added_inertia(self, centers: NDArray[np.float64], exponent: int) -> float:
        """J of rows and centres times two to a power, added up from distances."""
        raise NotImplementedError

    def update(
        self, sums: _core.ClusterSums, centers: NDArray[np.float64], exponent: int = 0
    ) -> float | None:
        if not self.exponent:
            return _certified(*sums.update(centers, self.n_threads))
        centers[:] = self.means(sums, centers)
        return self.certified_inertia(sums, centers, exponent)

    def means(self, sums: _core.ClusterSums, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each cluster's mean; of one without rows, its centre."""
        if not self.exponent:
            return sums.means(centers, self.n_threads)
        means = np.ldexp(sums.means(np.zeros_like(centers), self.n_threads), -self.exponent)
        return np.where(sums.counts[:, None] > 0, means, centers)

    def squared_shift(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
        with np.errstate(over="ignore"):
            return float(np.square(times_two_to(after - before, self.exponent)).sum())

    def inertia(self, sums: _core.ClusterSums, centers: NDArray[np.float64], exponent: int = 0) -> float:
        """J of the rows, as ``sums`` has them by their present labels, at these centres.

        From the sums alone, unless cancellation (an outlier, a weight of another magnitude) leaves fewer
        digits than float64 has: then from the rows' own distances. ``exponent`` is as for the latter.
        """
        certified = self.certified_inertia(sums, centers, exponent)
        return self.summed_inertia(centers, exponent) if certified is None else certified

    def certified_inertia(
        self, sums: _core.ClusterSums, centers: NDArray[np.float64], exponent: int = 0
    ) -> float | None:
        if not self.exponent:
            return _times(_certified(*sums.inertia(centers, self.n_threads)), exponent)
        scaled = scaled_centers(np.where(sums.counts[:, None] > 0, centers, 0), self.exponent)
        certified = None if scaled is None else _certified(*sums.inertia(scaled, self.n_threads))
        return _times(certified, exponent - self.exponent)

    def summed_inertia(self, centers: NDArray[np.float64], exponent: int = 0) -> float:
        """J added up from the rows' own distances, each rounded.

        That is J of rows and centres times two to the power of ``exponent``, so that it may keep its digits
        where the rows are tiny.
        """
        used = 0 if scaled_centers(centers, self.exponent) is None else self.exponent
        inertia = self._added_inertia(centers, used)
        if inertia < MIN_SAFE_INERTIA and self._dtype == np.float64:
            used += SQUARES_EXPONENT
            inertia = self._added_inertia(centers, used)
        return _times(inertia, exponent - used)


@overload
def _times(inertia: float, exponent: int) -> float: ...
@overload
def _times(inertia: float | None, exponent: int) -> float | None: ...
def _times(inertia: float | None, exponent: int) -> float | None:
    """J of rows times two to a power, given that of the rows."""
    if inertia is None or not exponent:
        return inertia
    with np.errstate(over="ignore"):
        return float(np.ldexp(inertia, 2 * exponent))


def _certified(value: float, error: float) -> float | None:
    return value if error <= value * 2.0**-53 or value == error else None
