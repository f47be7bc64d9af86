"""Rows in blocks that need not be in memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines.memory import Rows

T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    """Some of the rows, and where they stand among all.

    ``rows`` is (n, n_features) as ``Rows``, and may be empty. ``positions``, int64 (n,), are ascending and differ
    between all rows of all blocks; None stands for ``first``, ``first`` + 1, ... . They depend on the data alone, never
    on how it was cut into blocks.
    """

    rows: Rows
    first: int
    positions: NDArray[np.int64] | None = None


class Blocks(Protocol):
    """Rows to be gone through again and again, block by block, in an order that never changes."""

    @property
    def n_features(self) -> int:
        """Values in a row."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, uint16, float32 or float64."""

    @property
    def n_positions(self) -> int:
        """All positions are below this."""

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        """What ``task`` returns for each block, in order.

        A task is a picklable function that keeps no hold of its block, whose memory is used again.
        """
