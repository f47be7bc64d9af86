"""Near-duplicates and outliers, from neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from kmosaic.features import GraphEmbedding
from kmosaic.features.drawings import duplicate_groups, first_rows, nearest_distances
from kmosaic.features.graph import ImageNeighbors


def digits(n: int) -> NDArray[np.uint8]:
    return (load_digits().data[:n] * 15).astype(np.uint8)


def test_copies_are_found_whatever_their_brightness() -> None:
    X = digits(120)
    darker = (X[[5, 17]] * 0.6 + 20).astype(np.uint8)
    found = GraphEmbedding().neighbors(np.vstack([X, X[3:4], darker]))
    groups = {tuple(group.rows.tolist()) for group in duplicate_groups(found, 0.06)}
    assert groups == {(3, 120), (5, 121), (17, 122)}


def test_distances_are_parts_of_the_images_own_edges() -> None:
    X = digits(100)
    graph = GraphEmbedding(n_neighbors=4)
    found = graph.neighbors(X)
    assert found.indices.shape == found.distances.shape == (100, 4)
    assert not (found.indices == np.arange(100)[:, None]).any()
    assert (np.diff(found.distances, axis=1) >= 0).all()
    assert 0 < found.distances.min() < found.distances.max() <= 1


def test_an_image_unlike_all_others_is_the_farthest() -> None:
    X = np.vstack([digits(200), 255 * (np.indices((8, 8)).sum(axis=0) % 4 // 2).reshape(1, 64)])
    nearest = nearest_distances(GraphEmbedding().neighbors(X.astype(np.uint8)))
    assert nearest.argmax() == 200


def test_a_chain_is_one_group_and_one_sided_likeness_is_none() -> None:
    near = np.array([[1], [2], [1], [0]], np.int32)
    distances = np.array([[0.05], [0.04], [0.04], [0.0]])
    found = ImageNeighbors(np.array([0, 1, 2, 3], np.int32), near, distances)
    groups = duplicate_groups(found, 0.1)
    assert [group.rows.tolist() for group in groups] == [[1, 2]]
    assert groups[0].distances.tolist() == [0.04, 0.04]
    assert duplicate_groups(found, 0.01) == []


def test_equal_images_are_at_no_distance() -> None:
    found = ImageNeighbors(
        np.array([0, 1, 0], np.int32), np.array([[1], [0]], np.int32), np.full((2, 1), 0.7)
    )
    assert nearest_distances(found).tolist() == [0, 0.7, 0]
    assert first_rows(found).tolist() == [0, 1]
    assert [group.rows.tolist() for group in duplicate_groups(found, 0.0)] == [[0, 2]]
