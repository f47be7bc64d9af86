"""Palettes by k-means over a histogram of colours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster.seeding import greedy_kmeans_plus_plus
from kmosaic.engines.colour_points import UNIT, Points, merge_points, nearest_in_palette
from kmosaic.engines.factory import make_engine
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
    """Centroids (k, c) float64 in units of points, and the mean error after every half step of the last fit.

    The error is the squared distance in the space, whose brightness goes from 0 to 1; its mean is weighted as
    colours are.
    """

    centers: NDArray[np.float64]
    error_history: NDArray[np.float64]
    n_iter: int
    converged: bool


def fit_palette(points: Points, counts: NDArray[np.int64], n_colors: int, options: FitOptions) -> PaletteFit:
    """K-means of distinct points, each as often as ``counts`` says."""
    weights = salient_weights(points, counts, options.saliency)
    cells = merge_neighbours(points, weights, n_colors)
    engine = _engine(*cells, options)
    seeds = greedy_kmeans_plus_plus(engine, n_colors, np.random.RandomState(options.seed))
    how = _how(options)
    result = lloyd(engine, engine.rows[seeds].astype(np.float64), how)
    return _carried_on(result, (points, weights), len(cells[0]), options, how)


def fit_beside(
    fixed: Points, points: Points, counts: NDArray[np.int64], n_more: int, options: FitOptions
) -> PaletteFit:
    """K-means with some centres that stay, ``fixed``, and others that are found besides."""
    if not len(fixed):
        return fit_palette(points, counts, n_more, options)
    weights = salient_weights(points, counts, options.saliency)
    cells = merge_neighbours(points, weights, len(fixed) + n_more)

    def put_back(centers: NDArray[np.float64]) -> None:
        centers[: len(fixed)] = fixed

    # A given colour may have no pixels, and must not be moved to one: nothing is worth relocating.
    how = replace(_how(options), after_update=put_back, negligible=np.inf)
    result = lloyd(_engine(*cells, options), _seeds_beside(fixed, *cells, n_more, options.n_threads), how)
    return _carried_on(result, (points, weights), len(cells[0]), options, how)


def _seeds_beside(
    fixed: Points, cells: Points, weights: NDArray[np.int64], n_more: int, n_threads: int
) -> NDArray[np.float64]:
    """The fixed centres and others, each where most is missing."""
    seeds = fixed
    for _ in range(n_more):
        nearest = seeds[nearest_in_palette(cells, seeds, n_threads)]
        costs = np.square(cells.astype(np.int64) - nearest).sum(axis=1) * weights
        seeds = np.concatenate([seeds, cells[[costs.argmax()]]])
    return seeds.astype(np.float64)


def _engine(points: Points, weights: NDArray[np.int64], options: FitOptions) -> MemoryEngine:
    counts = np.minimum(weights, _MAX_COUNT).astype(np.uint32)
    rows = np.ascontiguousarray(points)
    return make_engine(rows, None, options.n_threads, steps_expected=options.max_iter, counts=counts)


def _how(options: FitOptions) -> LloydOptions:
    random_state = np.random.RandomState(options.seed)
    return LloydOptions(options.max_iter, 0.0, "relocate", random_state, lambda *_: None)


def _carried_on(
    result: LloydResult,
    all_points: tuple[Points, NDArray[np.int64]],
    n_cells: int,
    options: FitOptions,
    how: LloydOptions,
) -> PaletteFit:
    """A fit of cells as it is, or where ``exact`` asks for it continued with all distinct points."""
    if options.exact and n_cells < len(all_points[0]):
        result = lloyd(_engine(*all_points, options), result.centers, how)
    errors = result.history / (UNIT**2 * result.counts.sum())
    return PaletteFit(result.centers, errors, result.n_iter, result.converged)


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
