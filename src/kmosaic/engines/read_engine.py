"""The engine over rows that are read block by block, pass after pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.blocks import Block, Blocks
from kmosaic.engines.engine import Rows
from kmosaic.engines.in_memory import Int16Range
from kmosaic.engines.plan import FitPlan, fit_plan
from kmosaic.engines.source_engine import Range, SourceEngine, scaled_rows


class ReadableRows(Blocks, Protocol):
    """Blocks of all rows, whose positions are the numbers of rows; single rows, too, can be read."""

    @property
    def n_rows(self) -> int:
        """How many rows there are."""

    @property
    def given(self) -> Any:
        """What they were given as."""

    def take(self, numbers: NDArray[np.intp]) -> Rows:
        """The rows of these numbers, in this order."""

    def check(self, block: Block) -> None:
        """Refuse values that cannot be clustered: NaN, infinity and values too large to square."""


class ReadEngine(SourceEngine):
    """``SourceEngine`` of rows that are read anew in every pass."""

    def __init__(self, blocks: ReadableRows, weights: NDArray[np.float64] | None, n_threads: int) -> None:
        self.blocks = blocks
        self.rows = blocks.given
        self.n_rows, self.n_features = blocks.n_rows, blocks.n_features
        self._int16_range: Int16Range | None = None
        self._last_k = 1
        super().__init__(blocks.dtype, weights, n_threads)
        if self._integer and _core.int16_range(np.zeros((1, self.n_features), self._dtype), 1) is not None:
            self._int16_range = self._integer_range()

    def plan(self) -> FitPlan:
        """How rows were last assigned, and why: each block anew in every step."""
        shape = (self.n_rows, self.n_features)
        return fit_plan(_core.choose_plan(str(self._dtype), shape, self._last_k, 1))

    def rows_at(self, numbers: NDArray[np.intp]) -> Rows:
        return self.blocks.take(numbers)

    def seeder(self, n_seeds: int) -> _PartSeeder:  # noqa: ARG002
        return _PartSeeder(self)

    def scaled(self, block: Block) -> Rows:
        """A block's rows as they are summed."""
        return scaled_rows(block.rows, self.exponent)

    def _range(self) -> Range:
        def surveyed(block: Block) -> Range:
            self.blocks.check(block)
            low, high = _core.value_range(block.rows, self.n_threads)
            return np.array(low), np.array(high)

        low, high = np.full(self.n_features, np.inf), np.full(self.n_features, -np.inf)
        for ends in self.blocks.map(surveyed):
            low, high = np.minimum(low, ends[0]), np.maximum(high, ends[1])
        return low, high

    def _integer_range(self) -> Int16Range | None:
        ranges = list(self.blocks.map(lambda block: _core.int16_range(block.rows, self.n_threads)))
        known = [each for each in ranges if each is not None]
        if len(known) < len(ranges):
            return None
        lows, highs = zip(*known, strict=True)
        return np.min(lows, axis=0).tolist(), np.max(highs, axis=0).tolist()

    def _exponent_and_bit(self, origin: NDArray[np.float64]) -> tuple[int, float]:
        at = origin.tolist()
        found = list(
            self.blocks.map(lambda block: _core.exponent_and_bit(self.scaled(block), at, self.n_threads))
        )
        return max(each[0] for each in found), min(each[1] for each in found)

    def _weights_of(self, block: Block) -> NDArray[np.float64] | None:
        if self.weights is None:
            return None
        return self.weights[block.first : block.first + len(block.rows)]

    def _labels_of(self, block: Block) -> NDArray[np.int32]:
        return self._labels[block.first : block.first + len(block.rows)]

    def _add_squares(self, sums: _core.ClusterSums) -> None:
        squares = _core.SquaresInParts(sums)
        for _ in self.blocks.map(
            lambda block: squares.add(self.scaled(block), self._weights_of(block), self.n_threads)
        ):
            pass
        squares.finish()

    def _step(self, centers: NDArray[np.float64], sums: _core.ClusterSums, *, follows: bool) -> int:
        self._last_k = len(centers)
        scaled = self._scaled_centers(centers)
        moves = sums.few and scaled is not None
        if moves and not follows:  # from none
            self._labels.fill(-1)
        if not moves:
            sums.clear()

        def step(block: Block) -> int:
            rows, labels, weights = self.scaled(block), self._labels_of(block), self._weights_of(block)
            if scaled is None:  # centres too far from such rows for their units
                n_changed = _core.assign(block.rows, centers, labels, self.n_threads, None)
            else:
                changes = _core.LabelChanges(rows, weights, sums) if moves else None
                n_changed = _core.assign(rows, scaled, labels, self.n_threads, changes, self._int16_range)
                if changes is not None:
                    sums.apply(changes, None, self.n_threads)
                    return n_changed
            sums.add(rows, weights, labels, self.n_threads)
            return n_changed

        return sum(self.blocks.map(step))

    def _add(self, sums: _core.ClusterSums) -> None:
        def add(block: Block) -> None:
            sums.add(self.scaled(block), self._weights_of(block), self._labels_of(block), self.n_threads)

        for _ in self.blocks.map(add):
            pass

    def _distances(self, centers: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
        distances = np.empty(self.n_rows)

        def measure(block: Block) -> None:
            rows, labels = scaled_rows(block.rows, exponent), self._labels_of(block)
            distances[block.first : block.first + len(rows)] = _core.own_squared_distances(
                rows, centers, labels, self.n_threads
            )

        for _ in self.blocks.map(measure):
            pass
        return distances

    def _hashes(self) -> NDArray[np.uint64]:
        hashes = np.empty(self.n_rows, np.uint64)

        def write(block: Block) -> None:
            rows = self.scaled(block)
            hashes[block.first : block.first + len(rows)] = _core.hash_rows(rows, self.n_threads)

        for _ in self.blocks.map(write):
            pass
        return hashes


class _PartSeeder:
    """K-means++ over rows that are read, once or twice for each seed: ``Seeding``."""

    def __init__(self, engine: ReadEngine) -> None:
        self._engine = engine
        self._seeder = _core.Seeder.of_parts(engine.n_features, engine.weights, engine.hash_order())

    def draw(self, numbers: NDArray[np.float64], /) -> list[int]:
        return list(self._seeder.draw(numbers))

    def add_best(self, candidates: Sequence[int], n_threads: int, /) -> int:
        engine, seeder = self._engine, self._seeder
        rows = scaled_rows(engine.rows_at(np.array(candidates)), engine.exponent)
        seeder.begin(np.require(rows, np.float64, ["C", "A"]), n_threads)
        for _ in engine.blocks.map(lambda block: seeder.find(engine.scaled(block), block.first, n_threads)):
            pass
        best = seeder.best
        if not seeder.complete:
            for _ in engine.blocks.map(
                lambda block: seeder.lower(engine.scaled(block), block.first, n_threads)
            ):
                pass
        seeder.accept(n_threads)
        return candidates[best]
