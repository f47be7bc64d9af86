"""Vectors placed by the graph of their neighbours, against a dense and obvious computation."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from kmosaic.features import VectorGraph, nearest

K, TIME, BRIDGE = 5, 3.0, 1e-3


def test_it_is_the_diffusion_map_of_nearest_neighbours():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(30, 4)), rng.normal(size=(30, 4)) + 6]).astype(np.float32)
    distances = cdist(X, X)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1)[:, :K]
    scales = np.sort(distances, axis=1)[:, (2 * K + 1) // 3 - 1]
    weights = np.zeros((60, 60))
    for row in range(60):
        for other in near[row]:
            weights[row, other] = np.exp(-(distances[row, other] ** 2) / (scales[row] * scales[other]))
    weights = (weights + weights.T) / 2
    bridge = BRIDGE * weights.sum(axis=1).mean()
    degrees = weights.sum(axis=1) + bridge
    walk = (weights + bridge / 60) / degrees[:, None]
    values, vectors = np.linalg.eig(walk)
    order = np.argsort(-values.real)[1:4]
    expected = vectors.real[:, order]
    expected *= np.sqrt(degrees.sum() / (degrees[:, None] * expected**2).sum(axis=0))
    expected *= values.real[order] ** TIME

    graph = VectorGraph(3, n_neighbors=K, time=TIME)
    found = graph.fit_transform(X)

    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-4, atol=1e-6)
    assert len(set(np.sign(found[:30, 0]))) == len(set(np.sign(found[30:, 0]))) == 1  # the groups are apart
    found_near = graph.neighbors(X)
    np.testing.assert_array_equal(found_near.indices, near)
    np.testing.assert_allclose(found_near.distances, np.take_along_axis(distances, near, axis=1), rtol=1e-6)


def test_equal_rows_are_one_node_and_new_ones_go_between_their_nearest():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 3))
    graph = VectorGraph(4, n_neighbors=4).fit(np.concatenate([X, X[:5]]))

    assert len(graph.embedding_) == 40
    np.testing.assert_array_equal(graph.transform(X[3:9]), graph.embedding_[3:9])
    between = (X[0] + X[np.argsort(cdist(X[:1], X)[0])[1]]) / 2
    two = np.argsort(cdist(between[None], X)[0])[:2]
    low, high = graph.embedding_[two].min(axis=0), graph.embedding_[two].max(axis=0)
    placed = graph.transform(between[None])[0]
    assert ((placed >= low - 1e-6) & (placed <= high + 1e-6)).all()


def test_beyond_so_many_pairs_neighbours_come_from_cells_unless_exact_is_asked_for(monkeypatch):
    X = np.tanh(
        np.random.default_rng(2).normal(size=(3000, 4)) @ np.ones((4, 8)) + np.arange(3000)[:, None] % 7
    )
    monkeypatch.setattr(nearest, "MAX_PAIRS", 10**6)
    graph, exact = VectorGraph(3, n_neighbors=4).fit(X), VectorGraph(3, n_neighbors=4, exact=True).fit(X)

    assert exact.recall_ == exact.neighbors(X).recall == 1
    assert 0.98 <= graph.recall_ < 1
    assert graph.neighbors(X).recall == graph.recall_
    assert graph.transform(X[:2000]).shape == (2000, 3)  # by cells as well
