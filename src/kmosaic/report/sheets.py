"""Sheets: many small pictures in one PNG or JPEG, of which a page shows parts; in the page, or beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic.report.tiles import data_uri, jpeg, png, reduced

_WIDEST = 2_000  # pixels; every browser decodes this
_QUALITY = 85


@dataclass(frozen=True)
class Sheet:
    """Equal tiles, row by row, sheet after sheet; ``aspect`` is a tile's width by its height, as CSS has it.

    ``uris`` are the addresses of the sheets, each of ``n_columns`` times ``n_rows`` tiles.
    """

    uris: tuple[str, ...]
    n_columns: int
    n_rows: int
    aspect: str


@dataclass(frozen=True)
class Picture:
    """A sheet as a file of JPEG or PNG, and how its tiles lie in it."""

    content: bytes
    n_columns: int
    n_rows: int
    aspect: str


def sheet(tiles: NDArray[np.uint8], side: int, *, lossy: bool = False) -> Sheet:
    """Put ``tiles`` into one picture in the page: (n, height, width[, 3]), none larger than ``side``.

    ``lossy`` makes it a JPEG in place of a PNG: of photos it takes a fifth of the bytes.

    >>> few = sheet(np.zeros((5, 8, 8), np.uint8), side=8)
    >>> few.n_columns * few.n_rows >= 5, few.aspect
    (True, '8 / 8')
    """
    one = picture(tiles, side, lossy=lossy)
    uri = data_uri(one.content, "image/jpeg" if lossy else "image/png")
    return Sheet((uri,), one.n_columns, one.n_rows, one.aspect)


def tiles_across(width: int) -> int:
    """Return how many tiles a sheet has side by side at most, at least 1."""
    return max(1, _WIDEST // width)


def tiles_a_sheet(height: int, width: int) -> int:
    """Return how many tiles of this size a picture of at most 2,000 pixels a side holds, at least 1."""
    return max(1, _WIDEST // height) * tiles_across(width)


def picture(
    tiles: NDArray[np.uint8], side: int, *, lossy: bool = False, n_columns: int | None = None
) -> Picture:
    """Put ``tiles``, none larger than ``side``, into one picture: about square, or in ``n_columns``."""
    smaller = np.stack([reduced(tile, side) for tile in tiles])
    n, height, width = smaller.shape[:3]
    if n_columns is None:
        n_columns = max(1, min(n, tiles_across(width), math.ceil(math.sqrt(n * height / width))))
    n_rows = -(-n // n_columns)
    whole = np.zeros((n_rows * n_columns, *smaller.shape[1:]), dtype=np.uint8)
    whole[:n] = smaller
    rest = smaller.shape[3:]
    grid = whole.reshape(n_rows, n_columns, height, width, *rest).swapaxes(1, 2)
    pixels = np.ascontiguousarray(grid.reshape(n_rows * height, n_columns * width, *rest))
    content = jpeg(pixels, _QUALITY) if lossy else png(pixels)
    return Picture(content, n_columns, n_rows, f"{width} / {height}")
