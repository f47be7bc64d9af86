"""Values and weights of any magnitude: means are right to the digit, beside fractions, or refused."""

from __future__ import annotations

import copy
import itertools
import math
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from instruction_sets import on_every_cpu
from kmosaic import KMeans, MiniBatchKMeans, _core
from kmosaic.engines import Block, BlockEngine, LloydOptions, MemoryEngine, lloyd, nearest_centers
from kmosaic.errors import DataError
from reference import Array, exact_means, exact_squared_distance

MIXED = [0.0, 0.1, -0.1, 1 / 3, 7.0, 1e-30, 1e17, -1e17, 1e34, 1e60, -1e60, 1e99, 1e-160, 1e-200, 5e-324]
TINY = [0.0, 3e-160, 3.1e-160, -2e-160, 1e-161, 9e-170, 1e-320, 5e-324]
WEIGHTS = [0.0, 1.0, 0.1, 7.3, 1e-90, 1e90]
POLICIES = ["relocate", "random", "drop"]


class Cut:
    """Rows in blocks of so many."""

    def __init__(self, rows: Array, length: int) -> None:
        self.rows, self.length = rows, length
        self.n_features, self.dtype = rows.shape[1], rows.dtype

    def map(self, task: Any) -> Any:
        for first in range(0, len(self.rows), self.length):
            yield task(Block(self.rows[first : first + self.length], first))


class Spread(Cut):
    """Rows in blocks whose sums are merged."""

    def merged(self, task: Any) -> Any:
        parts = list(self.map(lambda block: copy.deepcopy(task)(block)))
        for part in parts[1:]:
            parts[0].merge(part)
        return parts[0]


def nearest(X: Array, centers: Array) -> list[int]:
    """The labels of exact arithmetic; ties to the lowest."""
    rows = ([exact_squared_distance(row, centre) for centre in centers] for row in X)
    return [distances.index(min(distances)) for distances in rows]


def exact_inertia(X: Array, centers: Array, labels: Array, weights: Array | None) -> float:
    each = zip(X, labels, [1.0] * len(X) if weights is None else weights, strict=True)
    return float(
        sum((Fraction(float(w)) * exact_squared_distance(x, centers[j]) for x, j, w in each), Fraction(0))
    )


def check_means(X: Array, centers: Array, labels: Array, weights: Array | None = None) -> None:
    """The nearest float64, or the other where a mean lies amid two but for 2^-40 of their distance."""
    for j, mean in exact_means(X, labels, len(centers), weights).items():
        for got, exact in zip(centers[j], mean, strict=True):
            half = Fraction(float(np.spacing(np.abs(float(exact))))) / 2
            assert abs(Fraction(float(got)) - exact) <= half * (1 + Fraction(1, 2**40))


def check_fixed_point(X: Array, centers: Array, labels: Array, weights: Array | None) -> None:
    assert labels.tolist() == nearest(X, centers)
    check_means(X, centers, labels, weights)


def check_history(
    history: Array, X: Array, centers: Array, labels: Array, weights: Array | None = None
) -> None:
    assert (np.diff(history) <= 0).all()
    exact = exact_inertia(X, centers, labels, weights)
    assert history[-1] == pytest.approx(exact, rel=1e-13, abs=5e-324)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Array, Array]:
    """Rows of mixed magnitudes, and centres to start from: rows, and some that are far from all."""
    values = st.sampled_from(draw(st.sampled_from([MIXED, MIXED[:8], TINY])))
    n, d = draw(st.integers(4, 12)), draw(st.integers(1, 3))
    X = np.array(draw(st.lists(st.lists(values, min_size=d, max_size=d), min_size=n, max_size=n)))
    starts = st.one_of(
        st.integers(0, n - 1).map(lambda i: X[i]),
        st.sampled_from([1e61, -1e90, 1e-100]).map(lambda c: np.full(d, c)),
    )
    return X, np.array(draw(st.lists(starts, min_size=2, max_size=4)))


@settings(max_examples=400, deadline=None)
@given(problems(), st.sampled_from(POLICIES), st.booleans(), st.data())
def test_a_converged_fit_is_a_fixed_point(
    problem: tuple[Array, Array], policy: str, weighted: bool, data: Any
) -> None:
    X, start = problem
    weights = (
        np.array(data.draw(st.lists(st.sampled_from(WEIGHTS), min_size=len(X), max_size=len(X))))
        if weighted
        else None
    )
    assume(weights is None or weights.any())
    try:
        model = KMeans(len(start), init=start, empty_clusters=policy, random_state=0).fit(
            X, sample_weight=weights
        )
    except DataError:  # what float64 cannot hold
        assert weighted
        return
    assert model.converged_
    check_fixed_point(X, model.cluster_centers_, model.labels_, weights)
    check_history(model.inertia_history_, X, model.cluster_centers_, model.labels_, weights)
    assert model.score(X, sample_weight=weights) == pytest.approx(-model.inertia_, rel=1e-13, abs=5e-324)
    assert (model.predict(X) == model.labels_).all()
    again = KMeans(len(model.cluster_centers_), init=model.cluster_centers_, empty_clusters=policy).fit(
        X, sample_weight=weights
    )
    assert (again.cluster_centers_ == model.cluster_centers_).all()
    assert (again.labels_ == model.labels_).all()


@settings(max_examples=200, deadline=None)
@given(problems(), st.sampled_from(["relocate", "drop"]), st.sampled_from([Cut, Spread]), st.integers(1, 12))
def test_a_converged_fit_over_blocks_is_that_in_memory(
    problem: tuple[Array, Array], policy: Any, kind: Any, length: int
) -> None:
    X, start = problem
    options = LloydOptions(300, 0.0, policy, np.random.RandomState(0), lambda *_: None)
    found = lloyd(BlockEngine(kind(X, length), 1, keeps_labels=True), start, options)
    expected = lloyd(MemoryEngine(X, None, 1), start, options)
    assert found.converged
    assert (found.centers == expected.centers).all()
    assert (found.counts == expected.counts).all()
    check_fixed_point(X, found.centers, expected.labels, None)
    check_history(found.history, X, found.centers, expected.labels)


def test_a_relocated_row_leaves_nothing_behind() -> None:
    for policy in POLICIES:
        X, start = np.array([[0.1], [1e17], [1e34]]), np.array([[0.0], [1e60], [1e61]])
        model = KMeans(3, init=start, empty_clusters=policy, random_state=0).fit(X)
        check_means(X, model.cluster_centers_, model.labels_)
        if policy != "drop":
            assert model.inertia_ == 0


def test_an_empty_cluster_is_an_error_where_asked_for() -> None:
    X, start = np.array([[0.1], [1e17], [1e34]]), np.array([[0.0], [1e60], [1e61]])
    with pytest.raises(DataError, match="lost all its rows"):
        KMeans(3, init=start, empty_clusters="error").fit(X)


@on_every_cpu
def test_values_that_cancel_leave_the_mean_of_the_rest() -> None:
    X = np.array([[1e60], [0.1], [-1e60], [5e-324], [1e99], [-1e99]])
    model = KMeans(1, init=np.zeros((1, 1))).fit(X)
    assert model.cluster_centers_[0, 0] == float((Fraction(0.1) + Fraction(5e-324)) / 6)
    weights = np.array([0.1, 3.0, 0.1, 1e-90, 7.3, 7.3])
    X[3] = 1e-100
    model = KMeans(1, init=np.zeros((1, 1))).fit(X, sample_weight=weights)
    check_means(X, model.cluster_centers_, model.labels_, weights)


@on_every_cpu
def test_means_of_the_least_numbers_are_rounded_once() -> None:
    for numbers in itertools.product([1, 2, 3, 5, 1 << 20], repeat=3):
        X = np.array([[n * 5e-324] for n in numbers] + [[1e99]])
        model = KMeans(2, init=np.array([[0.0], [1e99]])).fit(X)
        check_means(X, model.cluster_centers_, model.labels_)


@on_every_cpu
def test_weighted_means_beside_fractions() -> None:
    for dtype, span in product(["uint8", "uint16", "float32", "float64"], [0, 90]):
        random = np.random.default_rng(3)
        X = (
            random.integers(0, 250, (40, 5)).astype(dtype)
            if dtype[0] == "u"
            else random.normal(size=(40, 5)).astype(dtype)
        )
        weights = random.uniform(0, 1, 40) * 10.0 ** random.integers(-span, span + 1, 40)
        model = KMeans(6, random_state=0, n_threads=2).fit(X, sample_weight=weights)
        check_fixed_point(X, model.cluster_centers_, model.labels_, weights)
        assert model.inertia_ == pytest.approx(
            exact_inertia(X, model.cluster_centers_, model.labels_, weights), rel=1e-13
        )


def test_weights_too_small_are_refused() -> None:
    for weight in [5e-324, 1e-200, 9e-101]:
        X = np.array([[0.3], [0.4], [9.1], [9.4]])
        for model in (KMeans(2), MiniBatchKMeans(2)):
            with pytest.raises(DataError, match="sample_weight.*1e-100"):
                model.fit(X, sample_weight=[weight] * 4)
        fitted = KMeans(2, random_state=0).fit(X)
        with pytest.raises(DataError, match="sample_weight.*1e-100"):
            fitted.score(X, sample_weight=[weight, 1, 1, 1])
        least = KMeans(2, random_state=0).fit(X, sample_weight=[1e-100] * 4)
        assert (np.sort(least.cluster_centers_, axis=0) == np.sort(fitted.cluster_centers_, axis=0)).all()


def test_weighted_values_beyond_float64_are_refused() -> None:
    with pytest.raises(DataError, match="span"):
        KMeans(1).fit(np.array([[5e-324], [1e99]]), sample_weight=[1.1e-90, 1.0])
    X = np.array([[1e-300], [1.0], [2.0]])  # brought higher, these fit
    weights = np.array([0.3, 0.7, 1e-60])
    model = KMeans(1).fit(X, sample_weight=weights)
    check_means(X, model.cluster_centers_, model.labels_, weights)


def test_a_power_of_two_changes_nothing_else() -> None:
    for exponent, weighted in product([-530, -700, -1000], [False, True]):
        random = np.random.default_rng(0)
        X = np.round(random.normal(size=(400, 6)) * 2**20) / 2**20
        tiny = np.ldexp(X, exponent)
        weights = random.uniform(0, 1, 400) if weighted else None
        start = X[:7]
        for tol in (0.0, 1e-2):
            one = KMeans(7, init=start, tol=tol).fit(X, sample_weight=weights)
            other = KMeans(7, init=np.ldexp(start, exponent), tol=tol).fit(tiny, sample_weight=weights)
            assert (other.labels_ == one.labels_).all()
            assert (other.cluster_centers_ == np.ldexp(one.cluster_centers_, exponent)).all()
            assert other.n_iter_ == one.n_iter_
            assert (other.inertia_history_ == np.ldexp(one.inertia_history_, 2 * exponent)).all()
            assert other.transform(tiny) == pytest.approx(
                np.ldexp(one.transform(X), exponent), rel=1e-15, abs=5e-324
            )
        few = MiniBatchKMeans(7, init=start, batch_size=50, random_state=0).fit(X, sample_weight=weights)
        small = MiniBatchKMeans(7, init=np.ldexp(start, exponent), batch_size=50, random_state=0)
        small.fit(tiny, sample_weight=weights)
        if exponent > -1000:  # whose centres are not rounded to float64's least numbers
            assert (small.labels_ == few.labels_).all()
            assert (small.cluster_centers_ == np.ldexp(few.cluster_centers_, exponent)).all()


def test_distances_of_tiny_values_beside_huge_ones() -> None:
    X = np.array([[0.0, 1e99], [3e-200, 1e99], [0.0, 0.0], [3e-170, 4e-170]])
    model = KMeans(4, init=X).fit(X)
    scale = 10**300
    squared = [[int(exact_squared_distance(row, centre) * scale**2) for centre in X] for row in X]
    expected = np.array([[math.isqrt(square) / scale for square in each] for each in squared])
    assert model.transform(X) == pytest.approx(expected, rel=1e-14)
    assert model.transform(X)[2, 3] == pytest.approx(5e-170, rel=1e-15)


def test_usual_rows_are_not_copied() -> None:
    for X in (np.ones((3, 2), np.float32) * np.float32(1e-44), np.full((3, 2), 1e-59), np.full((3, 2), 1e99)):
        engine = MemoryEngine(X, None, 1)
        engine.assign(X[:1].astype(np.float64))
        assert engine._scaled.rows is X


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*WEIGHTS[1:], 1e-100, 1e100]), min_size=2, max_size=6), st.data())
def test_a_cluster_outweighs_its_rows_but_the_last(weights: list[float], data: Any) -> None:
    X = np.ones((len(weights), 1))
    engine = MemoryEngine(X, np.array(weights), 1)
    sums = engine.assign(np.array([[1.0], [2.0]])).sums
    order = data.draw(st.permutations(range(len(weights))))
    for n_left, row in zip(range(len(weights), 0, -1), order, strict=True):
        assert sums.outweighs(0, weights[row]) == (n_left > 1)
        engine.move(sums, engine.donor(row), 1)
    assert sums.counts[0] == 0
    assert sums.counts[1] == pytest.approx(float(sum(map(Fraction, weights))), rel=2.0**-52, abs=0)


@on_every_cpu
def test_labels_where_squares_vanish_beside_others() -> None:
    for tiny in [2.0**-544, 5e-324, 1e-200]:
        for far in (0.0, 1.0, -3e17, 1e99):
            X = np.array([[0.0, 0.0], [0.0, tiny], [far, 0.0], [far, -tiny]])
            centers = np.array([[1.0, tiny], [1.0, 0.0], [far, tiny], [far, 0.0], [-1.0, 0.0]])
            assert nearest_centers(X, centers).tolist() == nearest(X, centers)


def test_only_numbers_of_clusters_are_weighed() -> None:
    with pytest.raises(ValueError, match="out of range"):
        _core.ClusterSums(2, np.zeros(3)).outweighs(2, 1.0)
