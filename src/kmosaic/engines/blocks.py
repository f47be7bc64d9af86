"""Rows in blocks that need not be in memory together: the same primitive, block by block.

Whatever the blocks, labels, centres and J are those of the rows in memory, to the bit: labels are decided
row by row, and sums are exact in any order. Only where several processes share the rows, and these are
floats, do the blocks show: in the last bits of J.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.engine import Rows
from kmosaic.engines.magnitude import times_two_to

T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    """Some of the rows, and where they stand among all.

    ``rows`` is (n, n_features) as ``Rows``, and may be empty. They stand at those of the positions
    ``first``, ``first`` + 1, ... that ``present``, bool, marks: at all where it is None. Positions depend
    on the data alone, never on how it was cut into blocks, and no two rows share one.
    """

    rows: Rows
    first: int
    present: NDArray[np.bool_] | None = None

    def __sizeof__(self) -> int:
        """Bytes of its arrays, which a cluster's scheduler asks for before it sends a block elsewhere."""
        return self.rows.nbytes + (0 if self.present is None else self.present.nbytes)

    @property
    def n_positions(self) -> int:
        """Positions of the block, those without a row included."""
        return len(self.rows) if self.present is None else len(self.present)

    def rows_at(self, positions: NDArray[np.int64]) -> Rows:
        """The rows at some of its positions that have one, in ascending order."""
        offsets = positions - self.first
        if self.present is None:
            return self.rows[offsets]
        return self.rows[np.searchsorted(np.flatnonzero(self.present), offsets)]


class Blocks(Protocol):
    """Rows that can be read again and again, block by block, always in the same order."""

    @property
    def n_features(self) -> int:
        """Values in a row."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """One that ``Rows`` may have."""

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        """What ``task`` returns for each block, in the order of positions.

        Tasks run here, one after another; but see ``SpreadBlocks``. A task keeps no hold of its block,
        whose memory is used again.
        """


@runtime_checkable
class SpreadBlocks(Blocks, Protocol):
    """Blocks that several processes share: a task is pickled, and has no side effects."""

    def merged(self, task: Callable[[Block], _core.ClusterSums]) -> _core.ClusterSums:
        """The sums that ``task`` returns, merged where they are made.

        Neighbours come first, in a tree that the number of blocks alone decides.
        """


class _ScaledBlocks:
    """Blocks whose rows come times a power of two."""

    def __init__(self, blocks: Blocks, exponent: int) -> None:
        self._blocks = blocks
        self._exponent = exponent
        self.n_features = blocks.n_features
        self.dtype = blocks.dtype

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        return self._blocks.map(partial(_on_scaled, task, self._exponent))


class _ScaledSpreadBlocks(_ScaledBlocks):
    def __init__(self, blocks: SpreadBlocks, exponent: int) -> None:
        super().__init__(blocks, exponent)
        self._merged = blocks.merged

    def merged(self, task: Callable[[Block], _core.ClusterSums]) -> _core.ClusterSums:
        return self._merged(partial(_on_scaled, task, self._exponent))


def scaled_blocks(blocks: Blocks, exponent: int) -> Blocks:
    """Return the blocks, their rows times two to this power."""
    if not exponent:
        return blocks
    if isinstance(blocks, SpreadBlocks):
        return _ScaledSpreadBlocks(blocks, exponent)
    return _ScaledBlocks(blocks, exponent)


def _on_scaled(task: Callable[[Block], T], exponent: int, block: Block) -> T:
    return task(replace(block, rows=times_two_to(block.rows, exponent)))
