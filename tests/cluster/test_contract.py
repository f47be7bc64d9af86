"""scikit-learn's contract, whole: no check is expected to fail."""

from __future__ import annotations

import pickle
from itertools import product
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from estimator_checks import assert_passes_all_checks
from kmosaic import BisectingKMeans, KMeans, MiniBatchKMeans, SphericalKMeans, TwoLevelKMeans

ESTIMATORS = [KMeans, MiniBatchKMeans, BisectingKMeans, TwoLevelKMeans, SphericalKMeans]


RANDOM_BATCHES = MiniBatchKMeans(n_clusters=3, batch_size=16, init="random")
ZEROS = "the check's integers have a row of zeros, which has no direction: the error says so"
DRAWN = "batches drawn from more rows than they hold: weighting a row is not repeating it"


@pytest.mark.filterwarnings("ignore:X has only .* distinct rows|only .* clusters have rows")
@pytest.mark.parametrize(
    "estimator",
    [
        KMeans(),
        KMeans(n_clusters=3, init="random", empty_clusters="random"),
        KMeans(n_clusters=3, empty_clusters="drop"),
        KMeans(n_clusters=3, tol=1e-4),
        MiniBatchKMeans(),
        RANDOM_BATCHES,
        SphericalKMeans(),
        SphericalKMeans(n_clusters=3, init="random", empty_clusters="random"),
        BisectingKMeans(),
        BisectingKMeans(n_clusters=3, init="random", bisecting_strategy="largest_cluster", tol=1e-4),
        TwoLevelKMeans(),
        TwoLevelKMeans(n_clusters=3, refine=2, allocation="size"),
    ],
    ids=repr,
)
def test_estimator_checks(estimator: Any) -> None:
    cannot_hold = {}
    if estimator is RANDOM_BATCHES:
        cannot_hold = {
            f"check_sample_weight_equivalence_on_{kind}_data": DRAWN for kind in ("dense", "sparse")
        }
    if isinstance(estimator, SphericalKMeans):
        cannot_hold = {"check_estimators_dtypes": ZEROS}
    assert_passes_all_checks(estimator, cannot_hold)


def test_pickles_and_clones() -> None:
    for estimator in ESTIMATORS:
        X = load_digits().data
        model = estimator(n_clusters=7, random_state=0).fit(X)
        assert (pickle.loads(pickle.dumps(model)).predict(X) == model.predict(X)).all()
        assert clone(model).get_params() == model.get_params()


def test_feature_names_and_pipelines() -> None:
    for estimator in ESTIMATORS:
        X = load_digits().data
        pipeline = make_pipeline(StandardScaler(), estimator(n_clusters=4, random_state=0))
        transformed = pipeline.fit_transform(X)
        assert transformed.shape == (1797, 4)
        names = pipeline[-1].get_feature_names_out()
        assert names.tolist() == [f"{estimator.__name__.lower()}{j}" for j in range(4)]


def test_rows_are_read_in_place() -> None:
    dtypes = ["uint8", "int8", "uint16", "int16", "float16", "float32", "float64", "bool"]
    bfloat16 = pytest.importorskip("ml_dtypes", reason="bfloat16 arrays need ml_dtypes").bfloat16
    for estimator, dtype in product(ESTIMATORS[:-1], [*dtypes, bfloat16]):
        X = load_digits().data.astype(dtype)
        model = estimator(n_clusters=3, random_state=0)
        assert np.shares_memory(model._rows(X, reset=True), X)


def test_transform_is_the_distance() -> None:
    X = load_digits().data.astype(np.uint8)
    model = KMeans(11, random_state=0).fit(X)
    expected = np.sqrt(np.square(X[:, None, :] - model.cluster_centers_[None]).sum(axis=2))
    assert model.transform(X) == pytest.approx(expected, rel=1e-14)
    assert (model.transform(X).argmin(axis=1) == model.labels_).all()


def test_score_is_minus_the_inertia() -> None:
    X = load_digits().data.astype(np.uint8)
    weights = np.random.default_rng(0).integers(1, 5, len(X))
    model = KMeans(5, random_state=0).fit(X, sample_weight=weights)
    assert model.score(X, sample_weight=weights) == -model.inertia_
    assert (model.fit_predict(X, sample_weight=weights) == model.predict(X, sample_weight=weights)).all()


def test_weights_are_repetitions() -> None:
    for init in ["k-means++", "random"]:
        X = load_digits().data[:300].astype(np.uint8)
        weights = np.random.default_rng(0).integers(0, 4, 300)
        start = np.random.default_rng(1).permutation(np.flatnonzero(weights))[:6]
        arguments = {"init": init, "n_init": 1} if init == "k-means++" else {"init": X[start]}
        weighted = KMeans(6, random_state=0, **arguments).fit(X, sample_weight=weights)
        repeated = KMeans(6, random_state=0, **arguments).fit(np.repeat(X, weights, axis=0))
        assert (weighted.cluster_centers_ == repeated.cluster_centers_).all()
        assert weighted.inertia_ == repeated.inertia_


def test_restarts_keep_the_lowest_inertia() -> None:
    X = load_digits().data
    state = np.random.RandomState(0)
    one_by_one = [KMeans(10, init="random", n_init=1, random_state=state).fit(X).inertia_ for _ in range(8)]
    together = KMeans(10, init="random", n_init=8, random_state=np.random.RandomState(0)).fit(X)
    assert together.inertia_ == min(one_by_one)


def test_callback_hears_of_every_iteration() -> None:
    heard = []
    model = KMeans(10, init="random", n_init=2, random_state=0, callback=heard.append).fit(load_digits().data)
    assert {progress.restart for progress in heard} == {0, 1}
    assert heard[-1].n_init == 2
    lengths = [max(p.iteration for p in heard if p.restart == r) for r in (0, 1)]
    assert model.n_iter_ in lengths
    assert model.inertia_ in [p.inertia for p in heard]


def test_callable_and_array_starts() -> None:
    X = load_digits().data.astype(np.uint8)

    def first_rows(rows: Any, n_clusters: int, random_state: Any) -> Any:
        assert isinstance(random_state, np.random.RandomState)
        return rows[:n_clusters]

    by_callable = KMeans(5, init=first_rows, n_init=1).fit(X)
    by_array = KMeans(5, init=X[:5]).fit(X)
    assert (by_callable.labels_ == by_array.labels_).all()
