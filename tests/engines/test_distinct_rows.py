"""Merged colours are the distinct rows, as NumPy finds them, and lead back to every row."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from instruction_sets import on_every_cpu
from kmosaic import KMeans, _core
from kmosaic.engines import make_engine
from kmosaic.engines.distinct_rows import MergedRows
from reference import Array

KINDS = [("uint8", 1), ("uint8", 2), ("uint8", 3), ("uint16", 1)]


def merged_rows(X: Array, n_threads: int) -> MergedRows:
    return MergedRows(_core.DistinctRows(X, len(X), n_threads), len(X), n_threads)


def check_merged(X: Array, n_threads: int = 2) -> None:
    merged = merged_rows(X, n_threads)
    # Numbers in the order of rows, which NumPy sorts faster than rows.
    numbers = X.astype(np.int64) @ (1 << 16) ** np.arange(X.shape[1])[::-1]
    _, first, inverse, counts = np.unique(numbers, return_index=True, return_inverse=True, return_counts=True)
    rows = X[first]
    assert merged.rows.dtype == X.dtype
    assert (merged.rows == rows).all()
    assert (merged.counts == counts).all()
    expanded = merged.expand(np.arange(len(rows), dtype=np.int32))
    assert (expanded == inverse).all()
    labels = np.random.default_rng(1).integers(0, 50, len(rows)).astype(np.int32)
    assert (merged.expand(labels) == labels[inverse]).all()


def repeated(dtype: str, d: int, n: int, n_distinct: int) -> Array:
    random = np.random.default_rng(n)
    distinct = random.integers(0, np.iinfo(dtype).max, (n_distinct, d), dtype=dtype, endpoint=True)
    return distinct[random.integers(0, n_distinct, n)]


@on_every_cpu
def test_merged_rows_are_the_distinct_ones() -> None:
    for dtype, d in KINDS:
        for n, n_distinct in ((3, 1), (100, 20), (4001, 77), (70_000, 20_000), (200_001, 300)):
            check_merged(repeated(dtype, d, n, n_distinct))


@on_every_cpu
def test_the_least_and_the_greatest_colour() -> None:
    for dtype, d in KINDS:
        ends = np.array([[0] * d, [np.iinfo(dtype).max] * d], dtype=dtype)
        check_merged(np.repeat(ends, 5, axis=0))
        check_merged(np.repeat(ends[1:], 5, axis=0))


def test_any_number_of_threads() -> None:
    for n_threads in [1, 2, 3, 16]:
        check_merged(repeated("uint8", 3, 400_000, 1000), n_threads)


def test_photos(shared_data: Path) -> None:
    photos = sorted((shared_data / "kodak").glob("*.png"))
    if not photos:
        pytest.skip(f"no photos in {shared_data.name}/kodak")
    for photo in photos[:3]:
        check_merged(np.asarray(Image.open(photo).convert("RGB")).reshape(-1, 3))


def test_what_the_planner_has_merged() -> None:
    n = 1 << 15
    for dtype, d in (("uint8", 4), ("uint16", 2), ("float32", 1), ("float64", 1)):
        assert make_engine(np.zeros((n, d), dtype=dtype), may_merge=True).merged is None
    X = np.arange(n, dtype=np.uint16)[:, None]
    considered = make_engine(X // 2, may_merge=True)
    assert considered.merged is None
    assert "10,922" in str(considered.plan())
    engine = make_engine(X // 4, may_merge=True)
    assert len(engine.rows) == n // 4
    assert engine.plan().merged
    assert "8,192" in str(engine.plan())
    assert (engine.expand(np.arange(n // 4, dtype=np.int32)) == X[:, 0] // 4).all()
    for whole in (
        make_engine(X[: n - 1] // 4, may_merge=True),
        make_engine(X // 4, np.full(n, 2.0), may_merge=True),
        make_engine(X // 4),
    ):
        assert whole.merged is None
        assert not whole.plan().merged


def test_rows_that_change_after_merging_reach_nothing_else() -> None:
    X = np.repeat(np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8), 10, axis=0)
    merged = merged_rows(X, 1)
    X[:] = 255
    assert set(merged.expand(np.array([3, 4], dtype=np.int32)).tolist()) <= {0, 3, 4}


def test_a_fit_of_merged_rows_is_that_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    distinct = random.integers(0, 256, (60, 3), dtype=np.uint8)
    X = distinct[np.minimum(random.geometric(0.05, 33_000) - 1, 59)]
    # Far corners that many rows are nearest to, so that some clusters lose all of theirs.
    corners = np.r_[np.repeat(X[:1], 4, axis=0), X[5:14]].astype(float)

    def fit(init: Any, empty_clusters: Any) -> tuple[Any, ...]:
        changed: list[int] = []
        model = KMeans(13, init=init, n_init=1, random_state=2, empty_clusters=empty_clusters)
        model.set_params(callback=lambda progress: changed.append(progress.n_changed)).fit(X)
        arrays = (model.labels_, model.cluster_centers_, model.inertia_history_)
        return model.plan_.merged, changed, *(array.tobytes() for array in arrays)

    for start, policy in product(["k-means++", "random", corners], ["relocate", "drop"]):
        merged, *found = fit(start, policy)
        with monkeypatch.context() as patch:
            patch.setattr(KMeans, "_may_merge", lambda _: False)
            apart, *expected = fit(start, policy)
        assert (merged, apart) == (True, False)
        assert found == expected, (start, policy)
