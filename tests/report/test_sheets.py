"""Sheets: tiles in one picture, each where the page looks for it."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from kmosaic.report.sheets import sheet


def pixels(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image)


def test_every_tile_is_where_it_belongs():
    for shape in [(1, 5, 7), (7, 6, 4), (50, 8, 8), (3, 5, 4, 3), (900, 1, 12), (40, 30, 1)]:
        tiles = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        found = sheet(tiles, side=64)
        whole = pixels(found.uris[0])
        height, width = shape[1:3]
        assert whole.shape[:2] == (found.n_rows * height, found.n_columns * width)
        assert max(whole.shape) <= 2000
        for number, tile in enumerate(tiles):
            row, column = divmod(number, found.n_columns)
            shown = whole[row * height : (row + 1) * height, column * width : (column + 1) * width]
            assert (shown == tile).all()
        assert found.aspect == f"{width} / {height}"


def test_large_tiles_are_made_smaller():
    found = sheet(np.zeros((4, 200, 100), np.uint8), side=50)
    assert found.aspect == "25 / 50"
    assert pixels(found.uris[0]).shape == (found.n_rows * 50, found.n_columns * 25)
