"""Scenes for benchmarks: the bands of North Carolina mirrored over a larger grid, and perturbed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.io.gdal_env import load_rasterio

_BANDS = (10, 20, 30, 40, 50, 70)
_LINES = 256
_NOISE = 0.02  # of a band's deviation, so that no block is another's mirror image


def north_carolina(folder: Path) -> NDArray[np.float64]:
    """The six bands of ``folder``, (lines, columns, bands); missing pixels have the band's mean."""
    rasterio = load_rasterio()
    planes = []
    for number in _BANDS:
        with rasterio.open(folder / f"lsat7_2000_{number}.tif") as band:
            values = band.read(1, masked=True).astype(np.float64)
            planes.append(values.filled(values.mean()))
    return np.stack(planes, axis=2)


def strips(bands: NDArray[np.float64], size: int, dtype: str, seed: int = 0) -> Iterator[NDArray[Any]]:
    """A square scene of ``size`` pixels a side, strip by strip: (lines, size, n_bands) of uint8 or uint16."""
    height, width = bands.shape[:2]
    columns = _mirrored(np.arange(size), width)
    low, high = bands.min(axis=(0, 1)), bands.max(axis=(0, 1))
    spread = bands.std(axis=(0, 1)) * _NOISE
    random = np.random.default_rng(seed)
    for top in range(0, size, _LINES):
        lines = _mirrored(np.arange(top, min(top + _LINES, size)), height)
        values = bands[lines][:, columns]
        values += spread * random.standard_normal(values.shape, np.float32)
        if dtype == "uint16":
            values = (values - low) / (high - low) * 10000
        yield np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)


def write_scene(path: Path, bands: NDArray[np.float64], size: int, dtype: str, **profile: Any) -> None:
    """Write ``strips`` as a GeoTIFF, uncompressed and pixel-interleaved unless the profile says otherwise."""
    rasterio = load_rasterio()
    made = {"driver": "GTiff", "width": size, "height": size, "count": bands.shape[2], "dtype": dtype}
    made |= {"interleave": "pixel", "crs": "EPSG:32617", "transform": (28.5, 0, 0, 0, -28.5, 0), **profile}
    made["transform"] = rasterio.Affine(*made["transform"])
    with rasterio.open(path, "w", **made) as scene:
        top = 0
        for values in strips(bands, size, dtype):
            window = ((top, top + len(values)), (0, size))
            scene.write(np.moveaxis(values, 2, 0), window=window)
            top += len(values)


def _mirrored(places: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    turned = places % (2 * length)
    return np.where(turned < length, turned, 2 * length - 1 - turned)
