"""Graphs of neighbours, and the diffusion on them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from kmosaic.features.neighbour_graph import Edges, affinities, diffuse, local_scales, neighbour_graph


def points(n: int = 900, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, 2))


def graph_of(places: NDArray[np.float64], k: int) -> csr_matrix:
    far = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    np.fill_diagonal(far, np.inf)
    near = np.argsort(far, axis=1, kind="stable")[:, :k].astype(np.int32)
    distances = np.take_along_axis(far, near, axis=1)
    return neighbour_graph(Edges(near, distances, local_scales(distances, k)))


def slow_diffusion(graph: csr_matrix, m: int, time: float) -> NDArray[np.float64]:
    """From the walk's own matrix, which is not symmetric."""
    n = graph.shape[0]
    weights = graph.toarray()
    weights += 1e-3 * weights.sum() / n / n
    degrees = weights.sum(axis=1)
    values, vectors = np.linalg.eig(weights / degrees[:, None])
    order = np.argsort(-values.real)[1 : m + 1]
    vectors = vectors.real[:, order]
    vectors *= np.sqrt(degrees.sum() / (degrees[:, None] * vectors**2).sum(axis=0))
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(m)])
    return vectors * signs * values.real[order] ** time


def test_as_the_walks_own_matrix_has_it() -> None:
    for n in [300, 900]:
        graph = graph_of(points(n), 8)
        found = diffuse(graph, 6, 3.0)
        assert found.coordinates == pytest.approx(slow_diffusion(graph, 6, 3.0), abs=1e-3)


def test_weights_are_symmetric_and_those_of_the_paper() -> None:
    near = np.array([[1, 2], [0, 2], [1, 0]], np.int32)
    distances = np.array([[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]])
    scales = local_scales(distances, 2)
    assert scales.tolist() == [3, 2, 3]
    graph = neighbour_graph(Edges(near, distances, scales)).toarray()
    assert (graph == graph.T).all()
    assert graph[0, 1] == pytest.approx(np.exp(-1 / 6))
    assert graph[0, 2] == pytest.approx(np.exp(-9 / 9))
    assert affinities(distances, scales, scales[near])[1, 0] == pytest.approx(np.exp(-1 / 6))


def test_one_sided_neighbours_weigh_half() -> None:
    near = np.array([[1], [0], [1]], np.int32)
    edges = Edges(near, np.ones((3, 1)), np.ones(3))
    graph = neighbour_graph(edges).toarray()
    assert graph[1, 2] == graph[2, 1] == pytest.approx(graph[0, 1] / 2)
    twice = neighbour_graph(edges, Edges(near, np.ones((3, 1)), np.ones(3), share=0.25))
    assert twice.toarray() == pytest.approx(graph * 1.25)


def test_neighbours_at_no_distance_leave_a_scale() -> None:
    assert local_scales(np.array([[0.0, 0.0], [1.0, 4.0]]), 2).tolist() == [0.004, 4.0]
    assert local_scales(np.zeros((3, 2)), 2).tolist() == [1, 1, 1]


def test_components_that_stand_apart_are_kept_apart() -> None:
    places = np.vstack([points(700), points(20, seed=1) + 500, points(12, seed=2) - 500])
    found = diffuse(graph_of(places, 5), 2, 8.0).coordinates
    middles = [found[:700].mean(axis=0), found[700:720].mean(axis=0), found[720:].mean(axis=0)]
    for own, group in zip(middles, (found[:700], found[700:720], found[720:]), strict=True):
        spread = np.abs(group - own).max()
        others = [np.linalg.norm(own - other) for other in middles if other is not own]
        assert min(others) > 20 * spread


def test_the_same_twice() -> None:
    for n in [200, 900]:
        graph = graph_of(points(n), 7)
        first, second = (diffuse(graph, 10, 4.0).coordinates for _ in range(2))
        assert first.tobytes() == second.tobytes()
        assert (first[np.abs(first).argmax(axis=0), np.arange(10)] > 0).all()


def test_graphs_too_small_for_the_components() -> None:
    found = diffuse(graph_of(np.array([[0.0, 0], [1, 0], [9, 0], [10, 0]]), 1), 5, 1.0)
    assert found.coordinates.shape == (4, 5)
    assert found.coordinates[:, 0].all()
    assert not found.coordinates[:, 3:].any()
    alone = neighbour_graph(Edges(np.zeros((1, 1), np.int32), np.zeros((1, 1)), np.ones(1)))
    assert diffuse(alone, 3, 1.0).coordinates.tolist() == [[0, 0, 0]]
