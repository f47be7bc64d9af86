"""Clusters that lose all their rows, by each policy."""

from __future__ import annotations

import numpy as np
import pytest

from kmosaic import DataError, KMeans
from reference import Array

# Three groups; the fourth starting centre is nearest to nothing.
X = np.array([[0, 0], [1, 0], [0, 1], [50, 50], [51, 50], [100, 0], [100, 9], [100, 30]], dtype=np.uint8)
START = np.array([[0.0, 0.0], [50.0, 50.0], [100.0, 0.0], [250.0, 250.0]])


def fit(policy: str, data: Array = X, start: Array = START) -> KMeans:
    return KMeans(len(start), init=start, empty_clusters=policy, random_state=0).fit(data)


def test_relocate_takes_the_row_that_costs_most() -> None:
    model = KMeans(4, init=START, max_iter=1).fit(X)
    # At START [100, 30] costs 900, more than any other row.
    assert [100.0, 30.0] in model.cluster_centers_.tolist()
    assert len(np.unique(fit("relocate").labels_)) == 4


def test_random_takes_any_row_and_depends_on_the_seed_alone() -> None:
    models = [KMeans(4, init=START, empty_clusters="random", random_state=seed).fit(X) for seed in range(12)]
    assert all(len(np.unique(model.labels_)) == 4 for model in models)
    assert len({model.inertia_ for model in models}) > 1
    again = KMeans(4, init=START, empty_clusters="random", random_state=5).fit(X)
    assert (again.cluster_centers_ == models[5].cluster_centers_).all()


def test_drop_ends_with_fewer() -> None:
    model = fit("drop")
    assert model.cluster_centers_.shape == (3, 2)
    assert set(model.labels_) == {0, 1, 2}
    assert model.transform(X).shape == (8, 3)
    assert len(model.get_feature_names_out()) == 3


def test_error_names_the_cluster() -> None:
    with pytest.raises(DataError, match="cluster 3"):
        fit("error")


def test_several_at_once() -> None:
    start = np.concatenate([START[:1], START[:1] + 200, START[:1] + 220, START[:1] + 240])
    model = fit("relocate", start=start)
    assert len(np.unique(model.labels_)) == 4


def test_equal_rows_are_not_relocated_twice() -> None:
    data = np.array([[0], [1], [200], [200], [200]], dtype=np.uint8)
    model = fit("relocate", data, np.array([[0.0], [-500.0], [-600.0]]))
    assert sorted(model.cluster_centers_.ravel().tolist()) == [0, 1, 200]


def test_rows_without_weight_found_no_cluster() -> None:
    weights = np.array([1, 1, 1, 1, 1, 1, 1, 0])
    model = KMeans(4, init=START, max_iter=1).fit(X, sample_weight=weights)
    assert [100.0, 30.0] not in model.cluster_centers_.tolist()
    assert [100.0, 9.0] in model.cluster_centers_.tolist()


def test_dropping_keeps_rows_without_weight_labelled() -> None:
    data = np.array([[0], [1], [200]], dtype=np.uint8)
    start = np.array([[0.0], [200.0]])
    model = KMeans(2, init=start, empty_clusters="drop").fit(data, sample_weight=[1, 1, 0])
    assert model.cluster_centers_.tolist() == [[0.5]]
    assert model.labels_.tolist() == [0, 0, 0]


def test_fewer_distinct_rows_than_clusters_is_told() -> None:
    for policy in ["relocate", "random"]:
        from sklearn.exceptions import ConvergenceWarning

        data = np.repeat(np.array([[1, 2], [3, 4], [9, 9]], dtype=np.uint8), 4, axis=0)
        with pytest.warns(ConvergenceWarning, match="3 distinct.*n_clusters=5.*n_clusters.*3"):
            model = KMeans(5, empty_clusters=policy, random_state=0).fit(data)
        assert model.cluster_centers_.shape == (5, 2)
        assert model.inertia_ == 0
        assert model.converged_


def test_a_stop_before_clusters_are_filled_is_told() -> None:
    from sklearn.exceptions import ConvergenceWarning

    # The one update step leaves the first centre without rows.
    data = np.array([[1, 8], [7, 6], [1, 9], [9, 6], [3, 9]], dtype=np.uint8)
    start = np.array([[6.0, 11.0], [3.0, 4.0], [9.0, 2.0]])
    with pytest.warns(ConvergenceWarning, match="2 of n_clusters=3.*max_iter"):
        KMeans(3, init=start, max_iter=1).fit(data)
    assert len(np.unique(KMeans(3, init=start).fit(data).labels_)) == 3


def test_fewer_distinct_rows_may_drop() -> None:
    data = np.repeat(np.array([[1, 2], [3, 4], [9, 9]], dtype=np.uint8), 4, axis=0)
    assert KMeans(5, empty_clusters="drop", random_state=0).fit(data).cluster_centers_.shape == (3, 2)
