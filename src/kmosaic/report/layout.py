"""How many columns a mosaic has, and how large its cells are."""

from __future__ import annotations

import math
from dataclasses import dataclass

_WIDEST = 1500  # pixels a mosaic aims to stay within
_LARGEST_TILE = 112
_ROOMY = 800  # pixels that a mosaic of few columns is scaled up towards
_LARGEST_ROOMY_TILE = 320
_SMALLEST_TITLED_CELL = 64  # eight characters at the size of titles
_GAP = 8


@dataclass(frozen=True)
class Grid:
    """A mosaic's measures in pixels; tiles are whole multiples of image pixels unless reduced."""

    n_columns: int
    n_rows: int
    tile_height: int
    tile_width: int
    cell_width: int
    gap: int = _GAP

    @property
    def width(self) -> int:
        """Pixels from the first column's left edge to the last column's right edge."""
        return self.n_columns * (self.cell_width + self.gap) - self.gap


def near_square(n_tiles: int, aspect: float = 1.0) -> int:
    """Return the number of columns that makes a mosaic near-square with few empty cells.

    ``aspect`` is a tile's width by its height.

    >>> [near_square(k) for k in (1, 2, 10, 16, 36, 64, 144, 256, 400)]
    [1, 2, 5, 4, 6, 8, 12, 16, 20]
    """

    def badness(n_columns: int) -> tuple[float, int]:
        n_rows = -(-n_tiles // n_columns)
        empty = n_columns * n_rows - n_tiles
        return round(abs(math.log(n_columns * aspect / n_rows)) + 4 * empty / n_tiles, 9), -n_columns

    return min(range(1, n_tiles + 1), key=badness)


def grid_of(
    n_tiles: int, size: tuple[float, float], title_width: float = 0, n_columns: int | None = None
) -> Grid:
    """Return the grid for ``n_tiles`` tiles of ``size`` = (height, width) image pixels.

    ``title_width`` is what the longest title would take, 0 where there are none; cells grow towards it,
    within reason.
    """
    height, width = size
    n_columns = n_columns or near_square(n_tiles, _cell_aspect(height, width, title_width))
    room = _WIDEST / n_columns - _GAP
    largest = max(_LARGEST_TILE, min(_LARGEST_ROOMY_TILE, _ROOMY / n_columns))
    scale = min(largest / max(height, width), max(room, 40) / width)
    scale = math.floor(scale) if scale >= 1 else scale
    tile_height, tile_width = max(4, round(height * scale)), max(4, round(width * scale))
    cell_width = tile_width
    if title_width:
        cell_width = max(
            tile_width, min(math.ceil(title_width), max(_SMALLEST_TITLED_CELL, round(1.5 * tile_width)))
        )
    return Grid(n_columns, -(-n_tiles // n_columns), tile_height, tile_width, cell_width)


def _cell_aspect(height: float, width: float, title_width: float) -> float:
    """Width by height of a cell with its gap, when its tile is as large as tiles get."""
    scale = _LARGEST_TILE / max(height, width)
    min_width = min(title_width, _SMALLEST_TITLED_CELL)
    return (max(width * scale, min_width) + _GAP) / (height * scale + _GAP)
