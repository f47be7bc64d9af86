"""Palettes by k-means over a histogram of colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster.seeding import greedy_kmeans_plus_plus
from kmosaic.engines.colour_points import Points, merge_points, nearest_in_palette
from kmosaic.engines.in_memory import MemoryEngine
from kmosaic.engines.lloyd import LloydOptions, LloydResult, lloyd

# Neighbouring colours are merged until there are no more points times clusters than this: see decision 0032.
_MAX_POINTS_TIMES_CLUSTERS = 4_000_000
_MIN_POINTS = 4096
_MAX_COUNT = 1 << 31
_SALIENT_BITS = 9
_SALIENT_SCALE = 1 << 22


@dataclass(frozen=True, eq=False)
class FitOptions:
    """How a palette is fitted.

    ``exact`` goes on until no label of any colour changes; else neighbouring colours are merged first.
    """

    exact: bool
    saliency: float
    seed: int
    n_threads: int
    max_iter: int = 10_000


@dataclass(frozen=True, eq=False)
class PaletteFit:
    """Centroids (k, c) float64 in units of points, and J after every half step of the last fit."""

    centers: NDArray[np.float64]
    history: NDArray[np.float64]
    n_iter: int
    converged: bool


def fit_palette(points: Points, counts: NDArray[np.int64], n_colors: int, options: FitOptions) -> PaletteFit:
    """K-means of distinct points, each as often as ``counts`` says."""
    weights = salient_weights(points, counts, options.saliency)
    cells, cell_weights = merge_neighbours(points, weights, n_colors)
    result = _fit(cells, cell_weights, n_colors, options, None)
    if options.exact and len(cells) < len(points):
        result = _fit(points, weights, n_colors, options, result.centers)
    return PaletteFit(result.centers, result.history, result.n_iter, result.converged)


def _fit(
    points: Points,
    weights: NDArray[np.int64],
    n_colors: int,
    options: FitOptions,
    start: NDArray[np.float64] | None,
) -> LloydResult:
    counts = np.minimum(weights, _MAX_COUNT).astype(np.uint32)
    engine = MemoryEngine(np.ascontiguousarray(points), None, options.n_threads, counts, keeps_bounds=True)
    random_state = np.random.RandomState(options.seed)
    if start is None:
        seeds = greedy_kmeans_plus_plus(engine, n_colors, random_state)
        start = engine.rows[seeds].astype(np.float64)
    how = LloydOptions(options.max_iter, 0.0, "relocate", random_state, lambda *_: None)
    return lloyd(engine, start, how)


def fit_beside(
    fixed: Points, points: Points, counts: NDArray[np.int64], n_more: int, options: FitOptions
) -> PaletteFit:
    """K-means with some centres that stay, ``fixed``, and others that are found besides."""
    weights = salient_weights(points, counts, options.saliency)
    cells, weights = merge_neighbours(points, weights, len(fixed) + n_more)
    centers = fixed.astype(np.float64)
    for _ in range(n_more):  # each where most is missing
        nearest = nearest_in_palette(cells, np.rint(centers).astype(np.uint16), options.n_threads)
        costs = np.square(cells - centers[nearest]).sum(axis=1) * weights
        centers = np.concatenate([centers, cells[[costs.argmax()]].astype(np.float64)])
    history: list[float] = []
    n_iter = 0
    labels = np.zeros(0, np.uint8)
    while n_iter < options.max_iter:
        n_iter += 1
        before = labels
        labels = nearest_in_palette(cells, np.rint(centers).astype(np.uint16), options.n_threads)
        if np.array_equal(labels, before):
            break
        history.append(float((np.square(cells - centers[labels]).sum(axis=1) * weights).sum()))
        totals = np.bincount(labels, weights, len(centers))
        moved = totals > 0
        moved[: len(fixed)] = False
        for f in range(centers.shape[1]):
            sums = np.bincount(labels, weights * cells[:, f].astype(np.float64), len(centers))
            centers[moved, f] = sums[moved] / totals[moved]
    return PaletteFit(centers, np.array(history), n_iter, True)


def medoids(points: Points, palette: Points, centers: NDArray[np.float64]) -> NDArray[np.intp]:
    """Of each palette colour's points the one nearest to its centre."""
    labels = nearest_in_palette(points, palette, 1)
    squares = np.square(points - centers[labels]).sum(axis=1)
    order = np.lexsort((squares, labels))
    first = np.concatenate([[True], labels[order][1:] != labels[order][:-1]])
    chosen: NDArray[np.intp] = order[first]
    return chosen


def salient_weights(points: Points, counts: NDArray[np.int64], saliency: float) -> NDArray[np.int64]:
    """Counts as whole numbers that say more of rare and vivid colours.

    They are divided by a power of the number of pixels in the same cube of the space, and multiplied by one
    of the distance from the mean colour. With ``saliency`` 1, of two cubes as far from the mean both count
    the same, however many pixels they have.

    >>> points = np.array([[0, 0, 0], [100, 0, 0], [9000, 0, 0]], np.uint16)
    >>> weights = salient_weights(points, np.array([75, 25, 4]), 1.0)
    >>> bool(weights[2] > weights[0] + weights[1])
    True
    """
    if saliency == 0:
        return counts
    cubes = points.astype(np.int64) >> _SALIENT_BITS
    keys = np.ravel_multi_index(tuple(cubes.T), tuple(cubes.max(axis=0) + 1))
    _, numbers = np.unique(keys, return_inverse=True)
    total = counts.sum()
    mean = np.array([(points[:, f] * counts).sum() / total for f in range(points.shape[1])])
    far = np.square(points - mean).sum(axis=1)
    vivid = np.square(far / max((far * counts).sum() / total, 1.0)) ** saliency
    raw = counts * vivid * np.bincount(numbers, counts)[numbers] ** -saliency
    weights: NDArray[np.int64] = np.maximum(1, np.rint(raw / raw.max() * _SALIENT_SCALE)).astype(np.int64)
    return weights


def merge_neighbours(
    points: Points, weights: NDArray[np.int64], n_colors: int
) -> tuple[Points, NDArray[np.int64]]:
    """Points merged into the means of small cubic cells, the smallest of which there are few enough."""
    most = max(_MIN_POINTS, _MAX_POINTS_TIMES_CLUSTERS // max(n_colors, 1))
    if len(points) <= most:
        return points, weights
    return merge_points(points, weights, most)
