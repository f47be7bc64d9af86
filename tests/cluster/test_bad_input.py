"""Every kind of bad input, and what is said about it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from kmosaic import KMeans, MiniBatchKMeans

X = load_digits().data
ESTIMATORS = [KMeans, MiniBatchKMeans]


@pytest.fixture(params=ESTIMATORS)
def estimator(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_nan_and_infinity(estimator: Any) -> None:
    for bad, dtype in product([np.nan, np.inf, -np.inf], ["float32", "float64"]):
        spoilt = X.astype(dtype)
        spoilt[3, 5] = bad
        with pytest.raises(ValueError, match="NaN|infinity"):
            estimator(3).fit(spoilt)
        model = estimator(3, random_state=0).fit(X)
        for method in (model.predict, model.transform, model.score):
            with pytest.raises(ValueError, match="NaN|infinity"):
                method(spoilt)


def test_number_of_clusters(estimator: Any) -> None:
    for n_clusters in [0, -3, 2.5, "8", None, True]:
        with pytest.raises(ValueError, match="n_clusters="):
            estimator(n_clusters).fit(X)


def test_values_too_large_to_square(estimator: Any) -> None:
    with pytest.raises(ValueError, match=r"1\.6e.*too large"):
        estimator(3).fit(X * 1e160)
    with pytest.raises(ValueError, match="sample_weight.*1e.308"):
        estimator(3).fit(X, sample_weight=np.full(len(X), 1e308))
    with pytest.raises(ValueError, match="init.*NaN"):
        estimator(3, init=np.full((3, 64), 1e155)).fit(X)
    model = estimator(3, random_state=0).fit(X * 1e95)
    assert np.isfinite(model.inertia_)
    assert np.isfinite(model.transform(X * 1e95)).all()


def test_more_clusters_than_rows(estimator: Any) -> None:
    with pytest.raises(ValueError, match="n_samples=8.*n_clusters=10"):
        estimator(10).fit(X[:8])


def test_empty_and_flat_arrays(estimator: Any) -> None:
    for empty in (np.empty((0, 4)), np.empty((4, 0)), np.empty((0, 0), np.uint8)):
        with pytest.raises(ValueError, match="0 (sample|feature)"):
            estimator(1).fit(empty)
    with pytest.raises(ValueError, match="2D.*1D"):
        estimator(1).fit(X[0])
    with pytest.raises(ValueError, match="dim 3"):
        estimator(1).fit(X.reshape(-1, 8, 8))


def test_feature_count_in_predict(estimator: Any) -> None:
    model = estimator(3, random_state=0).fit(X)
    for method in (model.predict, model.transform, model.score):
        with pytest.raises(ValueError, match="63 features.*64 features"):
            method(X[:, :63])


def test_objects_and_complex_numbers(estimator: Any) -> None:
    with pytest.raises(ValueError, match="Complex.*supported"):
        estimator(2).fit(X + 1j)
    with pytest.raises((TypeError, ValueError), match="float|number"):
        estimator(2).fit(np.array([[{}], [[]], ["a"]], dtype=object))
    with pytest.raises(ValueError, match="could not convert"):
        estimator(2).fit(np.array([["a"], ["b"], ["c"]]))


def test_weights(estimator: Any) -> None:
    with pytest.raises(ValueError, match="Negative.*sample_weight"):
        estimator(2).fit(X, sample_weight=-np.ones(len(X)))
    with pytest.raises(ValueError, match=r"sample_weight is 0|weights.*zero"):
        estimator(2).fit(X, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="NaN"):
        estimator(2).fit(X, sample_weight=np.full(len(X), np.nan))
    with pytest.raises(ValueError, match="sample_weight.shape"):
        estimator(2).fit(X, sample_weight=np.ones(3))


def test_parameters(estimator: Any) -> None:
    for parameter, value, message in [
        ("init", "forgy", r"init='forgy'.*'k-means\+\+'.*'random'"),
        ("init", None, "init=None"),
        ("init", np.zeros((2, 64)), r"\(2, 64\).*\(3, 64\)"),
        ("init", np.full((3, 64), np.nan), "init.*NaN"),
        ("n_init", 0, "n_init=0"),
        ("max_iter", 0, "max_iter=0"),
        ("tol", -1.0, "tol=-1.0.*0"),
        ("tol", np.inf, "tol=inf"),
        ("n_threads", 0, "n_threads=0"),
    ]:
        with pytest.raises(ValueError, match=message):
            estimator(3, **{parameter: value}).fit(X)


def test_parameters_of_one() -> None:
    for model, message in [
        (
            KMeans(3, empty_clusters="keep"),
            "empty_clusters='keep'.*'relocate'.*'random'.*'drop'.*'error'",
        ),
        (MiniBatchKMeans(3, batch_size=0), "batch_size=0"),
        (MiniBatchKMeans(3, init_size=2), "init_size=2.*n_clusters=3"),
        (MiniBatchKMeans(3, max_no_improvement=0), "max_no_improvement=0"),
        (MiniBatchKMeans(3, reassignment_ratio=-1), "reassignment_ratio=-1"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(X)


def test_unfitted(estimator: Any) -> None:
    for method in ("predict", "transform", "score", "get_feature_names_out"):
        with pytest.raises((NotFittedError, AttributeError)):
            getattr(estimator(), method)(*([] if method.startswith("get") else [X]))


def test_sparse_matrices(estimator: Any) -> None:
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="[Ss]parse"):
        estimator(2).fit(csr_array(X))
