"""Mini-batch k-means: better than scikit-learn's for the same rows seen, and a true streaming estimator."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import cluster
from sklearn.datasets import load_digits, make_blobs

from kmosaic import KMeans, MiniBatchKMeans
from reference import Array


def photo_like() -> Array:
    random = np.random.default_rng(0)
    return make_blobs(20_000, 3, centers=40, cluster_std=0.7, random_state=1)[0] + random.normal(
        size=(20_000, 3)
    )


def test_less_inertia_than_scikit_learn_for_the_same_rows_seen() -> None:
    for X, k, batch_size in [
        (load_digits().data, 36, 256),
        (photo_like(), 32, 1024),
        (make_blobs(8000, 12, centers=9)[0], 20, 512),
    ]:
        ours, theirs = [], []
        n_batches = -(-len(X) // batch_size)
        for seed in range(6):
            arguments = {"batch_size": batch_size, "max_no_improvement": None, "random_state": seed}
            peer = cluster.MiniBatchKMeans(k, max_iter=5, tol=0, n_init=1, **arguments).fit(X)
            passes = peer.n_steps_ * batch_size // (n_batches * batch_size)
            model = MiniBatchKMeans(k, max_iter=passes, **arguments).fit(X)
            assert model.n_steps_ <= peer.n_steps_
            ours.append(model.inertia_)
            theirs.append(peer.inertia_)
        assert np.mean(ours) < np.mean(theirs)


def test_close_to_full_kmeans() -> None:
    X = load_digits().data.astype(np.uint8)
    full = np.mean([KMeans(20, random_state=s).fit(X).inertia_ for s in range(4)])
    mini = np.mean([MiniBatchKMeans(20, batch_size=256, random_state=s).fit(X).inertia_ for s in range(4)])
    assert mini < 1.02 * full


def test_partial_fit_learns_a_stream() -> None:
    X = load_digits().data.astype(np.uint8)
    model = MiniBatchKMeans(10, random_state=0)
    for start in range(0, 1600, 200):
        model.partial_fit(X[start : start + 200])
        assert len(model.labels_) == 200
    assert model.n_steps_ == 8
    assert -model.score(X) < 1.1 * KMeans(10, random_state=0).fit(X).inertia_


def test_partial_fit_follows_a_drift() -> None:
    random = np.random.default_rng(0)
    model = MiniBatchKMeans(2, random_state=0)
    for t in range(40):
        left, right = random.normal(t, 1, (50, 1)), random.normal(t + 100, 1, (50, 1))
        model.partial_fit(np.concatenate([left, right]))
    assert np.sort(model.cluster_centers_.ravel()) == pytest.approx([33, 133], abs=4)


def test_partial_fit_wants_enough_rows_to_start_and_then_any() -> None:
    X = load_digits().data
    model = MiniBatchKMeans(10, random_state=0)
    with pytest.raises(ValueError, match="n_samples=9.*n_clusters=10"):
        model.partial_fit(X[:9])
    model.partial_fit(X[:50]).partial_fit(X[50:51])
    assert model.n_steps_ == 2


def test_batches_without_weight_are_no_batches() -> None:
    X = np.random.default_rng(0).normal(size=(5000, 4))
    few = np.arange(5000) < 50
    model = MiniBatchKMeans(4, random_state=0, batch_size=64).fit(X, sample_weight=few.astype(float))
    assert len(model.labels_) == 5000
    assert np.isfinite(model.inertia_)
    MiniBatchKMeans(3, random_state=0, batch_size=2).fit(X[:40], sample_weight=np.arange(40) < 3)


def test_partial_fit_goes_on_from_fit() -> None:
    X = load_digits().data
    model = MiniBatchKMeans(5, random_state=0).fit(X)
    n_steps, centers = model.n_steps_, model.cluster_centers_
    model.partial_fit(X[:100])
    assert model.n_steps_ == n_steps + 1
    assert np.abs(model.cluster_centers_ - centers).max() < 3
    other = MiniBatchKMeans(3, random_state=0).partial_fit(X).set_params(n_clusters=5).fit(X[:, :9])
    assert other.partial_fit(X[:50, :9]).cluster_centers_.shape == (5, 9)


def test_fit_forgets_what_partial_fit_learnt() -> None:
    X = load_digits().data
    fresh = MiniBatchKMeans(5, random_state=0).fit(X).cluster_centers_
    used = MiniBatchKMeans(5, random_state=0).partial_fit(X[:200])
    assert (used.fit(X).cluster_centers_ == fresh).all()


def test_stops_when_nothing_improves() -> None:
    X = load_digits().data
    model = MiniBatchKMeans(8, batch_size=300, max_no_improvement=3, random_state=0).fit(X)
    assert model.converged_
    assert model.n_iter_ < 100
    endless = MiniBatchKMeans(8, batch_size=300, max_no_improvement=None, max_iter=4, random_state=0).fit(X)
    assert not endless.converged_
    assert endless.n_iter_ == 4
    assert len(endless.inertia_history_) == endless.n_steps_ == 24


def test_every_cluster_has_rows() -> None:
    X = np.concatenate([np.zeros((500, 2)), np.random.default_rng(0).normal(50, 5, (500, 2))])
    start = np.zeros((8, 2)) + np.arange(8)[:, None] * 1e-3
    model = MiniBatchKMeans(8, init=start, batch_size=100, random_state=0).fit(X)
    assert len(np.unique(model.labels_)) == 8


def test_weights_of_zero_are_rows_left_out() -> None:
    X = np.concatenate([load_digits().data, np.full((100, 64), 1e6)])
    weights = np.r_[np.ones(1797), np.zeros(100)]
    model = MiniBatchKMeans(6, batch_size=200, random_state=0).fit(X, sample_weight=weights)
    assert model.cluster_centers_.max() <= 16
