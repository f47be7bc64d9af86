"""Rows somewhere else: read a range at a time, brought to a dtype that engines read, and checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import Block, Rows
from kmosaic.errors import DataError
from kmosaic.models.validation import first_beyond, within_range
from kmosaic.tensors import as_native, native_dtype

T = TypeVar("T")
_BLOCK_BYTES = 1 << 24


def check_not_empty(name: str, shape: tuple[int, int]) -> None:
    """Refuse no rows, and rows without values."""
    if not all(shape):
        what = "feature" if shape[0] else "sample"
        raise DataError(f"{name} has 0 {what}s (shape={shape}); at least 1 {what} is needed")


def bad_value(name: str, value: Any, row: int, column: int) -> DataError:
    """Return the error for a value that cannot be clustered."""
    where = f"row {row:,} of {name}, column {column:,},"
    if np.isfinite(value):
        return DataError(f"{where} has {value:.3g}, too large to square and sum; divide X by such values")
    kind = "NaN" if np.isnan(value) else "infinity"
    return DataError(f"{where} has {kind}; leave such rows out, or fill them")


class RowSource(ABC):
    """Rows that can be read again and again, in any order.

    ``stored`` is the dtype they have there, ``dtype`` that in which they come. ``name`` is how messages call
    them.
    """

    name: str
    stored: np.dtype[Any]
    is_map = False
    """Whether it is a memory map, which is not to be loaded whole unless a cap on memory allows it."""

    def __init__(self, name: str, shape: tuple[int, int], stored: Any) -> None:
        check_not_empty(name, shape)
        self.name = name
        self.shape = shape
        self.stored = np.dtype(stored)
        self.dtype = native_dtype(self.stored)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.shape[0]

    @property
    def n_features(self) -> int:
        """Values in a row."""
        return self.shape[1]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row while it is read: as it is stored and, where that differs, as it comes."""
        converted = 0 if self.stored in (self.dtype, np.bool_) else self.dtype.itemsize
        return self.n_features * (self.stored.itemsize + converted)

    @property
    def given(self) -> RowSource:
        """What a callable ``init`` is given: it has ``shape`` and ``dtype``, and ``X[a:b]`` reads rows."""
        return self

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> Rows:
        if isinstance(rows, slice):
            first, last, step = rows.indices(self.n_rows)
            if step == 1:
                return self.read(first, max(first, last))
            rows = np.arange(first, last, step)
        return self.take(np.asarray(rows))

    @abstractmethod
    def _read(self, first: int, last: int) -> NDArray[Any]:
        """Rows first to last - 1 as they are stored, (last - first, n_features)."""

    def read(self, first: int, last: int) -> Rows:
        """Rows ``first`` to ``last`` - 1, as engines read them."""
        return as_native(self._read(first, last))

    def take(self, numbers: NDArray[np.intp]) -> Rows:
        """The rows of these numbers, in this order. Neighbours are read together."""
        rows = np.empty((len(numbers), self.n_features), self.dtype)
        order = np.argsort(numbers, kind="stable")
        ascending = numbers[order]
        cuts = np.flatnonzero(np.diff(ascending) != 1) + 1
        for places in np.split(order, cuts):
            if len(places):
                first = int(numbers[places[0]])
                rows[places] = self.read(first, first + len(places))
        return rows

    def check(self, rows: Rows, first: int) -> None:
        """Refuse NaN, infinity and values too large to square, in rows from this number on."""
        if not within_range(rows):
            row, column = first_beyond(rows)
            raise bad_value(self.name, rows[row, column], first + row, column)

    def load(self, block_rows: int | None = None) -> Rows:
        """All rows in memory, read so many at a time, and checked."""
        rows = np.empty(self.shape, self.dtype)
        for first, part in self.blocks(block_rows):
            rows[first : first + len(part)] = part
        return rows

    def blocks(self, block_rows: int | None = None) -> Iterator[tuple[int, Rows]]:
        """All rows, so many at a time, read ahead and checked, and the number of the first of them."""
        step = block_rows or max(1, _BLOCK_BYTES // self.row_bytes)
        for block in SourceBlocks(self, step).map(lambda block: block):
            self.check(block.rows, block.first)
            yield block.first, block.rows


def read_ahead(read: Callable[[int], T], places: Iterable[int]) -> Iterator[T]:
    """Yield what ``read`` returns for each place, in order; while one is used, a thread reads the next."""
    with ThreadPoolExecutor(1, "kmosaic-reader") as reader:
        ahead: Future[T] | None = None
        for place in places:
            following = reader.submit(read, place)
            if ahead is not None:
                yield ahead.result()
            ahead = following
        if ahead is not None:
            yield ahead.result()


class SourceBlocks:
    """A source's rows in blocks, the next read while one is used: ``ReadableRows``."""

    def __init__(self, source: RowSource, block_rows: int) -> None:
        self._source = source
        self.block_rows = block_rows
        self.given = source.given
        self.n_rows, self.n_features, self.dtype = source.n_rows, source.n_features, source.dtype
        self.take = source.take

    def check(self, block: Block) -> None:
        """Refuse values that cannot be clustered."""
        self._source.check(block.rows, block.first)

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        """See ``Blocks``."""
        for block in read_ahead(self._block, range(0, self.n_rows, self.block_rows)):
            yield task(block)
            del block

    def _block(self, first: int) -> Block:
        return Block(self._source.read(first, min(first + self.block_rows, self.n_rows)), first)
