"""Groups of near vectors, against all pairs measured one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import kmosaic.duplicates.candidates
import kmosaic.duplicates.near_vectors
from kmosaic.duplicates import VectorFindOptions, find_near_vectors
from kmosaic.duplicates.candidates import pairs_within
from kmosaic.errors import DataError
from kmosaic.images.collection import VectorCollection


def collection(vectors: np.ndarray) -> VectorCollection:
    return VectorCollection("v", vectors, None, None, None, tuple(map(str, range(len(vectors)))))


def distances(vectors: np.ndarray, metric: str) -> np.ndarray:
    """Of all pairs, by the definition."""
    rows = vectors.astype(np.float64)
    measured: np.ndarray = cdist(rows, rows, metric)
    return measured


def copies(dtype: str) -> np.ndarray:
    """Vectors of unlike lengths, some of them nearly the same, some times a number, some equal."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(60, 24)) * np.exp(rng.normal(size=(60, 1)))
    near = first[:30] * 3 + rng.normal(size=(30, 24)) * 0.1
    return np.concatenate([first, near, first[5:8], first[20:25] + 0.01]).astype(dtype)


@pytest.mark.parametrize("cells", [False, True])
def test_groups_hold_what_is_near_and_nothing_else(cells: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if cells:  # the way of more than 100,000 vectors
        monkeypatch.setattr(kmosaic.duplicates.near_vectors, "MAX_PAIRS", 1)
    for dtype in ("float16", "float32", "float64"):
        vectors = copies(dtype)
        for metric, limit in (("cosine", 0.02), ("cosine", 0.3), ("euclidean", 0.2), ("euclidean", 1.5)):
            apart = distances(vectors, metric)
            found = find_near_vectors(collection(vectors), options=VectorFindOptions(limit, metric))
            assert found.recall == 1
            in_group = np.full(len(vectors), -1)
            for number, group in enumerate(found.groups):
                assert (in_group[group.rows] == -1).all()
                in_group[group.rows] = number
                np.testing.assert_allclose(group.distances, apart[group.rows, group.centre], atol=2e-6)
                assert (apart[group.rows, group.centre] <= 1.5 * limit + 1e-6).all()
            near = np.triu(apart <= limit, 1)
            assert near.any()
            # Of two that are near, at least one is in a group: else they would be one of their own.
            assert (in_group[np.argwhere(near)].max(axis=1) >= 0).all()


def test_equal_vectors_and_those_without_a_direction() -> None:
    vectors = np.array([[1, 2], [0, 0], [9, 1], [1, 2], [0, 0], [-5, 3]], np.int8)
    groups = find_near_vectors(collection(vectors), options=VectorFindOptions(0.0)).groups
    assert [group.rows.tolist() for group in groups] == [[0, 3], [1, 4]]


def test_what_cannot_be_compared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="at least two"):
        find_near_vectors(collection(np.ones((1, 3))))
    for limit, metric in ((-1.0, "cosine"), (2.5, "cosine"), (np.nan, "euclidean"), (0.1, "manhattan")):
        with pytest.raises(DataError, match="must be"):
            VectorFindOptions(limit, metric)
    monkeypatch.setattr(kmosaic.duplicates.candidates, "MAX_PAIRS", 10)
    with pytest.raises(DataError, match="smaller"):
        find_near_vectors(collection(copies("float32")), options=VectorFindOptions(2.0))


def test_pairs_at_the_radius_are_found_whatever_the_number_of_features() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(300, 4000)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) * np.float32(1.001)
    apart = distances(rows, "euclidean")
    for radius in np.sort(apart[np.triu_indices(300, 1)])[[10, 1000, 20_000]]:
        radius = float(radius) * (1 + 1e-12)
        assert {tuple(pair) for pair in pairs_within(rows, None, radius)} == {
            tuple(pair) for pair in np.argwhere(np.triu(apart <= radius, 1))
        }
