"""Clusters are named after their most common label, whatever the clusterer and whatever the labels are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import DBSCAN, AgglomerativeClustering, Birch, BisectingKMeans, MeanShift
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.cluster import MiniBatchKMeans as SklearnMiniBatchKMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from estimator_checks import assert_passes_all_checks
from kmosaic.cluster import KMeans, MiniBatchKMeans
from kmosaic.evaluate import ClusterClassifier, count_votes


class Given(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """A clusterer told its answer: the first feature is the cluster, the centroids are given."""

    def __init__(self, centers: Any = None, weighted: bool = False) -> None:
        self.centers = centers
        self.weighted = weighted

    def fit(self, X: Any, y: Any = None) -> Given:  # noqa: ARG002
        self.seen_ = X
        self.labels_ = np.asarray(X)[:, 0].astype(int)
        if self.centers is not None:
            self.cluster_centers_ = np.asarray(self.centers, dtype=float)
        return self

    def predict(self, X: Any) -> Any:
        self.asked_ = X
        return np.asarray(X)[:, 0].astype(int)


def naive_names(clusters: list[int], labels: list[Any], n_clusters: int) -> list[Any]:
    """The most common label of each cluster, the lowest of equals; None for a cluster without rows."""
    names = []
    for cluster in range(n_clusters):
        counts = Counter(label for own, label in zip(clusters, labels, strict=True) if own == cluster)
        most = max(counts.values(), default=0)
        names.append(min((label for label, count in counts.items() if count == most), default=None))
    return names


@pytest.mark.parametrize(
    "classifier",
    [
        ClusterClassifier(),
        ClusterClassifier(KMeans(n_clusters=8, random_state=0)),
        ClusterClassifier(KMeans(n_clusters=3, random_state=0)),
    ],
    ids=["8 by default", "8", "3"],
)
def test_scikit_learn_contract(classifier: Any) -> None:
    assert_passes_all_checks(classifier)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc")), min_size=1, max_size=30))
def test_names_are_those_of_a_plain_count(rows: list[tuple[int, str]]) -> None:
    clusters = [cluster for cluster, _ in rows]
    labels = [label for _, label in rows]
    centers = np.arange(5.0).reshape(5, 1) ** 2
    classifier = ClusterClassifier(Given(centers)).fit(np.array(clusters).reshape(-1, 1), labels)
    expected = naive_names(clusters, labels, 5)
    named = [cluster for cluster in range(5) if expected[cluster] is not None]
    for cluster in range(5):
        nearest = min(named, key=lambda other: (abs(centers[other, 0] - centers[cluster, 0]), other))
        source = cluster if cluster in named else nearest
        assert classifier.cluster_names_[cluster] == expected[source]
        members = [label for own, label in rows if own == source]
        shares = [members.count(label) / len(members) for label in classifier.classes_]
        assert_allclose(classifier.label_shares_[cluster], shares, rtol=1e-15)
        assert np.isnan(classifier.cluster_purity_[cluster]) == (cluster not in named)
        if cluster in named:
            assert classifier.cluster_purity_[cluster] == pytest.approx(max(shares))


def test_ties_go_to_the_lowest_label() -> None:
    classifier = ClusterClassifier(Given()).fit([[0], [0], [0], [0]], ["pear", "fig", "pear", "fig"])
    assert classifier.cluster_names_.tolist() == ["fig"]
    assert classifier.predict([[0]]).tolist() == ["fig"]


def test_a_cluster_without_rows_takes_the_nearest_named_one() -> None:
    centers = [[0.0], [10.0], [7.0], [1.0], [6.0]]
    classifier = ClusterClassifier(Given(centers)).fit([[0], [0], [1]], [4, 4, 9])
    assert classifier.cluster_names_.tolist() == [4, 9, 9, 4, 9]
    assert_array_equal(classifier.cluster_purity_, [1.0, 1.0, np.nan, np.nan, np.nan])
    assert_array_equal(classifier.predict_proba([[2], [3]]), [[0, 1], [1, 0]])


def test_without_centroids_an_unseen_cluster_takes_the_shares_of_all_rows() -> None:
    classifier = ClusterClassifier(Given()).fit([[0], [0], [1], [-1]], ["a", "a", "b", "b"])
    assert_array_equal(classifier.label_shares_, [[1, 0], [0, 1]])
    assert_array_equal(classifier.predict_proba([[-1], [7], [1]]), [[0.5, 0.5], [0.5, 0.5], [0, 1]])
    assert classifier.predict([[-1]]).tolist() == ["a"]


def test_noise_alone_still_classifies() -> None:
    classifier = ClusterClassifier(Given()).fit([[-1], [-1], [-1]], [1, 2, 2])
    assert classifier.label_shares_.shape == (0, 2)
    assert classifier.predict([[-1], [0]]).tolist() == [2, 2]


def test_any_clusterer_that_predicts() -> None:
    for clusterer in [
        KMeans(n_clusters=12, random_state=0),
        MiniBatchKMeans(n_clusters=12, random_state=0),
        SklearnKMeans(n_clusters=12, random_state=0),
        SklearnMiniBatchKMeans(n_clusters=12, random_state=0),
        BisectingKMeans(n_clusters=12, random_state=0),
        Birch(n_clusters=12),
        GaussianMixture(n_components=12, random_state=0),
        MeanShift(bandwidth=2.0, bin_seeding=True),
        make_pipeline(StandardScaler(), KMeans(n_clusters=12, random_state=0)),
    ]:
        for as_text in [False, True]:
            X, y = make_blobs(300, centers=[[0, 0], [8, 0], [0, 8]], random_state=0)
            labels: Any = np.array(["ant", "bee", "cat"])[y] if as_text else y
            classifier = ClusterClassifier(clone(clusterer)).fit(X[:200], labels[:200])
            assert classifier.score(X[200:], labels[200:]) > 0.95
            assert classifier.predict(X).dtype == labels.dtype
            assert_allclose(classifier.predict_proba(X).sum(axis=1), 1.0)
            assert classifier.n_features_in_ == 2
            clusters = classifier.clusterer_.predict(X[:200])
            expected = naive_names(list(clusters), list(labels[:200]), len(classifier.cluster_names_))
            present = [cluster for cluster, name in enumerate(expected) if name is not None]
            assert [classifier.cluster_names_[j] for j in present] == [expected[j] for j in present]


def test_clusterers_that_cannot_predict_are_refused() -> None:
    for clusterer in [DBSCAN(), AgglomerativeClustering()]:
        with pytest.raises(TypeError, match=rf"{type(clusterer).__name__}.*predict.*KMeans"):
            ClusterClassifier(clusterer).fit([[0.0], [1.0]], [0, 1])


def test_the_rows_are_passed_on_as_they_are() -> None:
    X = np.zeros((4, 3), dtype=np.uint8)
    classifier = ClusterClassifier(Given()).fit(X, [0, 0, 1, 1])
    assert classifier.clusterer_.seen_ is X
    classifier.predict(X)
    assert classifier.clusterer_.asked_ is X


def test_the_clusterer_given_is_not_changed() -> None:
    clusterer = KMeans(n_clusters=2, random_state=0)
    ClusterClassifier(clusterer).fit([[0.0], [9.0]], ["a", "b"])
    assert not hasattr(clusterer, "cluster_centers_")


def test_labels_do_not_move_the_clusters() -> None:
    X = load_digits().data[:300].astype(np.uint8)
    alone = KMeans(n_clusters=6, random_state=0).fit(X)
    named = ClusterClassifier(KMeans(n_clusters=6, random_state=0)).fit(X, np.arange(300) % 4)
    assert_array_equal(named.clusterer_.cluster_centers_, alone.cluster_centers_)


def test_sample_weight_weighs_votes_and_reaches_the_clusterer() -> None:
    X = np.array([[0.0], [1.0], [2.0], [50.0]])
    y = ["a", "a", "b", "b"]
    weight = [1.0, 1.0, 5.0, 1.0]
    classifier = ClusterClassifier(KMeans(n_clusters=2, random_state=0)).fit(X, y, sample_weight=weight)
    assert classifier.predict([[1.0]]).tolist() == ["b"]
    assert classifier.predict_proba([[1.0]])[0].tolist() == pytest.approx([2 / 7, 5 / 7])
    assert min(classifier.clusterer_.cluster_centers_[:, 0]) == pytest.approx((0 + 1 + 2 * 5) / 7)
    unweighing = ClusterClassifier(Given()).fit([[0], [0]], ["a", "b"], sample_weight=[1, 3])
    assert unweighing.cluster_names_.tolist() == ["b"]


def test_a_cluster_of_weight_zero_counts_as_empty() -> None:
    votes = count_votes(np.array([0, 1]), np.array([0, 1]), 2, np.array([[0.0], [1.0]]), np.array([1.0, 0.0]))
    assert votes.name_codes.tolist() == [0, 0]
    assert np.isnan(votes.purity[1])


def test_bad_labels_are_refused() -> None:
    for y, message in [
        (None, "requires y"),
        ([0, 1], "inconsistent.*numbers"),
        ([0.5, 1.5, 2.25], "Unknown label type"),
        ([[0, 1], [1, 0], [0, 1]], "1d array"),
    ]:
        with pytest.raises(ValueError, match=message):
            ClusterClassifier(KMeans(n_clusters=2)).fit([[0.0], [1.0], [2.0]], y)


def test_model_selection_works() -> None:
    X, y = load_digits(return_X_y=True)
    scores = cross_val_score(ClusterClassifier(KMeans(n_clusters=40, random_state=0)), X[:600], y[:600], cv=3)
    assert scores.min() > 0.6


def test_naming_as_texts() -> None:
    classifier = ClusterClassifier(Given()).fit([[0], [0], [0], [1]], [2, 2, 0, 0])
    own = classifier.naming()
    assert (own.cluster_names, own.label_names) == (("2", "0"), ("0", "2"))
    told = classifier.naming(("zero", "one", "two"))
    assert told.cluster_names == ("two", "zero")
    assert_allclose(told.label_shares, [[1 / 3, 0, 2 / 3], [1, 0, 0]])
    with pytest.raises(ValueError, match="0 to 2.*2"):
        classifier.naming(("zero", "one"))
    with pytest.raises(ValueError, match="label_names"):
        ClusterClassifier(Given()).fit([[0]], ["a"]).naming(("a",))
