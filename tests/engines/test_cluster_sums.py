"""Sums, means and J equal fractions rounded once; Partials add up in any split."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruction_sets import on_every_cpu
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


def partial_of(
    X: Array, labels: Array, weights: Array | None = None, n_clusters: int = 5
) -> _core.ClusterSums:
    engine = MemoryEngine(X, weights, 1)
    engine.labels = labels
    return engine.sums(n_clusters)


@on_every_cpu
def test_means_and_inertia() -> None:
    for dtype, weighted, offset in product(DTYPES, [False, True], [0.0, 1e6, -1e12]):
        X, labels = data(dtype, offset)
        weights = np.random.default_rng(6).uniform(0, 3, 60) if weighted else None
        sums = partial_of(X, labels, weights)
        start = np.zeros((5, 4))
        moved = sums.means(start)
        assert (moved == means(X, labels, start, weights)).all(), (dtype, weighted, offset)
        for centers in (moved, moved + 0.125):
            assert sums.inertia(centers)[0] == pytest.approx(inertia(X, centers, labels, weights), rel=4e-16)


def test_centers_move_in_place() -> None:
    X, labels = data("uint8", 0.0)
    sums = partial_of(X, labels, n_clusters=6)
    start = np.random.default_rng(1).normal(size=(6, 4))
    expected, centers = sums.means(start), start.copy()
    sums.update(centers, 2)
    assert (centers == expected).all()
    assert (centers[5] == start[5]).all()  # it has no rows


def test_centers_of_another_shape_do_not_move() -> None:
    for shape in [(5, 4), (6, 3)]:
        sums = partial_of(*data("uint8", 0.0), n_clusters=6)
        with pytest.raises(ValueError, match="centers.*shape"):
            sums.update(np.zeros(shape))


def test_inertia_of_rows_on_their_centre_is_zero() -> None:
    for dtype in DTYPES:
        X = np.repeat(np.array([[1, 3], [7, 5]]), 3, axis=0).astype(dtype) / np.dtype(dtype).type(1)
        X = X.astype(dtype)
        sums = partial_of(X, np.repeat([0, 1], 3), n_clusters=2)
        assert sums.inertia(sums.means(np.zeros((2, 2))))[0] == 0
    thirds = np.repeat([[1 / 3, 0.1], [2 / 3, 0.7]], 3, axis=0)
    sums = partial_of(thirds, np.repeat([0, 1], 3), n_clusters=2)
    assert sums.inertia(sums.means(np.zeros((2, 2))))[0] == 0


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["uint8", "uint16"]), st.lists(st.integers(0, 60), max_size=4))
def test_integer_partials_add_up_to_the_bit_in_any_split(dtype: str, cuts: list[int]) -> None:
    X, labels = data(dtype)
    whole = partial_of(X, labels)
    total = _core.ClusterSums(5, np.zeros(4))
    for part in np.split(np.arange(60), sorted(cuts)):
        block = _core.ClusterSums(5, np.zeros(4))
        block.add_squares(X[part], None, 1)
        block.add(X[part], None, labels[part], 1)
        total.merge(block)
    centers = total.means(np.zeros((5, 4)))
    assert (centers == whole.means(np.zeros((5, 4)))).all()
    assert total.inertia(centers) == whole.inertia(centers)
    assert (total.counts == whole.counts).all()


def test_moving_a_row_equals_adding_it_there() -> None:
    for dtype in DTYPES:
        X, labels = data(dtype)
        sums = partial_of(X, labels)
        sums.move(X, None, 7, (int(labels[7]), 4 - int(labels[7])))
        labels[7] = 4 - labels[7]
        start = np.zeros((5, 4))
        assert (sums.means(start) == means(X, labels, start)).all()


def test_unlike_partials_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="unlike"):
        _core.ClusterSums(2, np.zeros(3)).merge(_core.ClusterSums(3, np.zeros(3)))


def told(sums: _core.ClusterSums) -> tuple[bytes, bytes, float]:
    """All that a Partial tells, bit by bit."""
    centers = sums.means(np.ones((sums.n_clusters, sums.n_features)), 2)
    return sums.counts.tobytes(), centers.tobytes(), sums.inertia(centers, 2)[0]


@st.composite
def rows_with_counts(draw: st.DrawFn) -> tuple[Array, Array | None]:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, d = draw(st.integers(9, 80)), draw(st.sampled_from([1, 3, 12, 40, 1200]))
    dtype = draw(st.sampled_from(DTYPES))
    if dtype[0] == "u":
        X = random.integers(0, 256, (n, d)).astype(dtype)
        counted = d <= _core.LOW_DIM_FEATURES and draw(st.booleans())
        return X, random.integers(1, 2**32, n, dtype=np.uint32) if counted else None
    return (random.normal(size=(n, d)) * 10.0 ** random.integers(-5, 6, (n, d))).astype(dtype), None


@settings(max_examples=60, deadline=None)
@given(rows_with_counts(), st.integers(1, 9), st.data())
def test_sums_follow_the_rows(data: tuple[Array, Array | None], k: int, steps: st.DataObject) -> None:
    X, counts = data
    n_threads, keeps_bounds = steps.draw(st.integers(1, 3)), steps.draw(st.booleans())
    engine = MemoryEngine(X, None, n_threads, counts, keeps_bounds=keeps_bounds)
    random = np.random.default_rng(5)
    actions = ["means", "means", "jump", "set", "forget", "move", "drop"]
    centers = X[random.permutation(len(X))[:k]].astype(np.float64)
    for step in [*steps.draw(st.lists(st.sampled_from(actions))), "last"]:
        if step == "set":
            engine.labels = random.integers(0, len(centers), len(X))
        elif step == "forget":
            engine.forget_labels()
        elif step == "jump":
            centers = X[random.permutation(len(X))[: len(centers)]].astype(np.float64)
        elif step == "drop":
            centers = centers[: max(1, len(centers) - 1)]
        sums = engine.assign(centers).sums
        if step == "move":
            engine.move(sums, engine.donor(3), len(centers) - 1)
            sums = engine.sums(len(centers))
        if step in ("last", "move") or steps.draw(st.booleans()):  # to read labels is to widen them
            anew = MemoryEngine(X, None, 1, counts)
            anew.labels = engine.labels
            assert told(sums) == told(anew.sums(len(centers)))
        centers = sums.means(centers)


@on_every_cpu
def test_counts_are_equal_rows() -> None:
    for dtype in ["uint8", "uint16"]:
        X, labels = data(dtype)
        counts = np.random.default_rng(2).integers(1, 5, 60, dtype=np.uint32)
        merged, repeated = (
            MemoryEngine(X, None, 1, counts),
            MemoryEngine(np.repeat(X, counts, axis=0), None, 2),
        )
        merged.labels, repeated.labels = labels, np.repeat(labels, counts)
        assert told(merged.sums(5)) == told(repeated.sums(5)), dtype
        sums = merged.sums(5)
        assert (sums.means(np.zeros((5, 4))) == means(X, labels, np.zeros((5, 4)), counts)).all()
        merged.move(sums, merged.donor(0), 4 - int(labels[0]))  # one of them
        repeated.move(repeated.sums(5), repeated.donor(0), 4 - int(labels[0]))
        assert told(sums) == told(repeated.sums(5))


@on_every_cpu
def test_changes_count_as_often_as_rows() -> None:
    for keeps_bounds, dtype in product([False, True], ["uint8", "uint16"]):
        X, _ = data(dtype)
        counts = np.random.default_rng(2).integers(1, 5, len(X), dtype=np.uint32)
        merged = MemoryEngine(X, None, 1, counts, keeps_bounds=keeps_bounds)
        repeated = MemoryEngine(np.repeat(X, counts, axis=0), None, 2, keeps_bounds=keeps_bounds)
        first_of = np.cumsum(counts) - counts
        for step in range(6):
            centers = X[step : step + 5].astype(np.float64)
            changed, expected = merged.assign(centers), repeated.assign(centers)
            assert changed.n_changed == expected.n_changed, (keeps_bounds, dtype)
            if step >= 3:  # one of a row's equals goes ahead of the others
                assert (np.repeat(merged.labels, counts) == repeated.labels).all(), dtype
                row = 7 * step + 1
                cluster = (int(merged.labels[row]) + 1) % 5
                merged.move(changed.sums, merged.donor(row), cluster)
                repeated.move(expected.sums, repeated.donor(int(first_of[row])), cluster)
        assert merged.assign(centers).n_changed == repeated.assign(centers).n_changed


def test_a_founder_is_forgotten_with_its_label() -> None:
    X = np.array([[0], [10], [20]], dtype=np.uint8)
    engine = MemoryEngine(X, None, 1, np.array([5, 5, 5], dtype=np.uint32), keeps_bounds=True)
    centers = np.array([[5.0], [200.0]])
    engine.move(engine.assign(centers).sums, engine.donor(2), 1)
    engine.forget_labels()
    assert engine.assign(centers).n_changed == 15
    assert engine.labels.tolist() == [0, 0, 0]


def test_counts_are_of_whole_numbers_and_few_features() -> None:
    X = np.zeros((2, 33), dtype=np.uint8)
    with pytest.raises(ValueError, match="counts.*uint32"):
        _core.Assigner(X[:, :3].copy(), np.ones(2), 1)
    with pytest.raises(ValueError, match="counts.*32 features"):
        _core.Assigner(X, np.ones(2, dtype=np.uint32), 1)


def test_moved_counts_leave_no_trace() -> None:
    X = np.array([[0], [10], [20]], dtype=np.uint8)
    engine = MemoryEngine(X, None, 1, np.array([5, 5, 5], dtype=np.uint32))
    centers = np.array([[5.0], [200.0]])
    sums = engine.assign(centers).sums
    engine.move(sums, engine.donor(2), 1)
    assert sums.counts.tolist() == [14, 1]
    assert engine.assign(np.array([[5.0], [20.0]])).sums.counts.tolist() == [10, 5]


def test_labels_are_changed_by_the_engine_alone() -> None:
    X, labels = data("uint8")
    engine = MemoryEngine(X, None, 1)
    engine.labels = labels
    with pytest.raises(ValueError, match="read-only"):
        engine.labels[:] = 0


def test_an_interrupted_assignment_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = data("uint8")
    centers = X[:5].astype(np.float64)
    engine = MemoryEngine(X, None, 1)
    engine.assign(centers)

    class Interrupted:
        def assign(self, *_: object) -> None:
            engine._labels[:7] = 0
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "_steps", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.assign(centers)
    expected = told(MemoryEngine(X, None, 1).assign(centers).sums)
    assert told(engine.assign(centers).sums) == expected


def test_no_other_array_is_taken_for_weights_or_counts() -> None:
    for dtype in DTYPES:
        X, labels = data(dtype)
        sums = _core.ClusterSums(5, np.zeros(4), [] if dtype[0] == "u" else [2.0**-60])
        with pytest.raises(TypeError, match="weights.*float64.*uint32"):
            sums.add(X, np.ones(60, np.int64), labels, 1)
        with pytest.raises(ValueError, match="row"):
            sums.add(X, np.ones(59, np.uint32), labels, 1)
        if dtype[0] == "f":
            with pytest.raises(ValueError, match="integer"):
                sums.add(X, np.ones(60, np.uint32), labels, 1)
        for bad in (-1, 5):
            labels[11] = bad
            with pytest.raises(ValueError, match="labels"):
                sums.add(X, None, labels, 1)


@on_every_cpu
def test_sums_of_floats_do_not_depend_on_the_order_of_rows() -> None:
    for dtype in ["float32", "float64"]:
        random = np.random.default_rng(8)
        X = (random.normal(size=(500, 6)) * 10.0 ** random.integers(-4, 5, (500, 6))).astype(dtype)
        labels, order = random.integers(0, 5, 500), random.permutation(500)
        start = np.zeros((5, 6))
        expected = partial_of(X, labels).means(start)
        assert (partial_of(X[order], labels[order]).means(start) == expected).all(), dtype
        assert (expected == means(X, labels, start)).all()


def test_large_sums() -> None:
    # 16.8 million rows of 255 in one cluster: 2^24 rows, a sum past 2^32.
    X = np.full((1 << 24, 1), 255, dtype=np.uint8)
    X[0] = 0
    sums = partial_of(X, np.zeros(len(X), np.int32), n_clusters=1)
    mean = sums.means(np.zeros((1, 1)))
    assert mean[0, 0] == 255 * ((1 << 24) - 1) / (1 << 24)
    assert sums.inertia(mean)[0] == 255**2 * ((1 << 24) - 1) / (1 << 24)
    assert sums.counts[0] == 1 << 24
