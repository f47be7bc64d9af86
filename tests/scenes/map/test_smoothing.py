"""Majority filter and sieve, beside slow and obvious ones."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from kmosaic.errors import DataError
from kmosaic.scenes.map.smoothing import check_window, majority_by_strips, majority_filter, sieve

needs_rasterio = pytest.mark.skipif(find_spec("rasterio") is None, reason="no rasterio")


def slow_majority(labels: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    smooth, half = labels.copy(), size // 2
    for line, column in np.argwhere(labels >= 0):
        window = labels[max(0, line - half) : line + half + 1, max(0, column - half) : column + half + 1]
        counts = np.bincount(window[window >= 0])
        if (counts == counts.max()).sum() == 1:
            smooth[line, column] = counts.argmax()
    return smooth


def some_labels(height: int, width: int, n_classes: int, seed: int) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(-1, n_classes, (height, width)).astype(np.int32)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    n_classes=st.integers(1, 300),
    size=st.sampled_from([3, 5, 7, 15]),
    seed=st.integers(0, 99),
)
def test_the_filter_is_the_slow_one(height: int, width: int, n_classes: int, size: int, seed: int) -> None:
    labels = some_labels(height, width, n_classes, seed)

    np.testing.assert_array_equal(majority_filter(labels, size), slow_majority(labels, size))


def test_strips_leave_no_seams() -> None:
    for size, n_lines in product([3, 7, 15], [7, 16, 20, 50, 64]):
        labels = some_labels(50, 13, 3, seed=5)
        strips = ((top, labels[top : top + n_lines]) for top in range(0, 50, n_lines))

        found = list(majority_by_strips(strips, size))

        assert [top for top, _ in found] == list(range(0, 50, n_lines))
        np.testing.assert_array_equal(
            np.concatenate([part for _, part in found]), majority_filter(labels, size)
        )


def test_a_tie_keeps_the_pixels_own_class() -> None:
    labels = np.array([[0, 1, 2, 1, 0]], np.int32)

    # Around the middle 1 has two of three; at the ends each has one, or 0 and 1 one each with 2.
    assert majority_filter(labels, 3).tolist() == [[0, 1, 1, 1, 0]]


def test_what_is_missing_stays_so_and_does_not_count() -> None:
    labels = np.full((5, 5), -1, np.int32)
    labels[2, 2] = 3

    assert (majority_filter(labels, 5) == labels).all()


def test_windows_that_have_no_middle_or_are_too_large_are_refused() -> None:
    for size in [1, 2, 4, 17, -3]:
        with pytest.raises(DataError, match="odd.*3.*15"):
            check_window(size)


@needs_rasterio
def test_small_patches_go_to_the_largest_beside_them() -> None:
    coded = np.full((8, 8), 1, np.uint8)
    coded[:, 5:] = 2
    coded[3, 4:6] = 3  # touches both; the left is larger
    coded[6:8, 0:2] = 4  # 4 pixels: large enough

    sieve(coded, 4)

    assert not (coded == 3).any()
    assert coded[3, 4] == coded[3, 5] == 1
    assert (coded[6:8, 0:2] == 4).all()


@needs_rasterio
def test_sieving_neither_fills_nor_uses_what_is_missing() -> None:
    coded = np.zeros((6, 6), np.uint8)
    coded[1:5, 1:4] = 1
    coded[1, 5] = 2  # an island of one pixel

    before = coded.copy()
    sieve(coded, 3)

    np.testing.assert_array_equal(coded, before)


@needs_rasterio
def test_no_patch_that_has_a_large_neighbour_stays_small() -> None:
    for dtype in [np.uint8, np.uint16]:
        coded = (some_labels(60, 60, 2, seed=3) // 2 + 2).astype(dtype)
        coded[10:50, 10:50] = np.where(some_labels(40, 40, 12, seed=4) == 0, 1, 2)

        sieve(coded, 5)

        for value in np.unique(coded):
            patches, n_patches = ndimage.label(coded == value)
            sizes = ndimage.sum_labels(np.ones_like(coded), patches, np.arange(1, n_patches + 1))
            assert (sizes >= 5).all()


@needs_rasterio
def test_a_map_smaller_than_the_patches_asked_for_stays() -> None:
    coded = np.array([[1, 2], [2, 1]], np.uint8)

    sieve(coded, 100)

    assert coded.tolist() == [[1, 2], [2, 1]]
