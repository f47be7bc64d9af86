"""The table of a sweep: for each number of clusters, every column's spread over the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A column over the seeds: mean, least, most, and sample standard deviation (0 for one seed).

    ``count`` is the number of seeds it was measured for.
    """

    mean: float
    min: float
    max: float
    std: float
    count: int = 1


@dataclass(frozen=True)
class SweepTableRow:
    """All runs with one number of clusters: the spread of every column, None where it was not measured."""

    n_clusters: int
    n_seeds: int
    columns: Mapping[str, Spread | None]

    def __getitem__(self, column: str) -> Spread | None:
        return self.columns[column]

    def mean(self, column: str) -> float | None:
        """The column's mean over the seeds, or None where it was not measured."""
        spread = self.columns[column]
        return None if spread is None else spread.mean

    def measured(self, column: str) -> Spread:
        """The column's spread over the seeds; ValueError where it was not measured."""
        spread = self.columns[column]
        if spread is None:
            raise ValueError(f"{column} is not measured for n_clusters={self.n_clusters}")
        return spread
