"""Mean squared deviations of rows in blocks from their clusters' centres, feature by feature."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.block_engine import BlockEngine, Survey
from kmosaic.engines.blocks import Block, Blocks
from kmosaic.engines.in_memory import nearest_centers

# Rows added at a time, so that intermediate arrays stay in cache.
_ROWS = 1 << 15
_SLICES = 3  # about 100 bits


def mean_squared_deviations(engine: BlockEngine, centers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of (x - c)^2 over the rows x nearest to each centre c: (n_clusters, n_features).

    It is 0 for a centre that no row is nearest to. Each square is rounded to float64 and to a multiple of
    about 2^-100 of the largest there can be; their sums are exact, so neither blocks, threads nor the order
    of either change a bit.
    """
    spacings = _spacings(engine.survey, engine.blocks, centers)
    parts = engine.blocks.map(partial(_sums, engine.n_threads, centers, spacings))
    total = next(parts)
    for part in parts:
        total.merge(part)
    return total.means(np.zeros_like(centers))


def _spacings(survey: Survey, blocks: Blocks, centers: NDArray[np.float64]) -> list[float]:
    """Spacings of the slices that hold the sum of all rows' squared deviations."""
    low, high = survey.low, survey.high
    if low is None or high is None:
        ends = np.iinfo(blocks.dtype)
        low, high = (np.full(blocks.n_features, float(end)) for end in (ends.min, ends.max))
    reach = np.maximum(high - centers.min(axis=0), centers.max(axis=0) - low)
    zeros = np.zeros(blocks.n_features)
    possible = _core.possible_spacings(
        survey.n_rows, zeros.tolist(), zeros.tolist(), np.square(reach).tolist()
    )
    return possible[:_SLICES]


def _sums(
    n_threads: int, centers: NDArray[np.float64], spacings: list[float], block: Block
) -> _core.ClusterSums:
    sums = _core.ClusterSums(len(centers), np.zeros(centers.shape[1]), spacings)
    labels = nearest_centers(block.rows, centers, n_threads)
    for first in range(0, len(labels), _ROWS):
        some = slice(first, first + _ROWS)
        squares = np.square(block.rows[some] - centers[labels[some]])
        squares /= spacings[-1]
        np.rint(squares, out=squares)
        squares *= spacings[-1]
        sums.add(squares, None, labels[some], n_threads)
    return sums
