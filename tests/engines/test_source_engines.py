"""Engines over rows that are read in blocks, and over sparse rows, give the bits of rows in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from instruction_sets import CPUS, running_on
from kmosaic import _core
from kmosaic.cluster.seeding import distinct_rows, greedy_kmeans_plus_plus
from kmosaic.engines import LloydOptions, LloydResult, lloyd, make_engine
from kmosaic.engines.engine import Engine
from kmosaic.engines.read_engine import ReadEngine
from kmosaic.engines.source_engine import SourceEngine
from kmosaic.engines.sparse_engine import SparseEngine
from kmosaic.errors import DataError
from kmosaic.rows import SourceBlocks, sparse_rows
from kmosaic.rows.opening import SlicedRows
from reference import Array

Data = tuple[Array, Array | None]


def by_blocks(X: Array, weights: Array | None, block_rows: int) -> SourceEngine:
    return ReadEngine(SourceBlocks(SlicedRows(X), block_rows), weights, 2)


def by_values(X: Array, weights: Array | None, block_rows: int) -> SourceEngine:  # noqa: ARG001
    return SparseEngine(sparse_rows(csr_array(X)), weights, 2)


@st.composite
def datasets(draw: st.DrawFn) -> Data:
    n, d = draw(st.integers(1, 1500)), draw(st.sampled_from([1, 3, 20, 33, 70]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = random.integers(0, 250, (n, d)) * (random.random((n, d)) < draw(st.sampled_from([0.02, 0.3, 1.0])))
    kind = draw(st.sampled_from(["uint8", "uint16", "float32", "float64", "tiny", "wide", "far"]))
    if kind == "tiny":
        X = X * 1.7e-200  # summed times a power of two
    elif kind == "wide":
        X = X * 10.0 ** random.integers(-30, 17, (n, d))  # many slices; J is added up from distances
    elif kind == "far":
        X = X * 1e-3 + 5e3  # an origin other than 0, once every value is stored
    else:
        X = (X * (1.1 if kind[0] == "f" else 1)).astype(kind)
    if not draw(st.booleans()):
        return X, None
    weights = random.integers(0, 4, n) + draw(st.sampled_from([0, 1])) * random.random(n)
    weights[random.integers(n)] = 1.5
    return X, weights


def fit(engine: Engine, centers: Array, policy: Any) -> LloydResult:
    options = LloydOptions(30, 0.0, policy, np.random.RandomState(0), lambda *_: None)
    return lloyd(engine, centers.copy(), options)


def bits(result: LloydResult) -> tuple[Any, ...]:
    arrays = (result.labels, result.centers, result.counts, result.history)
    return *(array.tobytes() for array in arrays), result.n_iter, result.converged


@pytest.mark.parametrize("engine_of", [by_blocks, by_values])
@settings(max_examples=60, deadline=None)
@given(
    data=datasets(),
    k=st.integers(1, 20),
    block_rows=st.integers(1, 1500),
    policy=st.sampled_from(["relocate", "random", "drop"]),
    cpu=st.sampled_from(["", *CPUS]),
)
def test_the_bits_of_rows_in_memory(
    engine_of: Callable[..., SourceEngine], data: Data, k: int, block_rows: int, policy: str, cpu: str
) -> None:
    X, weights = data
    memory = make_engine(X, weights, 1, steps_expected=30)
    seeds = greedy_kmeans_plus_plus(memory, k, np.random.RandomState(1))
    centers = X[seeds[np.arange(k) % len(seeds)]].astype(np.float64)
    centers[: k // 5] = 1e4  # far from all rows, or from most
    expected = bits(fit(memory, centers, policy))
    with running_on(cpu):
        engine = engine_of(X, weights, max(block_rows, len(X) // 40))
        assert (greedy_kmeans_plus_plus(engine, k, np.random.RandomState(1)) == seeds).all()
        drawn = [distinct_rows(each, k, np.random.RandomState(2)) for each in (memory, engine)]
        assert (drawn[0] == drawn[1]).all()
        assert bits(fit(engine, centers, policy)) == expected
        assert engine.mean_variance() == make_engine(X, weights, 1).mean_variance()


def test_seeds_where_pairs_are_many() -> None:
    """As for the first seeds of rows without clusters: they are not kept, but found once more."""
    for engine_of in [by_blocks, by_values]:
        X = np.random.default_rng(0).normal(size=(3000, 5)) * (np.arange(5) < 4)
        expected = greedy_kmeans_plus_plus(make_engine(X), 700, np.random.RandomState(0))
        found = greedy_kmeans_plus_plus(engine_of(X, None, 1000), 700, np.random.RandomState(0))
        assert (found == expected).all()


def test_ties_go_to_the_lowest_label() -> None:
    for engine_of in [by_blocks, by_values]:
        X = np.eye(6)[np.arange(60) % 6]
        engine = engine_of(X, None, 7)
        centers = np.vstack([np.zeros((2, 6)), np.ones((2, 6)) / 3, np.zeros((1, 6))])
        engine.assign(centers)
        memory = make_engine(X)
        memory.assign(centers)
        labels = engine.give_labels()
        assert (labels == memory.give_labels()).all()
        assert set(labels) == {2}  # |x - c|^2 = 1 from zeros, 4/9 + 5/9 = 1 from thirds but for rounding
        engine.assign(np.repeat(X[:2], 2, axis=0))
        assert set(engine.give_labels()) == {0, 2}


def test_values_and_weights_that_span_too_much() -> None:
    for engine_of in [by_blocks, by_values]:
        X = np.array([[1e90, 0.0], [3e-250, 1.0]])
        with pytest.raises(DataError, match="span more than float64"):
            engine_of(X, np.array([1e-100, 1e-90]), 1)


def test_damaged_sparse_rows_are_refused_by_the_core() -> None:
    values, columns, starts = np.ones(3), np.array([0, 1, 1], np.int32), np.array([0, 2, 3])
    _core.SparseRows(values, columns, starts, 2)
    for name, wrong in {
        "columns": (values, np.array([1, 0, 1], np.int32), starts, 2),
        "below": (values, columns, starts, 1),
        "ascend": (values, columns, np.array([0, 4, 3]), 2),
        "begin": (values, columns, np.array([0, 2, 4]), 2),
        "number a value": (values, columns[:2], starts, 2),
        "weights": (values, columns, starts, 2, np.ones(3)),
    }.items():
        with pytest.raises(ValueError, match=name):
            _core.SparseRows(*wrong)
