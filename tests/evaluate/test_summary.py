"""A summary tells sizes, distances, names and the rows to look at, as a plain count would."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.datasets import load_digits

from kmosaic.cluster import KMeans
from kmosaic.evaluate import ClusterClassifier, ClusterSummary, summarise
from kmosaic.evaluate.summary import own_distances
from kmosaic.models.image_model import ClusterNaming, ImageFormat, Model

NAMES = tuple(f"digit {label}" for label in range(10))


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    data = load_digits()
    return data.data.astype(np.uint8), data.target


@pytest.fixture(scope="module")
def fitted(digits: tuple[Any, Any]) -> Any:
    return KMeans(n_clusters=12, random_state=0).fit(digits[0][:400])


@pytest.fixture(scope="module")
def summary(fitted: Any, digits: tuple[Any, Any]) -> ClusterSummary:
    X, y = digits
    return summarise(fitted, X[:400], y[:400], label_names=NAMES)


def test_distances_are_those_of_a_plain_count(summary: ClusterSummary, digits: tuple[Any, Any]) -> None:
    for row in range(0, 400, 7):
        center = summary.cluster_centers[summary.labels[row]]
        assert summary.distances[row] == pytest.approx(math.dist(digits[0][row].tolist(), center.tolist()))
    assert summary.inertia == pytest.approx(sum(float(d) ** 2 for d in summary.distances))


def test_what_the_fit_found_is_told(summary: ClusterSummary, fitted: Any) -> None:
    assert_array_equal(summary.labels, fitted.labels_)
    assert summary.inertia == pytest.approx(fitted.inertia_, rel=1e-12)
    assert (summary.n_iter, summary.converged, summary.n_clusters) == (fitted.n_iter_, fitted.converged_, 12)
    assert_array_equal(summary.inertia_history, fitted.inertia_history_)
    assert summary.cluster_sizes.tolist() == [int((fitted.labels_ == j).sum()) for j in range(12)]


def test_names_and_confusion_are_those_of_a_plain_count(
    summary: ClusterSummary, digits: tuple[Any, Any]
) -> None:
    y = digits[1][:400]
    assert summary.cluster_names is not None
    assert summary.cluster_purity is not None
    confusion = np.zeros((10, 10), int)
    for cluster in range(12):
        members = y[summary.labels == cluster].tolist()
        counts = [members.count(label) for label in range(10)]
        assert summary.cluster_names[cluster] == NAMES[counts.index(max(counts))]
        assert summary.cluster_purity[cluster] == max(counts) / len(members)
        for label in members:
            confusion[label, counts.index(max(counts))] += 1
    assert_array_equal(summary.confusion, confusion)
    assert summary.accuracy == np.trace(confusion) / 400
    assert_array_equal(summary.true_labels, y)
    assert summary.label_names == NAMES


def test_nearest_farthest_and_wrongly_named(summary: ClusterSummary) -> None:
    assert summary.true_labels is not None
    assert summary.predicted_labels is not None
    wrong_anywhere = 0
    for cluster in range(12):
        members = [row for row in range(400) if summary.labels[row] == cluster]
        by_distance = sorted(members, key=lambda row: (summary.distances[row], row))
        from_far = sorted(members, key=lambda row: (-summary.distances[row], row))
        wrong = [row for row in by_distance if summary.true_labels[row] != summary.predicted_labels[row]]
        assert summary.nearest(cluster, 3).tolist() == by_distance[:3]
        assert summary.farthest(cluster, 3).tolist() == from_far[:3]
        assert summary.wrongly_named(cluster, 3).tolist() == wrong[:3]
        assert summary.nearest(cluster, 1000).tolist() == by_distance
        assert summary.nearest(cluster, 0).tolist() == []
        wrong_anywhere += len(wrong)
    assert wrong_anywhere > 0


def test_ties_in_distance_go_to_the_earlier_row() -> None:
    summary = summarise(summary_model(), np.array([[2.0], [-2.0], [1.0], [2.0]]))
    assert summary.nearest(0, 4).tolist() == [2, 0, 1, 3]
    assert summary.farthest(0, 4).tolist() == [0, 1, 3, 2]


def summary_model() -> Model:
    return Model(
        cluster_centers=np.array([[0.0], [50.0], [60.0]]),
        image=ImageFormat(1, 1, 1, "float64", 255.0),
        algorithm="KMeans",
        parameters={},
        feature_names=None,
        cluster_sizes=np.array([5, 4, 0]),
        inertia=77.0,
        n_iter=9,
        converged=False,
        seed=None,
        cluster_names=("cat", "dog", "dog"),
        label_names=("cat", "dog", "eel"),
        label_shares=np.array([[0.75, 0.25, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]),
        trained_on="made data",
        kmosaic_version="0.1.0",
        command=None,
    )


def test_a_model_names_other_rows_with_its_own_names() -> None:
    X = np.array([[1.0], [49.0], [52.0], [3.0]])
    summary = summarise(summary_model(), X, ["cat", "dog", "eel", "dog"])
    assert summary.labels.tolist() == [0, 1, 1, 0]
    assert summary.cluster_names == ("cat", "dog", "dog")
    assert_array_equal(summary.cluster_purity, [0.75, 1.0, np.nan])
    assert summary.true_labels is not None
    assert summary.true_labels.tolist() == [0, 1, 2, 1]
    assert_array_equal(summary.confusion, [[1, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert summary.accuracy == 0.5
    assert (summary.n_iter, summary.converged) == (9, False)
    assert summary.inertia == 1 + 1 + 4 + 9
    assert summary.inertia_history.size == 0
    assert summary.wrongly_named(1, 9).tolist() == [2]
    by_code = summarise(summary_model(), X, [0, 1, 2, 1], label_names=("cat", "dog", "eel"))
    assert_array_equal(by_code.confusion, summary.confusion)


def test_a_model_names_rows_without_labels() -> None:
    summary = summarise(summary_model(), np.array([[1.0], [49.0]]))
    assert summary.predicted_labels is not None
    assert summary.predicted_labels.tolist() == [0, 1]
    assert (summary.true_labels, summary.confusion, summary.accuracy) == (None, None, None)
    assert summary.wrongly_named(0, 3).tolist() == []


def test_without_names_or_labels(fitted: Any, digits: tuple[Any, Any]) -> None:
    summary = summarise(fitted, digits[0][400:500])
    assert summary.cluster_sizes.sum() == 100
    for part in (
        "cluster_names",
        "cluster_purity",
        "label_shares",
        "label_names",
        "predicted_labels",
        "confusion",
    ):
        assert getattr(summary, part) is None


def test_test_rows_take_the_training_rows_names(
    fitted: Any, digits: tuple[Any, Any], summary: ClusterSummary
) -> None:
    X, y = digits
    assert summary.cluster_names is not None
    assert summary.label_names is not None
    assert summary.label_shares is not None
    naming = ClusterNaming(summary.cluster_names, summary.label_names, summary.label_shares)
    tested = summarise(fitted, X[400:600], y[400:600], label_names=NAMES, naming=naming)
    classifier = ClusterClassifier(KMeans(n_clusters=12, random_state=0)).fit(X[:400], y[:400])
    assert tested.cluster_names == summary.cluster_names
    assert tested.accuracy == pytest.approx(classifier.score(X[400:600], y[400:600]))
    by_classifier = summarise(classifier, X[400:600], y[400:600], label_names=NAMES)
    assert by_classifier.cluster_names == summary.cluster_names
    assert_array_equal(by_classifier.confusion, tested.confusion)
    assert_array_equal(by_classifier.cluster_purity, summary.cluster_purity)


def test_labels_at_hand_are_not_asked_for_again(fitted: Any, digits: tuple[Any, Any]) -> None:
    given = np.roll(fitted.labels_, 1)
    summary = summarise(fitted, digits[0][:400], labels=given)
    assert_array_equal(summary.labels, given)


def test_scikit_learns_estimators_can_be_summarised(digits: tuple[Any, Any]) -> None:
    X, y = digits
    other = SklearnKMeans(5, n_init=1, random_state=0).fit(X[:100].astype(float))
    summary = summarise(other, X[:100].astype(float), y[:100])
    assert summary.label_names == tuple(str(label) for label in range(10))
    assert summary.inertia == pytest.approx(other.inertia_)


def test_distances_are_euclidean_for_every_dtype() -> None:
    for dtype, shape in product(
        ["uint8", "uint16", "float32", "float64"], [(7, 3), (1100, 500), (3, 700_000)]
    ):
        rng = np.random.default_rng(0)
        X = rng.integers(0, 255, shape).astype(dtype)
        centers = rng.random((4, shape[1])) * 255
        labels = rng.integers(0, 4, shape[0])
        expected = np.linalg.norm(X.astype(np.float64) - centers[labels], axis=1)
        assert_allclose(own_distances(X, centers, labels), expected, rtol=1e-12)


def test_distances_are_the_same_bits_whatever_rows_are_beside() -> None:
    for dtype in ["uint8", "uint16", "float32", "float64"]:
        rng = np.random.default_rng(0)
        X = (rng.random((60, 12_288)) * 255).astype(dtype)
        centers = rng.random((4, 12_288)) * 255
        labels = rng.integers(0, 4, 60)
        together = own_distances(X, centers, labels, 2)
        alone = [own_distances(X[i : i + 1], centers, labels[i : i + 1], 1)[0] for i in range(60)]
        assert together.tolist() == alone
        assert together[7:31].tolist() == own_distances(X[7:31], centers, labels[7:31]).tolist()
        assert together[::-1].tolist() == own_distances(X[::-1], centers, labels[::-1]).tolist()


def test_distances_of_other_dtypes_are_those_of_float64() -> None:
    for dtype in ["int64", "bool", "float16", ">u2", ">f8"]:
        rng = np.random.default_rng(0)
        X = rng.integers(0, 255, (9, 5)).astype(dtype)
        centers = np.asfortranarray(rng.random((4, 5)) * 255)
        labels = rng.integers(0, 4, 9)
        expected = np.linalg.norm(X.astype(np.float64) - centers[labels], axis=1)
        assert_allclose(own_distances(X, centers, labels), expected, rtol=1e-12)


def test_parts_that_do_not_go_together_are_refused() -> None:
    for arguments, message in [
        ({"true_labels": [0, 1]}, "true_labels has shape"),
        ({"true_labels": [0, 1, 3], "label_names": ("cat", "dog", "eel")}, "0 to 3.*3"),
        ({"true_labels": ["cat", "dog", "fox"]}, "'fox'"),
        ({"true_labels": [0, 1, 0], "label_names": ("a", "b")}, "named"),
        ({"true_labels": [0.0, 1, 0], "label_names": ("cat", "dog", "eel")}, "whole numbers"),
        ({"labels": [0, 1]}, "labels has shape"),
        ({"labels": [0, 1, 3]}, "0 to 3.*3 clusters"),
        ({"labels": [0, -1, 2]}, "from -1 to 2"),
        ({"X": np.zeros((3, 2))}, "2 features.*1"),
        ({"X": np.zeros(3)}, "1D array"),
    ]:
        given: dict[str, Any] = {"X": np.array([[1.0], [2.0], [3.0]]), **arguments}
        with pytest.raises(ValueError, match=message):
            summarise(summary_model(), **given)


def test_a_cluster_that_is_not_there(summary: ClusterSummary) -> None:
    with pytest.raises(IndexError, match="cluster=12.*0.*11"):
        summary.nearest(12, 3)
    with pytest.raises(ValueError, match="n=-1"):
        summary.farthest(0, -1)
