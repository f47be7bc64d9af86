"""How far rows lie from their clusters' centres, feature by feature, over rows in blocks."""

from __future__ import annotations

from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.block_engine import BlockEngine, Survey
from kmosaic.engines.blocks import Block, Blocks
from kmosaic.engines.memory import nearest_centers

# Rows looked at together: what is worked out about them stays in cache.
_ROWS = 1 << 15
_LIMBS = 3  # about 100 bits


def mean_squared_deviations(engine: BlockEngine, centers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of (x - c)^2 over the rows x nearest to each centre c: (n_clusters, n_features).

    It is 0 for a centre that no row is nearest to. Each square is rounded to float64 and to a multiple of
    about 2^-100 of the largest there can be; their sums are exact, so neither blocks, threads nor the order
    of either change a bit.
    """
    grids = _grids(engine.survey, engine.blocks, centers)
    found = engine.blocks.map(partial(_sums, engine.n_threads, centers, grids))
    total = reduce(_joined, found)
    return total.means(np.zeros_like(centers))


def _grids(survey: Survey, blocks: Blocks, centers: NDArray[np.float64]) -> list[float]:
    """Those that hold the sum of every row's squared deviations."""
    low, high = survey.low, survey.high
    if low is None or high is None:
        low, high = np.zeros(blocks.n_features), np.full(blocks.n_features, np.iinfo(blocks.dtype).max)
    reach = np.maximum(high - centers.min(axis=0), centers.max(axis=0) - low)
    zeros = np.zeros(blocks.n_features)
    possible = _core.possible_grids(survey.n_rows, zeros.tolist(), zeros.tolist(), np.square(reach).tolist())
    return possible[:_LIMBS]


def _sums(n_threads: int, centers: NDArray[np.float64], grids: list[float], block: Block) -> _core.Partial:
    sums = _core.Partial(len(centers), np.zeros(centers.shape[1]), grids)
    labels = nearest_centers(block.rows, centers, n_threads)
    for first in range(0, len(labels), _ROWS):
        some = slice(first, first + _ROWS)
        squares = np.square(block.rows[some] - centers[labels[some]])
        squares /= grids[-1]
        np.rint(squares, out=squares)
        squares *= grids[-1]
        sums.add(squares, None, labels[some], n_threads)
    return sums


def _joined(sums: _core.Partial, more: _core.Partial) -> _core.Partial:
    sums.merge(more)
    return sums
