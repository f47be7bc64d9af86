"""What the Lloyd loop asks of an engine, wherever its rows are; what follows from its sums: means and J."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.magnitude import MIN_SAFE_INERTIA, SQUARES_EXPONENT, scaled_centers, times_two_to
from kmosaic.engines.plan import FitPlan

Rows = NDArray[Any]
"""(n_samples, n_features), C-contiguous and aligned, of a dtype that ``tensors.native_dtype`` returns."""


@dataclass(frozen=True)
class Assigned:
    """What one pass over the rows gives: the sums by cluster, and how many labels it changed.

    ``n_changed`` is None where some have changed, and their number is not counted.
    """

    sums: _core.ClusterSums
    n_changed: int | None


@dataclass(frozen=True)
class Donor:
    """A row that may fill an empty cluster: number, cluster, values (1, n_features) and weight."""

    row: int
    cluster: int
    values: Rows
    weight: float


class Engine(ABC):
    """The assignment step that returns sums, and what follows from the labels it gave last."""

    n_threads: int

    @property
    @abstractmethod
    def exponent(self) -> int:
        """Rows are summed times two to this power: see ``magnitude``."""

    @property
    @abstractmethod
    def _dtype(self) -> np.dtype[Any]:
        """That of rows."""

    @abstractmethod
    def _added_inertia(self, centers: NDArray[np.float64], exponent: int) -> float:
        """J of rows and centres times two to a power, added up from distances."""

    @abstractmethod
    def forget_labels(self) -> None:
        """Go back to where no row has a label."""

    @abstractmethod
    def plan(self) -> FitPlan:
        """How rows were last assigned, and why."""

    @abstractmethod
    def give_labels(self) -> NDArray[np.int32]:
        """Hand over the labels, where the engine keeps them, and forget them."""

    @abstractmethod
    def assign(self, centers: NDArray[np.float64]) -> Assigned:
        """Label every row with its nearest centre (ties: the lowest) and sum the rows by label."""

    @abstractmethod
    def donors(
        self, centers: NDArray[np.float64], random_state: np.random.RandomState | None
    ) -> Iterable[Donor]:
        """Rows away from their centre: those that cost most first or, given a random state, at random.

        Twice as many of unlike values as there are clusters, or more, where there are so many.
        """

    @abstractmethod
    def move(self, sums: _core.ClusterSums, donor: Donor, cluster: int) -> None:
        """Give one row to another cluster."""

    @abstractmethod
    def keep_clusters(self, kept: NDArray[np.bool_], centers: NDArray[np.float64]) -> _core.ClusterSums:
        """Forget the clusters not kept, which have no weight; return the sums at ``centers[kept]``."""

    def update(
        self, sums: _core.ClusterSums, centers: NDArray[np.float64], exponent: int = 0
    ) -> float | None:
        """Move each centre, in place, to its cluster's mean; one without rows stays where it is.

        Returns J there, as ``certified_inertia`` does.
        """
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
        """The centres' summed squared shift, in the units of ``mean_variance``."""
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
        """J from the sums alone, or None where their error bound is not within float64's own rounding.

        That is J of rows and centres times two to the power of ``exponent``.
        """
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
