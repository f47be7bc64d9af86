"""The assignment step equals brute force, on every instruction set, for every dtype and awkward data."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from instruction_sets import CPUS, on_every_cpu, running_on
from kmosaic import _core
from kmosaic.engines import nearest_centers
from reference import Array, nearest

DTYPES = ["uint8", "uint16", "float32", "float64"]


def assign(X: Array, centers: Array, n_threads: int = 1) -> Array:
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
def test_random_rows() -> None:
    for dtype, (n, d, k) in product(DTYPES, [(1, 1, 1), (7, 3, 2), (65, 17, 16), (40, 64, 33), (9, 257, 50)]):
        X = rows(n, d, dtype)
        centers = rows(k, d, dtype, seed=1) + 0.25
        assert (assign(X, centers) == nearest(X, centers)).all(), (dtype, n, d, k)


@on_every_cpu
def test_every_row_on_a_tie() -> None:
    for dtype in DTYPES:
        # Each row lies halfway between two centres; the lower number must win whatever the order.
        left = rows(20, 5, dtype, seed=2).astype(np.float64) // 4
        right = left + 2
        X = (left + 1).astype(dtype)
        centers = np.concatenate([right, left])
        labels = assign(X, centers)
        assert (labels == nearest(X, centers)).all(), dtype
        assert (labels < 20).any()


@on_every_cpu
def test_centres_a_rounding_apart() -> None:
    for dtype in DTYPES:
        # Inside the rounding error of float32, and most inside that of float64: only exact sums can tell.
        X = rows(30, 12, dtype, seed=3)
        random = np.random.default_rng(4)
        base = X[:6].astype(np.float64) + 1
        centers = np.concatenate([base * (1 + s * 2.0**-e) for e in (20, 26, 40, 50, 52) for s in (-1, 1)])
        random.shuffle(centers)
        assert (assign(X, centers) == nearest(X, centers)).all(), dtype


@on_every_cpu
def test_duplicated_and_constant_rows() -> None:
    for dtype in DTYPES:
        X = np.repeat(rows(3, 4, dtype), 5, axis=0)
        assert (assign(X, X.astype(np.float64)) == np.repeat([0, 5, 10], 5)).all(), dtype
        constant = np.zeros((10, 3), dtype=dtype)
        assert (assign(constant, np.zeros((4, 3))) == 0).all()


@on_every_cpu
def test_far_from_zero() -> None:
    for offset in [1e4, 1e8, -1e12]:
        X = offset + rows(50, 6, "float64")
        centers = offset + rows(9, 6, "float64", seed=1)
        assert (assign(X, centers) == nearest(X, centers)).all(), offset


@on_every_cpu
def test_extreme_magnitudes() -> None:
    for scale in [1e-30, 1e30, 1e-160, 1e200]:
        X = scale * rows(30, 5, "float64")
        centers = scale * rows(8, 5, "float64", seed=1)
        unscaled = nearest(X / scale, centers / scale)
        assert (assign(X, centers) == unscaled).all(), scale


@on_every_cpu
def test_a_row_that_float32_cannot_square() -> None:
    X = np.array([[0.0, 1.0], [1e25, -1e25], [3.0, 3.0]])
    centers = np.array([[0.0, 0.0], [3.0, 2.0], [1.0, -1.0]])
    assert assign(X, centers).tolist() == nearest(X, centers).tolist()


def test_many_features_and_many_clusters() -> None:
    for n, d, k in [(40, 5000, 3), (60, 2, 5000), (30, 1, 700)]:
        X = rows(n, d, "uint8")
        centers = rows(k, d, "uint8", seed=1) + 0.5
        expected = nearest(X, centers)
        for cpu in CPUS:
            if cpu == "scalar" and n * d * k > 500_000:
                continue  # slow, and these shapes reach no code of their own there
            with running_on(cpu):
                assert (assign(X, centers) == expected).all(), (n, d, k)


# Rows and centres of these numbers are assigned as bytes, whatever their type; fewer rows are not.
MANY_ROWS, MANY_CENTERS, FEW_ROWS = 8192, 512, 4096


def in_parts(X: Array, centers: Array) -> Array:
    return np.concatenate([assign(X[s : s + FEW_ROWS], centers) for s in range(0, len(X), FEW_ROWS)])


def test_so_many_rows_that_they_become_bytes() -> None:
    for dtype, kind in product(DTYPES, ["spread", "ties", "magnitudes"]):
        X = rows(MANY_ROWS, 40, dtype)
        if kind == "ties":
            X = (X.astype(np.float64) % 3 // 1).astype(dtype)
        elif kind == "magnitudes" and np.dtype(dtype).kind == "f":  # bytes cannot tell such rows apart
            X *= (10.0 ** np.random.default_rng(5).integers(-9, 9, (len(X), 1))).astype(dtype)
        centers = np.concatenate([X[: MANY_CENTERS - 8], X[:8]]).astype(np.float64)
        expected = nearest(X[::64], centers)
        for cpu in CPUS:
            with running_on(cpu):
                labels = assign(X, centers, n_threads=2)
                assert (labels == in_parts(X, centers)).all(), (dtype, kind)
                assert (labels[::64] == expected).all(), (dtype, kind)


def test_more_rows_than_become_bytes_at_a_time() -> None:
    X = rows(MANY_ROWS + 600, 2048, "float32")
    X[MANY_ROWS + 300 :] *= 1e6  # far out of the first bytes' range
    centers = X[-MANY_CENTERS:].astype(np.float64)
    assert (assign(X, centers, n_threads=2) == in_parts(X, centers)).all()


@on_every_cpu
def test_labels_from_before_change_nothing() -> None:
    for dtype in DTYPES:
        # Filters may start from a row's previous centroid; however wrong it is, the answer is the same.
        random = np.random.default_rng(7)
        X = rows(300, 30, dtype)
        centers = np.concatenate([rows(40, 30, dtype, seed=1) + 0.25, X[:20] + 0.5, X[:4]], dtype=np.float64)
        expected = nearest(X, centers)
        for low in (-1, 0):
            labels = random.integers(low, 64, 300).astype(np.int32)
            before = labels.copy()
            n_changed = _core.assign(X, centers, labels, 2)
            assert (labels == expected).all(), dtype
            assert n_changed == (before != expected).sum()


@on_every_cpu
def test_centres_far_outside_the_range_of_bytes() -> None:
    X = rows(200, 9, "uint8")
    near = rows(10, 9, "uint8", seed=1) * 1.5 - 60
    for far in (1e3, -1e6, 1e15, 1e40, 1e160):
        centers = np.concatenate([near, near[:3] + far, near[:1] * far])
        assert (assign(X, centers) == nearest(X, np.clip(centers, -1e100, 1e100))).all()


@on_every_cpu
def test_sums_beyond_float32_stay_exact() -> None:
    # 784 x 255 x 255 is past 2^24: the nearest differ from the rest by one in some 5 x 10^7.
    X = np.full((4, 784), 255, dtype=np.uint8)
    X[1, 0] = X[2, 1] = X[3, 2] = 254
    centers = X.astype(np.float64)
    assert assign(X, centers).tolist() == [0, 1, 2, 3]


@on_every_cpu
def test_any_start_in_memory() -> None:
    for dtype in DTYPES:
        X = rows(50, 7, dtype)
        centers = rows(5, 7, dtype, seed=1).astype(np.float64)
        whole = assign(X, centers)
        for first in (1, 2, 3, 13):
            part = np.empty(X[first:].size + first, dtype=dtype)[first:].reshape(-1, 7)
            part[:] = X[first:]
            assert (assign(part, centers) == whole[first:]).all(), dtype


def test_unaligned_and_strided_rows_are_copied() -> None:
    X = rows(20, 4, "float32")
    centers = rows(3, 4, "float32", seed=1).astype(np.float64)
    shifted = np.frombuffer(b"\0" + X.tobytes(), dtype=np.uint8)[1:].view(np.float32).reshape(20, 4)
    for same in (shifted, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X[:, ::-1][:, ::-1]):
        assert (nearest_centers(same, centers) == nearest(X, centers)).all()


@on_every_cpu
def test_gaps_below_any_fixed_precision() -> None:
    for dtype in DTYPES:
        # Distances that agree to more digits than double-double has; only exact sums tell them apart.
        row = np.array([[255, 0]]).astype(dtype)
        for tiny in (1e-13, 1e-40, 1e-100):
            assert assign(row, np.array([[0.0, tiny], [0.0, 0.0]])).tolist() == [1], dtype
            assert assign(row, np.array([[0.0, 0.0], [0.0, tiny]])).tolist() == [0], dtype
            assert assign(row, np.array([[0.0, tiny], [0.0, -tiny]])).tolist() == [0], dtype
        if dtype[0] == "f":
            far = np.array([[1e16, 0.0], [1e20, 0.0], [-1e30, 1.0]]).astype(dtype)
            for centers in (np.array([[0.0, 0.1], [0.0, 0.0]]), np.array([[0.1, 0.0], [0.3, 1e-9]])):
                assert (assign(far, centers) == nearest(far, centers)).all(), dtype


@st.composite
def awkward(draw: st.DrawFn) -> tuple[Array, Array]:
    """Small whole numbers in 1/4 steps: ties and near-ties at every turn."""
    d = draw(st.integers(1, 6))
    value = st.integers(0, 6)
    X = draw(st.lists(st.lists(value, min_size=d, max_size=d), min_size=1, max_size=20))
    centers = draw(st.lists(st.lists(value, min_size=d, max_size=d), min_size=1, max_size=20))
    return np.array(X), np.array(centers) / 4 + draw(st.sampled_from([0.0, 1 / 3, 0.1]))


@settings(max_examples=150, deadline=None)
@given(awkward(), st.sampled_from(DTYPES))
def test_ties_everywhere(data: tuple[Array, Array], dtype: str) -> None:
    X, centers = data[0].astype(dtype), data[1]
    assert (assign(X, centers) == nearest(X, centers)).all()
