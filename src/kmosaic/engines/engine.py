"""What the Lloyd loop asks of an engine, wherever its rows are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.in_memory import Assigned, Donor
from kmosaic.engines.plan import FitPlan


class Engine(Protocol):
    """The assignment step that returns sums, and what follows from the labels it gave last."""

    @property
    def exponent(self) -> int:
        """Rows are summed times two to this power: see ``magnitude``."""

    def forget_labels(self) -> None:
        """Go back to where no row has a label."""

    def plan(self) -> FitPlan:
        """How rows were last assigned, and why."""

    def give_labels(self) -> NDArray[np.int32]:
        """Hand over the labels, where the engine keeps them, and forget them."""

    def assign(self, centers: NDArray[np.float64]) -> Assigned:
        """Label every row with its nearest centre (ties: the lowest) and sum the rows by label."""

    def update(
        self, sums: _core.ClusterSums, centers: NDArray[np.float64], exponent: int = 0
    ) -> float | None:
        """Move each centre, in place, to its cluster's mean; one without rows stays where it is.

        Returns J there, as ``certified_inertia`` does.
        """

    def certified_inertia(
        self, sums: _core.ClusterSums, centers: NDArray[np.float64], exponent: int = 0
    ) -> float | None:
        """J from the sums alone, or None where their error bound is not within float64's own rounding.

        That is J of rows and centres times two to the power of ``exponent``.
        """

    def squared_shift(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
        """The centres' summed squared shift, in the units of ``mean_variance``."""

    def summed_inertia(self, centers: NDArray[np.float64], exponent: int = 0) -> float:
        """The same, added up from the rows' own distances, each rounded."""

    def donors(
        self, centers: NDArray[np.float64], random_state: np.random.RandomState | None
    ) -> Iterable[Donor]:
        """Rows away from their centre: those that cost most first or, given a random state, at random.

        Twice as many of unlike values as there are clusters, or more, where there are so many.
        """

    def move(self, sums: _core.ClusterSums, donor: Donor, cluster: int) -> None:
        """Give one row to another cluster."""

    def keep_clusters(self, kept: NDArray[np.bool_], centers: NDArray[np.float64]) -> _core.ClusterSums:
        """Forget the clusters not kept, which have no weight; return the sums at ``centers[kept]``."""
