"""Every kind of bad input, and what is said about it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from kmosaic import ClusterClassifier, KMeans, MiniBatchKMeans, SphericalKMeans
from kmosaic.errors import DataError

X = load_digits().data
ESTIMATORS = [KMeans, MiniBatchKMeans, SphericalKMeans]


def test_nan_and_infinity() -> None:
    for estimator in ESTIMATORS:
        dtypes = [pytest.importorskip("ml_dtypes").bfloat16]
        for bad, dtype in product([np.nan, np.inf, -np.inf], [*dtypes, "float16", "float32", "float64"]):
            spoilt = X.astype(dtype)
            spoilt[3, 5] = bad
            with pytest.raises(ValueError, match="NaN|infinity"):
                estimator(3).fit(spoilt)
            model = estimator(3, random_state=0).fit(X)
            for method in (model.predict, model.transform, model.score):
                with pytest.raises(ValueError, match="NaN|infinity"):
                    method(spoilt)


def test_number_of_clusters() -> None:
    for estimator in ESTIMATORS:
        for n_clusters in [0, -3, 2.5, "8", None, True]:
            with pytest.raises(ValueError, match=r"'n_clusters'.*\[1, inf\)"):
                estimator(n_clusters).fit(X)


def test_values_too_large_to_square() -> None:
    for estimator in ESTIMATORS:
        with pytest.raises(ValueError, match=r"1\.6e.*too large"):
            estimator(3).fit(X * 1e160)
        with pytest.raises(ValueError, match="sample_weight.*1e.308"):
            estimator(3).fit(X, sample_weight=np.full(len(X), 1e308))
        with pytest.raises(ValueError, match="init.*NaN"):
            estimator(3, init=np.full((3, 64), 1e155)).fit(X)
        model = estimator(3, random_state=0).fit(X * 1e95)
        assert np.isfinite(model.inertia_)
        assert np.isfinite(model.transform(X * 1e95)).all()


def test_more_clusters_than_rows() -> None:
    for estimator in ESTIMATORS:
        with pytest.raises(ValueError, match="n_samples=8.*n_clusters=10"):
            estimator(10).fit(X[:8])


def test_empty_and_flat_arrays() -> None:
    for estimator in ESTIMATORS:
        for empty in (np.empty((0, 4)), np.empty((4, 0)), np.empty((0, 0), np.uint8)):
            with pytest.raises(ValueError, match="0 (sample|feature)"):
                estimator(1).fit(empty)
        with pytest.raises(ValueError, match="2D.*1D"):
            estimator(1).fit(X[0])
        with pytest.raises(ValueError, match="dim 3"):
            estimator(1).fit(X.reshape(-1, 8, 8))


def test_feature_count_in_predict() -> None:
    for estimator in ESTIMATORS:
        model = estimator(3, random_state=0).fit(X)
        for method in (model.predict, model.transform, model.score):
            with pytest.raises(ValueError, match="63 features.*64 features"):
                method(X[:, :63])


def test_objects_and_complex_numbers() -> None:
    for estimator in ESTIMATORS:
        with pytest.raises(ValueError, match="Complex.*supported"):
            estimator(2).fit(X + 1j)
        with pytest.raises((TypeError, ValueError), match="float|number"):
            estimator(2).fit(np.array([[{}], [[]], ["a"]], dtype=object))
        with pytest.raises(ValueError, match="could not convert"):
            estimator(2).fit(np.array([["a"], ["b"], ["c"]]))


def test_weights() -> None:
    for estimator in ESTIMATORS:
        with pytest.raises(ValueError, match="Negative.*sample_weight"):
            estimator(2).fit(X, sample_weight=-np.ones(len(X)))
        with pytest.raises(ValueError, match=r"sample_weight is 0|weights.*zero"):
            estimator(2).fit(X, sample_weight=np.zeros(len(X)))
        with pytest.raises(ValueError, match="NaN"):
            estimator(2).fit(X, sample_weight=np.full(len(X), np.nan))
        with pytest.raises(ValueError, match="sample_weight.shape"):
            estimator(2).fit(X, sample_weight=np.ones(3))


def test_parameters() -> None:
    for estimator in ESTIMATORS:
        for parameter, value, message in [
            ("init", "forgy", r"'init'.*'k-means\+\+'.*'forgy'"),
            ("init", None, "'init'.*None"),
            ("init", np.zeros((2, 64)), r"\(2, 64\).*\(3, 64\)"),
            ("init", np.full((3, 64), np.nan), "init.*NaN"),
            ("n_init", 0, "'n_init'.*Got 0"),
            ("max_iter", 0, "'max_iter'.*Got 0"),
            ("tol", -1.0, "'tol'.*Got -1.0"),
            ("tol", np.inf, "'tol'.*Got inf"),
            ("tol", True, "'tol'.*Got True"),
            ("n_threads", 0, "n_threads=0"),
        ]:
            with pytest.raises(ValueError, match=message):
                estimator(3, **{parameter: value}).fit(X)


def test_parameters_of_one() -> None:
    for model, message in [
        (
            KMeans(3, empty_clusters="keep"),
            "'empty_clusters'.*'drop'.*'keep'",
        ),
        (MiniBatchKMeans(3, batch_size=0), "'batch_size'.*Got 0"),
        (MiniBatchKMeans(3, init_size=2), "init_size=2.*n_clusters=3"),
        (MiniBatchKMeans(3, max_no_improvement=0), "'max_no_improvement'.*Got 0"),
        (MiniBatchKMeans(3, reassignment_ratio=-1), "'reassignment_ratio'.*Got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(X)


def complex_zeros(X: Any, n_clusters: int, random_state: Any) -> np.ndarray:  # noqa: ARG001
    return np.zeros((n_clusters, X.shape[1]), complex)


@pytest.mark.filterwarnings("error")
def test_starts_that_are_no_centres() -> None:
    for estimator in ESTIMATORS:
        starts: list[tuple[Any, str]] = [
            (np.zeros((3, 64)) + 1j, "Complex"),
            ([[0j] * 64] * 3, "Complex"),
            (complex_zeros, "Complex"),
            (lambda X, *_: X[:2], "shape"),
            (lambda *_: 5.0, "shape"),
            (lambda X, *_: np.where(X[:3] > 0, np.nan, X[:3]), "NaN"),
            (lambda *_: None, "init|float|shape"),
        ]
        for init, word in starts:
            with pytest.raises((ValueError, TypeError), match=word):
                estimator(3, init=init).fit(X)


@pytest.mark.filterwarnings("error")
def test_complex_weights() -> None:
    for estimator in ESTIMATORS:
        for weights in (np.ones(len(X), complex), [1j] * len(X)):
            with pytest.raises(ValueError, match="Complex"):
                estimator(2).fit(X, sample_weight=weights)


def test_centroids_spoilt_since_the_fit() -> None:
    for estimator in ESTIMATORS:
        for n_features in [1, 5, 64]:
            rows = X[:, 10 : 10 + n_features] + 1  # none is all zeros
            classifier = ClusterClassifier(estimator(3, random_state=0)).fit(rows, np.arange(len(X)) % 2)
            model = classifier.clusterer_
            sound = model.cluster_centers_
            spoilt = [
                (np.where(sound == sound.max(), np.nan, sound), "NaN"),
                (np.where(sound == sound.max(), np.inf, sound), "infinity"),
                (sound * 1e200, "values above"),
                (sound + 0j, "real"),
                (sound[0], "shape"),
            ]
            if n_features > 1:
                spoilt.append((sound[:, :1], "shape"))
            for centers, word in spoilt:
                model.cluster_centers_ = centers
                for method in (model.predict, model.transform, model.score, classifier.predict):
                    with pytest.raises(DataError, match=word):
                        method(rows)


def test_centroids_set_since_the_fit_may_lie_in_any_way() -> None:
    for estimator in ESTIMATORS:
        model = estimator(3, random_state=0).fit(X)
        expected = model.predict(X)
        for centers in (np.asfortranarray(model.cluster_centers_), model.cluster_centers_.tolist()):
            model.cluster_centers_ = centers
            assert (model.predict(X) == expected).all()
            assert model.transform(X).shape == (len(X), 3)
            assert np.isfinite(model.score(X))


def test_rows_spoilt_while_they_are_fitted_end_no_process() -> None:
    for value, dtype, n_features in product(
        [np.nan, np.inf], ["float16", "float32", "float64"], [2, 8, 33, 64]
    ):
        check_spoilt(value, dtype, n_features)


def check_spoilt(value: float, dtype: str, n_features: int) -> None:
    rows = np.ascontiguousarray(X[:, :n_features]).astype(dtype)

    def spoil(progress: Any) -> None:
        if progress.iteration == 1:
            rows[::3] = value

    def start(given: np.ndarray, n_clusters: int, random_state: Any) -> np.ndarray:  # noqa: ARG001
        centers = given[:n_clusters].copy()
        given[50] = value
        return centers

    for model in (KMeans(6, callback=spoil, random_state=0), KMeans(6, init=start, n_init=1)):
        model.set_params(max_iter=15)
        try:
            labels = model.fit(rows.copy() if model.callback is None else rows).labels_
        except ValueError:
            continue
        assert ((labels >= 0) & (labels < 6)).all()


def test_unfitted() -> None:
    for estimator in ESTIMATORS:
        for method in ("predict", "transform", "score", "get_feature_names_out"):
            with pytest.raises((NotFittedError, AttributeError)):
                getattr(estimator(), method)(*([] if method.startswith("get") else [X]))
