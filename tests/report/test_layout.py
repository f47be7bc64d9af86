"""The layout of mosaics."""

from __future__ import annotations

from itertools import product

import pytest

from kmosaic.report.layout import grid_of, near_square


def test_square_numbers_make_squares() -> None:
    for side in range(1, 21):
        assert near_square(side * side) == side


def test_all_tiles_fit_without_an_empty_row() -> None:
    for aspect, k in product([0.25, 1.0, 1.5, 4.0], [*range(1, 60), 144, 211, 256, 397, 400]):
        n_columns = near_square(k, aspect)
        n_rows = -(-k // n_columns)
        assert n_columns * n_rows >= k
        assert n_columns * (n_rows - 1) < k
        assert k < 5 or 1 / 3.5 < n_columns * aspect / n_rows < 3.5


def test_tiles_keep_their_shape_and_the_mosaic_its_bounds() -> None:
    for size, k in product(
        [(8, 8), (28, 28), (64, 64), (300, 400), (2, 200), (200, 2), (0.25, 1.0)], [1, 10, 36, 256, 400]
    ):
        grid = grid_of(k, size)
        height, width = size
        if min(grid.tile_height, grid.tile_width) > 8:
            assert grid.tile_width / grid.tile_height == pytest.approx(width / height, rel=0.06)
        assert grid.width <= 2200
        assert grid.n_columns * grid.n_rows >= k


def test_small_images_are_shown_at_whole_multiples() -> None:
    for k in (1, 10, 36, 256, 400):
        assert grid_of(k, (28, 28)).tile_width % 28 == 0


def test_few_images_are_scaled_up_by_whole_factors() -> None:
    for k, least in [(1, 256), (4, 256), (9, 192), (16, 128), (36, 128)]:
        grid = grid_of(k, (64, 64), 80)
        assert grid.tile_width >= least
        assert grid.tile_width % 64 == 0
        assert grid.tile_width == grid.tile_height
        assert grid.width <= 1000


def test_cells_grow_for_titles_within_reason() -> None:
    assert grid_of(400, (28, 28), title_width=70).cell_width >= 64
    assert grid_of(400, (28, 28), title_width=5000).cell_width <= 100
