"""Where a fit starts: restarts, the picks of k-means++, and starts that leave a cluster empty."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster import KMeans
from kmosaic.cluster.seeding import starting_centers
from kmosaic.engines import LloydOptions, lloyd, make_engine
from kmosaic.explain.points import Points, PointSet
from kmosaic.explain.trace import Policy, Trace, trace

N_RESTARTS = 100
POLICIES: tuple[Policy, ...] = ("drop", "random", "relocate")
_SIDES = (2, 3, 4, 6, 8)  # grids of 4 to 64 islands
_ISLAND_POINTS = 20
_GRID_RESTARTS = 40

Init = Literal["random", "k-means++"]


@dataclass(frozen=True, eq=False)
class Restarts:
    """Fits of the same points from many starts.

    ``starts`` is float64 (n_restarts, n_clusters, n_features); ``inertia`` float64 (n_restarts,) the J that
    each ends with, and ``n_iter`` how many iterations each takes.
    """

    init: Init
    starts: NDArray[np.float64]
    inertia: NDArray[np.float64]
    n_iter: NDArray[np.intp]

    @property
    def best(self) -> int:
        """Which ended lowest; the first of equals."""
        return int(np.argmin(self.inertia))

    @property
    def worst(self) -> int:
        """Which ended highest; the first of equals."""
        return int(np.argmax(self.inertia))


@dataclass(frozen=True, eq=False)
class Pick:
    """One pick of k-means++: the point taken, and every point's squared distance to the nearest pick so far.

    ``squared_distances`` is float64 (n_points,), from before the point was taken: each point's chance is in
    proportion to it. None for the first pick, which is any point.
    """

    row: int
    squared_distances: NDArray[np.float64] | None


@dataclass(frozen=True)
class SpreadOfStarts:
    """How restarts end, for each number of clusters: J in multiples of the best known.

    Each of ``random`` and ``careful`` holds the first tenth, the mean and the last tenth of the restarts.
    """

    n_clusters: tuple[int, ...]
    random: tuple[tuple[float, float, float], ...]
    careful: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, eq=False)
class Starts:
    """The lesson's second part."""

    data: PointSet
    random: Restarts
    careful: Restarts
    lucky: Trace
    unlucky: Trace
    picks: tuple[Pick, ...]
    spread: SpreadOfStarts

    @property
    def unlike_ends(self) -> bool:
        """Whether the unluckiest start ends visibly higher than the luckiest."""
        return self.unlucky.inertia > self.lucky.inertia * 1.001


@dataclass(frozen=True, eq=False)
class EmptyCluster:
    """The lesson's third part: one start that leaves a cluster empty, gone on with in three ways."""

    data: PointSet
    traces: dict[Policy, Trace]


@lru_cache(maxsize=4)
def starts(data: PointSet) -> Starts:
    """Return what a hundred starts of ``data`` end with, and the luckiest and unluckiest of them."""
    random, careful = restarts(data, "random"), restarts(data, "k-means++")
    return Starts(
        data,
        random,
        careful,
        trace(data.points, random.starts[random.best]),
        trace(data.points, random.starts[random.worst]),
        picks(data.points, careful.starts[careful.best]),
        spread_of_starts(),
    )


def restarts(data: PointSet, init: Init, n_restarts: int = N_RESTARTS) -> Restarts:
    """Fit from ``n_restarts`` starts of kmosaic's own seeding, seeds 0, 1, 2 and so on.

    >>> from kmosaic.explain.points import islands
    >>> ends = restarts(islands(), "random", 20).inertia
    >>> bool(ends.max() > 5 * ends.min())
    True
    """
    engine = make_engine(data.points)
    drawn = [
        starting_centers(engine, data.n_clusters, init, np.random.RandomState(seed))
        for seed in range(n_restarts)
    ]
    options = LloydOptions(300, 0.0, "relocate", np.random.RandomState(0), lambda *_: None)
    fits = [lloyd(engine, start, options) for start in drawn]
    ends, n_iter = np.array([fit.inertia for fit in fits]), np.array([fit.n_iter for fit in fits])
    return Restarts(init, np.array(drawn), ends, n_iter)


def best_start(data: PointSet, n_clusters: int) -> NDArray[np.float64]:
    """Return the start, of ten by k-means++, whose fit has the lowest J."""
    ten = restarts(replace(data, n_clusters=n_clusters), "k-means++", 10)
    return np.array(ten.starts[ten.best])


def picks(points: Points, start: NDArray[np.float64]) -> tuple[Pick, ...]:
    """Return how the rows of ``start`` (n_clusters, n_features) were picked from ``points``, in their order.

    Arthur and Vassilvitskii (2007), "k-means++: the advantages of careful seeding", section 2.
    """
    picked = []
    for number, center in enumerate(start):
        row = int(np.flatnonzero((points == center).all(axis=1))[0])
        if number == 0:
            picked.append(Pick(row, None))
            continue
        so_far = start[:number]
        squared = np.square(points[:, None, :] - so_far[None, :, :]).sum(axis=2).min(axis=1)
        picked.append(Pick(row, squared))
    return tuple(picked)


@cache
def spread_of_starts() -> SpreadOfStarts:
    """Return how restarts end on grids of 4 to 64 islands, one cluster for each."""
    spreads: dict[Init, list[tuple[float, float, float]]] = {"random": [], "k-means++": []}
    for side in _SIDES:
        data, middles = _grid(side)
        best = KMeans(len(middles), init=middles, n_threads=1).fit(data.points).inertia_
        for init, found in spreads.items():
            ends = restarts(data, init, _GRID_RESTARTS).inertia / best
            low, high = np.quantile(ends, [0.1, 0.9])
            found.append((float(low), float(ends.mean()), float(high)))
    numbers = tuple(side * side for side in _SIDES)
    return SpreadOfStarts(numbers, tuple(spreads["random"]), tuple(spreads["k-means++"]))


def _grid(side: int) -> tuple[PointSet, Points]:
    """Islands on a grid, and their middles."""
    random = np.random.default_rng(side)
    middles = (
        np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(np.float64)
    )
    clouds = [random.normal(middle, 0.12, (_ISLAND_POINTS, 2)) for middle in middles]
    data = PointSet("grid", "Grid", f"{side * side} islands.", np.concatenate(clouds), side * side)
    return data, middles


def empty_cluster(data: PointSet) -> EmptyCluster:
    """Return a start of ``data`` with one centroid nobody is nearest to, and how each policy goes on."""
    start = _start_with_an_outcast(data)
    return EmptyCluster(
        data, {policy: trace(data.points, start, empty_clusters=policy, seed=4) for policy in POLICIES}
    )


def _start_with_an_outcast(data: PointSet) -> NDArray[np.float64]:
    """Points of the data but one, which stands in the corner that lies farthest from them all."""
    engine = make_engine(data.points)
    low, high = data.points.min(axis=0), data.points.max(axis=0)
    room = 0.08 * (high - low)
    ends = np.stack([low - room, high + room])
    corners = np.array([[x, y] for x in ends[:, 0] for y in ends[:, 1]])
    for seed in range(200):
        others = starting_centers(engine, data.n_clusters - 1, "k-means++", np.random.RandomState(seed))
        distances = np.square(data.points[:, None, :] - others[None, :, :]).sum(axis=2).min(axis=1)
        for corner in corners:
            if (np.square(data.points - corner).sum(axis=1) > distances).all():
                return np.vstack([others, corner])
    # Everywhere some point is nearest: one centroid twice in the same place loses every tie.
    return np.vstack([others, others[-1]])
