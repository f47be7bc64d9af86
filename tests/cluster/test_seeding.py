"""Starting centres: distinct, reproducible, and drawn with the right chances."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.cluster import kmeans_plusplus
from sklearn.datasets import load_digits

from instruction_sets import CPUS, on_every_cpu, running_on
from kmosaic import KMeans, _core
from kmosaic.cluster.seeding import distinct_rows, greedy_kmeans_plus_plus
from kmosaic.engines import MemoryEngine
from reference import Array


def engine(X: Array, weights: Array | None = None) -> MemoryEngine:
    return MemoryEngine(np.ascontiguousarray(X), weights, 2)


def squared_distances(X: Array, row: int) -> Array:
    """float64; exact for whole numbers. Features are added in no order that the core promises."""
    return np.square(X.astype(np.float64) - X[row].astype(np.float64)).sum(axis=1)


def slow_greedy_seeds(
    X: Array, weights: Array, order: Array, k: int, state: np.random.RandomState
) -> list[int]:
    """Greedy k-means++ as it is written down: every distance, every step."""
    nearest, chosen = np.full(len(X), np.inf), []
    while len(chosen) < k:
        mass = np.cumsum((nearest * weights if chosen else weights)[order])
        if mass[-1] == 0:
            break
        numbers = state.uniform(size=2 + int(np.log(k)) if chosen else 1)
        tried = order[np.searchsorted(mass, numbers * mass[-1], side="right")]
        left = [(np.minimum(nearest, squared_distances(X, row)) * weights).sum() for row in tried]
        chosen.append(int(tried[np.argmin(left)]))
        nearest = np.minimum(nearest, squared_distances(X, chosen[-1]))
    return chosen


def datasets() -> dict[str, Array]:
    random = np.random.default_rng(7)
    clusters = random.integers(0, 256, (9, 70))[random.integers(0, 9, 900)]
    far = np.clip(clusters[:, :40] + random.integers(-20, 20, (900, 40)), 0, 255)
    far[3] = 255
    return {
        "pixels": random.integers(0, 256, (4000, 3)),
        "few values": random.integers(0, 4, (3000, 2)),
        "clusters": np.clip(clusters + random.integers(-30, 30, clusters.shape), 0, 255),
        "an outlier": far,
        "repeated": np.repeat(random.integers(0, 256, (40, 50)), 7, axis=0),
        "constant": np.full((60, 40), 9),
        "wide": random.integers(0, 256, (130, 1500)),
        "sketched": np.clip(random.normal(128, 30, (4500, 6)) @ random.normal(0, 1, (6, 300)), 0, 255),
        "one row": random.integers(0, 256, (1, 64)),
    }


DATASETS = datasets()


def weights_of(X: Array) -> Array:
    """Whole numbers: every sum is exact, in whatever order it is added."""
    return np.random.default_rng(1).integers(0, 5, len(X)) + float(len(X) == 1)


@cache
def slow_seeds_of(name: str, weighted: bool, order: tuple[int, ...]) -> list[int]:
    X = DATASETS[name].astype(np.uint8)
    weights = weights_of(X) if weighted else np.ones(len(X))
    return slow_greedy_seeds(X, weights, np.array(order), min(12, len(X)), np.random.RandomState(3))


@on_every_cpu
def test_the_seeds_of_the_slow_oracle() -> None:
    for name, weighted in product(DATASETS, [False, True]):
        X = DATASETS[name].astype(np.uint8)
        weights = weights_of(X) if weighted else None
        order = engine(X).hash_order()
        k = min(12, len(X))
        expected = slow_seeds_of(name, weighted, tuple(order.tolist()))
        for dtype, n_threads in (("uint8", 1), ("uint8", 3), ("uint16", 3), ("float32", 1), ("float64", 3)):
            given = MemoryEngine(X.astype(dtype), weights, n_threads)
            assert (given.hash_order() == order).all()
            seeds = greedy_kmeans_plus_plus(given, k, np.random.RandomState(3))
            assert seeds.tolist() == expected, (dtype, n_threads)


def test_as_many_seeds_as_distinct_rows() -> None:
    for n_features, weighted in product([1, 2, 16, 40], [False, True]):
        random = np.random.default_rng(n_features)
        X = np.clip(random.normal(128, 40, (330, n_features)), 0, 255).astype(np.uint8)
        X[-30:] = X[:30]
        weights = random.integers(0, 5, len(X)).astype(float) if weighted else None
        order = engine(X).hash_order()
        ones = np.ones(len(X)) if weights is None else weights
        expected = slow_greedy_seeds(X, ones, order, len(X), np.random.RandomState(2))
        assert len(expected) == len(np.unique(X[ones > 0], axis=0))
        for cpu, dtype in product(CPUS, ("uint8", "uint16", "float32", "float64")):
            with running_on(cpu):
                given = MemoryEngine(X.astype(dtype), weights, 2)
                seeds = greedy_kmeans_plus_plus(given, len(X), np.random.RandomState(2))
                assert seeds.tolist() == expected, (dtype, n_features, weighted)


@on_every_cpu
def test_what_seeds_take_off_real_rows() -> None:
    # Squares are in the units of scaled rows, where they keep their digits.
    for scale, shape in [(1.0, (4500, 200)), *product([1.0, 1e60, 1e-150], [(700, 45), (900, 3)])]:
        random = np.random.default_rng(5)
        middles = random.normal(0, 1, (8, shape[1]))
        X = (middles[random.integers(0, 8, shape[0])] + random.normal(0, 0.4, shape)) * scale
        weights = random.uniform(0, 2, len(X))
        given = engine(X, weights)
        seeder, screened = given.seeder(8), np.full(len(X), np.inf)
        X = np.ldexp(X, given.exponent)
        unscreened = _core.Seeder(X, weights, given.hash_order(), None)
        for step in range(8):
            tried = random.integers(0, len(X), 7).tolist()
            gains = seeder.gains(tried, 2)
            assert gains.tobytes() == unscreened.gains(tried, 3).tobytes()
            if step:
                taken = [
                    (np.maximum(screened - squared_distances(X, row), 0) * weights).sum() for row in tried
                ]
                np.testing.assert_allclose(gains, taken, rtol=1e-9)
            best = seeder.add_best(tried, 1)
            assert best == unscreened.add_best(tried, 2) == tried[int(np.argmax(gains))]
            screened = np.minimum(screened, squared_distances(X, best))
            np.testing.assert_allclose(seeder.nearest, screened, rtol=1e-12)
            assert seeder.nearest.tobytes() == unscreened.nearest.tobytes()
            assert (seeder.labels == unscreened.labels).all()


def test_labels_name_the_nearest_seed() -> None:
    X = load_digits().data.astype(np.uint8)
    given = engine(X)
    seeder = given.seeder(25)
    seeds = [seeder.add_best(seeder.draw(np.random.RandomState(s).uniform(size=4)), 2) for s in range(25)]
    assert (seeder.labels == np.argmin([squared_distances(X, seed) for seed in seeds], axis=0)).all()


def test_real_images(shared_data_mnist: Array) -> None:
    X = shared_data_mnist[:5000]
    order = engine(X).hash_order()
    expected = slow_greedy_seeds(X, np.ones(len(X)), order, 12, np.random.RandomState(0))
    for cpu, dtype in product(CPUS, ("uint8", "float32")):
        with running_on(cpu):
            seeds = greedy_kmeans_plus_plus(engine(X.astype(dtype)), 12, np.random.RandomState(0))
            assert seeds.tolist() == expected, dtype


def test_random_rows_are_the_largest_keys() -> None:
    X = np.random.default_rng(0).integers(0, 256, (3000, 2)).astype(np.uint8)
    order, distinct = engine(X).hash_order(), engine(X).distinct_rows()
    assert distinct.weights.sum() == len(X)
    assert len(distinct.starts) == len(np.unique(X, axis=0))
    keys = np.log(distinct.weights) + np.random.RandomState(4).gumbel(size=len(distinct.starts))
    expected = order[distinct.starts[np.argsort(-keys)[:50]]]
    assert distinct_rows(engine(X), 50, np.random.RandomState(4)).tolist() == expected.tolist()


def test_bad_candidates_are_refused() -> None:
    seeder = engine(np.arange(20, dtype=np.uint8)[:, None]).seeder(2)
    for candidates in ([], [20], list(range(17))):
        with pytest.raises(ValueError, match="candidates"):
            seeder.add_best(candidates, 1)


def potential(X: Array, seeds: Array) -> float:
    return float(np.square(X[:, None, :] - X[seeds].astype(float)).sum(axis=2).min(axis=1).sum())


def test_seeds_are_distinct_rows() -> None:
    for draw in [greedy_kmeans_plus_plus, distinct_rows]:
        X = np.repeat(load_digits().data.astype(np.uint8)[:40], 6, axis=0)
        rows = draw(engine(X), 40, np.random.RandomState(0))  # type: ignore[operator]
        assert len(np.unique(X[rows], axis=0)) == 40


def test_too_few_distinct_rows_give_them_all() -> None:
    for draw in [greedy_kmeans_plus_plus, distinct_rows]:
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
