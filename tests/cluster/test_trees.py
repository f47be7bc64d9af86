"""BisectingKMeans and TwoLevelKMeans: every split is k-means, the tree is whole, the bits are the same."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import BisectingKMeans as Peer
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import reference
from instruction_sets import CPUS, running_on
from kmosaic import BisectingKMeans, KMeans, SphericalKMeans, TwoLevelKMeans
from kmosaic.cluster.two_level import shared
from kmosaic.engines import bisection
from kmosaic.errors import DataError
from reference import Array

X = load_digits().data
ESTIMATORS: list[Any] = [
    BisectingKMeans(12, random_state=0),
    BisectingKMeans(12, random_state=0, bisecting_strategy="largest_cluster", init="random", n_init=2),
    TwoLevelKMeans(12, random_state=0),
    TwoLevelKMeans(12, random_state=0, allocation="size", refine=2),
]


def bits(model: Any) -> tuple[Any, ...]:
    tree = model.tree_
    arrays = (model.labels_, model.cluster_centers_, tree.centers, tree.parents, tree.sizes, tree.inertia)
    return (*(array.tobytes() for array in arrays), model.inertia_)


def test_the_tree_is_that_of_the_labels() -> None:
    for estimator, weighted in product(ESTIMATORS, [False, True]):
        rows = (make_blobs(200, 3, centers=15, random_state=1)[0] * 8 + 128).astype(np.uint8)
        weights = np.random.default_rng(0).choice([0, 0.5, 1, 3], 200) if weighted else None
        model = estimator.fit(rows, sample_weight=weights)
        tree = model.tree_
        assert tree.n_clusters == 12 == len(model.cluster_centers_)
        assert (tree.centers[tree.leaves] == model.cluster_centers_).all()
        for node in range(tree.n_nodes):
            below = np.isin(model.labels_, tree.clusters(node))
            assert tree.sizes[node] == below.sum()
            own = np.zeros(below.sum(), int)
            own_weights = None if weights is None else weights[below]
            centre = tree.centers[node : node + 1]
            expected = reference.inertia(rows[below], centre, own, own_weights)
            assert tree.inertia[node] == pytest.approx(expected, rel=1e-13)
            mean = reference.means(rows[below], own, centre, own_weights)
            assert estimator.get_params().get("refine") or mean == pytest.approx(centre, rel=1e-15)
        if tree.descends:
            assert model.labels_.tolist() == [tree.clusters(reference.leaf(tree, row))[0] for row in rows]
        else:
            assert (model.labels_ == reference.nearest(rows, model.cluster_centers_)).all()
        assert (model.predict(rows) == model.labels_).all()
        assert model.inertia_ == pytest.approx(tree.inertia[tree.leaves].sum(), rel=1e-13)
        assert model.score(rows, sample_weight=weights) == -model.inertia_


def test_every_split_is_a_fixed_point_of_two_means() -> None:
    model = BisectingKMeans(40, random_state=0).fit(X)
    tree = model.tree_
    for node in np.flatnonzero(tree.depths < tree.depths.max()):
        children = tree.children(node)
        if not len(children):
            continue
        rows = X[np.isin(model.labels_, tree.clusters(node))]
        again = KMeans(2, init=tree.centers[children.start : children.stop]).fit(rows)
        assert again.n_iter_ == 2
        assert (again.cluster_centers_ == tree.centers[children.start : children.stop]).all()


def test_each_split_is_of_the_first_in_turn() -> None:
    """As if clusters were split one after the other."""
    for strategy in ["biggest_inertia", "largest_cluster"]:
        model = BisectingKMeans(30, random_state=3, bisecting_strategy=strategy).fit(X)
        tree = model.tree_
        turn = tree.inertia if strategy == "biggest_inertia" else tree.sizes
        leaves = {0}
        for split in range(29):
            node = int(tree.parents[2 * split + 1])
            assert turn[node] == max(turn[leaf] for leaf in leaves)
            leaves = leaves - {node} | set(tree.children(node))
        fewer = BisectingKMeans(11, random_state=3, bisecting_strategy=strategy).fit(X)
        assert (fewer.tree_.centers == tree.centers[:21]).all()
        assert model.inertia_history_[10] == pytest.approx(fewer.inertia_, rel=1e-12)
        assert len(model.inertia_history_) == 30
        assert (np.diff(model.inertia_history_) <= 0).all()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["uint8", "uint16", "float32", "float64"]), st.booleans())
@pytest.mark.filterwarnings("ignore:.*distinct")
def test_same_bits_whatever_runs_them(seed: int, dtype: str, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    n, d = random.integers(20, 150), random.integers(1, 12)
    rows = (random.integers(0, random.choice([3, 200]), (n, d))).astype(dtype)
    weights = random.integers(0, 4, n) + 0.5 if weighted else None
    order = random.permutation(n)
    for estimator in ESTIMATORS:
        model = estimator.set_params(n_threads=1, random_state=5)
        expected = bits(model.fit(rows, sample_weight=weights))
        for cpu in CPUS:
            with running_on(cpu):
                again = model.set_params(n_threads=3).fit(rows, sample_weight=weights)
                assert bits(again) == expected
        model.fit(rows[order], sample_weight=None if weights is None else weights[order])
        assert model.labels_.tobytes() == np.frombuffer(expected[0], np.int32)[order].tobytes()
        assert bits(model)[1:] == expected[1:]


def test_rows_of_tiny_magnitude() -> None:
    """Both are scaled alike before anything is hashed, drawn or summed."""
    rows = np.random.default_rng(0).normal(size=(200, 3))
    for estimator in ESTIMATORS:
        small, smaller = (
            estimator.set_params(random_state=0).fit(rows * factor).tree_ for factor in (2.0**-300, 2.0**-450)
        )
        assert (smaller.centers == small.centers * 2.0**-150).all()
        assert (smaller.inertia == small.inertia * 2.0**-300).all()
        assert small.inertia.max() > 0


def test_an_engine_and_the_steps_of_many_nodes_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_blobs(3000, 5, centers=40, random_state=1)[0]
    weights = np.random.default_rng(0).uniform(0.5, 2, 3000)
    for tol, values in product([0.0, 1e-3], [1 << 19, 1]):
        found = []
        for least in (1, 10**9):
            monkeypatch.setattr(bisection, "_MIN_ROWS_OF_ENGINE", least)
            monkeypatch.setattr(bisection, "_VALUES_AT_A_TIME", values)
            found.append(bits(BisectingKMeans(30, random_state=0, tol=tol).fit(rows, sample_weight=weights)))
        assert found[0] == found[1]


def test_a_seed_is_drawn_in_its_own_segment() -> None:
    values = np.array([1e30, 0.0, 1e30, 0.0, 1e-30, 3e-30, 0.0, 0.0, 0.0])
    offsets = np.array([0, 3, 7, 9])
    for number, expected in ((0.0, [0, 4, 8]), (0.24, [0, 4, 8]), (0.26, [0, 5, 8]), (1 - 2**-53, [2, 5, 8])):
        assert bisection._drawn(values, offsets, np.full(3, number)).tolist() == expected


def test_inertia_is_no_worse_than_that_of_peers() -> None:
    rows = X[:600]
    ours = [BisectingKMeans(20, random_state=seed).fit(rows).inertia_ for seed in range(8)]
    with threadpool_limits(1):
        peers = [Peer(20, random_state=seed, init="k-means++").fit(rows).inertia_ for seed in range(8)]
    assert np.mean(ours) <= 1.02 * np.mean(peers)
    flat = KMeans(20, random_state=0).fit(rows).inertia_
    two = TwoLevelKMeans(20, random_state=0).fit(rows).inertia_
    refined = TwoLevelKMeans(20, random_state=0, refine=10).fit(rows).inertia_
    assert flat * 0.97 < refined < two < np.mean(ours)


def test_fewer_distinct_rows_than_clusters() -> None:
    for estimator in [BisectingKMeans, TwoLevelKMeans]:
        rows = np.repeat(np.eye(3), 5, axis=0)
        with pytest.warns(ConvergenceWarning, match="lower n_clusters to 3"):
            model = estimator(7, random_state=0).fit(rows)
        assert len(model.cluster_centers_) == 3 == model.tree_.n_clusters
        assert model.inertia_ == 0
        one = estimator(1).fit(rows)
        assert one.tree_.n_nodes == 1
        assert one.cluster_centers_ == pytest.approx(np.full((1, 3), 1 / 3))
        assert set(one.predict(rows)) == {0}


def test_given_starts_of_a_split() -> None:
    def lowest_and_far(rows: Array, n_clusters: int, random_state: Any) -> Array:
        assert isinstance(random_state, np.random.RandomState)
        assert n_clusters == 2
        return np.stack([rows[0], rows[0] + 1e6])  # one half has no rows at first

    model = BisectingKMeans(9, init=lowest_and_far).fit(X)
    assert model.tree_.sizes[model.tree_.leaves].min() > 0
    assert (model.predict(X) == model.labels_).all()
    with pytest.raises(ValueError, match=r"init has shape \(3, 64\)"):
        BisectingKMeans(9, init=lambda rows, *_: rows[:3]).fit(X)


def test_shares_of_clusters() -> None:
    wants, most = np.array([50.0, 30.0, 20.0, 0.0]), np.array([100, 4, 100, 100])
    assert shared(wants, 20, most).tolist() == [11, 4, 4, 1]
    assert shared(wants, 10**6, np.array([3, 1, 2, 5])).tolist() == [3, 1, 2, 5]


def test_callbacks_hear_how_far_it_is() -> None:
    for estimator in (BisectingKMeans, TwoLevelKMeans):
        heard: list[Any] = []
        model = estimator(20, random_state=0, callback=heard.append).fit(X)
        assert heard[-1].inertia == pytest.approx(model.inertia_)
        assert 0 < heard[-1].iteration <= heard[-1].max_iter
    assert heard[-1].restart + 1 == heard[-1].n_init == 4


def test_bad_input() -> None:
    for model, message in [
        (
            BisectingKMeans(3, bisecting_strategy="deepest"),
            "'bisecting_strategy'.*'largest_cluster'.*'deepest'",
        ),
        (BisectingKMeans(3, init=X[:3]), "'init'"),
        (BisectingKMeans(3, n_init="auto"), "'n_init'"),
        (BisectingKMeans(3000), "n_samples=1797.*n_clusters=3000"),
        (TwoLevelKMeans(3, n_groups=4), "n_groups=4.*n_clusters=3"),
        (TwoLevelKMeans(3, allocation="fair"), "'allocation'.*'fair'"),
        (TwoLevelKMeans(3, refine=-1), "'refine'.*Got -1"),
        (TwoLevelKMeans(3000), "n_samples=1797.*n_clusters=3000"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(X)


def test_dask_arrays_are_refused() -> None:
    arrays = pytest.importorskip("dask.array", reason="pip install 'kmosaic[dask]'")
    for kind in (BisectingKMeans, TwoLevelKMeans, SphericalKMeans):
        model = kind(3, random_state=0).fit(X)
        for use in (kind(3).fit, model.predict, model.transform, model.score):
            with pytest.raises(DataError, match=r"X\.compute"):
                use(arrays.from_array(X))
