"""Deviations from centres, feature by feature, as exact whatever the blocks."""

from __future__ import annotations

from itertools import product

import numpy as np

from kmosaic.engines import BlockEngine, mean_squared_deviations

from .test_block_engine import Cut, Sent, data


def test_deviations_are_those_of_the_rows() -> None:
    for dtype in ["uint8", "uint16", "float32", "float64"]:
        X = data(dtype)
        centers = np.concatenate([X[:6].astype(np.float64) + 0.3, [[1e4, 1e4, 1e4]]])
        squares = np.square(X.astype(np.float64)[:, None] - centers)
        labels = squares.sum(axis=2).argmin(axis=1)
        expected = np.zeros((7, 3))
        for label in range(6):
            expected[label] = squares[labels == label, label].mean(axis=0)

        found = mean_squared_deviations(BlockEngine(Cut(X, [600]), 1), centers)

        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_neither_blocks_nor_threads_change_a_bit() -> None:
    for dtype, scale in product(["uint8", "uint16", "float32", "float64"], [1.0, 1e-30, 1e30]):
        X = data(dtype, 3000)
        if dtype[0] == "f":
            X = np.ascontiguousarray((X * scale).astype(dtype))
            X[7] *= 1000
        centers = X[:9].astype(np.float64)
        results = [
            mean_squared_deviations(BlockEngine(kind(X, lengths), n_threads), centers).tobytes()
            for kind, lengths, n_threads in product((Cut, Sent), ([3000], [1, 999], [64]), (1, 3))
        ]
        assert len(set(results)) == 1


def test_rows_that_are_all_alike_do_not_deviate() -> None:
    X = np.full((50, 2), 7.25, np.float32)
    found = mean_squared_deviations(BlockEngine(Cut(X, [8]), 1), X[:1].astype(np.float64))
    assert found.tolist() == [[0.0, 0.0]]
