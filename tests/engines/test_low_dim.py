"""The assignment step of rows of few features equals brute force, in fractions wherever it is close."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from instruction_sets import on_every_cpu
from kmosaic import _core
from reference import Array, nearest

DTYPES = ["uint8", "uint16", "float32", "float64"]


def assign(X: Array, centers: Array, n_threads: int = 2) -> Array:
    labels = np.full(len(X), -1, dtype=np.int32)
    n_changed = _core.assign(np.ascontiguousarray(X), centers.astype(np.float64), labels, n_threads)
    assert n_changed == len(X)
    return labels


def rows(n: int, d: int, dtype: str, seed: int = 0) -> Array:
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "u":
        return random.integers(0, np.iinfo(dtype).max, (n, d), dtype=dtype, endpoint=True)
    return random.normal(size=(n, d)).astype(dtype)


@on_every_cpu
def test_every_narrow_number_of_features() -> None:
    for dtype in DTYPES:
        for d in range(1, 35):  # and two beyond
            X = rows(67 + d, d, dtype, seed=d)
            centers = rows(3 * d % 29 + 1, d, dtype, seed=d + 100) * 0.75 + 0.1
            assert (assign(X, centers) == nearest(X, centers)).all(), (dtype, d)


@on_every_cpu
def test_rows_and_clusters() -> None:
    for dtype, (n, d, k) in product(
        DTYPES, [(1, 3, 5), (63, 2, 100), (129, 4, 17), (2100, 3, 8), (65, 6, 1500)]
    ):
        X = rows(n, d, dtype)
        centers = rows(k, d, dtype, seed=1) + 0.25
        assert (assign(X, centers) == nearest(X, centers)).all(), (dtype, n, d, k)


@on_every_cpu
def test_lattices_full_of_ties() -> None:
    for dtype, d in product(DTYPES, [1, 2, 3, 5, 8, 16, 31]):
        random = np.random.default_rng(d)
        X = random.integers(20, 24, (200, d)).astype(dtype)
        centers = random.integers(39, 50, (40, d)) / 2
        assert (assign(X, centers) == nearest(X, centers)).all(), (dtype, d)


@on_every_cpu
def test_centres_at_the_edge_of_the_filter() -> None:
    for dtype in DTYPES:
        # Beside every centre another whose distance float32 can just, or just not, tell from its own.
        for d in (1, 3, 7, 16, 32):
            X = rows(60, d, dtype, seed=d)
            base = X[:5].astype(np.float64) + rows(5, d, "float64", seed=2)
            steps = [s * 2.0**-e for e in range(14, 30) for s in (-1, 1)]
            centers = np.concatenate([base + (base - X[:5]) * step for step in steps])
            np.random.default_rng(3).shuffle(centers)
            assert (assign(X, centers) == nearest(X, centers)).all(), (dtype, d)


@on_every_cpu
def test_outliers() -> None:
    for dtype, sizes in [("float32", (1e20, 1e30)), ("float64", (1e30, 1e100, 1e-200))]:
        random = np.random.default_rng(4)
        for size in sizes:
            X = rows(150, 4, dtype)
            X[random.integers(0, 150, 20), random.integers(0, 4, 20)] *= size
            centers = rows(12, 4, "float64", seed=5)
            assert (assign(X, centers) == nearest(X, centers)).all(), (dtype, sizes, size)
            centers[3] *= size
            assert (assign(X, centers) == nearest(X, centers)).all(), (dtype, sizes, size)


@on_every_cpu
def test_constant_rows() -> None:
    for dtype in DTYPES:
        X = np.full((100, 3), 7, dtype=dtype)
        assert (assign(X, np.full((6, 3), 7.0)) == 0).all(), dtype
        assert (assign(X, np.array([[6.0, 7, 7], [7, 8, 7], [7, 7, 7.5], [7, 7, 6.5]])) == 2).all(), dtype


@on_every_cpu
def test_only_changed_labels_count() -> None:
    for dtype in DTYPES:
        X = rows(3000, 3, dtype)
        centers = rows(9, 3, dtype, seed=1).astype(np.float64) + 0.5
        expected = assign(X, centers)
        labels = expected.copy()
        wrong = np.random.default_rng(6).permutation(3000)[:123]
        labels[wrong] = (labels[wrong] + 1) % 9
        assert _core.assign(X, centers, labels, 2) == 123
        assert (labels == expected).all(), dtype


@on_every_cpu
def test_any_start_in_memory() -> None:
    for d in (1, 3, 6, 13):
        X = rows(130, d, "uint8")
        centers = rows(7, d, "uint8", seed=1) + 0.5
        expected = nearest(X, centers)
        for first in range(8):
            part = np.empty(X.size + first, dtype=np.uint8)[first:].reshape(X.shape)
            part[:] = X
            assert (assign(part, centers) == expected).all()


@on_every_cpu
def test_pixels_of_photos(shared_data: Path) -> None:
    photos = sorted((shared_data / "kodak").glob("*.png"))
    if not photos:
        pytest.skip(f"no photos in {shared_data.name}/kodak")
    pixels = np.concatenate([np.asarray(Image.open(p).convert("RGB")).reshape(-1, 3)[::997] for p in photos])
    for k in (16, 64):
        centers = pixels[:: len(pixels) // k][:k].astype(np.float64)
        labels = nearest(pixels, centers)
        means = np.stack([pixels[labels == j].mean(axis=0) for j in np.unique(labels)])
        for at in (centers, means):
            assert (assign(pixels, at) == nearest(pixels, at)).all()


@st.composite
def awkward(draw: st.DrawFn) -> tuple[Array, Array]:
    """Small numbers in coarse steps: ties and near-ties at every turn."""
    d = draw(st.integers(1, 9))
    value = st.integers(0, 5)
    X = draw(st.lists(st.lists(value, min_size=d, max_size=d), min_size=1, max_size=90))
    centers = draw(st.lists(st.lists(value, min_size=d, max_size=d), min_size=1, max_size=25))
    return np.array(X), np.array(centers) / 2 + draw(st.sampled_from([0.0, 1 / 3, 1e-7]))


@settings(max_examples=100, deadline=None)
@given(awkward(), st.sampled_from(DTYPES))
def test_ties_everywhere(data: tuple[Array, Array], dtype: str) -> None:
    X, centers = data[0].astype(dtype), data[1]
    assert (assign(X, centers) == nearest(X, centers)).all()


@on_every_cpu
def test_labels_of_a_byte_step_after_step() -> None:
    """The same as labels of four bytes, the last label before none included, and nothing beside them."""
    for dtype, d, n in product(["uint8", "uint16"], [1, 3, 4, 7, 12, 16, 17, 32], [1, 15, 16, 65, 2100]):
        X = rows(n, d, dtype)
        centers = rows(255, d, dtype, seed=1) + 0.25
        around = np.full(n + 2, 77, np.uint8)
        small, wide = around[1:-1], np.full(n, -1, np.int32)
        small[:] = _core.MAX_SMALL_LABELS
        sums = _core.ClusterSums(255, np.zeros(d))
        for k in (255, 20):
            expected = nearest(X, centers[:k])
            n_expected = int((expected != wide).sum())
            changes = _core.LabelChanges(X, None, sums) if k == 255 else None
            assert _core.assign(X, centers[:k], small, 2, changes) == n_expected, (dtype, d, n)
            assert _core.assign(X, centers[:k], wide, 2) == n_expected, (dtype, d, n)
            assert (small == expected).all(), (dtype, d, n)
            assert (wide == expected).all(), (dtype, d, n)
        assert around[[0, -1]].tolist() == [77, 77]


@on_every_cpu
def test_a_range_that_is_known_is_not_sought() -> None:
    for dtype in ["uint8", "uint16", "float32"]:
        X = rows(3000, 5, dtype)
        some = X[1000:1100]
        centers = some[::7].astype(np.float64) * 0.5 + 3.0
        known = _core.int16_range(X, 2)
        if known is not None and dtype == "uint16":
            assert known == (X.min(axis=0).tolist(), X.max(axis=0).tolist()), dtype
        labels = np.full(len(some), -1, np.int32)
        _core.assign(some, centers, labels, 2, None, known)
        assert (labels == nearest(some, centers)).all(), dtype


def test_a_range_of_other_features_is_refused() -> None:
    X = rows(10, 3, "uint16")
    with pytest.raises(ValueError, match="features"):
        _core.assign(X, X[:2].astype(float), np.full(10, -1, np.int32), 1, None, ([0, 0], [1, 1]))


def test_labels_of_a_byte_become_wide() -> None:
    for n in [0, 1, 300_000]:
        small = np.random.default_rng(0).integers(0, 256, n, dtype=np.uint8)
        labels = np.empty(n, dtype=np.int32)
        _core.widen_labels(small, labels, 2)
        assert (labels == np.where(small == _core.MAX_SMALL_LABELS, -1, small.astype(np.int32))).all()
