"""Where superpixels begin: a grid over the image, or over what a mask leaves of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Grid:
    """Seeds (n, 3) int64 in pixels, and the step between them: in pixels for each axis, and its length."""

    seeds: NDArray[np.int64]
    steps: tuple[float, float, float]
    length: float


def grid_seeds(
    shape: tuple[int, int, int],
    n_segments: int,
    spacing: NDArray[np.float64],
    inside: NDArray[np.bool_] | None,
) -> Grid:
    """About ``n_segments`` seeds spread evenly over an image, or over its pixels ``inside``.

    >>> grid_seeds((1, 4, 8), 2, np.ones(3), None).seeds.tolist()
    [[0, 2, 2], [0, 2, 6]]
    """
    if inside is None:
        steps, length = _steps(shape, math.prod(shape), n_segments, spacing)
        counts = [max(1, round(size / step)) for size, step in zip(shape, steps, strict=True)]
        places = [
            (2 * np.arange(n, dtype=np.int64) + 1) * size // (2 * n)
            for n, size in zip(counts, shape, strict=True)
        ]
        seeds = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 3)
        return Grid(seeds, steps, length)
    places_inside = np.argwhere(inside)
    box = places_inside.max(axis=0) - places_inside.min(axis=0) + 1
    steps, length = _steps((int(box[0]), int(box[1]), int(box[2])), len(places_inside), n_segments, spacing)
    return Grid(_cell_means(places_inside, box, steps), steps, length)


def _steps(
    box: tuple[int, int, int], n_pixels: int, n_segments: int, spacing: NDArray[np.float64]
) -> tuple[tuple[float, float, float], float]:
    """The sides, in pixels, of boxes of ``n_pixels / n_segments`` pixels that are as cubic as can be."""
    sides = np.array(box) * spacing
    free = [size > 1 for size in box]
    length = 1.0
    for _ in range(3):
        # An axis shorter than a step is one step long, and the others share what is left.
        fixed = math.prod(float(side) for side, is_free in zip(sides, free, strict=True) if not is_free)
        share = n_pixels * math.prod(spacing.tolist()) / n_segments / fixed
        length = share ** (1 / max(1, sum(free)))
        short = [is_free and float(side) < length for side, is_free in zip(sides, free, strict=True)]
        if not any(short) or sum(free) <= 1:
            break
        shortest = min(range(3), key=lambda axis: float(sides[axis]) if free[axis] else math.inf)
        free[shortest] = False
    steps = [
        max(1.0, length / gap if is_free else float(size))
        for gap, size, is_free in zip(spacing.tolist(), box, free, strict=True)
    ]
    return (steps[0], steps[1], steps[2]), length


def _cell_means(
    places: NDArray[np.int64], box: NDArray[np.int64], steps: tuple[float, float, float]
) -> NDArray[np.int64]:
    """The mean place in each cell of a grid that is at least half as full as cells are on average."""
    counts = np.maximum(1, np.rint(box / np.array(steps))).astype(np.int64)
    cells = (places - places.min(axis=0)) * counts // box
    index = (cells[:, 0] * counts[1] + cells[:, 1]) * counts[2] + cells[:, 2]
    sizes = np.bincount(index)
    enough = sizes > 0.35 * math.prod(steps)
    if not enough.any():
        enough = sizes > 0
    means = [np.bincount(index, places[:, axis])[enough] / sizes[enough] for axis in range(3)]
    return np.floor(np.stack(means, axis=1) + 0.5).astype(np.int64)
