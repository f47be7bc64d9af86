"""Rasters that tests write and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic.scenes.io.raster_scene import open_scene
from kmosaic.scenes.io.read_options import ReadOptions

rasterio = pytest.importorskip("rasterio")
raster_shutil = pytest.importorskip("rasterio.shutil")
Affine = rasterio.Affine
NORTH_UP = Affine(30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0)
COARSE = Affine(60.0, 0.0, 500_000.0, 0.0, -60.0, 4_000_000.0)
RNG = np.random.default_rng(7)

Write = Callable[..., str]


def read_all(source: Any, **options: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """All lines of a scene: (n_bands, height, width), and which pixels are present."""
    with open_scene(source, ReadOptions(**options)) as scene:
        strip = scene.read(0, scene.grid.height)
        valid = np.ones(strip.values.shape[:2], np.bool_) if strip.valid is None else strip.valid
        return np.moveaxis(strip.values, 2, 0), valid


def some(dtype: str = "uint16", shape: tuple[int, int, int] = (3, 20, 14)) -> NDArray[Any]:
    return RNG.integers(1, 200, shape).astype(dtype)


def vrt_of(source: str, width: int = 14, height: int = 20, n_bands: int = 3) -> str:
    """A virtual raster beside a file, of uint16, or of bytes where it has one band."""
    kind = "UInt16" if n_bands == 3 and width == 14 else "Byte"
    count = n_bands if kind == "UInt16" else 1
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{source}</SourceFilename><SourceBand>{band}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for band in range(1, count + 1)
    )
    folder = Path(source).parent if Path(source).is_file() else Path.cwd()
    path = folder / "scene.vrt"
    path.write_text(f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{bands}</VRTDataset>')
    return str(path)
