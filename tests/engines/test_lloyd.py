"""The Lloyd loop equals the oracle's, and J never rises."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, make_blobs

import reference
from instruction_sets import on_every_cpu
from kmosaic import KMeans
from kmosaic.engines import LloydOptions, lloyd, make_engine
from reference import Array


@on_every_cpu
def test_equals_the_oracle() -> None:
    for dtype, weighted in product(["uint8", "uint16", "float32", "float64"], [False, True]):
        X = (make_blobs(150, 3, centers=6, random_state=1)[0] * 8 + 128).astype(dtype)
        weights = np.random.default_rng(0).uniform(0.5, 2, 150) if weighted else None
        start = X[[0, 30, 60, 90]].astype(np.float64)
        expected = reference.lloyd(X, start, weights)
        found = KMeans(4, init=start).fit(X, sample_weight=weights)
        assert (found.labels_ == expected.labels).all(), (dtype, weighted)
        assert (found.cluster_centers_ == expected.centers).all()
        assert found.inertia_ == pytest.approx(expected.inertia, rel=4e-16)
        assert found.n_iter_ == expected.n_iter
        assert found.converged_


def rises(history: Array) -> Array:
    return np.flatnonzero(np.diff(history) > 0)


@pytest.mark.filterwarnings("ignore:X has only .* distinct rows")
@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["uint8", "uint16", "float32", "float64"]),
    st.sampled_from(["relocate", "random", "drop"]),
    st.sampled_from([0.0, 1e3, 1e7, -1e10]),
    st.booleans(),
)
def test_inertia_never_rises(
    seed: int, dtype: str, empty_clusters: str, offset: float, weighted: bool
) -> None:
    random = np.random.default_rng(seed)
    n, d, k = random.integers(20, 150), random.integers(1, 8), random.integers(2, 15)
    X = random.normal(0, 20, (n, d)) + offset if dtype[0] == "f" else random.integers(0, 30, (n, d))
    weights = random.choice([0, 0.1, 1, 7.3], n, p=[0.1, 0.3, 0.3, 0.3]) if weighted else None
    # A start with centres far from all rows makes empty clusters, too.
    start = np.concatenate([X[: k - 1], X[:1] + 500.0])
    model = KMeans(int(k), init=start, empty_clusters=empty_clusters, random_state=0, max_iter=60)
    history = model.fit(X.astype(dtype), sample_weight=weights).inertia_history_
    assert not len(rises(history))
    assert history[-1] == model.inertia_
    assert len(history) in (2 * model.n_iter_ - 1, 2 * model.n_iter_ + 1)


def test_inertia_beside_an_outlier() -> None:
    for outlier in [1e15, 1e17, 1e30]:
        X = np.random.default_rng(0).uniform(0, 16, (60, 8))
        X[0] = outlier
        model = KMeans(4, random_state=0).fit(X)
        exact = reference.inertia(X, model.cluster_centers_, model.labels_)
        assert model.inertia_ == pytest.approx(exact, rel=1e-14)
        assert not len(rises(model.inertia_history_))


def test_inertia_under_weights_of_unlike_size() -> None:
    X = np.random.default_rng(0).uniform(0, 16, (60, 8))
    weights = np.r_[np.ones(59), 1e30]
    model = KMeans(4, random_state=0).fit(X, sample_weight=weights)
    exact = reference.inertia(X, model.cluster_centers_, model.labels_, weights)
    assert model.inertia_ == pytest.approx(exact, rel=1e-14)


def test_stopping_early_leaves_labels_and_inertia_of_the_final_centres() -> None:
    X = load_digits().data
    model = KMeans(20, random_state=0, max_iter=2).fit(X)
    assert not model.converged_
    assert model.n_iter_ == 2
    assert len(model.inertia_history_) == 5
    assert (model.labels_ == model.predict(X)).all()
    assert model.inertia_ == -model.score(X)


def test_tolerance_ends_a_fit_sooner() -> None:
    X = load_digits().data
    exact, loose = (KMeans(10, random_state=0, tol=tol).fit(X) for tol in (0, 1e-1))
    assert loose.n_iter_ < exact.n_iter_
    assert loose.converged_
    assert loose.inertia_ >= exact.inertia_
    assert (loose.labels_ == loose.predict(X)).all()


def test_a_fixed_point_is_one() -> None:
    X = load_digits().data.astype(np.uint8)
    model = KMeans(36, random_state=0).fit(X)
    again = KMeans(36, init=model.cluster_centers_).fit(X)
    assert again.n_iter_ == 2
    assert (again.cluster_centers_ == model.cluster_centers_).all()


def test_labels_are_the_nearest_where_squares_lose_their_digits() -> None:
    for size in [1e-162, 1e-161, 1e-160, 1e-158]:
        rows = np.random.default_rng(0).normal(size=(2000, 44)) * size
        for seed in range(3):
            model = KMeans(3, n_init=1, random_state=seed).fit(rows)
            assert (model.predict(rows) == model.labels_).all(), size


def constrained(after_update: Callable[[Array], Array | None], max_iter: int = 100) -> LloydOptions:
    return LloydOptions(
        max_iter, 0.0, "relocate", np.random.RandomState(0), lambda *_: None, after_update=after_update
    )


def slow_constrained(X: Array, centers: Array, constraint: Callable[[Array], Array]) -> tuple[Array, Array]:
    history, labels = [], None
    while True:
        squares = np.square(X[:, None] - centers).sum(axis=2)
        history.append(squares.min(axis=1).sum())
        found = squares.argmin(axis=1)
        if labels is not None and (found == labels).all():
            return centers, np.array(history)
        labels = found
        centers = constraint(np.array([X[labels == j].mean(axis=0) for j in range(len(centers))]))
        history.append(np.square(X - centers[labels]).sum())


def to_grid(centers: Array) -> Array:
    return 4 * np.rint(centers / 4)


def to_grid_in_place(centers: Array) -> None:
    centers[:] = to_grid(centers)


def test_constrained_centres() -> None:
    for constraint, dtype in product([to_grid, to_grid_in_place], ["uint8", "float64"]):
        X = (make_blobs(300, 3, centers=6, random_state=1)[0] * 8 + 128).astype(dtype)
        start = X[[0, 30, 60, 90]].astype(np.float64)
        centers, history = slow_constrained(X.astype(np.float64), start, to_grid)
        found = lloyd(make_engine(X, steps_expected=9), start, constrained(constraint))
        assert found.converged
        assert (found.centers == centers).all(), (constraint, dtype)
        assert (found.centers % 4 == 0).all()
        assert found.history == pytest.approx(history, rel=1e-12)
        assert found.inertia == found.history[-1]
        cut = lloyd(make_engine(X, steps_expected=9), start, constrained(constraint, max_iter=1))
        assert cut.history == pytest.approx(history[:3], rel=1e-12)


def test_unit_centres_of_unit_rows_never_raise_inertia() -> None:
    X = np.random.default_rng(6).normal(size=(500, 6))
    X /= np.linalg.norm(X, axis=1, keepdims=True)

    def to_unit_length(centers: Array) -> Array:
        return centers / np.linalg.norm(centers, axis=1, keepdims=True)

    found = lloyd(make_engine(X, steps_expected=9), X[:7].copy(), constrained(to_unit_length))
    assert found.converged
    assert np.linalg.norm(found.centers, axis=1) == pytest.approx(1, rel=1e-15)
    assert (np.diff(found.history) <= 1e-12 * found.history[0]).all()
    assert found.labels.tolist() == (X @ found.centers.T).argmax(axis=1).tolist()


def test_a_constraint_keeps_the_shape() -> None:
    X = np.random.default_rng(6).normal(size=(50, 3))
    with pytest.raises(ValueError, match=r"after_update.*\(2, 3\).*\(4, 3\)"):
        lloyd(make_engine(X), X[:4].copy(), constrained(lambda centers: centers[:2]))
