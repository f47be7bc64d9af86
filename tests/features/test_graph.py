"""The graph embedding: what it finds in digits, and what it must not do."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from kmosaic import KMeans
from kmosaic.features import GraphEmbedding


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    X, y = load_digits(return_X_y=True)
    return (X * 15.9).astype(np.uint8), y


def purity(labels: NDArray[np.int32], y: NDArray[np.intp]) -> float:
    counts = np.zeros((labels.max() + 1, 10))
    np.add.at(counts, (labels, y), 1)
    return float(counts.max(axis=1).sum() / len(y))


def test_clusters_of_digits_agree_with_people_better_than_those_of_pixels(
    digits: tuple[NDArray[np.uint8], NDArray[np.intp]],
) -> None:
    X, y = digits
    graph = GraphEmbedding(n_components=20).fit(X[:1400])
    model = KMeans(20, random_state=0).fit(graph.transform(X[:1400]))
    names = np.array([np.bincount(y[:1400][model.labels_ == j]).argmax() for j in range(20)])
    named = (names[model.predict(graph.transform(X[1400:]))] == y[1400:]).mean()
    of_pixels = KMeans(20, random_state=0).fit(X[:1400])
    assert purity(model.labels_, y[:1400]) > 0.96 > purity(of_pixels.labels_, y[:1400]) + 0.03
    assert named > 0.93


def test_images_fitted_keep_their_place(digits: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> None:
    X = np.vstack([digits[0][:400], digits[0][:30]])
    graph = GraphEmbedding(n_components=8)
    fitted = graph.fit_transform(X)
    assert fitted.dtype == np.float32
    assert (graph.transform(X) == fitted).all()
    assert (fitted[400:] == fitted[:30]).all()


def test_duplicates_draw_nothing_to_them(digits: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> None:
    X = digits[0][:500]
    many = np.vstack([X, np.repeat(X[7:8], 300, axis=0), X[::-1]])
    once, often = (GraphEmbedding(n_components=8).fit(rows) for rows in (X, many))
    assert often.embedding_.tobytes() == once.embedding_.tobytes()
    assert (often.transform(X) == once.transform(X)).all()
    assert (often.nodes_[500:800] == often.nodes_[7]).all()


def test_the_number_of_threads_changes_no_bit(digits: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> None:
    X = digits[0]
    one, three = (GraphEmbedding(n_components=12, n_threads=n).fit(X[:900]) for n in (1, 3))
    assert one.embedding_.tobytes() == three.embedding_.tobytes()
    assert one.transform(X[900:]).tobytes() == three.transform(X[900:]).tobytes()


def test_beyond_all_pairs_candidates_are_found_in_cells(
    digits: tuple[NDArray[np.uint8], NDArray[np.intp]], monkeypatch: pytest.MonkeyPatch
) -> None:
    X = digits[0]
    exact = GraphEmbedding(n_components=9, n_candidates=20).fit(X)
    monkeypatch.setattr("kmosaic.features.nearest.MAX_PAIRS", 1000)
    monkeypatch.setattr("kmosaic.features.nearest._ROWS_PER_CELL", 60)
    graph = GraphEmbedding(n_components=9, n_candidates=20)
    assert graph.fit(X).recall_ < 1 == exact.recall_
    assert graph.recall_ >= 0.98
    found, true = graph.neighbors(X), exact.set_params(exact=True).neighbors(X)
    assert found.recall == graph.recall_
    assert true.recall == 1
    same = (found.indices[:, :, None] == true.indices[:, None]).any(axis=2).mean()
    assert 0.98 <= same < 1  # of the nearest by distortion as many or more than of the candidates
    assert (graph.transform(X[:50]) == graph.embedding_[graph.nodes_[:50]]).all()
    assert "exact" not in graph.parameters()  # so that files of versions without it can be read


def test_fewer_images_than_neighbours() -> None:
    for n in [1, 2, 3, 8]:
        X = np.random.default_rng(0).integers(0, 256, (n, 36), dtype=np.uint8)
        graph = GraphEmbedding(n_components=5)
        fitted = graph.fit_transform(X)
        assert fitted.shape == (n, 5)
        assert np.isfinite(graph.transform(np.zeros((2, 36), np.uint8))).all()
        assert not fitted[:, n - 1 :].any()


def test_images_of_any_shape() -> None:
    for shape in [(9, 5, 1), (6, 8, 3), (1, 30, 1), (1, 1, 1)]:
        random = np.random.default_rng(1)
        X = random.integers(0, 256, (60, int(np.prod(shape)))).astype(np.uint8)
        graph = GraphEmbedding(n_components=4, image_shape=shape).fit(X)
        placed = graph.transform(X + np.uint8(1))
        assert placed.shape == (60, 4)
        assert np.isfinite(placed).all()


def test_blank_images_are_one_node() -> None:
    X = np.vstack([np.full((5, 64), value, np.uint8) for value in (0, 7, 255)])
    X = np.vstack([X, np.random.default_rng(3).integers(0, 256, (40, 64), dtype=np.uint8)])
    graph = GraphEmbedding(n_components=3).fit(X)
    assert len(graph.embedding_) == 41
    assert (graph.transform(X[:15]) == graph.embedding_[0]).all()


def test_parameters_out_of_range() -> None:
    for parameters, match in [
        ({"n_components": 0}, "n_components=0"),
        ({"n_neighbors": 0}, "n_neighbors=0 must be"),
        ({"n_candidates": 3}, "n_candidates=3.*7"),
        ({"warp": 40}, "warp=40 must be"),
        ({"time": -1}, "time=-1 must be"),
    ]:
        with pytest.raises(ValueError, match=match):
            GraphEmbedding(**parameters).fit(np.zeros((4, 4)))


def test_more_than_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        available = 100_000

    monkeypatch.setattr(psutil, "virtual_memory", Full)
    with pytest.raises(ValueError, match="GB.*sample"):
        GraphEmbedding().fit(np.zeros((4000, 16), np.uint8))


def test_progress_ends_at_the_end(digits: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> None:
    told: list[tuple[int, int]] = []
    graph = GraphEmbedding(n_components=3, callback=lambda done, total: told.append((done, total)))
    graph.fit(digits[0][:200])
    assert told[-1] == (200, 200)


def test_a_damaged_state_is_refused() -> None:
    for name, change in [
        ("levels", lambda a: a + np.int8(50)),
        ("levels", lambda a: a[:, :, :-1]),
        ("scales", lambda a: a * 0),
        ("coordinates", lambda a: a * np.nan),
        ("embedding", lambda a: a[:-1]),
        ("view_axes", lambda a: a[:, :-1]),
    ]:
        X = np.random.default_rng(0).integers(0, 256, (20, 36), dtype=np.uint8)
        graph = GraphEmbedding(n_components=2).fit(X)
        state = graph.state()
        state[name] = np.ascontiguousarray(change(state[name]))
        with pytest.raises(ValueError, match="must be|has NaN"):
            GraphEmbedding.from_state(graph.parameters(), state)
