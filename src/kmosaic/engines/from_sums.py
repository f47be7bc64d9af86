"""What follows from sums by cluster, wherever their rows are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core


class FromSums:
    """The update step and J, for the engines to inherit."""

    n_threads: int

    def update(self, sums: _core.ClusterSums, centers: NDArray[np.float64]) -> float | None:
        """Move each centre, in place, to its cluster's mean; one without rows stays where it is.

        Returns J there, as ``certified_inertia`` does.
        """
        return _certified(*sums.update(centers, self.n_threads))

    def inertia(self, sums: _core.ClusterSums, centers: NDArray[np.float64]) -> float:
        """J of the rows, as ``partial`` sums them by their present labels, at these centres.

        From the sums alone, unless cancellation (an outlier, a weight of another magnitude) leaves fewer
        digits than float64 has: then from the rows' own distances.
        """
        certified = self.certified_inertia(sums, centers)
        return self.summed_inertia(centers) if certified is None else certified

    def certified_inertia(self, sums: _core.ClusterSums, centers: NDArray[np.float64]) -> float | None:
        """J from the sums alone, or None where their error bound is not within float64's own rounding."""
        return _certified(*sums.inertia(centers, self.n_threads))

    def summed_inertia(self, centers: NDArray[np.float64]) -> float:
        """J added up from the rows' own distances, each rounded."""
        raise NotImplementedError


def _certified(value: float, error: float) -> float | None:
    return value if error <= value * 2.0**-53 or value == error else None
