"""The engine over rows in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.blocks import Block, Blocks, SpreadBlocks, scaled_blocks
from kmosaic.engines.engine import Assigned, Donor, Engine, Rows
from kmosaic.engines.in_memory import Int16Range, nearest_centers
from kmosaic.engines.labelled_engine import SUM_BATCH, sum_in_batches
from kmosaic.engines.magnitude import exponent_of, near_centers, scaled_centers, times_two_to
from kmosaic.engines.plan import FitPlan, fit_plan
from kmosaic.errors import DataError


@dataclass(frozen=True)
class Survey:
    """Where rows begin, how many there are, and each feature's least and greatest value.

    Integers have None for both, since their sums need neither; ``int16_range`` has the same for those
    that the core's int16 filter takes.
    """

    first: int
    n_rows: int
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    int16_range: Int16Range | None = None

    def joined(self, other: Survey) -> Survey:
        first, n_rows = min(self.first, other.first), self.n_rows + other.n_rows
        if self.int16_range is not None and other.int16_range is not None:
            low, high = zip(self.int16_range, other.int16_range, strict=True)
            return Survey(first, n_rows, int16_range=(list(map(min, *low)), list(map(max, *high))))
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return Survey(first, n_rows)
        return Survey(first, n_rows, np.minimum(self.low, other.low), np.maximum(self.high, other.high))


# Squares are added up in batches of a multiple of the core's own, so that it makes no difference to them.
_SQUARES_BATCH = 1 << 16


@dataclass(frozen=True)
class Nearest:
    """Labels rows, scaled by a power of two, with their nearest centres, which are not scaled."""

    centers: NDArray[np.float64]
    exponent: int
    int16_range: Int16Range | None

    def labels(self, rows: Rows, n_threads: int) -> NDArray[np.int32]:
        scaled = scaled_centers(self.centers, self.exponent)
        if scaled is None:
            return nearest_centers(np.ldexp(rows, -self.exponent), self.centers, n_threads)
        return nearest_centers(rows, scaled, n_threads, self.int16_range)


class NoRowsError(DataError):
    """Blocks that are all empty."""


class BlockEngine(Engine):
    """Assigns rows that come in blocks to centres, and sums them by cluster.

    ``keeps_labels`` says whether to keep a byte a row, or two, for its label: then only rows that change
    cluster are summed, where blocks are processed in turn. It changes no result, nor does ``n_threads``.
    """

    def __init__(self, blocks: Blocks, n_threads: int, *, keeps_labels: bool = False) -> None:
        self.blocks = blocks
        self.n_threads = n_threads
        surveys = list(blocks.map(partial(_survey, n_threads)))
        self.survey = reduce(Survey.joined, surveys)
        ends = accumulate(each.n_rows for each in surveys)
        self._ends = {each.first: end for each, end in zip(surveys, ends, strict=True)}
        if self.survey.n_rows == 0:
            raise NoRowsError("there are no rows to cluster")
        self._exponent_of_rows = 0
        if blocks.dtype == np.float64 and self.survey.low is not None and self.survey.high is not None:
            self._exponent_of_rows = exponent_of(self.survey.low, self.survey.high)
        self._blocks = scaled_blocks(blocks, self.exponent)
        self._empty = self._without_rows()
        self._squares = self._sum_squares()
        self._centers: NDArray[np.float64] | None = None  # those the labels are of
        self._sums: _core.ClusterSums | None = None
        keeps_labels = keeps_labels and not self.exponent and not isinstance(blocks, SpreadBlocks)
        self._labels = BlockLabels() if keeps_labels else None
        self._moved: list[tuple[Rows, int]] = []  # rows moved since, scaled, and to where

    @property
    def n_rows(self) -> int:
        """Rows of all blocks."""
        return self.survey.n_rows

    def plan(self) -> FitPlan:
        """How rows were last assigned, and why: each block anew in every step."""
        shape = (self.n_rows, self.blocks.n_features)
        return fit_plan(_core.choose_plan(str(self.blocks.dtype), shape, len(self._assigned), 1))

    def forget_labels(self) -> None:
        self._sums = None

    def give_labels(self) -> NDArray[np.int32]:
        """None: this engine keeps no labels."""
        return np.empty(0, np.int32)

    def assign(self, centers: NDArray[np.float64]) -> Assigned:
        before, self._sums, self._centers = self._sums, None, centers.copy()
        if before is not None and before.n_clusters != len(centers):
            before = None
        sums = self._squares.emptied(len(centers))
        if self._labels is not None and sums.few and len(centers) <= 1 << 16:
            if before is not None and not self._moved:
                self._sums = before
                return Assigned(before, self._follow(before, self._labels))
            self._labels.forget()
            self._follow(sums, self._labels)
        else:
            self._add(sums, partial(_add_nearest, self.n_threads, self._nearest(centers)))
        self._sums, self._moved = sums, []
        return Assigned(sums, 0 if before is not None and sums.equal_sums(before) else None)

    def _follow(self, sums: _core.ClusterSums, labels: BlockLabels) -> int:
        """Assign rows and bring their sums from the labels kept to the new ones; return how many changed."""
        int16_range = self.survey.int16_range
        return sum(
            self.blocks.map(partial(_move_nearest, self.n_threads, self._assigned, int16_range, sums, labels))
        )

    def mean_variance(self) -> float:
        """The mean over features of the rows' variance, in the units of scaled rows. Forgets the labels."""
        start = np.zeros((1, self.blocks.n_features))
        sums = self.assign(start).sums
        inertia = self.inertia(sums, self.means(sums, start), self.exponent)
        self.forget_labels()
        return inertia / float(sums.counts[0] * self.blocks.n_features)

    @property
    def exponent(self) -> int:
        return self._exponent_of_rows

    @property
    def _dtype(self) -> np.dtype[Any]:
        return self.blocks.dtype

    def _nearest(self, centers: NDArray[np.float64]) -> Nearest:
        return Nearest(centers, self.exponent, self.survey.int16_range)

    def _added_inertia(self, centers: NDArray[np.float64], exponent: int) -> float:
        batches, sums = _Batches(SUM_BATCH), []
        scaled = (centers, exponent)
        distances = partial(_own_distances, self.n_threads, self._assigned, scaled, self._places())
        task = partial(_batch_sums, distances)
        for cut in self.blocks.map(partial(task, self._ends)):
            sums += [sum_in_batches(batch) for batch in batches.add(cut.head)]
            sums += [*cut.sums, *(sum_in_batches(batch) for batch in batches.add(cut.tail))]
        return math.fsum([*sums, *map(sum_in_batches, batches.rest())])

    def _places(self) -> dict[int, dict[int, int]]:
        """By block, where in it the rows are that were moved, and to which cluster."""
        places: dict[int, dict[int, int]] = {}
        missing = dict(enumerate(self._moved))
        for first, matches in self._blocks.map(partial(_first_like, dict(missing))) if missing else ():
            for number, row in matches.items():
                if number in missing:
                    places.setdefault(first, {})[row] = missing.pop(number)[1]
        return places

    def donors(
        self, centers: NDArray[np.float64], random_state: np.random.RandomState | None
    ) -> Iterator[Donor]:
        """Rows away from their centre: those that cost most first, as many as could be asked for."""
        if random_state is not None:
            raise DataError(
                "rows in blocks are not drawn at random for empty clusters; choose 'relocate' or 'drop'"
            )
        tasks = partial(_costliest, self.n_threads, self._nearest(self._assigned), centers)
        costliest = self._blocks.map(tasks)
        rows = np.concatenate([np.empty((0, self.blocks.n_features), self.blocks.dtype), *costliest])
        labels, costs = _labels_and_costs(self.n_threads, self._nearest(self._assigned), centers, rows)
        order = np.asarray(_core.hash_order(rows, self.n_threads)[0])
        for row in order[np.argsort(-costs[order], kind="stable")]:
            yield Donor(int(row), int(labels[row]), rows[row : row + 1], 1.0)

    def move(self, sums: _core.ClusterSums, donor: Donor, cluster: int) -> None:
        """Give one row to another cluster, until the next step."""
        self._moved.append((donor.values, cluster))
        sums.move(donor.values, None, 0, (donor.cluster, cluster))

    def keep_clusters(self, kept: NDArray[np.bool_], centers: NDArray[np.float64]) -> _core.ClusterSums:
        return self.assign(np.ascontiguousarray(centers[kept])).sums

    def sample(self, n: int, seed: int) -> Rows:
        """Draw ``n`` rows without replacement, or all where there are no more, in the order of their
        positions.

        Which rows depends on their positions and the seed alone.
        """
        limit = _limit(n, self.survey.n_rows)
        drawn = list(self.blocks.map(partial(_drawn, self.n_threads, seed, limit)))
        keys = np.concatenate([each.keys for each in drawn])
        rows = np.concatenate([each.rows for each in drawn])
        if len(keys) > n:
            rows = rows[np.sort(np.argsort(keys, kind="stable")[:n])]
        return np.ascontiguousarray(rows)

    @property
    def _assigned(self) -> NDArray[np.float64]:
        assert self._centers is not None, "rows have labels only after assign"
        return self._centers

    def _add(
        self, sums: _core.ClusterSums, task: Callable[[_core.ClusterSums, Block], _core.ClusterSums]
    ) -> None:
        """Let each block add to ``sums``: in turn or, where processes share the blocks, to sums of its
        own."""
        if isinstance(self._blocks, SpreadBlocks):
            sums.merge(self._blocks.merged(partial(task, self._empty.emptied(sums.n_clusters))))
            return
        for _ in self._blocks.map(partial(task, sums)):
            pass

    def _sum_squares(self) -> _core.ClusterSums:
        """Sums of one cluster that have the rows' squares, and no sums."""
        squares = self._empty.emptied(1)
        if isinstance(self._blocks, SpreadBlocks):
            self._add(squares, partial(_add_squares, self.n_threads))
            return squares
        batches = _Batches(_SQUARES_BATCH)
        for _ in self._blocks.map(
            lambda block: _add_batches(squares, batches.add(block.rows), self.n_threads)
        ):
            pass
        _add_batches(squares, batches.rest(), self.n_threads)
        return squares

    def _without_rows(self) -> _core.ClusterSums:
        """Empty sums for these rows: floats need an origin and the spacings of slices."""
        if self.survey.low is None or self.survey.high is None:
            return _core.ClusterSums(1, np.zeros(self.blocks.n_features))
        low, high = (times_two_to(end, self.exponent) for end in (self.survey.low, self.survey.high))
        origin = _core.exact_origin(low, high)
        spacings = _core.possible_spacings(self.survey.n_rows, origin.tolist(), low.tolist(), high.tolist())
        needed = max(self._blocks.map(partial(_slices_needed, self.n_threads, origin.tolist(), spacings)))
        return _core.ClusterSums(1, origin, spacings[:needed])


class BlockLabels:
    """The labels of rows in blocks, as small as they can be kept: up to 65,536 clusters'."""

    def __init__(self) -> None:
        self._blocks: dict[int, NDArray[Any]] = {}  # uint8, or uint16

    def forget(self) -> None:
        self._blocks.clear()

    def get(self, block: Block, n_clusters: int) -> NDArray[np.int32] | NDArray[np.uint8]:
        """Those of a block's rows, to be assigned anew."""
        kept = self._blocks.get(block.first)
        if _core.choose_plan(block.rows.dtype.name, block.rows.shape, n_clusters, 1).small_labels:
            return np.full(len(block.rows), _core.MAX_SMALL_LABELS, np.uint8) if kept is None else kept
        return np.full(len(block.rows), -1, np.int32) if kept is None else kept.astype(np.int32)

    def keep(self, block: Block, labels: NDArray[np.int32] | NDArray[np.uint8]) -> None:
        self._blocks[block.first] = labels if labels.dtype == np.uint8 else labels.astype(np.uint16)


class _Batches:
    """Regroups values into batches of one size, so that results do not depend on the blocks."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest: NDArray[Any] | None = None

    def add(self, values: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Arrays of one or more whole batches; the last values are kept for the next lot."""
        if self._rest is not None:
            missing = self._size - len(self._rest)
            self._rest = np.concatenate([self._rest, values[:missing]])
            values = values[missing:]
            if len(self._rest) < self._size:
                return
            yield self._rest
        whole = len(values) // self._size * self._size
        if whole:
            yield values[:whole]
        self._rest = values[whole:].copy()

    def rest(self) -> list[NDArray[Any]]:
        """What is left of the last batch, if anything."""
        return [] if self._rest is None or len(self._rest) == 0 else [self._rest]


@dataclass(frozen=True)
class _Cut:
    """Sums of whole batches, and the values before and after them, which are parts of others."""

    head: NDArray[np.float64]
    sums: list[float]
    tail: NDArray[np.float64]


@dataclass(frozen=True)
class _Drawn:
    """Rows drawn from a block, and their keys: the rows with the lowest keys of all blocks are the sample."""

    keys: NDArray[np.uint64]
    rows: Rows


def _survey(n_threads: int, block: Block) -> Survey:
    rows = block.rows
    if rows.dtype.kind in "iu":
        return Survey(block.first, len(rows), int16_range=_core.int16_range(rows, n_threads))
    low, high = _core.value_range(rows, n_threads)
    return Survey(block.first, len(rows), np.array(low), np.array(high))


def _slices_needed(n_threads: int, origin: list[float], spacings: list[float], block: Block) -> int:
    return _core.slices_needed(block.rows, origin, spacings, n_threads)


def _add_squares(n_threads: int, sums: _core.ClusterSums, block: Block) -> _core.ClusterSums:
    sums.add_squares(block.rows, None, n_threads)
    return sums


def _add_batches(sums: _core.ClusterSums, batches: Iterable[Rows], n_threads: int) -> None:
    for rows in batches:
        sums.add_squares(rows, None, n_threads)


def _add_nearest(
    n_threads: int, nearest: Nearest, sums: _core.ClusterSums, block: Block
) -> _core.ClusterSums:
    sums.add(block.rows, None, nearest.labels(block.rows, n_threads), n_threads)
    return sums


def _move_nearest(
    n_threads: int,
    centers: NDArray[np.float64],
    int16_range: Int16Range | None,
    sums: _core.ClusterSums,
    kept: BlockLabels,
    block: Block,
) -> int:
    labels = kept.get(block, len(centers))
    changes = _core.LabelChanges(block.rows, None, sums)
    n_changed = _core.assign(block.rows, centers, labels, n_threads, changes, int16_range)
    sums.apply(changes, None, n_threads)
    kept.keep(block, labels)
    return n_changed


def _own_distances(
    n_threads: int,
    assigned: NDArray[np.float64],
    scaled: tuple[NDArray[np.float64], int],
    moved: dict[int, dict[int, int]],
    block: Block,
) -> NDArray[np.float64]:
    """Each row's squared distance to the centre of the cluster it was ``assigned``, or moved to since, all
    times two to a power."""
    centers, exponent = scaled
    labels = nearest_centers(block.rows, assigned, n_threads)
    for row, cluster in moved.get(block.first, {}).items():
        labels[row] = cluster
    rows = times_two_to(block.rows, exponent)
    return _core.own_squared_distances(rows, times_two_to(centers, exponent), labels, n_threads)


def _first_like(moved: dict[int, tuple[Rows, int]], block: Block) -> tuple[int, dict[int, int]]:
    """Of moved rows, the first in the block that equals each."""
    matches = {}
    for number, (values, _) in moved.items():
        like = np.flatnonzero((block.rows == values).all(axis=1))
        if len(like):
            matches[number] = int(like[0])
    return block.first, matches


def _batch_sums(
    values_of: Callable[[Block], NDArray[np.float64]], ends: dict[int, int], block: Block
) -> _Cut:
    """Sums of the batches of ``SUM_BATCH`` among all rows that lie in a block, and the values that do not.

    ``ends`` has the number of rows up to each block's last.
    """
    values = values_of(block)
    n_head = min(len(values), -(ends[block.first] - len(values)) % SUM_BATCH)
    n_whole = n_head + (len(values) - n_head) // SUM_BATCH * SUM_BATCH
    batches = values[n_head:n_whole].reshape(-1, SUM_BATCH)
    return _Cut(values[:n_head].copy(), [sum_in_batches(batch) for batch in batches], values[n_whole:].copy())


def _costliest(n_threads: int, assigned: Nearest, centers: NDArray[np.float64], block: Block) -> Rows:
    """The unlike rows that cost most, two for each centre, and all that cost as much as the last of them.

    For each empty cluster one, and one for each cluster that would be left empty and keeps its own.
    """
    n = 2 * len(centers)
    _, costs = _labels_and_costs(n_threads, assigned, centers, block.rows)
    order = np.argsort(-costs, kind="stable")[: np.count_nonzero(costs)]
    n_taken = n
    while True:
        unlike = np.unique(block.rows[order[:n_taken]], axis=0)
        if len(unlike) >= n or n_taken >= len(order):
            break
        n_taken *= 2
    n_taken = int(np.searchsorted(-costs[order], -costs[order[:n_taken]].min(initial=np.inf), side="right"))
    return np.unique(block.rows[order[:n_taken]], axis=0)


def _labels_and_costs(
    n_threads: int, assigned: Nearest, centers: NDArray[np.float64], rows: Rows
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Scaled rows' labels, and their squared distances to the centre, in ``centers``, of their cluster."""
    labels = assigned.labels(rows, n_threads)
    scaled = near_centers(centers, assigned.exponent)
    return labels, _core.own_squared_distances(rows, scaled, labels, n_threads)


def _drawn(n_threads: int, seed: int, limit: int, block: Block) -> _Drawn:
    keys, positions = _core.draw_rows(block.first, block.n_positions, block.present, (seed, limit), n_threads)
    return _Drawn(np.asarray(keys), block.rows_at(np.asarray(positions)))


def _limit(n: int, n_rows: int) -> int:
    """Below it lie the keys of ``n`` of the rows and a few more: too few once in 10^15 times."""
    share = (n + 8 * math.sqrt(n) + 8) / n_rows
    return min(int(share * 2**64), 2**64 - 1)
