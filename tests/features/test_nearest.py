"""Neighbours by k-means cells: true distances, as many of the nearest as said, and all of them when asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic.features.nearest import NearestRows, NeighborIndex


def embeddings(n: int = 6000, d: int = 24, dtype: str = "float32") -> NDArray[Any]:
    """Rows near a curved surface of few dimensions, as a network's vectors are."""
    random = np.random.default_rng(0)
    return np.tanh(random.normal(size=(n, 5)) @ random.normal(size=(5, d))).astype(dtype)


def brute_force(
    rows: NDArray[Any], references: NDArray[Any], k: int, own: NDArray[np.intp] | None
) -> NearestRows:
    """All distances, sorted stably; ``own`` is which reference each row is."""
    squares = np.empty((len(rows), len(references)))
    for i, row in enumerate(rows.astype(np.float64)):
        squares[i] = ((references.astype(np.float64) - row) ** 2).sum(axis=1)
    if own is not None:
        squares[np.arange(len(rows)), own] = np.inf
    indices = np.argsort(squares, axis=1, kind="stable")[:, :k]
    return NearestRows(indices.astype(np.int32), np.sqrt(np.take_along_axis(squares, indices, axis=1)))


def share(found: NDArray[np.int32], true: NDArray[np.int32]) -> float:
    return float((found[:, :, None] == true[:, None]).any(axis=2).mean())


@pytest.mark.parametrize("own", [True, False])
def test_cells_find_the_share_of_true_neighbours_that_they_say(own: bool) -> None:
    references = embeddings(dtype="float16")
    rows = references if own else embeddings(n=6500, dtype="float16")[6000:] + np.float16(0.01)
    found = NeighborIndex(references, exact=False, recall=0.9).search(None if own else rows, 8)
    checked = np.arange(0, len(rows), 15 if own else 1)
    true = brute_force(rows[checked], references, 8, checked if own else None)
    assert found.n_searched < found.n_cells == 12
    assert 0.9 <= found.recall < 1
    assert abs(share(found.indices[checked], true.indices) - found.recall) < 0.03
    # What is found is true: the distances of the rows named, in order, no row twice, and none its own.
    differences = rows.astype(np.float64)[:, None] - references.astype(np.float64)[found.indices]
    squares = (differences**2).sum(axis=2)
    np.testing.assert_allclose(found.distances, np.sqrt(squares), rtol=1e-12)
    assert (np.diff(found.distances, axis=1) >= 0).all()
    assert (np.diff(np.sort(found.indices, axis=1), axis=1) > 0).all()
    assert not own or not (found.indices == np.arange(len(rows))[:, None]).any()


def test_all_cells_or_all_pairs_find_every_neighbour() -> None:
    random = np.random.default_rng(3)
    references = random.integers(0, 3, (1500, 6)).astype(np.uint8)  # many equal rows, and ties
    true = brute_force(references, references, 5, np.arange(1500))
    for index in (NeighborIndex(references), NeighborIndex(references, exact=False, recall=1.0)):
        found = index.search(None, 5)
        assert (found.indices == true.indices).all(), index.exact
        assert (found.distances == true.distances).all(), index.exact
        assert found.recall == 1.0


def test_cells_of_fewer_rows_than_neighbours() -> None:
    references = np.concatenate((np.zeros((1999, 2)), 1e3 + np.arange(2.0)[None])).astype(np.float32)
    found = NeighborIndex(references, exact=False, recall=0.5).search(references[-1:], 3)
    assert found.indices[0].tolist() == [1999, 0, 1]
    assert np.isfinite(found.distances).all()


def test_neither_threads_nor_a_memory_map_change_a_bit(tmp_path: Any) -> None:
    rows = embeddings(n=3000)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    told: list[int] = []
    one = NeighborIndex(rows, exact=False, n_threads=1).search(None, 6)
    index = NeighborIndex(mapped, exact=False, n_threads=3, callback=lambda done, _: told.append(done))
    three = index.search(None, 6)
    assert one.indices.tobytes() == three.indices.tobytes()
    assert one.distances.tobytes() == three.distances.tobytes()
    assert told == sorted(told)
    assert told[-1] == 3000


def test_bad_arguments() -> None:
    rows = embeddings(n=50)
    with pytest.raises(ValueError, match="n_neighbors=50"):
        NeighborIndex(rows).search(None, 50)
    with pytest.raises(ValueError, match="n_neighbors=0"):
        NeighborIndex(rows).search(rows, 0)
    with pytest.raises(ValueError, match=r"recall=1\.5"):
        NeighborIndex(rows, recall=1.5)
