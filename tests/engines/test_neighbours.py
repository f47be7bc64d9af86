"""The nearest rows: those of float64, ties to the lowest, with the same bits whatever runs it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from instruction_sets import on_every_cpu
from kmosaic import _core
from kmosaic.engines import nearest_rows


def slow_neighbours(rows: NDArray[np.float64], references: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """All distances, sorted stably; exact for small whole numbers."""
    squares = ((rows[:, None] - references[None]) ** 2).sum(axis=2)
    return np.argsort(squares, axis=1, kind="stable")[:, :k]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["uint8", "uint16", "float32", "float64"]), st.data())
def test_as_brute_force_has_it(seed: int, dtype: str, data: st.DataObject) -> None:
    random = np.random.default_rng(seed)
    n, n_references, d = (data.draw(st.integers(1, most)) for most in (40, 700, 20))
    values = data.draw(st.sampled_from([2, 5, 256]))  # few: many ties
    rows = random.integers(0, values, (n, d)).astype(dtype)
    references = random.integers(0, values, (n_references, d)).astype(np.float64)
    k = data.draw(st.integers(1, n_references))
    found = nearest_rows(rows, references, k, data.draw(st.integers(1, 3)))
    assert (found.indices == slow_neighbours(rows.astype(np.float64), references, k)).all()
    expected = ((rows[:, None].astype(np.float64) - references[found.indices]) ** 2).sum(axis=2)
    assert (found.squared_distances == expected).all()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["uint8", "float16", "float32", "float64"]))
def test_nothing_beyond_a_rows_limit(seed: int, dtype: str) -> None:
    """Those within it are as without a limit: references at the limit itself are wanted."""
    random = np.random.default_rng(seed)
    n, n_references, d, k = 30, int(random.integers(1, 700)), int(random.integers(1, 20)), 7
    shift = 0 if dtype == "uint8" else int(random.choice([0, 1000]))
    rows = (random.integers(0, 8, (n, d)) + shift).astype(dtype)
    references = random.integers(0, 8, (n_references, d)).astype(np.float64) + shift
    if dtype == "float64" and seed % 2:  # squares that underflow in part
        rows, references = np.ldexp(rows, -536), np.ldexp(references, -536)
    k = min(k, n_references)
    whole = nearest_rows(rows, references, k, 1)
    chosen = whole.squared_distances[np.arange(n), random.integers(0, k, n)]
    limits = np.where(random.random(n) < 0.1, np.inf, chosen * random.choice([0.0, 0.9, 1.0], n))
    found = nearest_rows(rows, references, k, 2, limits=limits)
    within = whole.squared_distances <= limits[:, None]
    assert (found.indices[within] == whole.indices[within]).all()
    assert (found.squared_distances == np.where(within, whole.squared_distances, np.inf)).all()


@on_every_cpu
def test_the_same_bits_for_any_number_of_threads_and_instruction_set() -> None:
    random = np.random.default_rng(1)
    rows = (random.normal(size=(600, 40)) * np.geomspace(1, 1e-3, 40)).astype(np.float32)
    references = rows.astype(np.float64)
    found = nearest_rows(rows, references, 12, 1, own=0)
    _core.select_cpu("scalar")
    scalar = nearest_rows(rows, references, 12, 3, own=0)
    assert found.indices.tobytes() == scalar.indices.tobytes()
    assert found.squared_distances.tobytes() == scalar.squared_distances.tobytes()
    squares = ((references[:, None] - references[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    assert (found.indices == np.argsort(squares, axis=1, kind="stable")[:, :12]).all()


def test_distances_that_are_one_in_float64_are_ties() -> None:
    references = np.random.default_rng(3).permutation(np.arange(600.0))[:, None]
    for place in (2.0**64, -(2.0**70)):
        found = nearest_rows(np.array([[place]]), references, 9, 1)
        assert found.indices[0].tolist() == list(range(9)), place


def test_slabs_of_the_references_are_not_their_own_neighbours() -> None:
    references = np.random.default_rng(2).integers(0, 4, (300, 3)).astype(np.float64)
    whole = nearest_rows(references, references, 9, 1, own=0).indices
    assert not (whole == np.arange(300)[:, None]).any()
    for start in (0, 100, 217):
        slab = nearest_rows(references[start : start + 83], references, 9, 1, own=start)
        assert (slab.indices == whole[start : start + 83]).all()


def test_more_neighbours_than_there_are() -> None:
    for k, own, match in [(0, None, "at most"), (4, None, "at most"), (3, 0, "at most"), (1, 2, "among")]:
        references = np.zeros((3, 2))
        with pytest.raises(ValueError, match=match):
            nearest_rows(references, references, k, 1, own=own)
