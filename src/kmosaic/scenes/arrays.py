"""Scenes from whatever holds one: files, arrays."""

from __future__ import annotations

from typing import Any

from kmosaic.scenes.raster import open_scene
from kmosaic.scenes.reading import ReadOptions
from kmosaic.scenes.scene import Scene


def as_scene(source: Any, options: ReadOptions | None = None) -> Scene:
    """Return a scene of paths, open rasterio datasets, NumPy arrays or xarray.DataArrays."""
    return open_scene(source, options)
