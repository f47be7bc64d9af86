"""K-means in fractions: every float is one, so nothing here rounds before the last step."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Exact:
    """Rows and weights of a fit, and what is true of labels, means and J."""

    def __init__(self, rows: Array, weights: Array | None) -> None:
        self.rows = [[Fraction(value) for value in row] for row in rows.astype(np.float64).tolist()]
        self.weights = (
            [Fraction(1)] * len(rows) if weights is None else [Fraction(w) for w in weights.tolist()]
        )

    def labels(self, centers: Array) -> list[int]:
        """Each row's nearest centre; ties: the lowest."""
        # With a common denominator all are whole numbers, whose squares and sums need no common divisor.
        places = [[Fraction(value) for value in center] for center in centers.tolist()]
        lines = self.rows + places
        denominator = max(value.denominator for line in lines for value in line)
        whole = [[value.numerator * (denominator // value.denominator) for value in line] for line in lines]
        found = []
        for row in whole[: len(self.rows)]:
            squares = [
                sum((x - c) ** 2 for x, c in zip(row, center, strict=True))
                for center in whole[len(self.rows) :]
            ]
            found.append(squares.index(min(squares)))
        return found

    def counts(self, labels: list[int], n_clusters: int) -> list[Fraction]:
        """The total weight of each cluster's rows."""
        counts = [Fraction(0)] * n_clusters
        for label, weight in zip(labels, self.weights, strict=True):
            counts[label] += weight
        return counts

    def means(self, labels: list[int], n_clusters: int) -> list[list[Fraction] | None]:
        """Each cluster's mean; None without weight."""
        counts = self.counts(labels, n_clusters)
        sums = [[Fraction(0)] * len(self.rows[0]) for _ in range(n_clusters)]
        for row, label, weight in zip(self.rows, labels, self.weights, strict=True):
            sums[label] = [s + weight * x for s, x in zip(sums[label], row, strict=True)]
        return [[s / n for s in line] if n else None for line, n in zip(sums, counts, strict=True)]

    def inertia(self, labels: list[int], centers: Array) -> Fraction:
        """J."""
        total = Fraction(0)
        for row, label, weight in zip(self.rows, labels, self.weights, strict=True):
            center = [Fraction(value) for value in centers[label].tolist()]
            total += weight * sum(((x - c) ** 2 for x, c in zip(row, center, strict=True)), Fraction(0))
        return total

    def largest(self) -> Fraction:
        """The largest magnitude of a value."""
        return max(abs(value) for row in self.rows for value in row)
