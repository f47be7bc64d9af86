"""Starting centres: distinct, reproducible, and drawn with the right chances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.cluster import kmeans_plusplus
from sklearn.datasets import load_digits

from kmosaic import KMeans
from kmosaic.cluster.seeding import distinct_rows, greedy_kmeans_plus_plus
from kmosaic.engines import MemoryEngine
from reference import Array


def engine(X: Array, weights: Array | None = None) -> MemoryEngine:
    return MemoryEngine(np.ascontiguousarray(X), weights, 2)


def potential(X: Array, seeds: Array) -> float:
    return float(np.square(X[:, None, :] - X[seeds].astype(float)).sum(axis=2).min(axis=1).sum())


@pytest.mark.parametrize("draw", [greedy_kmeans_plus_plus, distinct_rows])
def test_seeds_are_distinct_rows(draw: object) -> None:
    X = np.repeat(load_digits().data.astype(np.uint8)[:40], 6, axis=0)
    rows = draw(engine(X), 40, np.random.RandomState(0))  # type: ignore[operator]
    assert len(np.unique(X[rows], axis=0)) == 40


@pytest.mark.parametrize("draw", [greedy_kmeans_plus_plus, distinct_rows])
def test_too_few_distinct_rows_give_them_all(draw: object) -> None:
    X = np.array([[1, 2], [3, 4], [1, 2], [5, 5], [5, 5]], dtype=np.float32)
    rows = draw(engine(X), 5, np.random.RandomState(0))  # type: ignore[operator]
    assert sorted(X[rows].tolist()) == [[1, 2], [3, 4], [5, 5]]
    signed = np.array([[0.0], [-0.0], [1.0]])
    assert len(draw(engine(signed), 3, np.random.RandomState(0))) == 2  # type: ignore[operator]


def test_the_same_rows_however_they_are_ordered() -> None:
    X = load_digits().data.astype(np.uint8)
    order = np.random.default_rng(3).permutation(len(X))
    for draw in (greedy_kmeans_plus_plus, distinct_rows):
        seeds = X[draw(engine(X), 20, np.random.RandomState(5))]
        assert (seeds == X[order][draw(engine(X[order]), 20, np.random.RandomState(5))]).all()


def test_potential_is_as_low_as_scikit_learns() -> None:
    X = load_digits().data
    ours = [potential(X, greedy_kmeans_plus_plus(engine(X), 30, np.random.RandomState(s))) for s in range(15)]
    theirs = [potential(X, kmeans_plusplus(X, 30, random_state=s)[1]) for s in range(15)]
    assert np.mean(ours) < 1.03 * np.mean(theirs)


def test_first_seed_is_drawn_by_weight() -> None:
    X = np.arange(4, dtype=np.uint8)[:, None]
    weights = np.array([1.0, 2.0, 0.0, 5.0])
    for draw in (greedy_kmeans_plus_plus, distinct_rows):
        state = np.random.RandomState(0)
        counts = np.bincount([draw(engine(X, weights), 1, state)[0] for _ in range(1600)], minlength=4)
        assert counts[2] == 0
        assert stats.chisquare(counts[[0, 1, 3]], [200, 400, 1000]).pvalue > 1e-4


def test_second_seed_is_drawn_by_squared_distance() -> None:
    # One candidate would be drawn as 1 : 4 : 16; greedy keeps the better of two, which favours the outlier.
    X = np.array([[0.0], [1.0], [2.0], [4.0]])
    seconds = []
    state = np.random.RandomState(1)
    for _ in range(1500):
        rows = greedy_kmeans_plus_plus(engine(X), 2, state)
        if rows[0] == 0:
            seconds.append(rows[1])
    counts = np.bincount(seconds, minlength=4)
    # P(j) of the better of two draws: potentials after 1, 2 and 4 are 1 + 9, 1 + 4 and 1 + 4.
    assert counts[0] == 0
    assert counts[1] / len(seconds) == pytest.approx((1 / 21) ** 2, abs=0.02)
    assert counts[3] > counts[2] > counts[1]


def test_seed_changes_the_start_and_nothing_else_does() -> None:
    X = load_digits().data.astype(np.uint8)
    first, again, other = (KMeans(10, random_state=s).fit(X).cluster_centers_ for s in (0, 0, 1))
    assert (first == again).all()
    assert not (first == other).all()
