"""Sums, means and J equal fractions rounded once; Partials add up in any split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmosaic import _core
from kmosaic.engines import MemoryEngine
from reference import Array, inertia, means

DTYPES = ["uint8", "uint16", "float32", "float64"]


def data(dtype: str, offset: float = 0.0) -> tuple[Array, Array]:
    random = np.random.default_rng(5)
    X = (
        random.integers(0, 256, (60, 4))
        if np.dtype(dtype).kind == "u"
        else random.normal(size=(60, 4)) + offset
    )
    return X.astype(dtype), random.integers(0, 5, 60).astype(np.int32)


def partial_of(X: Array, labels: Array, weights: Array | None = None, n_clusters: int = 5) -> _core.Partial:
    engine = MemoryEngine(X, weights, 1)
    engine.labels = labels
    return engine.sums(n_clusters)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e6, -1e12])
def test_means_and_inertia(cpu: str, dtype: str, weighted: bool, offset: float) -> None:
    X, labels = data(dtype, offset)
    weights = np.random.default_rng(6).uniform(0, 3, 60) if weighted else None
    partial = partial_of(X, labels, weights)
    start = np.zeros((5, 4))
    moved = partial.means(start)
    assert (moved == means(X, labels, start, weights)).all(), cpu
    for centers in (moved, moved + 0.125):
        assert partial.inertia(centers)[0] == pytest.approx(inertia(X, centers, labels, weights), rel=4e-16)


def test_inertia_of_rows_on_their_centre_is_zero() -> None:
    for dtype in DTYPES:
        X = np.repeat(np.array([[1, 3], [7, 5]]), 3, axis=0).astype(dtype) / np.dtype(dtype).type(1)
        X = X.astype(dtype)
        partial = partial_of(X, np.repeat([0, 1], 3), n_clusters=2)
        assert partial.inertia(partial.means(np.zeros((2, 2))))[0] == 0
    thirds = np.repeat([[1 / 3, 0.1], [2 / 3, 0.7]], 3, axis=0)
    partial = partial_of(thirds, np.repeat([0, 1], 3), n_clusters=2)
    assert partial.inertia(partial.means(np.zeros((2, 2))))[0] == 0


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["uint8", "uint16"]), st.lists(st.integers(0, 60), max_size=4))
def test_integer_partials_add_up_to_the_bit_in_any_split(dtype: str, cuts: list[int]) -> None:
    X, labels = data(dtype)
    whole = partial_of(X, labels)
    total = _core.Partial(5, np.zeros(4), True)
    for part in np.split(np.arange(60), sorted(cuts)):
        block = _core.Partial(5, np.zeros(4), True)
        block.add_squares(X[part], None, 1)
        block.add(X[part], None, labels[part], 1)
        total.merge(block)
    centers = total.means(np.zeros((5, 4)))
    assert (centers == whole.means(np.zeros((5, 4)))).all()
    assert total.inertia(centers) == whole.inertia(centers)
    assert (total.counts == whole.counts).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_moving_a_row_equals_adding_it_there(dtype: str) -> None:
    X, labels = data(dtype)
    partial = partial_of(X, labels)
    partial.move(X, None, 7, (int(labels[7]), 4 - int(labels[7])))
    labels[7] = 4 - labels[7]
    start = np.zeros((5, 4))
    assert (partial.means(start) == means(X, labels, start)).all()


def test_unlike_partials_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="unlike"):
        _core.Partial(2, np.zeros(3), True).merge(_core.Partial(3, np.zeros(3), True))


def test_large_sums() -> None:
    # 16.8 million rows of 255 in one cluster: 2^24 rows, a sum past 2^32.
    X = np.full((1 << 24, 1), 255, dtype=np.uint8)
    X[0] = 0
    partial = partial_of(X, np.zeros(len(X), np.int32), n_clusters=1)
    mean = partial.means(np.zeros((1, 1)))
    assert mean[0, 0] == 255 * ((1 << 24) - 1) / (1 << 24)
    assert partial.inertia(mean)[0] == 255**2 * ((1 << 24) - 1) / (1 << 24)
    assert partial.counts[0] == 1 << 24
