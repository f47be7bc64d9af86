"""Points in the plane that a lesson is taught on: made-up ones with a fixed seed, or the reader's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PointSet:
    """Points with the names of their two columns.

    ``points`` is float64 (n_points, 2); ``key`` names the set in the page, ``title`` and ``about`` tell a
    reader what it is; ``n_clusters`` is the number of clusters that the lesson starts with.
    """

    key: str
    title: str
    about: str
    points: Points
    n_clusters: int
    columns: tuple[str, str] = ("x", "y")

    @property
    def spread_ratio(self) -> float:
        """The larger of the columns' standard deviations by the smaller; 1 if a column is constant."""
        low, high = sorted(self.points.std(axis=0).tolist())
        return high / low if low > 0 else 1.0


@cache
def separated() -> PointSet:
    """Return two groups that lie well apart."""
    points = _blobs([((2.4, 2.6), 0.75, 45), ((6.4, 5.2), 0.8, 45)], seed=3)
    return PointSet("separated", "Two groups", "Two groups that lie well apart.", points, 2)


@cache
def islands() -> PointSet:
    """Return five tight groups, on which an unlucky start stays unlucky."""
    places = [(1.5, 1.5), (2.3, 5.2), (4.6, 3.4), (7.3, 1.6), (7.6, 5.4)]
    points = _blobs([(place, 0.42, 28) for place in places], seed=5)
    return PointSet("islands", "Five islands", "Five tight groups with nothing between them.", points, 5)


@cache
def shirt_sizes() -> PointSet:
    """Return heights and weights of made-up people: one cloud without gaps.

    Height in centimetres and weight in kilograms, both to one decimal.
    """
    random = np.random.default_rng(11)
    height = random.normal(171, 9, 220)
    weight = random.normal(24.2, 2.9, 220) * (height / 100) ** 2
    points = np.column_stack([height, weight]).round(1).astype(np.float64)
    about = "Heights and weights of 220 made-up people: one cloud, no gaps."
    return PointSet("shirts", "T-shirt sizes", about, points, 3, ("height in cm", "weight in kg"))


@cache
def rings() -> PointSet:
    """Return one ring around another, which no two centroids can tell apart."""
    random = np.random.default_rng(7)
    radius = np.concatenate([random.normal(0.9, 0.14, 50), random.normal(2.9, 0.16, 110)])
    angle = random.uniform(0, 2 * np.pi, len(radius))
    points = np.column_stack([4 + radius * np.cos(angle), 3.5 + radius * np.sin(angle)]).round(3)
    about = "A ring around a ring. A centroid claims what is nearest, and cuts straight through both."
    return PointSet("rings", "Rings", about, points, 2)


@cache
def unlike() -> PointSet:
    """Return groups of unlike sizes and densities: a wide one, a tight one, a small one."""
    points = _blobs([((3.2, 3.6), 1.25, 110), ((7.2, 5.4), 0.28, 50), ((7.4, 1.8), 0.45, 18)], seed=2)
    about = "A wide group, a tight one and a small one: borders lie half-way between centroids, not in gaps."
    return PointSet("unlike", "Unlike groups", about, points, 3)


def _blobs(groups: list[tuple[tuple[float, float], float, int]], seed: int) -> Points:
    """Normal clouds of (centre, standard deviation, number of points), to three decimals."""
    random = np.random.default_rng(seed)
    clouds = [random.normal(centre, spread, (n, 2)) for centre, spread, n in groups]
    return np.concatenate(clouds).round(3).astype(np.float64)
