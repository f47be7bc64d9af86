"""Sheets: many small pictures in one PNG or JPEG, of which a page shows parts."""

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
    """Equal tiles, row by row; ``aspect`` is a tile's width by its height, as CSS writes it."""

    uri: str
    n_columns: int
    n_rows: int
    aspect: str


def sheet(tiles: NDArray[np.uint8], side: int, *, lossy: bool = False) -> Sheet:
    """Put ``tiles`` into one picture: (n, height, width[, 3]), none larger than ``side``.

    ``lossy`` makes it a JPEG in place of a PNG: of photos it takes a fifth of the bytes.

    >>> few = sheet(np.zeros((5, 8, 8), np.uint8), side=8)
    >>> few.n_columns * few.n_rows >= 5, few.aspect
    (True, '8 / 8')
    """
    smaller = np.stack([reduced(tile, side) for tile in tiles])
    n, height, width = smaller.shape[:3]
    n_columns = max(1, min(n, _WIDEST // width, math.ceil(math.sqrt(n * height / width))))
    n_rows = -(-n // n_columns)
    whole = np.zeros((n_rows * n_columns, *smaller.shape[1:]), dtype=np.uint8)
    whole[:n] = smaller
    rest = smaller.shape[3:]
    grid = whole.reshape(n_rows, n_columns, height, width, *rest).swapaxes(1, 2)
    picture = np.ascontiguousarray(grid.reshape(n_rows * height, n_columns * width, *rest))
    uri = data_uri(jpeg(picture, _QUALITY), "image/jpeg") if lossy else data_uri(png(picture), "image/png")
    return Sheet(uri, n_columns, n_rows, f"{width} / {height}")
