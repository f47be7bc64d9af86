"""Grids of rasters, and whether they agree."""

from __future__ import annotations

from typing import Any

from kmosaic.scenes.scene import Grid


def grid_of(dataset: Any) -> Grid:
    """Return where the pixels of an open rasterio dataset lie."""
    crs = dataset.crs.to_wkt() if dataset.crs else ""
    a, b, c, d, e, f = (float(value) for value in tuple(dataset.transform)[:6])
    return Grid(dataset.width, dataset.height, (a, b, c, d, e, f), crs)
