"""scikit-learn's k-means with and without the patch: the same results to rounding."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans, k_means, kmeans_plusplus
from sklearn.datasets import make_blobs

import kmosaic

ESTIMATORS = [
    KMeans(8),
    KMeans(20, init="random", n_init=3),
    KMeans(5, algorithm="elkan", tol=0),
    KMeans(30, max_iter=2),
    KMeans(6, tol=1e-2, n_init=2),
    MiniBatchKMeans(6, batch_size=64),
    BisectingKMeans(6),
    BisectingKMeans(5, init="k-means++", bisecting_strategy="largest_cluster"),
]
# Few integers would lie exactly halfway between centroids: which is nearest is then a matter of rounding.
KINDS = ["float64", "float32", "sparse", "uint16"]


def rows_of(kind: str, seed: int) -> Any:
    X, _ = make_blobs(600, 5, centers=7, cluster_std=3, random_state=seed)
    if kind == "uint16":
        return np.clip(X * 1500 + 30_000, 0, 65_535).astype(np.uint16)
    if kind == "sparse":
        return sparse.csr_matrix(np.where(np.median(X) > X, 0, X))
    return X.astype(kind)


def both(call: Any) -> tuple[Any, Any]:
    """What a call gives without the patch, and with it."""
    kmosaic.unpatch_sklearn()
    without = call()
    kmosaic.patch_sklearn()
    return without, call()


def fitted(estimator: Any, X: Any, weights: Any, seed: int) -> dict[str, Any]:
    model = estimator.set_params(random_state=seed).fit(X, sample_weight=weights)
    more = {"predicted": model.predict(X), "distances": model.transform(X), "score": model.score(X)}
    return {**vars(model), **more}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_results_agree(estimator: Any) -> None:
    for kind in KINDS:
        rtol = 2e-4 if kind == "float32" else 1e-9
        for seed in range(2):
            X = rows_of(kind, seed)
            weights = None if seed == 0 else np.random.RandomState(seed).uniform(size=X.shape[0])
            theirs, ours = both(lambda X=X, weights=weights, seed=seed: fitted(estimator, X, weights, seed))
            assert set(ours) == set(theirs)
            for name in ("labels_", "predicted"):
                assert np.array_equal(ours[name], theirs[name]), (seed, name)
                assert ours[name].dtype == theirs[name].dtype
            for name in ("cluster_centers_", "distances", "inertia_", "score"):
                scale = np.abs(theirs[name]).max()
                # What scikit-learn has of a distance near 0 is rounding.
                atol = scale * (1e-6 if name == "distances" and kind != "float32" else rtol)
                assert np.allclose(ours[name], theirs[name], rtol=rtol, atol=atol), (seed, name)
                assert np.asarray(ours[name]).dtype == np.asarray(theirs[name]).dtype
            assert ours.get("n_iter_") == theirs.get("n_iter_")
            assert type(ours["inertia_"]) is type(theirs["inertia_"])


def test_seeds_are_the_rows_that_scikit_learn_draws() -> None:
    for kind in ["float64", "float32", "sparse"]:
        for seed in range(4):
            X = (
                np.random.RandomState(seed)
                .normal(size=(20_000, 3))
                .astype("f8" if kind == "sparse" else kind)
            )
            X = sparse.csr_matrix(np.maximum(X, 0)) if kind == "sparse" else X
            weights = np.random.RandomState(seed).uniform(size=X.shape[0]) if seed % 2 else None
            theirs, ours = both(
                lambda X=X, w=weights, seed=seed: kmeans_plusplus(X, 40, sample_weight=w, random_state=seed)
            )
            assert ours[1].tolist() == theirs[1].tolist()
            assert np.array_equal(ours[0], theirs[0])
            assert ours[0].dtype == theirs[0].dtype


def test_k_means_and_callable_starts() -> None:
    X = rows_of("uint16", 0)

    def start(X: Any, k: int, random_state: Any) -> Any:
        return X[random_state.permutation(len(X))[:k]]

    for init in ("k-means++", start):
        theirs, ours = both(lambda init=init: k_means(X, 6, init=init, random_state=3, return_n_iter=True))
        assert np.allclose(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])
        assert ours[2:] == (pytest.approx(theirs[2]), theirs[3])


def test_empty_clusters_are_filled_as_scikit_learn_does() -> None:
    """From starts far away, several clusters are empty at once; uint8 rows are merged until then."""
    for dtype in ["uint8", "float64"]:
        X = (np.random.RandomState(0).uniform(size=(4000, 3)) ** 3 * 255).astype(dtype)
        init = np.concatenate([X[:3], np.arange(12).reshape(4, 3) + 5000.0])
        theirs, ours = both(lambda X=X, init=init: KMeans(7, init=init, n_init=1, max_iter=1).fit(X))
        assert np.allclose(ours.cluster_centers_, theirs.cluster_centers_)
        assert np.isclose(ours.inertia_, theirs.inertia_)


def test_warnings_prints_and_errors_are_scikit_learns(capsys: pytest.CaptureFixture[str]) -> None:
    X = rows_of("uint16", 1)
    same = np.array([[0, 0], [0, 1], [1, 0], [1, 0]], np.uint8)

    def said() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            KMeans(4, random_state=0).fit(same)
            KMeans(2, init=X[:2], n_init=3, verbose=1).fit(X)
            KMeans(1, algorithm="elkan").fit(X)
            errors = []
            for bad in ({"n_clusters": 0}, {"n_clusters": 601}, {"init": X[:3]}):
                with pytest.raises(ValueError) as error:  # noqa: PT011 (compared below)
                    KMeans(**bad).fit(X)
                errors.append(str(error.value))
        lines = [line.split(" inertia")[0].split("shift")[0] for line in capsys.readouterr().out.splitlines()]
        return [f"{w.category.__name__} {w.message}" for w in caught] + errors + lines

    theirs, ours = both(said)
    assert ours == theirs
    assert len(ours) > 8
