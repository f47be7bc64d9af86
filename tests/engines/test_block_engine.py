"""Rows in blocks give the bits of rows in memory, however they are cut, and wherever they are worked on."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines import Block, BlockEngine, LloydOptions, LloydResult, MemoryEngine, NoRowsError, lloyd
from kmosaic.engines.engine import Engine
from kmosaic.errors import DataError

T = TypeVar("T")
DTYPES = ["uint8", "uint16", "float32", "float64"]


class Cut:
    """Rows cut into blocks of the given lengths, over and over; some positions have no row."""

    def __init__(self, X: NDArray[Any], lengths: list[int], present: NDArray[np.bool_] | None = None) -> None:
        self._X, self._lengths, self._present = X, lengths, present
        self.n_features, self.dtype = X.shape[1], X.dtype

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        first = turn = 0
        while first < len(self._X):
            last = min(first + self._lengths[turn % len(self._lengths)], len(self._X))
            turn += 1
            if self._present is None:
                yield self.run(task, Block(self._X[first:last], first))
            else:
                present = self._present[first:last]
                yield self.run(task, Block(self._X[first:last][present], first, present))
            first = last

    def run(self, task: Callable[[Block], T], block: Block) -> T:
        return task(block)


class Sent(Cut):
    """The same, each task and each result pickled, as to another process and back."""

    def run(self, task: Callable[[Block], T], block: Block) -> T:
        result: T = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(task))(block)))
        return result

    def merged(self, task: Callable[[Block], _core.ClusterSums]) -> _core.ClusterSums:
        total, *others = self.map(task)
        for other in others:
            total.merge(other)
        return total


def data(dtype: str, n: int = 600, seed: int = 0) -> NDArray[Any]:
    random = np.random.default_rng(seed)
    X = random.integers(0, 40, (n, 3)) + 60 * random.integers(0, 4, (n, 1))
    return np.ascontiguousarray(X.astype(dtype) if dtype[0] == "u" else (X * 1.1).astype(dtype))


def fit(engine: Engine, centers: NDArray[np.float64], policy: Any = "relocate") -> LloydResult:
    options = LloydOptions(40, 0.0, policy, np.random.RandomState(0), lambda *_: None)
    return lloyd(engine, centers.copy(), options)


def assert_equal(result: LloydResult, expected: LloydResult) -> None:
    assert result.centers.tobytes() == expected.centers.tobytes()
    assert result.counts.tobytes() == expected.counts.tobytes()
    assert result.history.tobytes() == expected.history.tobytes()
    assert (result.n_iter, result.converged) == (expected.n_iter, expected.converged)


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    kind=st.sampled_from([Cut, Sent]),
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    n_far=st.integers(0, 3),
    policy=st.sampled_from(["relocate", "drop"]),
    choices=st.tuples(st.booleans(), st.booleans()),
)
def test_blocks_give_the_bits_of_rows_in_memory(
    dtype: str,
    kind: type[Cut],
    lengths: list[int],
    n_far: int,
    policy: str,
    choices: tuple[bool, bool],
) -> None:
    keeps_labels, with_gaps = choices
    X = data(dtype)
    present = np.random.default_rng(1).random(len(X)) < 0.7 if with_gaps else None
    rows = X if present is None else X[present]
    centers = rows[::53].astype(np.float64)
    centers[:n_far] = 1e4  # far from all rows: these lose theirs
    engine = BlockEngine(kind(X, lengths, present), 2, keeps_labels=keeps_labels)
    assert engine.n_rows == len(rows)
    assert_equal(fit(engine, centers, policy), fit(MemoryEngine(rows, None, 1), centers, policy))


def test_floats_of_many_magnitudes() -> None:
    """Their sums take more limbs than usual data's; and J is added up row by row."""
    for lengths, keeps_labels in product([[1], [7, 100], [600]], [False, True]):
        X = data("float64")
        X[5], X[300] = 1e-30, 1e17
        centers = X[::53].copy()
        engine = BlockEngine(Cut(X, lengths), 2, keeps_labels=keeps_labels)
        assert len(engine.assign(centers).sums.__getstate__()[3]) > 3 * 8
        assert_equal(fit(engine, centers), fit(MemoryEngine(X, None, 1), centers))


def test_a_sample_depends_on_places_and_seed_alone() -> None:
    for dtype in DTYPES:
        X = np.arange(5000).reshape(-1, 1).astype("uint16" if dtype == "uint8" else dtype)
        whole = BlockEngine(Cut(X, [5000]), 1).sample(300, 4)
        assert whole.shape == (300, 1)
        assert len(np.unique(whole)) == 300
        assert (np.diff(whole[:, 0].astype(int)) > 0).all()
        for lengths in ([1], [999, 3]):
            for kind in (Cut, Sent):
                assert (BlockEngine(kind(X, lengths), 2).sample(300, 4) == whole).all()
        assert (BlockEngine(Cut(X, [77]), 2).sample(300, 5) != whole).any()
        spread = np.histogram(BlockEngine(Cut(X, [5000]), 1).sample(2500, 0), 10, (0, 5000))[0]
        assert spread.min() > 200  # 250 of 500 are drawn of each tenth, give or take 11


def test_a_sample_of_all_rows_is_all_rows() -> None:
    X = data("uint8")
    present = np.arange(len(X)) % 3 > 0
    engine = BlockEngine(Cut(X, [50], present), 1)
    assert (engine.sample(len(X), 0) == X[present]).all()


def test_labels_kept_are_of_use_only_where_rows_come_in_turn() -> None:
    X = data("uint8")
    centers = X[:5].astype(np.float64)
    for blocks in (Cut(X, [100]), Sent(X, [100])):
        engine = BlockEngine(blocks, 1, keeps_labels=True)
        engine.assign(centers)
        again = engine.assign(centers + 3)
        anew = MemoryEngine(X, None, 1)
        anew.assign(centers)
        expected = anew.assign(centers + 3).n_changed
        assert again.n_changed == (None if isinstance(blocks, Sent) else expected)


def test_what_is_pickled_is_the_partial_itself() -> None:
    X = data("float32")
    engine = MemoryEngine(X, None, 1)
    sums = engine.assign(X[:4].astype(np.float64)).sums
    copy = pickle.loads(pickle.dumps(sums))
    assert copy.equal_sums(sums)
    assert copy.inertia(X[:4].astype(np.float64)) == sums.inertia(X[:4].astype(np.float64))
    copy.merge(sums)
    assert (copy.counts == 2 * sums.counts).all()
    assert not copy.equal_sums(sums)


def test_a_damaged_state_is_refused() -> None:
    sums = _core.ClusterSums(2, np.zeros(3))
    state = list(sums.__getstate__())
    state[5] = state[5][:-8]
    with pytest.raises(ValueError, match="wrong sizes"):
        _core.ClusterSums.__new__(_core.ClusterSums).__setstate__(tuple(state))


def test_blocks_without_rows_are_refused() -> None:
    X = data("uint8")
    with pytest.raises(NoRowsError):
        BlockEngine(Cut(X, [100], np.zeros(len(X), bool)), 1)


def test_rows_are_not_drawn_at_random_for_empty_clusters() -> None:
    X = data("uint8")
    centers = np.full((3, 3), 1e4)
    with pytest.raises(DataError, match="relocate.*drop"):
        fit(BlockEngine(Cut(X, [100]), 1), centers, "random")


def test_inertia_added_up_after_a_relocation_is_that_of_the_moved_row() -> None:
    for lengths in [[1], [4]]:
        X = np.array([[0.0], [1e17], [0.1], [-0.1]])  # the outlier leaves J no digits but the rows' own
        found = fit(BlockEngine(Cut(X, lengths), 1), np.array([[0.0], [0.0], [1e17]]))
        assert found.history[0] == pytest.approx(0.02)
        assert (np.diff(found.history) <= 0).all()
